package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"golang.org/x/term"
)

// terminal is what a command reads from and writes to.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// say writes one message to standard error.
func (t *terminal) say(format string, args ...any) {
	fmt.Fprintf(t.stderr, "kith: "+format+"\n", args...)
}

// interactive reports whether standard error is a terminal, where progress can be drawn.
func (t *terminal) interactive() bool {
	f, ok := t.stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hinted is an error with a line that says what to do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// withHint adds a hint to an error.
func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// report writes an error as one message, and its hint as another.
func report(w io.Writer, err error) {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "kith: interrupted")
		return
	}
	fmt.Fprintf(w, "kith: %s\n", err)
	if h, ok := errors.AsType[*hinted](err); ok {
		fmt.Fprintf(w, "hint: %s\n", h.hint)
	}
}

// quietLibraries turns off what libraries write to standard error on their own: addresses of stores and peers. What is
// wrong is in the errors that they return.
func quietLibraries() {
	redis.SetLogger(&logging.VoidLogger{})
	log.SetOutput(io.Discard)
}

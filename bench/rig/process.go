package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// ErrStart means that a process has ended before it answered; the text has the last it wrote to standard error.
var ErrStart = errors.New("rig: the process did not start")

const (
	// startTimeout is how long a process may take until it answers.
	startTimeout = 30 * time.Second
	// stopTimeout is how long it may take to end when it is asked to.
	stopTimeout = 10 * time.Second
	// keptOutput is how much of what a process writes to standard error is kept, bytes.
	keptOutput = 4 << 10
)

// Process is a process that was started, with a folder of its own.
type Process struct {
	// Dir is its folder, which Stop removes.
	Dir string
	// Said has what it has said of itself at the start, by name: the lines of its standard output up to the one that it ends with, each a
	// name and a value.
	Said map[string]string

	cmd    *exec.Cmd
	stderr *tail
	ended  chan struct{} // closed when it has ended and was reaped
}

// Program starts a program, usually this one (os.Executable), which says lines of a name and a value on standard output, the last
// of them the one called until, and then runs. In its arguments DIR stands for its folder. Env is added to the environment. It
// returns ErrStart, or the error of ctx, whose end ends the process as well.
func Program(ctx context.Context, program string, env []string, until string, args ...string) (*Process, error) {
	p, err := newProcess(ctx, program, env, args)
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, p.removeDir())
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	said := make(chan map[string]string, 1)
	go func() {
		defer func() { _, _ = io.Copy(io.Discard, stdout) }()
		said <- readUntil(stdout, until)
	}()
	select {
	case p.Said = <-said:
	case <-time.After(startTimeout):
	case <-ctx.Done():
	}
	if p.Said == nil {
		return nil, p.failed(ctx)
	}
	return p, nil
}

// readUntil reads names and values up to the one that is called until, or returns nil if that does not come.
func readUntil(r io.Reader, until string) map[string]string {
	said := make(map[string]string)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		said[name] = strings.TrimSpace(value)
		if name == until {
			return said
		}
	}
	return nil
}

// newProcess prepares a process with a folder.
func newProcess(ctx context.Context, program string, env, args []string) (*Process, error) {
	dir, err := os.MkdirTemp("", "kith-bench-")
	if err != nil {
		return nil, err
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	p := &Process{Dir: dir, cmd: exec.CommandContext(ctx, program, args...), stderr: new(tail), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr, p.cmd.SysProcAttr = append(os.Environ(), env...), p.stderr, endWithParent()
	return p, nil
}

// start starts the process, and a goroutine that waits for its end.
func (p *Process) start() error {
	if err := p.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrStart, err), p.removeDir())
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is seen by nobody: it was killed, or ErrStart is returned
		close(p.ended)
	}()
	return nil
}

// failed ends a process that does not answer and says why.
func (p *Process) failed(ctx context.Context) error {
	p.Stop()
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrStart, p.stderr.last())
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop asks the process to end, kills it if it does not, and removes its folder.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // an error means that it has ended, or, on Windows, that it is killed below
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.removeDir() // a temporary folder that stays is no reason to fail
}

// PID is the number that the system knows it by.
func (p *Process) PID() int { return p.cmd.Process.Pid }

func (p *Process) removeDir() error { return os.RemoveAll(p.Dir) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-keptOutput):]
	return len(p), nil
}

// last returns the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	return lines[len(lines)-1]
}

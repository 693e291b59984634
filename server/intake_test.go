package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// endless is a body without an end, until it is told to have one.
type endless struct {
	read  atomic.Int64
	ended atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.ended.Load() {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = 'x'
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// TestIntakeReadsNoFurtherThanItsBlocks shows how much of a body is in memory while nobody takes its lines.
func TestIntakeReadsNoFurtherThanItsBlocks(t *testing.T) {
	body := new(endless)
	in := newIntake(body, 100)
	for len(in.full) < intakeBlocks {
		runtime.Gosched()
	}
	if got := body.read.Load(); got != intakeBlock*intakeBlocks {
		t.Errorf("%d bytes were read ahead, want %d", got, intakeBlock*intakeBlocks)
	}
	body.ended.Store(true)
	if err := in.next(nil, time.Minute, 1, func(line []byte) {
		if len(line) <= 100 || len(line) > 102 {
			t.Errorf("of a line that is too long came %d bytes", len(line))
		}
	}); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
	in.discard()
}

func TestIntakeEnds(t *testing.T) {
	broken := errors.New("broken")
	stopped := make(chan struct{})
	close(stopped)
	r, w := io.Pipe() // which has nothing
	defer func() { _ = w.Close() }()
	for _, test := range []struct {
		name     string
		body     io.Reader
		stop     chan struct{}
		lineTime time.Duration
		lines    []string
		err      error
	}{
		{"no lines", strings.NewReader(""), nil, time.Minute, nil, io.EOF},
		{"last line without end", strings.NewReader("a\n\nb"), nil, time.Minute, []string{"a", "", "b"}, io.EOF},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("ab\r\nc\n")), nil, time.Minute, []string{"ab", "c"}, io.EOF},
		{"cut off in a line", io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), nil, time.Minute, []string{"a"}, broken},
		{"stopped", r, stopped, time.Minute, nil, errStopped},
		{"nothing in time", r, nil, time.Millisecond, nil, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := newIntake(test.body, 100)
			var lines []string
			var err error
			for err == nil {
				err = in.next(test.stop, test.lineTime, 1, func(line []byte) { lines = append(lines, string(line)) })
			}
			if err != test.err || !reflect.DeepEqual(lines, test.lines) {
				t.Errorf("got %q and %v, want %q and %v", lines, err, test.lines, test.err)
			}
		})
	}
}

// FuzzImportLines cuts a body into blocks at some places and reads its lines: the places do not matter, and a line says what it says
// as a body of PUT.
func FuzzImportLines(f *testing.F) {
	f.Add([]byte("{\"number\":\"+14155552671\"}\n{\"number\":\"+14155552671\",\"label\":\"a\"}"), []byte{3, 30})
	f.Add([]byte("a\r\n\r\n\n\r"), []byte{2, 1})
	f.Add([]byte(strings.Repeat("x", fuzzedLine)+"\r\n"+strings.Repeat("x", fuzzedLine+1)+"\n"), []byte{1})
	f.Add([]byte(strings.Repeat("x", fuzzedLine)+"\rx\n"), []byte{fuzzedLine + 1})
	f.Fuzz(func(t *testing.T, body, places []byte) {
		var got [][]byte
		take := func(line []byte) {
			if len(line) > fuzzedLine+2 {
				t.Fatalf("a line of %d bytes is kept", len(line))
			}
			got = append(got, bytes.Clone(line))
		}
		cut, rest := lineCutter{longest: fuzzedLine}, body
		for _, n := range places {
			n := min(int(n), len(rest))
			cut.add(rest[:n], take)
			rest = rest[n:]
		}
		cut.add(rest, take)
		cut.end(take)
		var want [][]byte
		for line := range bytes.Lines(body) {
			want = append(want, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")))
		}
		if len(got) != len(want) {
			t.Fatalf("got %d lines, want %d", len(got), len(want))
		}
		for i, line := range want {
			if long := len(line) > fuzzedLine; long != (len(got[i]) > fuzzedLine) || !long && !bytes.Equal(got[i], line) {
				t.Fatalf("line %d: got %q, want %q", i, got[i], line)
			}
			wantAsPut(t, line)
		}
	})
}

// fuzzedLine is the longest line of the fuzz target, bytes.
const fuzzedLine = 64

// wantAsPut checks that a line of an import is read as the body of a PUT.
func wantAsPut(t *testing.T, line []byte) {
	t.Helper()
	got, err := parseImportLine(line)
	var body putRegistrationBody
	wantErr := readObject(bodyContext(mimeJSON, line), maxRegistration, &body)
	if wantErr == nil {
		want, err := body.registration()
		wantErr = err
		if err == nil && got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	if (err == nil) != (wantErr == nil) || err != nil && asRefusal(err).kind != asRefusal(wantErr).kind {
		t.Fatalf("got %v, a PUT %v", err, wantErr)
	}
}

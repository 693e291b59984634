package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

const (
	// intakeBlock is how much of a body is read at a time, and intakeBlocks how many of these are read ahead: together the memory
	// that a stream takes while its lines are waited for or written, 256 KiB.
	intakeBlock  = 16 << 10
	intakeBlocks = 16
)

// intake reads the body of a stream ahead of who takes its lines, so that the next ones arrive while some are written; no further
// ahead than its blocks hold, after which the peer has to wait. Its methods are for one goroutine.
type intake struct {
	free, full chan []byte
	ended      chan struct{} // closed when nothing more is read
	err        error         // why, once ended: io.EOF at the end of the body
	cut        lineCutter
}

// newIntake begins to read a body. The reading ends with the body, or an error of it.
func newIntake(body io.Reader, longest int) *intake {
	in := &intake{
		free: make(chan []byte, intakeBlocks), full: make(chan []byte, intakeBlocks), ended: make(chan struct{}),
		cut: lineCutter{longest: longest},
	}
	for range intakeBlocks {
		in.free <- make([]byte, intakeBlock)
	}
	go in.read(body)
	return in
}

// read fills blocks. It does nothing with what is in them: a panic here would end the process.
func (in *intake) read(body io.Reader) {
	defer close(in.full)
	defer close(in.ended)
	for block := range in.free {
		n, err := body.Read(block[:intakeBlock])
		if n > 0 {
			in.full <- block[:n] // there is room for all blocks
		} else if err == nil {
			in.free <- block
		}
		if err != nil {
			in.err = err
			return
		}
	}
}

// next waits for a whole line, and calls f for it and for all others that are there already, until there are about as many as
// enough. It returns nil then, io.EOF after the last line, whose end may be missing, and before it: context.DeadlineExceeded if no line
// has been whole for the time that a line may take, the error of reading, or that of stop, which ends the waiting.
func (in *intake) next(stop <-chan struct{}, lineTime time.Duration, enough int, f func(line []byte)) error {
	timer := time.NewTimer(lineTime)
	defer timer.Stop()
	lines := 0
	count := func(line []byte) { lines++; f(line) }
	for lines == 0 {
		select {
		case block, more := <-in.full:
			if !more {
				return in.end(f)
			}
			in.take(block, count)
		case <-stop:
			return errStopped
		case <-timer.C:
			return context.DeadlineExceeded
		}
	}
	for lines < enough {
		select {
		case block, more := <-in.full:
			if !more {
				return in.end(f)
			}
			in.take(block, count)
		default:
			return nil
		}
	}
	return nil
}

// errStopped means that whoever waits for lines was told to stop.
var errStopped = errors.New("server: stopped")

// take cuts a block into lines, and has it filled again.
func (in *intake) take(block []byte, f func(line []byte)) {
	in.cut.add(block, f)
	in.free <- block[:intakeBlock]
}

// end gives the last line if the body has ended with it, and not in it.
func (in *intake) end(f func(line []byte)) error {
	if in.err == io.EOF {
		in.cut.end(f)
	}
	return in.err
}

// discard drops what is still read, until that ends.
func (in *intake) discard() {
	for block := range in.full {
		in.free <- block[:intakeBlock]
	}
	<-in.ended
}

// lineCutter cuts what arrives in blocks into lines.
type lineCutter struct {
	longest int    // bytes of a line, without its end
	rest    []byte // the line that has begun, the first longest+2 bytes of it
	begun   bool   // whether there is one
}

// add calls f for each line that ends in a block, without its end, LF or CR LF. Of a line that is too long come its first bytes, more
// than longest. The line is f's until f returns.
func (c *lineCutter) add(block []byte, f func(line []byte)) {
	for len(block) > 0 {
		head, tail, ended := bytes.Cut(block, []byte("\n"))
		c.begun = true
		c.rest = append(c.rest, head[:min(len(head), c.longest+2-len(c.rest))]...)
		if ended {
			c.end(f)
		}
		block = tail
	}
}

// end ends the line that has begun, if one has.
func (c *lineCutter) end(f func(line []byte)) {
	if c.begun {
		f(bytes.TrimSuffix(c.rest, []byte("\r")))
	}
	c.rest, c.begun = c.rest[:0], false
}

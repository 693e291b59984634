package registry

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Import registers the lines of a file, NUMBER,LABEL or NUMBER,LABEL,VERSION. It may be killed at any time: what was reported
// as done is stored, and the same import once more changes nothing of it.
//
// A line without a version gets AsOf, so that it wins over what was registered before and loses to what was registered,
// hidden or deleted since. The lines of one number are written in their order.
type Import struct {
	// Put writes registrations: Registry.PutAll. It is called by several goroutines, never with one number in two of them. Where it returns
	// directory.ErrRecord, it is called with fewer, down to the one whose line is a bad one.
	Put func(ctx context.Context, regs []Registration) (applied []bool, err error)
	// Region is that of numbers in national form, ISO 3166-1 alpha-2; without one they are refused.
	Region string
	// AsOf is the version of lines without one: when they were true, in ms since 1970.
	AsOf uint64
	// From is the first line that is written, 0 for all. Those before it count as done.
	From int64
	// SkipBad passes over lines that can not be imported, and counts them. Otherwise the first of them ends the import.
	SkipBad bool
	// Writers is how many calls of Put are made at once, at least 1.
	Writers int
	// Patience is how long a Put is repeated that ends with ErrUnavailable or ErrContended.
	Patience time.Duration
	// Progress, if not nil, is told after each Put. It is not called twice at once, and must not block.
	Progress func(ImportReport)
}

// ImportReport is how far an import is.
type ImportReport struct {
	// Lines is how many lines from the first on are done: stored as far as Put promises it, lost to a later write, passed
	// over or empty.
	Lines int64
	// Bytes is how much of the file was read.
	Bytes int64
	// Registered is how many registrations are the ones that are stored, now or since an earlier import.
	Registered int64
	// Later is how many lost to a later write.
	Later int64
	// Bad is how many lines can not be imported, by reason.
	Bad map[Reason]int64
}

// LineError is a line that can not be imported. It has nothing of the line.
type LineError struct {
	Line   int64 // from 1
	Reason Reason
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d: %s (%s)", e.Line, e.Reason.Explain(), e.Reason)
}

// CheckLines reads the lines of an import and writes nothing. It returns the first few of those that can not be imported, and
// how many there are in all; or the error of reading.
func (im *Import) CheckLines(ctx context.Context, r io.Reader, few int) (first []LineError, report ImportReport, err error) {
	report.Bad = make(map[Reason]int64)
	parser := lineParser{region: im.Region}
	err = eachLine(ctx, r, func(at place, line []byte) error {
		report.Lines, report.Bytes = at.line, at.end
		if at.line < im.From || len(line) == 0 {
			return nil
		}
		if _, reason := parser.parse(line); reason != "" {
			report.Bad[reason]++
			if len(first) < few {
				first = append(first, LineError{at.line, reason})
			}
		}
		return nil
	})
	return first, report, err
}

// Run imports the lines. What it returns as done is so with an error too, which is a *LineError, an error of reading, or that
// of Put.
func (im *Import) Run(ctx context.Context, r io.Reader) (ImportReport, error) {
	run := newImportRun(im)
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var writing sync.WaitGroup
	for _, lane := range run.lanes {
		writing.Go(func() {
			if err := run.write(work, lane); err != nil {
				stop(err) // and so the reading and the other lanes
			}
		})
	}
	err := run.read(work, r)
	for _, lane := range run.lanes {
		close(lane.batches)
	}
	writing.Wait()
	if cause := context.Cause(work); cause != nil {
		err = cause
	}
	return run.report(), err
}

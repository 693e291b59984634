package registry

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// importBatch is how many registrations of an import are written at a time: with 256 partitions, 16 in each script.
const importBatch = 4096

// importRun is one run of an Import.
type importRun struct {
	*Import
	seed  maphash.Seed
	lanes []*lane

	mu   sync.Mutex // guards what follows, and the first lines of lanes
	done ImportReport
	at   place // that was read last
}

// lane is one writer. The lines of a number all go to one, in their order.
type lane struct {
	next    []Registration // that is being filled, the reader's alone
	batches chan []Registration
	firsts  []int64 // the first line of each batch that is not done yet, the one that is being filled too
}

func newImportRun(im *Import) *importRun {
	run := &importRun{Import: im, seed: maphash.MakeSeed(), done: ImportReport{Bad: make(map[Reason]int64)}}
	for range max(im.Writers, 1) {
		run.lanes = append(run.lanes, &lane{batches: make(chan []Registration, 1)})
	}
	return run
}

// read gives the lines to the lanes, and what is left of them when the lines end, or before one that can not be imported.
func (run *importRun) read(ctx context.Context, r io.Reader) error {
	parser := lineParser{region: run.Region, asOf: run.AsOf}
	err := eachLine(ctx, r, func(at place, line []byte) error {
		if at.line < run.From || len(line) == 0 {
			run.passed(at)
			return nil
		}
		reg, reason := parser.parse(line)
		switch {
		case reason == "":
			return run.add(ctx, at, reg)
		case run.SkipBad:
			run.mu.Lock()
			run.done.Bad[reason]++
			run.mu.Unlock()
			run.passed(at)
			return nil
		default:
			return &LineError{at.line, reason}
		}
	})
	if _, bad := errors.AsType[*LineError](err); err != nil && !bad {
		return err
	}
	for _, lane := range run.lanes {
		if failed := run.send(ctx, lane); failed != nil {
			return failed
		}
	}
	return err
}

// passed notes a line of which nothing is to be written.
func (run *importRun) passed(at place) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.at = at
}

// add gives a registration to the lane of its number.
func (run *importRun) add(ctx context.Context, at place, reg Registration) error {
	lane := run.lanes[maphash.String(run.seed, reg.Number)%uint64(len(run.lanes))]
	run.mu.Lock()
	if len(lane.next) == 0 {
		lane.firsts = append(lane.firsts, at.line)
	}
	run.at = at
	run.mu.Unlock()
	lane.next = append(lane.next, reg)
	if len(lane.next) < importBatch {
		return nil
	}
	return run.send(ctx, lane)
}

// send gives a lane's batch to its writer. It returns the error of the context.
func (run *importRun) send(ctx context.Context, lane *lane) error {
	if len(lane.next) == 0 {
		return nil
	}
	select {
	case lane.batches <- lane.next:
		lane.next = make([]Registration, 0, importBatch)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write writes the batches of a lane until there are no more. It returns the first error.
func (run *importRun) write(ctx context.Context, lane *lane) error {
	for regs := range lane.batches {
		applied, err := run.put(ctx, regs)
		if err != nil {
			return err
		}
		run.wrote(lane, applied)
	}
	return nil
}

// wrote notes that the oldest batch of a lane is done.
func (run *importRun) wrote(lane *lane, applied []bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	lane.firsts = lane.firsts[1:]
	for _, is := range applied {
		if is {
			run.done.Registered++
		} else {
			run.done.Later++
		}
	}
	if run.Progress != nil {
		run.Progress(run.reportLocked())
	}
}

func (run *importRun) report() ImportReport {
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.reportLocked()
}

// reportLocked returns how far the import is: all lines before the first that is not done in any lane. run.mu is held.
func (run *importRun) reportLocked() ImportReport {
	report := run.done
	report.Lines, report.Bytes = run.at.line, run.at.end
	for _, lane := range run.lanes {
		if len(lane.firsts) > 0 {
			report.Lines = min(report.Lines, lane.firsts[0]-1)
		}
	}
	report.Bad = maps.Clone(run.done.Bad)
	return report
}

// Pauses between two attempts to write.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// put calls Put, and again while the store may come back: a batch is safe to repeat, since all of it has versions.
func (run *importRun) put(ctx context.Context, regs []Registration) ([]bool, error) {
	began, wait := time.Now(), firstPause
	for {
		applied, err := run.Put(ctx, regs)
		if !passing(err) || time.Since(began) > run.Patience {
			return applied, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, lastPause)
	}
}

// passing reports whether an error of Put may be another the next time.
func passing(err error) bool {
	return slices.ContainsFunc([]error{directory.ErrUnavailable, keyring.ErrUnavailable, ErrContended}, func(passing error) bool {
		return errors.Is(err, passing)
	})
}

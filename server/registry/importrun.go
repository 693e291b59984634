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
	next    batch // that is being filled, the reader's alone
	batches chan batch
	firsts  []int64 // the first line of each batch that is not done yet, the one that is being filled too
}

// batch is what is written at a time: registrations, and the line of each.
type batch struct {
	regs  []Registration
	lines []int64
}

func newBatch() batch {
	return batch{make([]Registration, 0, importBatch), make([]int64, 0, importBatch)}
}

// part is the batch from one registration to before another.
func (b batch) part(from, to int) batch { return batch{b.regs[from:to], b.lines[from:to]} }

func newImportRun(im *Import) *importRun {
	run := &importRun{Import: im, seed: maphash.MakeSeed(), done: ImportReport{Bad: make(map[Reason]int64)}}
	for range max(im.Writers, 1) {
		run.lanes = append(run.lanes, &lane{batches: make(chan batch, 1)})
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
	if len(lane.next.regs) == 0 {
		lane.firsts = append(lane.firsts, at.line)
	}
	run.at = at
	run.mu.Unlock()
	lane.next.regs, lane.next.lines = append(lane.next.regs, reg), append(lane.next.lines, at.line)
	if len(lane.next.regs) < importBatch {
		return nil
	}
	return run.send(ctx, lane)
}

// send gives a lane's batch to its writer. It returns the error of the context.
func (run *importRun) send(ctx context.Context, lane *lane) error {
	if len(lane.next.regs) == 0 {
		return nil
	}
	select {
	case lane.batches <- lane.next:
		lane.next = newBatch()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write writes the batches of a lane until there are no more. It returns the first error.
func (run *importRun) write(ctx context.Context, lane *lane) error {
	for b := range lane.batches {
		applied, err := run.put(ctx, b)
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

// put writes a batch, and returns for each registration that was written whether it is the one that is stored. If what is stored of a
// number is damaged it goes on by halves, in their order, down to the line of that number, which is a bad line: otherwise no line near it
// could be imported.
func (run *importRun) put(ctx context.Context, b batch) ([]bool, error) {
	applied, err := run.putAll(ctx, b.regs)
	if !errors.Is(err, directory.ErrRecord) {
		return applied, err
	}
	if len(b.regs) == 1 {
		if !run.SkipBad {
			return nil, &LineError{b.lines[0], ReasonDamaged}
		}
		run.mu.Lock()
		defer run.mu.Unlock()
		run.done.Bad[ReasonDamaged]++
		return nil, nil
	}
	half := len(b.regs) / 2
	first, err := run.put(ctx, b.part(0, half))
	if err != nil {
		return nil, err
	}
	second, err := run.put(ctx, b.part(half, len(b.regs)))
	return slices.Concat(first, second), err
}

// putAll calls Put, and again while the store may come back: a batch is safe to repeat, since all of it has versions.
func (run *importRun) putAll(ctx context.Context, regs []Registration) ([]bool, error) {
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

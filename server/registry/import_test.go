package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// sink is what an import writes to.
type sink struct {
	mu   sync.Mutex
	regs map[string][]registry.Registration // by number, in the order of writing
	fail func(call int) error
	call int
}

func (s *sink) put(_ context.Context, regs []registry.Registration) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call++
	if s.fail != nil {
		if err := s.fail(s.call); err != nil {
			return nil, err
		}
	}
	if s.regs == nil {
		s.regs = make(map[string][]registry.Registration)
	}
	applied := make([]bool, len(regs))
	for i, reg := range regs {
		s.regs[reg.Number] = append(s.regs[reg.Number], reg)
		applied[i] = reg.Label != "later"
	}
	return applied, nil
}

// importLine is the i-th line of large imports.
func importLine(i int) string { return fmt.Sprintf("+1212%07d,user %d\n", 2_000_000+i, i) }

func importLines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(importLine(i))
	}
	return b.String()
}

func TestImport(t *testing.T) {
	const text = "\ufeffNumber,Label\r\n+14155550100,ann\r\n\r\n\"+1 415 555 0101\",\"b, c\"\n+14155550102,later\n+14155550100,ann again\n+14155550103,last without an end"
	s := new(sink)
	im := registry.Import{Put: s.put, AsOf: 9, Writers: 3}
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		s.regs = nil
		report, err := im.Run(context.Background(), r)
		want := registry.ImportReport{Lines: 7, Bytes: int64(len(text)), Registered: 4, Later: 1}
		if err != nil || fmt.Sprint(report) != fmt.Sprint(want) {
			t.Errorf("got %+v, %v, want %+v", report, err, want)
		}
		wantRegs := map[string][]registry.Registration{
			"+14155550100": {{Number: "+14155550100", Label: "ann", Version: 9}, {Number: "+14155550100", Label: "ann again", Version: 9}},
			"+14155550101": {{Number: "+14155550101", Label: "b, c", Version: 9}},
			"+14155550102": {{Number: "+14155550102", Label: "later", Version: 9}},
			"+14155550103": {{Number: "+14155550103", Label: "last without an end", Version: 9}},
		}
		if !maps.EqualFunc(s.regs, wantRegs, slices.Equal) {
			t.Errorf("got %v, want %v", s.regs, wantRegs)
		}
	}
}

func TestImportOfBadLines(t *testing.T) {
	long := strings.Repeat("1", 100_000)
	text := "+14155550100,ann\n+1415,bob\n" + long + "\n\xff,c\n+14155550103,\"d\n+14155550104," + strings.Repeat("e", 48) + "\n+14155550105,eve,5\n+14155550106,fay\n"
	sorted := func(bad map[registry.Reason]int64) string {
		texts := make(map[string]int64)
		for reason, n := range bad {
			texts[string(reason)] = n
		}
		return fmt.Sprint(texts) // fmt sorts the keys
	}
	const want = "map[fields:1 label-too-long:1 line-too-long:1 not-utf-8:1 quotes:1 too-short:1]"
	s := new(sink)
	im := registry.Import{Put: s.put, AsOf: 9}

	first, report, err := im.CheckLines(context.Background(), strings.NewReader(text), 2)
	if err != nil || report.Lines != 8 || sorted(report.Bad) != want {
		t.Errorf("CheckLines: got %+v, %v, want 8 lines and %s", report, err, want)
	}
	if got := fmt.Sprint(first); got != "[{2 too-short} {3 line-too-long}]" {
		t.Errorf("CheckLines: got %s first", got)
	}
	if s.call != 0 {
		t.Error("CheckLines has written")
	}

	report, err = im.Run(context.Background(), strings.NewReader(text))
	bad, ok := errors.AsType[*registry.LineError](err)
	if !ok || bad.Line != 2 || bad.Reason != "too-short" || report.Lines != 1 || report.Registered != 1 {
		t.Errorf("Run: got %+v, %v, want the first line and an error of the second", report, err)
	}
	if got := err.Error(); got != "line 2: Digits are missing from this number, perhaps the area code. (too-short)" {
		t.Errorf("the error is %q", got)
	}

	im.SkipBad = true
	report, err = im.Run(context.Background(), strings.NewReader(text))
	if err != nil || report.Lines != 8 || report.Registered != 2 || sorted(report.Bad) != want {
		t.Errorf("SkipBad: got %+v, %v, want 8 lines, 2 of them registered, and %s", report, err, want)
	}
}

// TestImportBesideADamagedRecord has a store with two damaged records among many: their lines are bad ones, and all others are written.
func TestImportBesideADamagedRecord(t *testing.T) {
	const lines = 10_000
	damaged := []string{"+12122000007", "+12122009999"} // lines 8 and 10,000
	s := new(sink)
	im := registry.Import{AsOf: 9, Writers: 3, Put: func(ctx context.Context, regs []registry.Registration) ([]bool, error) {
		for _, reg := range regs {
			if slices.Contains(damaged, reg.Number) {
				return nil, directory.ErrRecord
			}
		}
		return s.put(ctx, regs)
	}}
	_, err := im.Run(context.Background(), strings.NewReader(importLines(0, lines)))
	if bad, ok := errors.AsType[*registry.LineError](err); !ok || bad.Line != 8 && bad.Line != lines || bad.Reason != registry.ReasonDamaged {
		t.Errorf("got %v, want the line of a damaged record", err)
	}

	im.SkipBad = true
	report, err := im.Run(context.Background(), strings.NewReader(importLines(0, lines)))
	if err != nil || report.Lines != lines || report.Registered != lines-2 || report.Later != 0 || report.Bad[registry.ReasonDamaged] != 2 {
		t.Errorf("SkipBad: got %+v, %v", report, err)
	}
	for i := range lines {
		number, _, _ := strings.Cut(importLine(i), ",")
		if _, written := s.regs[number]; written == slices.Contains(damaged, number) {
			t.Errorf("line %d: written %t", i+1, written)
		}
	}
}

// TestImportReportsWhatIsDone has batches finish in any order. No line is ever reported as done that was not written.
func TestImportReportsWhatIsDone(t *testing.T) {
	const lines = 40_000
	var mu sync.Mutex
	written := make([]bool, lines)
	reports, highest := 0, int64(0)
	calls := 0
	im := registry.Import{
		Writers: 4, AsOf: 1,
		Put: func(_ context.Context, regs []registry.Registration) ([]bool, error) {
			mu.Lock()
			calls++
			slow := calls%3 == 1
			mu.Unlock()
			if slow {
				time.Sleep(20 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, reg := range regs {
				var i int
				_, _ = fmt.Sscanf(reg.Label, "user %d", &i)
				written[i] = true
			}
			return make([]bool, len(regs)), nil
		},
		Progress: func(r registry.ImportReport) {
			mu.Lock()
			defer mu.Unlock()
			reports++
			if r.Lines < highest {
				t.Errorf("%d lines after %d", r.Lines, highest)
			}
			for ; highest < r.Lines; highest++ {
				if !written[highest] {
					t.Errorf("line %d is said to be done, and was not written", highest+1)
				}
			}
		},
	}
	report, err := im.Run(context.Background(), strings.NewReader(importLines(0, lines)))
	if err != nil || report.Lines != lines || report.Later != lines {
		t.Errorf("got %+v, %v", report, err)
	}
	if slices.Contains(written, false) {
		t.Error("not all was written")
	}
	if reports < 8 || highest != lines {
		t.Errorf("%d reports, the last of %d lines", reports, highest)
	}
}

func TestImportFromALine(t *testing.T) {
	s := new(sink)
	im := registry.Import{Put: s.put, AsOf: 1, From: 4}
	text := "number,label\nnot a line\n" + importLines(0, 4)
	if first, _, err := im.CheckLines(context.Background(), strings.NewReader(text), 5); err != nil || len(first) != 0 {
		t.Errorf("CheckLines: got %v, %v", first, err)
	}
	report, err := im.Run(context.Background(), strings.NewReader(text))
	if err != nil || report.Lines != 6 || report.Registered != 3 || len(s.regs) != 3 {
		t.Errorf("got %+v, %v, want 6 lines, 3 of them registered", report, err)
	}
}

func TestImportWaitsForTheStore(t *testing.T) {
	for _, passing := range []error{directory.ErrUnavailable, keyring.ErrUnavailable, registry.ErrContended, fmt.Errorf("wrapped: %w", directory.ErrUnavailable)} {
		s := &sink{fail: func(call int) error {
			if call <= 2 {
				return passing
			}
			return nil
		}}
		im := registry.Import{Put: s.put, AsOf: 1, Patience: time.Minute}
		if report, err := im.Run(context.Background(), strings.NewReader(importLines(0, 3))); err != nil || report.Registered != 3 || s.call != 3 {
			t.Errorf("%v twice: got %+v, %v after %d calls", passing, report, err, s.call)
		}
	}
	for _, test := range []struct {
		err   error
		calls int // at most
	}{{directory.ErrIncomplete, 1}, {directory.ErrUnavailable, 100}, {keyring.ErrNone, 1}} {
		s := &sink{fail: func(call int) error {
			if call == 1 {
				return nil
			}
			return test.err
		}}
		im := registry.Import{Put: s.put, AsOf: 1, Writers: 1, Patience: 200 * time.Millisecond}
		report, err := im.Run(context.Background(), strings.NewReader(importLines(0, 20_000)))
		if !errors.Is(err, test.err) || report.Lines != 4096 || report.Registered != 4096 || s.call > 1+test.calls {
			t.Errorf("%v for good: got %+v, %v after %d calls, want the first batch", test.err, report, err, s.call)
		}
	}
}

func TestImportInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sink{fail: func(call int) error {
		if call == 3 {
			cancel()
			return directory.ErrUnavailable
		}
		return nil
	}}
	im := registry.Import{Put: s.put, AsOf: 1, Writers: 1, Patience: time.Minute}
	report, err := im.Run(ctx, strings.NewReader(importLines(0, 20_000)))
	if !errors.Is(err, context.Canceled) || report.Lines != 2*4096 {
		t.Errorf("got %+v, %v, want two batches and an interruption", report, err)
	}
	broken := errors.New("broken")
	report, err = (&registry.Import{Put: new(sink).put, AsOf: 1}).Run(context.Background(), io.MultiReader(strings.NewReader(importLines(0, 2)), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || report.Lines != 0 {
		t.Errorf("reading fails: got %+v, %v", report, err)
	}
}

// dump returns everything that a store holds.
func (w *world) dump(t *testing.T) map[string]string {
	t.Helper()
	ctx := context.Background()
	all := make(map[string]string)
	keys, err := w.rdb.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if all[key], err = w.rdb.Dump(ctx, key).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestImportTwiceChangesNothing imports a file again and again, after it was interrupted in the middle and while it is
// under way elsewhere. What was written later than the file stays in every epoch.
func TestImportTwiceChangesNothing(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	const asOf = 1_000_000
	text := []byte(importLines(0, 120))
	im := registry.Import{Put: w.PutAll, AsOf: asOf, Writers: 2}
	half, cancel := context.WithCancel(ctx)
	interrupted := im
	interrupted.Writers = 1
	interrupted.Put = func(ctx context.Context, regs []registry.Registration) ([]bool, error) {
		if _, err := w.PutAll(ctx, regs[:len(regs)/2]); err != nil {
			t.Error(err)
		}
		cancel()
		return nil, directory.ErrUnavailable
	}
	if _, err := interrupted.Run(half, bytes.NewReader(text)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want an interruption", err)
	}
	// Meanwhile one is removed, one hidden and one has another label.
	for _, reg := range []registry.Registration{
		{Number: "+12122000001", Hidden: true, Version: asOf + 1}, {Number: "+12122000002", Label: "new", Version: asOf + 1},
		{Number: "+12122000003", Label: "old", Version: asOf - 1},
	} {
		if _, err := w.Put(ctx, reg); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Delete(ctx, registry.Deletion{Number: "+12122000000", Version: asOf + 1}); err != nil {
		t.Fatal(err)
	}

	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			report, err := im.Run(ctx, bytes.NewReader(text))
			if err != nil || report.Registered != 117 || report.Later != 3 {
				t.Errorf("got %+v, %v, want 117 registered and 3 left", report, err)
			}
		})
	}
	both.Wait()
	before := w.dump(t)
	if report, err := im.Run(ctx, bytes.NewReader(text)); err != nil || report.Registered != 117 || report.Later != 3 {
		t.Errorf("again: got %+v, %v, want 117 registered and 3 left", report, err)
	}
	if after := w.dump(t); !maps.Equal(before, after) {
		t.Error("the second import has changed something")
	}
	for i, want := range map[int]found{
		0: {directory.Deleted, asOf + 1, ""}, 1: {directory.Hidden, asOf + 1, ""}, 2: {directory.Visible, asOf + 1, "new"},
		3: {directory.Visible, asOf, "user 3"}, 119: {directory.Visible, asOf, "user 119"},
	} {
		if got := w.everywhere(t, fmt.Sprintf("+1212%07d", 2_000_000+i)); got != want {
			t.Errorf("line %d: got %+v, want %+v", i+1, got, want)
		}
	}
}

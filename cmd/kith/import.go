package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

const (
	// badLinesShown is how many lines that can not be imported are named before an import.
	badLinesShown = 10
	// importPatience is how long an import waits for a store that is away: a failover takes some seconds.
	importPatience = 2 * time.Minute
	// clockSlack is how far ahead of the store's clock the time of a file may be.
	clockSlack = 5 * time.Minute
)

// importCommand is kith import.
type importCommand struct {
	keyringFlags
	File     string `arg:"" help:"Lines of NUMBER,LABEL, or all of NUMBER,LABEL,VERSION; - for standard input. A label with a comma or a quote goes in quotes."`
	Region   string `placeholder:"CC" help:"Region of numbers in national form, such as US."`
	AsOf     string `placeholder:"TIME" help:"When the file was true, as 2026-11-25T12:00:00Z: what was registered, hidden or deleted later stays as it is. By default when the file was last changed; for standard input now. Lines with a version go by that."`
	FromLine int64  `placeholder:"N" help:"Begin at this line. An import that was stopped says which; without it nothing goes wrong either, and what is there already costs less."`
	SkipBad  bool   `help:"Pass over lines that can not be imported, and count them by reason. By default nothing is imported if there is one."`
	Writers  int    `placeholder:"N" help:"How many batches of 4,096 lines are worked on at once. By default two for each core."`
	JSON     bool   `help:"Print one JSON object."`

	SayEvery time.Duration `hidden:"" default:"10s" help:"How often it is said how far the import is, where there is no terminal to draw on."`
}

// Help is shown below the flags.
func (*importCommand) Help() string {
	return `Every line is registered as kith register would, into the store itself and so with its master key: servers that run on it
see it within a second. They may rotate the key meanwhile.

It may be killed at any time. What was said to be done is stored, as durably as Redis is set to store, and the same
command begins again: lines that are stored already are found to be, and left.`
}

// Run imports the file.
func (cmd *importCommand) Run(ctx context.Context, t *terminal) error {
	if cmd.Region != "" && !normalize.ValidRegion(cmd.Region) {
		return withHint(errors.New("--region: unknown"), "two letters, such as US or DE")
	}
	if cmd.FromLine < 0 || cmd.Writers < 0 {
		return errors.New("--from-line and --writers: at least 1")
	}
	if err := checkEngine(); err != nil {
		return err
	}
	if err := withholdMemory(); err != nil {
		t.say("warning: the system may write keys to a core dump: %v", err)
	}
	file, asOf, err := cmd.open(t)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	im := &registry.Import{
		Region: cmd.Region, From: cmd.FromLine, SkipBad: cmd.SkipBad, Patience: importPatience, Writers: cmd.Writers,
	}
	if im.Writers == 0 {
		im.Writers = 2 * runtime.GOMAXPROCS(0) // one computes while the store works for another
	}
	show := newImportProgress(t, sizeOf(file), cmd.SayEvery)
	defer show.end()
	if err := cmd.check(ctx, t, im, file); err != nil {
		return err
	}
	stack, err := cmd.stack(ctx, t, asOf)
	if err != nil {
		return err
	}
	defer stack.close()
	im.Put, im.AsOf, im.Progress = stack.registry.PutAll, uint64(asOf.UnixMilli()), show.report
	began := time.Now()
	report, err := im.Run(ctx, file)
	show.end()
	if err != nil {
		return cmd.stopped(t, report, asOf, err)
	}
	stack.warnIfCrowded(ctx, t)
	return cmd.print(t.stdout, report, time.Since(began))
}

// open opens the file, and returns the time as of which it is true.
func (cmd *importCommand) open(t *terminal) (io.ReadCloser, time.Time, error) {
	asOf := time.Now()
	if cmd.AsOf != "" {
		var err error
		if asOf, err = time.Parse(time.RFC3339, cmd.AsOf); err != nil || asOf.UnixMilli() <= 0 {
			return nil, time.Time{}, withHint(errors.New("--as-of: not a time"), "as in 2026-11-25T12:00:00Z")
		}
	}
	if cmd.File == "-" {
		return io.NopCloser(t.stdin), asOf, nil
	}
	file, err := os.Open(cmd.File)
	if err != nil {
		return nil, time.Time{}, fileError("import", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	}
	if err != nil {
		_ = file.Close()
		return nil, time.Time{}, fileError("import", err)
	}
	if cmd.AsOf == "" && info.Mode().IsRegular() {
		asOf = info.ModTime()
	}
	return file, asOf, nil
}

// sizeOf returns the length of what is read from its beginning to its end and once more, a file, or 0.
func sizeOf(r io.Reader) int64 {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

// check reads all lines before any is imported, unless bad ones are passed over or the lines can be read only once.
func (cmd *importCommand) check(ctx context.Context, t *terminal, im *registry.Import, r io.Reader) error {
	if cmd.SkipBad || sizeOf(r) == 0 {
		return nil
	}
	file := r.(io.ReadSeeker)
	first, report, err := im.CheckLines(ctx, file, badLinesShown)
	if err != nil {
		return importError(err)
	}
	for _, bad := range first {
		t.say("%v", &bad)
	}
	if n := sum(report.Bad); n > 0 {
		return withHint(fmt.Errorf("%d of %d lines can not be imported (%s), and none was", n, report.Lines, byReason(report.Bad)),
			"mend them, or --skip-bad imports the others")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fileError("import", err)
	}
	return nil
}

// importStack is what an import writes with.
type importStack struct {
	keyring   *keyring.Keyring
	directory *directory.Store
	registry  *registry.Registry
	close     func()
}

// stack opens the store, and refuses a time that is ahead of its clock.
func (cmd *importCommand) stack(ctx context.Context, t *terminal, asOf time.Time) (*importStack, error) {
	rdb, masters, err := cmd.keyringFlags.open(ctx, t)
	if err != nil {
		return nil, err
	}
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &importStack{directory: directory.New(rdb, directory.Config{}), close: func() { stop(); _ = rdb.Close() }}
	report, err := directory.CheckServer(ctx, rdb)
	if err != nil {
		s.close()
		return nil, storeError(err)
	}
	for _, warning := range report.Warnings {
		t.say("warning: %s", warning)
	}
	if s.keyring, err = keyring.Open(ctx, rdb, masters...); err != nil {
		s.close()
		return nil, keyringError(err)
	}
	now, err := s.keyring.Time(ctx)
	if err != nil {
		s.close()
		return nil, keyringError(err)
	}
	if asOf.After(now.Add(clockSlack)) {
		s.close()
		return nil, withHint(errors.New("the file is of a time that has not come yet, by the clock of Redis"), "--as-of TIME says when it was true")
	}
	go s.keyring.Follow(follow)
	s.registry = registry.New(s.keyring, s.directory)
	return s, nil
}

// usersPerBucketTooMany is how many users a bucket may hold on average before an operator is to hear of it.
const usersPerBucketTooMany = 2 * usersPerBucket

// warnIfCrowded says when the directory holds more users than it was laid out for.
func (s *importStack) warnIfCrowded(ctx context.Context, t *terminal) {
	snapshot, err := s.keyring.Current()
	if err != nil || snapshot.Active() == nil {
		return
	}
	layout := snapshot.Active().Layout
	counts, err := s.directory.Count(ctx, layout)
	if mean := counts.Visible >> layout.BucketBits; err == nil && mean > usersPerBucketTooMany {
		t.say("warning: a bucket of the directory holds %d users on average, where %d are meant: lookups and memory cost more than they should; kith epoch rotate lays it out anew", mean, usersPerBucket)
	}
}

// stopped says how far an import came that ended with an error.
func (cmd *importCommand) stopped(t *terminal, report registry.ImportReport, asOf time.Time, err error) error {
	if report.Lines > 0 {
		again := fmt.Sprintf("--from-line %d", report.Lines+1)
		if cmd.File == "-" && cmd.AsOf == "" {
			again += " --as-of " + asOf.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		t.say("done up to line %d; %s goes on after it", report.Lines, again)
	}
	return importError(err)
}

// importError adds hints to the errors of an import.
func importError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, directory.ErrUnavailable):
		return withHint(err, "is Redis running, and does it take writes?")
	case errors.Is(err, directory.ErrIncomplete):
		return withHint(err, "the store has lost a part of the directory: it has to be restored from a backup of Redis first")
	case errors.Is(err, registry.ErrContended):
		return withHint(err, "the keyring changes all the time, or has lost its last change: see docs/operations.md")
	}
	if line, ok := errors.AsType[*registry.LineError](err); ok && line.Reason == registry.ReasonDamaged {
		return withHint(err, "repair the record from a backup of Redis, or --skip-bad passes over its line")
	} else if ok {
		return withHint(err, "mend the line, or --skip-bad passes over such lines")
	}
	return keyringError(err)
}

// importJSON is what --json prints.
type importJSON struct {
	Lines      int64           `json:"lines"`
	Registered int64           `json:"registered"`
	Later      int64           `json:"later"`
	Skipped    []importBadJSON `json:"skipped"`
	Seconds    float64         `json:"seconds"`
}

type importBadJSON struct {
	Reason registry.Reason `json:"reason"`
	Count  int64           `json:"count"`
}

// print writes what was imported.
func (cmd *importCommand) print(w io.Writer, r registry.ImportReport, took time.Duration) error {
	if cmd.JSON {
		out := importJSON{Lines: r.Lines, Registered: r.Registered, Later: r.Later, Skipped: []importBadJSON{}, Seconds: took.Seconds()}
		for _, reason := range reasonsOf(r.Bad) {
			out.Skipped = append(out.Skipped, importBadJSON{reason, r.Bad[reason]})
		}
		return writeJSON(w, out)
	}
	text := fmt.Sprintf("%d lines: %d registered", r.Lines, r.Registered)
	if r.Later > 0 {
		text += fmt.Sprintf(", %d left as later writes have them", r.Later)
	}
	if n := sum(r.Bad); n > 0 {
		text += fmt.Sprintf(", %d passed over (%s)", n, byReason(r.Bad))
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func sum(counts map[registry.Reason]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// reasonsOf returns the reasons that were met, in alphabetical order.
func reasonsOf(counts map[registry.Reason]int64) []registry.Reason {
	var reasons []registry.Reason
	for reason := range counts {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	return reasons
}

// byReason writes counts as "too-long 2, version 1".
func byReason(counts map[registry.Reason]int64) string {
	var texts []string
	for _, reason := range reasonsOf(counts) {
		texts = append(texts, fmt.Sprintf("%s %d", reason, counts[reason]))
	}
	return strings.Join(texts, ", ")
}

package client

import (
	"context"
	"errors"
	"slices"
)

// chooseMode sets r.choice: the mode that the options name, or that fits. It returns ErrMode, ErrBudget or ErrAnswer.
func (r *run) chooseMode(ctx context.Context) error {
	r.labels = r.options.Labels
	if m := r.options.Mode; m != ModeAuto {
		r.choice = choice{mode: m, why: "The app asked for mode " + string(m) + "."}
		return errors.Join(r.directory.check(m), r.checkLabels(m))
	}
	s, err := r.situation(ctx)
	if err != nil {
		return err
	}
	r.choice, err = s.choose()
	return err
}

// checkLabels returns the error of the directory's check of what labels are fetched by in a mode.
func (r *run) checkLabels(m Mode) error {
	switch {
	case m == ModeExact || r.options.Labels == LabelsNone:
		return nil
	case r.options.Labels == LabelsByTag:
		return r.directory.check(ModeExact)
	default:
		return r.directory.check(ModeBucket)
	}
}

// situation collects what ModeAuto decides by. It returns ErrAnswer if the server offers a mode without its figures, or
// the cache's error.
func (r *run) situation(ctx context.Context) (situation, error) {
	s := situation{
		minPrivacy: r.options.MinPrivacy, labels: r.options.Labels, figures: r.directory.figures,
		budget: r.options.Budget, left: r.left(), numbers: len(r.book.candidates),
	}
	for _, m := range byPrivacy {
		if !slices.Contains(r.offered, m) {
			continue
		}
		if err := r.directory.check(m); err != nil {
			return s, err
		}
		if r.checkLabels(m) == nil {
			s.offered = append(s.offered, m)
		}
	}
	b := &r.epoch.buckets
	for _, c := range r.book.candidates {
		_, answered := b.found[c.number]
		_, known := r.epoch.known[c.number]
		if !answered && (!known || len(b.queue) == 0) { // of the queue are those that are known and not answered
			s.new++
		}
	}
	if s.news = int64(len(b.asked)) * s.figures.bucketCost(); r.feedFits() {
		s.news = int64(len(b.queue))*s.figures.bucketCost() + r.expectedFeed(b.read)
	} else if s.news > r.left() && !r.roundDue() {
		s.news = int64(len(b.queue)) * s.figures.bucketCost()
	}
	var err error
	s.missing, err = r.missingSnapshot(ctx)
	return s, err
}

// missingSnapshot is what mode snapshot takes now.
func (r *run) missingSnapshot(ctx context.Context) (int64, error) {
	whole := r.directory.figures.SnapshotBytes + r.directory.figures.manifestCost()
	c, err := r.loadCopy(ctx)
	if c == nil || err != nil || !c.Complete || c.outgrown() {
		return whole, err
	}
	return r.expectedFeed(c.Read), nil
}

// lookUp looks up all candidates, whose N are known, and fills in the rest of result. If the snapshot turns out not to be
// there, or not to fit, ModeAuto takes another mode.
func (r *run) lookUp(ctx context.Context, result *Result) error {
	if len(r.book.candidates) == 0 {
		r.collect(nil, nil, result)
		return nil
	}
	r.index = r.epoch.tagIndex()
	if err := r.pause(ctx); err != nil {
		return err
	}
	hits, records, err := r.find(ctx)
	if r.options.Mode == ModeAuto && (errors.Is(err, errSnapshotTooLarge) || isProblem(err, CodeNoSnapshot)) {
		r.offered = slices.DeleteFunc(r.offered, func(m Mode) bool { return m == ModeSnapshot })
		if err := r.chooseMode(ctx); err != nil {
			return err
		}
		hits, records, err = r.find(ctx)
	}
	if err != nil {
		return err
	}
	r.collect(hits, records, result)
	return r.save(ctx)
}

// pause waits a random time after evaluations, unless nothing is looked up.
func (r *run) pause(ctx context.Context) error {
	if r.evaluated == 0 || r.options.LookupDelay <= 0 || r.choice.wait {
		return nil
	}
	return r.retry.sleep(ctx, r.retry.jitter(r.options.LookupDelay))
}

// find looks up by the mode of r.choice. It returns the hits, and what their labels turned out to be.
func (r *run) find(ctx context.Context) (hits map[string]basis, records map[string]labelRecord, err error) {
	records, r.newsWait = r.epoch.labels.known, false
	switch {
	case r.choice.wait:
		return confirmed(records), records, nil
	case r.choice.mode == ModeExact:
		records, err = r.findExact(ctx)
		return confirmed(records), records, err
	case r.choice.mode == ModeBucket:
		hits, err = r.findInBuckets(ctx)
	default:
		hits, err = r.findInSnapshot(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	return hits, records, r.fetchLabels(ctx, hits)
}

// confirmed returns all numbers of records as hits, whose basis is that of the record.
func confirmed(records map[string]labelRecord) map[string]basis {
	hits := make(map[string]basis, len(records))
	for number, record := range records {
		hits[number] = record.basis
	}
	return hits
}

// collect fills in matches, in the order of the address book, and what waits for the budget.
func (r *run) collect(hits map[string]basis, records map[string]labelRecord, result *Result) {
	waiting := make(map[string]bool)
	queued := make(map[uint32]bool)
	for _, p := range r.epoch.buckets.queue {
		queued[p] = true
	}
	for _, c := range r.whole.candidates {
		if _, evaluated := r.epoch.known[c.number]; !evaluated {
			if record := r.epoch.labels.known[c.number]; record.confirmed && r.labelPolicy() != LabelsNone { // of the epoch before
				result.Matches = append(result.Matches, c.match(record.text))
			}
			continue
		}
		if r.waits(c.number, queued) {
			waiting[c.number] = true
		}
		b, hit := hits[c.number]
		record, known := records[c.number]
		switch {
		case !hit && (!record.confirmed || !r.unanswered(c.number)):
		case r.labelPolicy() == LabelsNone:
			result.Matches = append(result.Matches, c.match(""))
		case record.confirmed:
			result.Matches = append(result.Matches, c.match(record.text))
			if record.at == 0 { // of the epoch before, or to be refreshed: it may be another's by now
				waiting[c.number] = true
			}
		case known && record.basis == b:
			result.Unconfirmed++
		default:
			waiting[c.number] = true
		}
	}
	for _, forms := range r.book.primary {
		if slices.ContainsFunc(forms, func(form string) bool { return waiting[form] }) {
			result.Deferred++
		}
	}
	if result.Deferred > 0 {
		result.Next = r.state.spent.next(r.now(), r.options.Budget, r.waitingCost())
	}
}

// unanswered reports whether a number was not looked up, so that what was found earlier still holds.
func (r *run) unanswered(number string) bool {
	_, answered := r.epoch.buckets.found[number]
	return r.choice.mode == ModeBucket && !answered
}

// waits reports whether the lookup of a number waits for the budget.
func (r *run) waits(number string, queued map[uint32]bool) bool {
	if r.choice.wait || r.newsWait {
		return true
	}
	return r.unanswered(number) || r.choice.mode == ModeBucket && queued[r.prefix(number)]
}

// waitingCost is what the things that wait take, or a whole day's budget where that is not known.
func (r *run) waitingCost() int64 {
	if r.choice.wait || r.newsWait {
		return r.options.Budget
	}
	f := r.directory.figures
	cost := int64(len(r.epoch.labels.queue))*f.labelBucketCost() + r.labelReserve()
	if r.choice.mode == ModeBucket {
		cost += int64(len(r.epoch.buckets.queue)) * f.bucketCost()
	}
	return max(cost, f.labelBucketCost())
}

// labelPolicy is how labels were fetched.
func (r *run) labelPolicy() LabelPolicy {
	if r.choice.mode == ModeExact {
		return LabelsByTag
	}
	return r.labels
}

func (c *candidate) match(label string) Match {
	m := Match{Number: c.number, Label: label}
	if len(c.names) > 0 {
		m.Name = c.names[0]
	}
	if len(c.names) > 1 {
		m.OtherNames = c.names[1:]
	}
	return m
}

// callLookup sends a request over the lookup connection, without credential, and counts its bytes.
func (r *run) callLookup(ctx context.Context, q request) ([]byte, error) {
	before := r.bytes
	q.via, q.cost = r.lookups, &r.bytes
	answer, err := r.call(ctx, q)
	if r.bytes > before {
		r.state.spent.add(r.now(), r.bytes-before)
		r.state.dirty = true
	}
	return answer, err
}

// left is how many bytes lookups may cost now.
func (r *run) left() int64 {
	if r.options.Budget == unlimited {
		return unlimited
	}
	return max(r.options.Budget-r.state.spent.spent(r.now()), 0)
}

func (r *run) save(ctx context.Context) error { return r.state.save(ctx, r.options.State) }

func (r *run) report(stage Stage, done, total int) {
	r.options.Progress(Progress{Stage: stage, Done: done, Total: total})
}

package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

const day = 24 * time.Hour

// findInBuckets is ModeBucket. It brings the findings of the epoch up to date, as far as the budget goes, and returns the
// hits among them.
//
// All prefixes of the address book are asked once an epoch, shuffled and filled up with others; later only those of new
// numbers are. News of the others come from the changes feed, from the position that the manifest had before the first
// prefix was asked, while the entries to be expected since it was read last fit the budget (without a budget: are not
// more than newsLimit). Otherwise the identical set is asked again, decoys included: a set that the server has seen already
// tells it nothing new. With a budget that has no room for the whole set that is done in parts, and begun once a day.
func (r *run) findInBuckets(ctx context.Context) (map[string]basis, error) {
	trimmed, err := r.updateBuckets(ctx)
	if trimmed && err == nil {
		r.epoch.buckets.position = ""
		_, err = r.updateBuckets(ctx)
	}
	if err != nil {
		return nil, err
	}
	hits := make(map[string]basis)
	for number, f := range r.epoch.buckets.found {
		if f.hit {
			hits[number] = f.basis
		}
	}
	return hits, nil
}

// updateBuckets asks what is to be asked and reads the feed after it, so that what the feed tells is news to the labels
// that are kept. It reports whether the feed no longer reaches back to where it was read.
func (r *run) updateBuckets(ctx context.Context) (trimmed bool, err error) {
	dice, err := newDice(r.options.Rand)
	if err != nil {
		return false, err
	}
	if err := r.planBuckets(ctx, dice); err != nil {
		return false, err
	}
	if err := r.askBuckets(ctx); err != nil {
		return false, err
	}
	return r.followBuckets(ctx)
}

// planBuckets fills the queue: with everything, if news can not come from the feed, and with the prefixes of numbers that
// were not asked for. It is saved before anything is sent: after an interruption the same decoys are asked.
func (r *run) planBuckets(ctx context.Context, dice *rand.Rand) error {
	b := &r.epoch.buckets
	again := int64(len(b.asked)) * r.directory.figures.bucketCost()
	if !r.feedFits() && (again <= r.left()-r.labelReserve() || r.roundDue()) {
		if err := r.startFeed(ctx, again); err != nil {
			return err
		}
		b.queue = slices.Clone(b.asked)
		shuffle(dice, b.queue)
	}
	b.plan(r.newPrefixes(dice))
	r.state.dirty = true
	return r.save(ctx)
}

// roundDue reports whether the whole set is to be asked again although that takes more than the budget has left: once a
// day, and not before all of the last round and its labels were asked.
func (r *run) roundDue() bool {
	b := &r.epoch.buckets
	age := r.now().Unix() - b.read
	return len(b.queue)+len(r.epoch.labels.queue) == 0 && (age < 0 || age >= int64(day.Seconds()))
}

// feedFits reports whether the changes feed is followed, and can be afforded now.
func (r *run) feedFits() bool {
	return r.epoch.buckets.position != "" && r.expectedFeed(r.epoch.buckets.read) <= r.feedLimit()
}

// feedLimit is the most to spend on the feed now.
func (r *run) feedLimit() int64 {
	if r.options.Budget != unlimited {
		return r.left()
	}
	return newsLimit(int64(len(r.epoch.buckets.asked)) * r.directory.figures.bucketCost())
}

// expectedFeed is how many bytes of changes there may be since a time.
func (r *run) expectedFeed(since int64) int64 {
	elapsed := max(r.now().Unix()-since, 0)
	return int64(float64(r.directory.figures.ChangesBytesADay) * float64(elapsed) / day.Seconds())
}

// startFeed takes the position of the manifest, from which the feed is followed after the prefixes were asked, or none if a
// day of the feed is too much or there is no feed.
func (r *run) startFeed(ctx context.Context, again int64) error {
	b, f := &r.epoch.buckets, r.directory.figures
	b.position, b.read = "", r.now().Unix()
	limit := newsLimit(again)
	if r.options.Budget != unlimited {
		limit = r.options.Budget
	}
	if !f.hasFeed() || f.ChangesBytesADay > limit || f.manifestCost() > r.left() {
		return nil
	}
	m, err := r.requestManifest(ctx)
	var problem *ProblemError
	if errors.As(err, &problem) && problem.Code == CodeNoSnapshot {
		return nil
	}
	if err != nil {
		return err
	}
	b.position = m.ChangesSince
	return nil
}

// newPrefixes returns the prefixes of the numbers of the address book that were not asked for, in random order, filled up
// to a class of counts. The decoys are of all prefixes, those that were asked before too, as those of new contacts are.
func (r *run) newPrefixes(dice *rand.Rand) []uint32 {
	b := &r.epoch.buckets
	taken := make(map[uint32]bool, len(b.queue))
	for _, p := range b.queue {
		taken[p] = true
	}
	var batch []uint32
	for _, c := range r.book.candidates {
		p := r.index.tags[c.number].Prefix(b.bits)
		if _, answered := b.found[c.number]; !answered && !taken[p] {
			taken[p] = true
			batch = append(batch, p)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	batch = append(batch, drawPrefixes(dice, b.bits, QuarterClass(len(batch))-len(batch), taken)...)
	shuffle(dice, batch)
	return batch
}

// askBuckets asks the prefixes of the queue, page by page, as far as the budget goes.
func (r *run) askBuckets(ctx context.Context) error {
	b := &r.epoch.buckets
	done, total := 0, len(b.queue)
	members := r.index.byPrefix(b.bits)
	if total > 0 {
		r.report(StageLookUp, done, total)
	}
	for len(b.queue) > 0 {
		n := min(r.pageSize(r.directory.maxPrefixes, r.directory.figures.bucketCost(), r.labelReserve()), len(b.queue))
		if n == 0 {
			return nil
		}
		answers, err := r.requestBuckets(ctx, b.queue[:n], false)
		if err != nil {
			return err
		}
		for _, a := range answers {
			for _, number := range members[a.prefix] {
				b.found[number] = a.finding(r.index.tags[number])
			}
		}
		b.queue = b.queue[n:]
		r.state.dirty = true
		if err := r.save(ctx); err != nil {
			return err
		}
		done += n
		r.report(StageLookUp, done, total)
	}
	return nil
}

// followBuckets applies the changes feed to findings and labels.
func (r *run) followBuckets(ctx context.Context) (trimmed bool, err error) {
	b := &r.epoch.buckets
	if b.position == "" {
		return false, nil
	}
	numbers := r.index.byChange()
	next, complete, err := r.readChanges(ctx, b.position, func(entries []byte) error {
		return r.applyChanges(numbers, entries, b.apply)
	})
	if err != nil {
		return isProblem(err, CodeChangesTrimmed), ignoreProblem(err, CodeChangesTrimmed)
	}
	r.newsWait = !complete
	if b.position = next; complete {
		b.read = r.now().Unix()
	}
	r.state.dirty = true
	return false, r.save(ctx)
}

// labelReserve is what prefixes leave of the budget for labels, so that the first matches of a large address book do not wait
// until all of it was looked up: a quarter, as long as there is room for a prefix beside it.
func (r *run) labelReserve() int64 {
	if r.options.Budget == unlimited || r.options.Labels == LabelsNone {
		return 0
	}
	f := r.directory.figures
	return max(min(max(r.options.Budget/4, f.labelBucketCost()), r.options.Budget-f.bucketCost()), 0)
}

// pageSize returns how many prefixes to ask at once, of which each costs that much: at most limit, what the budget has
// left beyond a reserve, and what this device has memory for. 0 means that the budget has no room.
func (r *run) pageSize(limit int, cost, reserve int64) int {
	const maxAnswer = 8 << 20
	n := min(int64(limit), (r.left()-reserve)/cost, max(maxAnswer/cost, 1))
	return int(max(n, 0))
}

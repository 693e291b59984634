package client

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/kith-project/kith/crypto"
)

// fetchLabels brings the labels of hits up to date, as far as the budget goes. Each is fetched once, and again when it is
// stale; a hit that was not confirmed is asked for again when its basis has changed.
func (r *run) fetchLabels(ctx context.Context, hits map[string]basis) error {
	r.dropLabels(hits)
	if r.options.Labels == LabelsNone {
		return r.save(ctx)
	}
	need, due := r.neededLabels(hits)
	if r.fetchesByTag(len(need) + len(due)) {
		r.labels = LabelsByTag
		return r.fetchByTag(ctx, append(need, due...), hits)
	}
	r.labels = LabelsByBucket
	return r.fetchByBucket(ctx, need, due, hits)
}

// dropLabels forgets the labels of numbers that are hits no more.
func (r *run) dropLabels(hits map[string]basis) {
	for number := range r.epoch.labels.known {
		_, hit := hits[number]
		_, evaluated := r.epoch.known[number]
		_, answered := r.epoch.buckets.found[number]
		if !hit && evaluated && (answered || r.choice.mode == ModeSnapshot) {
			delete(r.epoch.labels.known, number)
			r.state.dirty = true
		}
	}
}

// neededLabels returns the hits of the address book whose labels are not known, and those whose labels are stale, in its
// order.
func (r *run) neededLabels(hits map[string]basis) (need, due []string) {
	for _, c := range r.book.candidates {
		b, hit := hits[c.number]
		switch {
		case !hit:
		case r.epoch.labels.needed(c.number, b):
			need = append(need, c.number)
		case r.epoch.labels.known[c.number].confirmed && stale(r.epoch.labels.known[c.number].at, r.now()):
			due = append(due, c.number)
		}
	}
	return need, due
}

// fetchesByTag reports whether that many labels are fetched by tag: if the policy allows it and, in ModeAuto, whole buckets
// do not fit.
func (r *run) fetchesByTag(n int) bool {
	if r.options.Labels != LabelsByTag {
		return false
	}
	return r.options.Mode != ModeAuto || r.directory.check(ModeBucket) != nil ||
		r.directory.figures.labelsCost(LabelsByBucket, n) > r.left()
}

// fetchByTag asks for the labels of numbers by their tags.
func (r *run) fetchByTag(ctx context.Context, numbers []string, hits map[string]basis) error {
	r.epoch.labels.queue = nil
	for exactCost(len(numbers), len(numbers)) > r.left() && len(numbers) > 0 {
		numbers = numbers[:len(numbers)*3/4]
	}
	if len(numbers) == 0 {
		return r.save(ctx)
	}
	records, err := r.askTags(ctx, numbers, StageOpen)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		record, found := records[number]
		if !found {
			record = r.openAny(number, hits[number])
		}
		record.basis = hits[number]
		r.epoch.labels.known[number] = record
	}
	r.state.dirty = true
	return r.save(ctx)
}

// fetchByBucket asks for the labels of the buckets of numbers. Those who need a first label are filled up with decoys; those
// whose label is due are asked for with all that were asked for at their time, decoys included. The queue is saved
// before anything is sent, and is asked to its end, also when those it was for were in its first part: after an
// interruption the same decoys are asked.
func (r *run) fetchByBucket(ctx context.Context, need, due []string, hits map[string]basis) error {
	l := &r.epoch.labels
	if len(need)+len(due)+len(l.queue) == 0 {
		return r.save(ctx)
	}
	dice, err := newDice(r.options.Rand)
	if err != nil {
		return err
	}
	if len(due) > 0 {
		again := slices.DeleteFunc(l.stalePrefixes(r.now()), func(p uint32) bool { return slices.Contains(l.queue, p) })
		shuffle(dice, again)
		l.queue = append(l.queue, again...)
		for _, number := range due { // their labels may have come by tag
			if _, fetched := l.fetched[r.prefix(number)]; !fetched {
				need = append(need, number)
			}
		}
	}
	l.queue = append(l.queue, r.labelPrefixes(dice, need, hits)...)
	r.state.dirty = true
	if err := r.save(ctx); err != nil {
		return err
	}
	return r.askLabels(ctx, hits)
}

// labelPrefixes returns the prefixes of numbers that are not in the queue, filled up to a class of counts with decoys, in
// random order.
func (r *run) labelPrefixes(dice *rand.Rand, numbers []string, hits map[string]basis) []uint32 {
	taken := make(map[uint32]bool)
	for _, p := range r.epoch.labels.queue {
		taken[p] = true
	}
	var batch []uint32
	for _, number := range numbers {
		if p := r.prefix(number); !taken[p] {
			taken[p] = true
			batch = append(batch, p)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	batch = append(batch, r.decoys(dice, PowerClass(len(batch))-len(batch), taken, hits)...)
	shuffle(dice, batch)
	return batch
}

// decoys returns n prefixes that are not taken, or all there are. Those that were asked by bucket in this epoch, are no hits
// and were not decoys before come first: among prefixes that the server has seen, others would stand out.
func (r *run) decoys(dice *rand.Rand, n int, taken map[uint32]bool, hits map[string]basis) []uint32 {
	unfit := make(map[uint32]bool, len(hits))
	for number := range hits {
		unfit[r.prefix(number)] = true
	}
	var pool []uint32
	for _, p := range r.epoch.buckets.asked {
		if _, fetched := r.epoch.labels.fetched[p]; !fetched && !unfit[p] && !taken[p] {
			pool = append(pool, p)
		}
	}
	shuffle(dice, pool)
	pool = pool[:min(n, len(pool))]
	for _, p := range pool {
		taken[p] = true
	}
	return append(pool, drawPrefixes(dice, r.epoch.buckets.bits, n-len(pool), taken)...)
}

// askLabels asks for the buckets of the queue with their labels, page by page, as far as the budget goes.
func (r *run) askLabels(ctx context.Context, hits map[string]basis) error {
	l := &r.epoch.labels
	members := r.index.byPrefix(r.epoch.buckets.bits)
	done, total := 0, len(l.queue)
	r.report(StageOpen, done, total)
	for len(l.queue) > 0 {
		n := min(r.pageSize(r.directory.maxLabels, r.directory.figures.labelBucketCost(), 0), len(l.queue))
		if n == 0 {
			return nil
		}
		answers, err := r.requestBuckets(ctx, l.queue[:n], true)
		if err != nil {
			return err
		}
		for _, a := range answers {
			l.fetched[a.prefix] = r.now().Unix()
			for _, number := range members[a.prefix] {
				r.settleLabel(number, a, hits)
			}
		}
		l.queue = l.queue[n:]
		r.state.dirty = true
		if err := r.save(ctx); err != nil {
			return err
		}
		done += n
		r.report(StageOpen, done, total)
	}
	return nil
}

// settleLabel takes the answer for one number. It is newer than what its finding follows from: somebody whose tag is not
// there any more has left. Of one whose tag is there and whose label does not open, the basis is this answer: the same
// again is not asked for again.
func (r *run) settleLabel(number string, a bucketAnswer, hits map[string]basis) {
	if _, answered := r.epoch.buckets.found[number]; answered {
		r.epoch.buckets.found[number] = a.finding(r.index.tags[number])
	}
	if _, hit := hits[number]; !hit {
		return
	}
	if r.choice.mode == ModeBucket {
		hits[number] = basisOf(a.tags)
	}
	r.epoch.labels.known[number] = r.openAny(number, hits[number], a.sealedLabels(r.index.tags[number])...)
}

// openAny opens the label of a number, of which there may be several where short tags collide. One that does not open is
// another number's, or invented: whoever does not know the number can not have sealed it.
func (r *run) openAny(number string, b basis, sealed ...crypto.SealedLabel) labelRecord {
	tag, key := crypto.Derive(r.epoch.known[number])
	for _, s := range sealed {
		if text, err := key.Open(tag, s); err == nil {
			return labelRecord{text: text, confirmed: true, at: r.now().Unix()}
		}
	}
	return labelRecord{basis: b, at: r.now().Unix()}
}

// prefix returns the prefix of a number that is known.
func (r *run) prefix(number string) uint32 {
	return r.index.tags[number].Prefix(r.epoch.buckets.bits)
}

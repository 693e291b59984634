package rotation

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

var (
	// ErrNotLogged means an epoch whose public key is not in the key log, or is another there.
	ErrNotLogged = errors.New("rotation: an epoch's key is not the one in the key log")
	// ErrNoMove means an epoch that was not copied from another, or whose keys or whose predecessor's are destroyed, and
	// with them what an audit would read.
	ErrNoMove = errors.New("rotation: there is no move into this epoch to be checked")
)

// AuditStore is what an audit reads; *directory.Store is one.
type AuditStore interface {
	ScanBuckets(ctx context.Context, layout directory.Layout, buckets []uint32) ([][]directory.Scanned, error)
	GetAll(ctx context.Context, layout directory.Layout, tags []crypto.Tag) ([]directory.Found, error)
	Moves(ctx context.Context, layout directory.Layout, partition, target uint32, buckets []uint32) ([][]byte, error)
}

// AuditReport is what an audit has found.
type AuditReport struct {
	Epoch uint32 `json:"epoch"`
	From  uint32 `json:"from"`
	// Buckets of the old epoch, and the proofs that hold, with the records under them.
	Buckets int64 `json:"buckets"`
	Proofs  int64 `json:"proofs"`
	Records int64 `json:"records"`

	// What is wrong.

	MissingProofs   int64 `json:"missing_proofs"`   // buckets of which nothing is kept
	MalformedProofs int64 `json:"malformed_proofs"` // buckets of which something else is kept
	FailedProofs    int64 `json:"failed_proofs"`    // proofs that do not hold
	Lost            int64 `json:"lost"`             // records that only one of the epochs has
	Unreadable      int64 `json:"unreadable"`       // records of either epoch that can not be read
	Older           int64 `json:"older"`            // records that are older in the new epoch than in the old one
	OtherLabels     int64 `json:"other_labels"`     // records of one version that have different labels

	// What can not be told.

	// Unproven is how many records of the old epoch are under no proof: they were registered directly in both epochs,
	// after their bucket was copied. They are compared all the same.
	Unproven int64 `json:"unproven"`
	// Forgotten is how many records under a proof neither epoch has any more, deletions that were purged, and Unchecked
	// how many proofs can not be checked without them.
	Forgotten int64 `json:"forgotten"`
	Unchecked int64 `json:"unchecked"`
}

// OK reports whether nothing is wrong.
func (a AuditReport) OK() bool {
	return a.MissingProofs+a.MalformedProofs+a.FailedProofs+a.Lost+a.Unreadable+a.Older+a.OtherLabels == 0
}

// Audit checks the move into the epoch id, as the operator of the store and the keyring: that every bucket of the epoch
// before it has proofs, and that they hold for the elements as they are stored in both epochs and the public keys as they
// are in the key log; and that no record is missing, older or under another label in the new epoch.
//
// It reads both epochs and needs their private and storage keys, so it is possible from the copy until the old epoch is retired, and
// nobody but the operator can make it. While a rotation is under way it tells of what is not copied yet. Registrations
// that reach one epoch while the other is read are told as lost or older; a second audit tells them apart.
//
// It can not see
//   - whether a record belongs to the number that it was registered for: who registers tells the server the number;
//   - that the keys of records which were registered directly in both epochs (Unproven) were the logged ones, beyond
//     comparing the two records;
//   - records that were removed from both epochs together with their place in the proof, or added to both, or to the new
//     one alone;
//   - anything of buckets, proofs or records that no longer are what they were when the epoch became active, if all of it
//     was changed by who has the keys.
//
// It returns ErrNoMove, ErrNotLogged, or the errors of the store.
func Audit(ctx context.Context, store AuditStore, snapshot *keyring.Snapshot, id uint32, log *keylog.View) (AuditReport, error) {
	to := snapshot.Epoch(id)
	if to == nil || to.From == 0 || to.Over() {
		return AuditReport{}, ErrNoMove
	}
	from := snapshot.Epoch(to.From)
	if from == nil || from.Over() {
		return AuditReport{}, ErrNoMove
	}
	a := &audit{store: store, from: from, to: to, factor: voprf.NewFactor(from.Key, to.Key)}
	defer a.factor.Wipe()
	var err error
	if a.fromKey, err = loggedKey(log, from); err != nil {
		return AuditReport{}, err
	}
	if a.toKey, err = loggedKey(log, to); err != nil {
		return AuditReport{}, err
	}
	return a.run(ctx)
}

// loggedKey returns the public key that the log has of an epoch, or ErrNotLogged.
func loggedKey(log *keylog.View, e *keyring.Epoch) (*voprf.PublicKey, error) {
	key, ok := log.Key(e.ID)
	if !ok {
		return nil, ErrNotLogged
	}
	pk, err := voprf.UnmarshalPublicKey(key[:])
	if err != nil || !pk.Equal(e.PublicKey) {
		return nil, ErrNotLogged
	}
	return pk, nil
}

// audit is an audit under way.
type audit struct {
	store          AuditStore
	from, to       *keyring.Epoch
	fromKey, toKey *voprf.PublicKey
	factor         *voprf.Factor // for the records that are under no proof
}

// run audits the partitions of the old epoch on all cores.
func (a *audit) run(ctx context.Context) (AuditReport, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	partitions := make(chan uint32)
	reports := make(chan AuditReport)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for p := range partitions {
				report, err := a.partition(ctx, p)
				if err != nil {
					cancel(err)
					return
				}
				reports <- report
			}
		})
	}
	go func() {
		defer close(partitions)
		for p := range a.from.Layout.Partitions() {
			select {
			case partitions <- uint32(p):
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		wg.Wait()
		close(reports)
	}()
	total := AuditReport{Epoch: a.to.ID, From: a.from.ID}
	for report := range reports {
		total.add(report)
	}
	return total, context.Cause(ctx)
}

// add adds the counts of a part.
func (a *AuditReport) add(b AuditReport) {
	for _, sum := range []struct {
		to   *int64
		part int64
	}{
		{&a.Buckets, b.Buckets}, {&a.Proofs, b.Proofs}, {&a.Records, b.Records}, {&a.MissingProofs, b.MissingProofs},
		{&a.MalformedProofs, b.MalformedProofs}, {&a.FailedProofs, b.FailedProofs}, {&a.Lost, b.Lost},
		{&a.Unreadable, b.Unreadable}, {&a.Older, b.Older}, {&a.OtherLabels, b.OtherLabels}, {&a.Unproven, b.Unproven},
		{&a.Forgotten, b.Forgotten}, {&a.Unchecked, b.Unchecked},
	} {
		*sum.to += sum.part
	}
}

// partition audits one partition of the old epoch.
func (a *audit) partition(ctx context.Context, partition uint32) (AuditReport, error) {
	var report AuditReport
	for first, end := a.from.Layout.Buckets(partition); first < end; first += chunkBuckets {
		var buckets []uint32
		for b := first; b < min(first+chunkBuckets, end); b++ {
			buckets = append(buckets, uint32(b))
		}
		kept, err := a.store.Moves(ctx, a.from.Layout, partition, a.to.ID, buckets)
		if err != nil {
			return report, err
		}
		scanned, err := a.store.ScanBuckets(ctx, a.from.Layout, buckets)
		if err != nil {
			return report, err
		}
		for i := range buckets {
			if err := a.bucket(ctx, &report, kept[i], scanned[i]); err != nil {
				return report, err
			}
		}
	}
	return report, nil
}

// audited is a record under a proof, as far as it can be read, in one of the epochs.
type audited struct {
	moving
	there, intact bool
}

// bucket audits one bucket.
func (a *audit) bucket(ctx context.Context, report *AuditReport, kept []byte, scanned []directory.Scanned) error {
	report.Buckets++
	groups, err := parseKept(kept)
	switch {
	case kept == nil:
		report.MissingProofs++
	case err != nil:
		report.MalformedProofs++
	}
	old := make(map[crypto.Tag]*audited, len(scanned))
	for _, s := range scanned {
		r := &audited{moving: moving{Entry: s.Entry}, there: true}
		r.intact = s.Err == nil && open(a.from.Storage, s.Tag, s.Record, &r.moving)
		if !r.intact {
			report.Unreadable++
		}
		old[s.Tag] = r
	}
	for _, g := range groups {
		if err := a.group(ctx, report, g, old); err != nil {
			return err
		}
	}
	return a.unproven(ctx, report, slices.Collect(maps.Values(old))) // group has taken out what it has seen
}

// unproven audits records of one bucket that are under no proof, moving their elements itself.
func (a *audit) unproven(ctx context.Context, report *AuditReport, records []*audited) error {
	report.Unproven += int64(len(records))
	var (
		readable []*audited
		tags     []crypto.Tag
	)
	for _, r := range records {
		if !r.intact {
			continue
		}
		moved, err := a.factor.Rekey([]voprf.UnblindedElement{r.n})
		if err != nil {
			report.Unreadable++
			continue
		}
		tag, _ := crypto.Derive(moved[0])
		readable, tags = append(readable, r), append(tags, tag)
	}
	found, err := a.store.GetAll(ctx, a.to.Layout, tags)
	if err != nil {
		return err
	}
	for i, before := range readable {
		report.compare(before, a.read(tags[i], found[i]))
	}
	return nil
}

// group audits the records under one proof, and takes those of the old epoch out of old.
func (a *audit) group(ctx context.Context, report *AuditReport, g group, old map[crypto.Tag]*audited) error {
	tags := make([]crypto.Tag, len(g.pairs))
	for i, p := range g.pairs {
		tags[i] = p.new
	}
	found, err := a.store.GetAll(ctx, a.to.Layout, tags)
	if err != nil {
		return err
	}
	n, moved := make([]voprf.UnblindedElement, 0, len(tags)), make([]voprf.UnblindedElement, 0, len(tags))
	defer clear(n)
	defer clear(moved)
	for i, p := range g.pairs {
		before := old[p.old]
		if before == nil {
			before = new(audited)
		}
		delete(old, p.old)
		after := a.read(p.new, found[i])
		if report.compare(before, after) {
			n, moved = append(n, before.n), append(moved, after.n)
		}
	}
	if len(n) < len(tags) {
		report.Unchecked++
		return nil
	}
	if err := voprf.VerifyRekey(a.fromKey, a.toKey, n, moved, g.proof); err != nil {
		report.FailedProofs++
		return nil
	}
	report.Proofs++
	report.Records += int64(len(n))
	return nil
}

// read returns a record of the new epoch.
func (a *audit) read(tag crypto.Tag, found directory.Found) *audited {
	r := &audited{moving: moving{Entry: directory.Entry{Tag: tag, Record: found.Record}}}
	r.there = !errors.Is(found.Err, directory.ErrNotFound)
	r.intact = found.Err == nil && open(a.to.Storage, tag, found.Record, &r.moving)
	return r
}

// compare notes what is wrong between a record of the old epoch and the one that it was moved to, and reports whether the
// elements of both can be read.
func (a *AuditReport) compare(before, after *audited) bool {
	switch {
	case !before.there && !after.there:
		a.Forgotten++
		return false
	case !before.there || !after.there:
		a.Lost++
		return false
	case !after.intact:
		a.Unreadable++
		return false
	case !before.intact: // counted before
		return false
	}
	b, c := before.Record, after.Record
	switch {
	case c.Version < b.Version || c.Version == b.Version && c.Format < b.Format:
		a.Older++
	case c.Version == b.Version && c.Format == b.Format && before.label != after.label:
		a.OtherLabels++
	}
	return true
}

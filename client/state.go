package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

// idempotencyKeySize is the length of an Idempotency-Key before encoding, in bytes.
const idempotencyKeySize = 16

// state is what a Sync remembers for the next one. It is owned by one Sync at a time.
type state struct {
	server string        // the base URL of the server that it belongs to
	home   uint32        // the epoch in which lookups are made; 0 if that is not decided
	epochs []*epochState // in the order in which they were first seen, each id once
	spent  ledger        // what lookups cost
	log    *seenLog      // nil if no key log was verified so far
	dirty  bool          // differs from what is stored
}

// epochState is what is known of one epoch. Of an epoch that is over, only the public key is kept: so a server that
// brings the epoch back under another key is still found out.
type epochState struct {
	id        uint32
	publicKey [voprf.ElementSize]byte
	lot       lot                               // when to move to this epoch, if that was drawn
	known     map[string]voprf.UnblindedElement // number: N, paid for
	pending   []*batch                          // sent, or about to be sent, and not answered yet; oldest first
	buckets   bucketState
	labels    labelState
}

// batch is one evaluation request. The blinded elements are not stored: they follow from numbers and blinds.
type batch struct {
	key     [idempotencyKeySize]byte
	numbers []string // different ones, at least one
	blinds  []voprf.BlindScalar
}

// epoch returns the state of an epoch, or nil.
func (s *state) epoch(id uint32) *epochState {
	for _, e := range s.epochs {
		if e.id == id {
			return e
		}
	}
	return nil
}

// remember returns the state of an epoch, which is added, with its public key, if it is new.
func (s *state) remember(id uint32, publicKey [voprf.ElementSize]byte) *epochState {
	if e := s.epoch(id); e != nil {
		return e
	}
	e := &epochState{id: id, publicKey: publicKey, known: make(map[string]voprf.UnblindedElement), labels: newLabelState()}
	s.epochs = append(s.epochs, e)
	s.dirty = true
	return e
}

// moveTo makes e the epoch in which lookups are made. Of what was found in the one before, matches are shown until their
// numbers are looked up in e, which a budget can spread over days; all their labels are due, as in a first Sync: whose
// number it is may have changed in between.
func (s *state) moveTo(e *epochState) {
	if s.home == e.id {
		return
	}
	if from := s.epoch(s.home); from != nil {
		for number, record := range from.labels.known {
			if _, known := e.labels.known[number]; !known && record.confirmed {
				e.labels.known[number] = labelRecord{text: record.text, confirmed: true}
			}
		}
	}
	s.home = e.id
	s.dirty = true
}

// forget drops what is useless once active is the active epoch: of an older epoch that is not in use any more all but the
// public key. While it is in use it keeps its results, and the requests that are pending in it, which may be paid for.
// Epochs newer than the active one are left alone: this answer may come from a server that has not heard of them.
func (s *state) forget(active uint32, inUse func(uint32) bool) {
	for _, e := range s.epochs {
		if e.id >= active || inUse(e.id) {
			continue
		}
		if e.hasResults() || e.lot != 0 {
			clear(e.known)
			e.pending, e.lot = nil, 0
			s.dirty = true
		}
		s.dropLookups(e)
	}
}

// hasResults reports whether something was paid for in the epoch, or may have been.
func (e *epochState) hasResults() bool { return len(e.known)+len(e.pending) > 0 }

// dropLookups forgets what was looked up in an epoch.
func (s *state) dropLookups(e *epochState) {
	if e.buckets.stored() != nil || e.labels.stored() != nil {
		e.buckets, e.labels = bucketState{}, newLabelState()
		s.dirty = true
	}
}

// expireLabels makes all labels due again.
func (s *state) expireLabels() {
	for _, e := range s.epochs {
		e.labels.expire()
	}
	s.dirty = true
}

// useBits forgets what was looked up by prefixes of another length, which an epoch does not change.
func (s *state) useBits(e *epochState, bits int) {
	if e.buckets.bits == bits && e.buckets.found != nil || bits < 0 || bits > crypto.MaxPrefixBits {
		return
	}
	e.buckets = bucketState{bits: bits, found: make(map[string]finding)}
	e.labels = newLabelState()
	s.dirty = true
}

// settle removes a batch and keeps its results, if there are any: ns[i] belongs to b.numbers[i].
func (s *state) settle(e *epochState, b *batch, ns []voprf.UnblindedElement) {
	for i, n := range ns {
		e.known[b.numbers[i]] = n
	}
	e.pending = slices.DeleteFunc(e.pending, func(p *batch) bool { return p == b })
	clear(b.blinds)
	s.dirty = true
}

// missing returns the candidates of which neither the result is known nor a request pending, in their order.
func (e *epochState) missing(candidates []candidate) []string {
	asked := make(map[string]bool)
	for _, b := range e.pending {
		for _, number := range b.numbers {
			asked[number] = true
		}
	}
	var missing []string
	for _, c := range candidates {
		if _, known := e.known[c.number]; !known && !asked[c.number] {
			missing = append(missing, c.number)
		}
	}
	return missing
}

// pendingElements counts the elements in requests that are not answered.
func (e *epochState) pendingElements() int {
	n := 0
	for _, b := range e.pending {
		n += len(b.numbers)
	}
	return n
}

// loadState returns the stored state, or an empty one. It returns ErrState, or the store's error.
func loadState(ctx context.Context, store StateStore, server string) (*state, error) {
	data, err := store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: loading the state: %w", err)
	}
	if len(data) == 0 {
		return &state{server: server}, nil
	}
	s, err := decodeState(data)
	if err != nil {
		return nil, err
	}
	if s.server != server {
		return nil, fmt.Errorf("%w: it belongs to another server", ErrState)
	}
	return s, nil
}

// save stores s if it has changed.
func (s *state) save(ctx context.Context, store StateStore) error {
	if !s.dirty {
		return nil
	}
	data, err := s.encode()
	if err != nil {
		return err
	}
	if err := store.Save(ctx, data); err != nil {
		return fmt.Errorf("client: saving the state: %w", err)
	}
	s.dirty = false
	return nil
}

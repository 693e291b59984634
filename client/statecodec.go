package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/voprf"
)

// stateVersion is the version of the stored form that is written. Those from oldestVersion on are read; another one is
// refused, never rewritten.
const (
	stateVersion  = 2
	oldestVersion = 1
)

var base64url = base64.RawURLEncoding.Strict()

// The stored form: JSON, bytes in unpadded base64url. Once a version is released, members are only ever added together
// with a new one. What lookups leave behind is in lookupcodec.go.
type (
	storedState struct {
		Version int              `json:"version"`
		Server  string           `json:"server"`
		Home    uint32           `json:"home,omitempty"` // since version 2
		Epochs  []storedEpoch    `json:"epochs"`
		Spent   []storedSpending `json:"spent,omitempty"`
		KeyLog  *storedKeyLog    `json:"key_log,omitempty"` // since version 2
	}
	storedKeyLog struct {
		VerifierKey string `json:"verifier_key"`
		Quorum      int    `json:"quorum,omitempty"`
		Checkpoint  string `json:"checkpoint"` // its body, without signatures
	}
	storedEpoch struct {
		ID        uint32            `json:"id"`
		PublicKey string            `json:"public_key"`    // 32 bytes
		Lot       uint32            `json:"lot,omitempty"` // since version 2: units of 2^-32 of a migration window
		Numbers   map[string]string `json:"numbers"`       // E.164: N, 32 bytes
		Pending   []storedBatch     `json:"pending,omitempty"`
		Buckets   *storedBuckets    `json:"buckets,omitempty"`
		Labels    *storedLabels     `json:"labels,omitempty"`
	}
	storedBatch struct {
		Key     string   `json:"idempotency_key"` // 16 bytes
		Numbers []string `json:"numbers"`
		Blinds  []string `json:"blinds"` // 32 bytes each
	}
)

// encode returns the stored form. Equal states give equal bytes.
func (s *state) encode() ([]byte, error) {
	stored := storedState{
		Version: stateVersion, Server: s.server, Home: s.home, Epochs: make([]storedEpoch, 0, len(s.epochs)), Spent: s.spent.stored(),
		KeyLog: s.log.stored(),
	}
	for _, e := range s.epochs {
		stored.Epochs = append(stored.Epochs, e.stored())
	}
	data, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("client: encoding the state: %w", err)
	}
	return data, nil
}

func (e *epochState) stored() storedEpoch {
	stored := storedEpoch{ID: e.id, PublicKey: base64url.EncodeToString(e.publicKey[:]), Lot: uint32(e.lot)}
	stored.Numbers = make(map[string]string, len(e.known))
	for number, n := range e.known {
		stored.Numbers[number] = base64url.EncodeToString(n.Value[:])
	}
	for _, b := range e.pending {
		p := storedBatch{Key: base64url.EncodeToString(b.key[:]), Numbers: b.numbers}
		for _, blind := range b.blinds {
			p.Blinds = append(p.Blinds, base64url.EncodeToString(blind.Value[:]))
		}
		stored.Pending = append(stored.Pending, p)
	}
	stored.Buckets, stored.Labels = e.buckets.stored(), e.labels.stored()
	return stored
}

// decodeState reads the stored form, of this version or an earlier one. It returns ErrState, with a text that has nothing of
// the state in it, for anything that encode does not write or did not write in that version.
func decodeState(data []byte) (*state, error) {
	// The version first: a newer form may differ in everything else.
	var head struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &head) != nil {
		return nil, fmt.Errorf("%w: not a JSON object", ErrState)
	}
	if head.Version < oldestVersion || head.Version > stateVersion {
		return nil, fmt.Errorf("%w: version %d, and this client knows %d to %d", ErrState, head.Version, oldestVersion, stateVersion)
	}
	var stored storedState
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&stored) != nil || !atEnd(d) {
		return nil, fmt.Errorf("%w: members of a wrong form", ErrState)
	}
	if stored.Version == 1 && stored.hasNews() {
		return nil, fmt.Errorf("%w: members of a later version", ErrState)
	}
	s := &state{server: stored.Server, home: stored.Home}
	var err error
	if s.spent, err = decodeLedger(stored.Spent); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if s.log, err = stored.KeyLog.decode(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	for i := range stored.Epochs {
		e, err := stored.Epochs[i].decode()
		if err == nil && s.epoch(e.id) != nil {
			err = errors.New("an epoch twice")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
		s.epochs = append(s.epochs, e)
	}
	if s.home != 0 && s.epoch(s.home) == nil {
		return nil, fmt.Errorf("%w: an epoch is missing", ErrState)
	}
	return s, nil
}

// hasNews reports whether there are members that version 1 did not have.
func (stored *storedState) hasNews() bool {
	return stored.Home != 0 || stored.KeyLog != nil || slices.ContainsFunc(stored.Epochs, func(e storedEpoch) bool { return e.Lot != 0 })
}

func atEnd(d *json.Decoder) bool {
	_, err := d.Token()
	return err == io.EOF
}

func (stored *storedEpoch) decode() (*epochState, error) {
	e := &epochState{id: stored.ID, lot: lot(stored.Lot), known: make(map[string]voprf.UnblindedElement, len(stored.Numbers))}
	if !decodeExactly(e.publicKey[:], stored.PublicKey) {
		return nil, errors.New("a public key of a wrong form")
	}
	if _, err := voprf.UnmarshalPublicKey(e.publicKey[:]); err != nil {
		return nil, err
	}
	for number, text := range stored.Numbers {
		var n voprf.UnblindedElement
		if !isE164(number) || !decodeExactly(n.Value[:], text) {
			return nil, errors.New("a number of a wrong form")
		}
		e.known[number] = n
	}
	for i := range stored.Pending {
		b, err := stored.Pending[i].decode()
		if err != nil {
			return nil, err
		}
		e.pending = append(e.pending, b)
	}
	var err error
	if e.buckets, err = stored.Buckets.decode(); err != nil {
		return nil, err
	}
	e.labels, err = stored.Labels.decode()
	return e, err
}

func (l *seenLog) stored() *storedKeyLog {
	if l == nil {
		return nil
	}
	return &storedKeyLog{l.verifier, l.quorum, l.checkpoint.Text()}
}

func (stored *storedKeyLog) decode() (*seenLog, error) {
	if stored == nil {
		return nil, nil
	}
	checkpoint, err := keylog.ParseCheckpoint(stored.Checkpoint)
	if err != nil {
		return nil, err
	}
	v, err := keylog.ParseVerifierKey(stored.VerifierKey)
	if err != nil || v.Name() != checkpoint.Origin || stored.Quorum < 0 {
		return nil, errors.New("a key log of a wrong form")
	}
	return &seenLog{stored.VerifierKey, stored.Quorum, checkpoint}, nil
}

func (stored *storedBatch) decode() (*batch, error) {
	b := &batch{numbers: stored.Numbers, blinds: make([]voprf.BlindScalar, len(stored.Blinds))}
	if n := len(b.numbers); n == 0 || n > voprf.MaxBatch || n != len(b.blinds) {
		return nil, errors.New("a pending request of a wrong length")
	}
	if !decodeExactly(b.key[:], stored.Key) {
		return nil, errors.New("an idempotency key of a wrong form")
	}
	seen := make(map[string]bool, len(b.numbers))
	for i, number := range b.numbers {
		if !isE164(number) || seen[number] {
			return nil, errors.New("a pending number of a wrong form or twice")
		}
		seen[number] = true
		var scalar [voprf.ScalarSize]byte
		if !decodeExactly(scalar[:], stored.Blinds[i]) {
			return nil, errors.New("a blind of a wrong form")
		}
		var err error
		if b.blinds[i], err = voprf.UnmarshalBlindScalar(scalar[:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// decodeExactly decodes text into dst and reports whether it filled it exactly.
func decodeExactly(dst []byte, text string) bool {
	// Decode panics on a dst that is too short, so the length comes first.
	if len(text) != base64url.EncodedLen(len(dst)) {
		return false
	}
	n, err := base64url.Decode(dst, []byte(text))
	return err == nil && n == len(dst)
}

// isE164 reports whether s has the form of an E.164 number: '+' and 1 to 15 digits.
func isE164(s string) bool {
	if len(s) < 2 || len(s) > 16 || s[0] != '+' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

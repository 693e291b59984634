package server_test

import (
	"crypto/rand"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// blindedBatch is a batch that a device asks to have evaluated.
type blindedBatch struct {
	blinds []voprf.BlindScalar
	packed []byte
}

// blind blinds numbers under fresh blinds.
func blind(t testing.TB, numbers ...string) blindedBatch {
	t.Helper()
	blinds, err := voprf.RandomBlinds(rand.Reader, len(numbers))
	must(t, err)
	inputs := make([][]byte, len(numbers))
	for i, number := range numbers {
		inputs[i] = normalize.Input(number)
	}
	packed, err := voprf.Blind(inputs, blinds)
	must(t, err)
	return blindedBatch{blinds, packed}
}

// elements returns the batch as JSON has it.
func (b blindedBatch) elements() []string { return split(b.packed, voprf.ElementSize) }

// contact is what a device derives of a number: under which tag it is, and what opens its label.
type contact struct {
	tag crypto.Tag
	key crypto.LabelKey
}

// unblind verifies a packed answer, elements and proof, and derives the contacts.
func (b blindedBatch) unblind(t testing.TB, publicKey, answer []byte) []contact {
	t.Helper()
	pk, err := voprf.UnmarshalPublicKey(publicKey)
	must(t, err)
	if len(answer) != len(b.packed)+voprf.ProofSize {
		t.Fatalf("an answer of %d bytes to a batch of %d", len(answer), len(b.packed))
	}
	evaluated, proof := answer[:len(b.packed)], voprf.Proof(answer[len(b.packed):])
	must(t, pk.VerifyProof(b.packed, evaluated, proof))
	elements, err := voprf.Unblind(b.blinds, evaluated)
	must(t, err)
	contacts := make([]contact, len(elements))
	for i, n := range elements {
		contacts[i].tag, contacts[i].key = crypto.Derive(n)
	}
	return contacts
}

// publicKey returns the public key that the directory publishes for epoch 1.
func (s *stack) publicKey(t testing.TB) []byte {
	t.Helper()
	var info directoryInfo
	decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
	key, err := base64url.DecodeString(info.Epochs[0].PublicKey)
	must(t, err)
	return key
}

// discover has numbers evaluated for an account and returns its contacts, in the same order.
func (s *stack) discover(t testing.TB, account string, numbers ...string) []contact {
	t.Helper()
	batch := blind(t, numbers...)
	a := s.send(t, call{method: "POST", path: evaluationsPath, token: s.mint(t, account, "discover"), mime: mimePacked, body: batch.packed})
	if a.status != 200 {
		t.Fatalf("evaluation: got %d %s", a.status, a.body)
	}
	return batch.unblind(t, s.publicKey(t), a.body)
}

// lookUp asks for contacts by packed tags and returns the labels of those found, by tag.
func (s *stack) lookUp(t testing.TB, contacts ...contact) map[crypto.Tag]crypto.SealedLabel {
	t.Helper()
	a := s.send(t, call{method: "POST", path: matchesPath, mime: mimePacked, body: packTags(contacts)})
	const size = crypto.TagSize + crypto.SealedLabelSize
	if a.status != 200 || len(a.body)%size != 0 {
		t.Fatalf("lookup: got %d with %d bytes, want 200 with a multiple of %d", a.status, len(a.body), size)
	}
	found := make(map[crypto.Tag]crypto.SealedLabel)
	for b := a.body; len(b) > 0; b = b[size:] {
		found[crypto.Tag(b[:crypto.TagSize])] = crypto.SealedLabel(b[crypto.TagSize:size])
	}
	return found
}

// labelOf returns the opened label of one number, or "" if it is not found.
func (s *stack) labelOf(t testing.TB, number string) string {
	t.Helper()
	c := s.discover(t, "reader", number)[0]
	sealed, ok := s.lookUp(t, c)[c.tag]
	if !ok {
		return ""
	}
	label, err := c.key.Open(c.tag, sealed)
	must(t, err)
	return label
}

// packTags returns the tags back to back.
func packTags(contacts []contact) []byte {
	var packed []byte
	for _, c := range contacts {
		packed = append(packed, c.tag[:]...)
	}
	return packed
}

// split returns the values of a packed batch in base64url.
func split(packed []byte, size int) []string {
	var out []string
	for ; len(packed) > 0; packed = packed[size:] {
		out = append(out, base64url.EncodeToString(packed[:size]))
	}
	return out
}

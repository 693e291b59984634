package voprf

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto/ristretto"
)

// update rewrites Kith's own vectors; they change only with the protocol.
var update = flag.Bool("update", false, "rewrite testdata/kith-rekey-v1.json")

// testMove returns two keys, and what they make of the same count inputs.
func testMove(t testing.TB, count int) (from, to *PrivateKey, n, moved []UnblindedElement) {
	t.Helper()
	inputs := make([][]byte, count)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	from, _, _ = testBatch(t, 1)
	to, _, _ = testBatch(t, 1)
	return from, to, evaluate(t, from, inputs), evaluate(t, to, inputs)
}

func evaluate(t testing.TB, key *PrivateKey, inputs [][]byte) []UnblindedElement {
	t.Helper()
	n, err := key.Evaluate(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRekeyGivesWhatTheNewKeyEvaluates(t *testing.T) {
	keys := map[string]*PrivateKey{}
	for name, encoded := range map[string][]byte{
		"one":       append([]byte{1}, make([]byte, 31)...),
		"two":       append([]byte{2}, make([]byte, 31)...),
		"minus one": hexList(t, "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")[0],
	} {
		key, err := UnmarshalPrivateKey(encoded)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	keys["random"], _, _ = testBatch(t, 1)
	keys["random too"], _, _ = testBatch(t, 1)
	inputs := [][]byte{[]byte("tel:+14155550100"), []byte("tel:+14155550101"), []byte("")}
	for fromName, from := range keys {
		for toName, to := range keys {
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				factor := NewFactor(from, to)
				n, want := evaluate(t, from, inputs), evaluate(t, to, inputs)
				got, err := factor.Rekey(n)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("got other elements than the new key evaluates")
				}
				proof, err := factor.Prove(rand.Reader, n, got)
				if err != nil {
					t.Fatal(err)
				}
				if err := VerifyRekey(from.PublicKey(), to.PublicKey(), n, got, proof); err != nil {
					t.Errorf("VerifyRekey of an honest move: %v", err)
				}
				if back, err := NewFactor(to, from).Rekey(got); err != nil || !slices.Equal(back, n) {
					t.Errorf("moving back: got other elements than at first (error %v)", err)
				}
			})
		}
	}
}

func TestRekeyLeavesItsInput(t *testing.T) {
	from, to, n, _ := testMove(t, 3)
	before := slices.Clone(n)
	moved, err := NewFactor(from, to).Rekey(n)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.Clone(moved)
	if !slices.Equal(n, before) {
		t.Error("Rekey changed its input")
	}
	clear(n)
	if !slices.Equal(moved, kept) {
		t.Error("what Rekey returned shares memory with its input")
	}
	if _, err := NewFactor(from, to).Prove(rand.Reader, before, moved); err != nil || !slices.Equal(moved, kept) {
		t.Errorf("Prove changed what it was given, or refused it: %v", err)
	}
	// The same slice in both places: a move by the factor one, and no other.
	proof, err := NewFactor(from, from).Prove(rand.Reader, moved, moved)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRekey(from.PublicKey(), from.PublicKey(), moved, moved, proof); err != nil {
		t.Errorf("a slice that was moved nowhere: got %v, want no error", err)
	}
	if err := VerifyRekey(from.PublicKey(), to.PublicKey(), moved, moved, proof); err != ErrProof {
		t.Errorf("a slice that was not moved: got %v, want ErrProof", err)
	}
}

func TestRekeyRefusesInvalidElements(t *testing.T) {
	from, to, n, moved := testMove(t, 3)
	factor := NewFactor(from, to)
	data, err := os.ReadFile("testdata/rfc9496-invalid.json")
	if err != nil {
		t.Fatal(err)
	}
	var invalid map[string][]string
	if err := json.Unmarshal(data, &invalid); err != nil {
		t.Fatal(err)
	}
	invalid["identity"] = []string{hex.EncodeToString(make([]byte, ElementSize))}
	for class, encodings := range invalid {
		for _, encoding := range encodings {
			for at := range n {
				bad := slices.Clone(n)
				copy(bad[at].Value[:], hexList(t, encoding)[0])
				if got, err := factor.Rekey(bad); err != ErrElement || got != nil {
					t.Errorf("Rekey with %s %s at %d: got %d elements and %v, want ErrElement", class, encoding, at, len(got), err)
				}
				if _, err := factor.Prove(rand.Reader, bad, moved); err != ErrElement {
					t.Errorf("Prove with %s %s at %d: got %v, want ErrElement", class, encoding, at, err)
				}
				if err := VerifyRekey(from.PublicKey(), to.PublicKey(), bad, moved, Proof{}); err != ErrElement {
					t.Errorf("VerifyRekey from %s %s at %d: got %v, want ErrElement", class, encoding, at, err)
				}
				if err := VerifyRekey(from.PublicKey(), to.PublicKey(), n, bad, Proof{}); err != ErrElement {
					t.Errorf("VerifyRekey to %s %s at %d: got %v, want ErrElement", class, encoding, at, err)
				}
			}
		}
	}
}

func TestRekeyLengths(t *testing.T) {
	from, to, n, moved := testMove(t, 2)
	factor := NewFactor(from, to)
	if got, err := factor.Rekey(nil); err != nil || len(got) != 0 {
		t.Errorf("Rekey of nothing: got %d elements and %v, want none and no error", len(got), err)
	}
	tooMany := make([]UnblindedElement, MaxBatch+1)
	tests := []struct {
		name     string
		n, moved []UnblindedElement
		want     error
	}{
		{"nothing", nil, nil, ErrBatch},
		{"one too few", n, moved[:1], ErrLength},
		{"one too many", n[:1], moved, ErrLength},
		{"nothing moved", n, nil, ErrLength},
		{"over the limit", tooMany, tooMany, ErrBatch},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := factor.Prove(rand.Reader, test.n, test.moved); err != test.want {
				t.Errorf("Prove: got %v, want %v", err, test.want)
			}
			if err := VerifyRekey(from.PublicKey(), to.PublicKey(), test.n, test.moved, Proof{}); err != test.want {
				t.Errorf("VerifyRekey: got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := factor.Prove(brokenReader{}, n, moved); !errors.Is(err, errBroken) {
		t.Errorf("Prove with broken randomness: got %v, want %v", err, errBroken)
	}
}

func TestVerifyRekeyRefuses(t *testing.T) {
	from, to, n, moved := testMove(t, 3)
	proof, err := NewFactor(from, to).Prove(rand.Reader, n, moved)
	if err != nil {
		t.Fatal(err)
	}
	a, b := from.PublicKey(), to.PublicKey()
	if err := VerifyRekey(a, b, n, moved, proof); err != nil {
		t.Fatalf("honest proof: %v", err)
	}
	other, _, _ := testBatch(t, 1)
	c := other.PublicKey()
	byAnother, err := NewFactor(from, other).Rekey(n)
	if err != nil {
		t.Fatal(err)
	}
	// with returns the elements with the i-th replaced.
	with := func(list []UnblindedElement, i int, e UnblindedElement) []UnblindedElement {
		list = slices.Clone(list)
		list[i] = e
		return list
	}
	swap := func(list []UnblindedElement, i, j int) []UnblindedElement {
		return with(with(list, i, list[j]), j, list[i])
	}
	type refusal struct {
		name     string
		from, to *PublicKey
		n, moved []UnblindedElement
		proof    Proof
	}
	tests := []refusal{
		{"moved in another order", a, b, n, swap(moved, 0, 1), proof},
		{"originals in another order", a, b, swap(n, 1, 2), moved, proof},
		{"both in another order", a, b, swap(n, 0, 2), swap(moved, 0, 2), proof},
		{"cut short", a, b, n[:2], moved[:2], proof},
		{"one pair more", a, b, append(slices.Clone(n), n[0]), append(slices.Clone(moved), moved[0]), proof},
		{"the other way", a, b, moved, n, proof},
		{"the keys the other way", b, a, n, moved, proof},
		{"all the other way", b, a, moved, n, proof},
		{"another old key", c, b, n, moved, proof},
		{"another new key", a, c, n, moved, proof},
		{"one key twice", a, a, n, moved, proof},
		{"all by another factor", a, b, n, byAnother, proof},
		{"zero proof", a, b, n, moved, Proof{}},
		{"proof not canonical", a, b, n, moved, Proof(bytes.Repeat([]byte{0xff}, ProofSize))},
	}
	for i := range n {
		at := (i + 1) % len(n)
		tests = append(tests,
			refusal{fmt.Sprintf("moved element %d by another factor", i), a, b, n, with(moved, i, byAnother[i]), proof},
			refusal{fmt.Sprintf("moved element %d not moved", i), a, b, n, with(moved, i, n[i]), proof},
			refusal{fmt.Sprintf("moved element %d that of another", i), a, b, n, with(moved, i, moved[at]), proof},
			refusal{fmt.Sprintf("element %d that of another", i), a, b, with(n, i, n[at]), moved, proof})
	}
	for i := range proof {
		bad := proof
		bad[i] ^= 1
		tests = append(tests, refusal{fmt.Sprintf("bit flipped in byte %d of the proof", i), a, b, n, moved, bad})
	}
	for _, test := range tests {
		if err := VerifyRekey(test.from, test.to, test.n, test.moved, test.proof); err != ErrProof {
			t.Errorf("%s: got %v, want ErrProof", test.name, err)
		}
	}
}

// TestProveCanNotProveOtherMoves lets the holder of the factor claim what is not so.
func TestProveCanNotProveOtherMoves(t *testing.T) {
	from, to, n, moved := testMove(t, 3)
	other, _, _ := testBatch(t, 1)
	marked, err := NewFactor(from, other).Rekey(n[1:2])
	if err != nil {
		t.Fatal(err)
	}
	claimed := slices.Clone(moved)
	claimed[1] = marked[0]
	proof, err := NewFactor(from, to).Prove(rand.Reader, n, claimed)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRekey(from.PublicKey(), to.PublicKey(), n, claimed, proof); err != ErrProof {
		t.Errorf("one element under another key: got %v, want ErrProof", err)
	}
}

// TestProofsOfEvaluationAreNotOfMoves takes the key one, whose public key is the generator: then an evaluation by k' and
// a move from one to k' are the same multiplication.
func TestProofsOfEvaluationAreNotOfMoves(t *testing.T) {
	one, err := UnmarshalPrivateKey(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	_, key, n, _ := testMove(t, 2)
	packed := pack(nil, n)
	evaluated, evaluation, err := key.BlindEvaluate(rand.Reader, packed)
	if err != nil {
		t.Fatal(err)
	}
	factor := NewFactor(one, key)
	moved, err := factor.Rekey(n)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pack(nil, moved), evaluated) {
		t.Fatal("the move is not the evaluation, so this test shows nothing")
	}
	if err := VerifyRekey(one.PublicKey(), key.PublicKey(), n, moved, evaluation); err != ErrProof {
		t.Errorf("proof of the evaluation as one of the move: got %v, want ErrProof", err)
	}
	move, err := factor.Prove(rand.Reader, n, moved)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.PublicKey().VerifyProof(packed, evaluated, move); err != ErrProof {
		t.Errorf("proof of the move as one of the evaluation: got %v, want ErrProof", err)
	}
}

func TestFactorPrintsNothing(t *testing.T) {
	from, to, _, _ := testMove(t, 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		if got := fmt.Sprintf(verb, NewFactor(from, to)); got != "[secret]" {
			t.Errorf("%s of a factor printed %q, want [secret]", verb, got)
		}
	}
}

// rekeyVectors is the form of testdata/kith-rekey-v1.json; all bytes are in hex.
type rekeyVectors struct {
	Comment        string   `json:"comment"`
	FromPrivateKey string   `json:"from_private_key"`
	FromPublicKey  string   `json:"from_public_key"`
	ToPrivateKey   string   `json:"to_private_key"`
	ToPublicKey    string   `json:"to_public_key"`
	Factor         string   `json:"factor"`
	Inputs         []string `json:"inputs"`
	Elements       []string `json:"elements"`
	Moved          []string `json:"moved_elements"`
	Nonce          string   `json:"nonce"`
	Proof          string   `json:"proof"`
}

// makeRekeyVectors moves three numbers with fixed keys and a fixed nonce.
func makeRekeyVectors(t *testing.T) rekeyVectors {
	t.Helper()
	keys := make([]*PrivateKey, 2)
	for i, fill := range []byte{0x4b, 0x4c} {
		var err error
		if keys[i], err = DeriveKeyPair(bytes.Repeat([]byte{fill}, SeedSize), []byte("kith test vectors")); err != nil {
			t.Fatal(err)
		}
	}
	factor := NewFactor(keys[0], keys[1])
	v := rekeyVectors{
		Comment: "A move from one epoch's key to the next one's, and its proof: see docs/protocol.md. Bytes in hex.",
		Inputs:  []string{"tel:+14155550100", "tel:+442079460958", "tel:+493023125000"},
		Factor:  hex.EncodeToString(factor.Bytes()),
	}
	v.FromPrivateKey, v.FromPublicKey = hex.EncodeToString(keys[0].Bytes()), hex.EncodeToString(keys[0].PublicKey().Bytes())
	v.ToPrivateKey, v.ToPublicKey = hex.EncodeToString(keys[1].Bytes()), hex.EncodeToString(keys[1].PublicKey().Bytes())
	var inputs [][]byte
	for _, input := range v.Inputs {
		inputs = append(inputs, []byte(input))
	}
	n := evaluate(t, keys[0], inputs)
	moved, err := factor.Rekey(n)
	if err != nil {
		t.Fatal(err)
	}
	var nonce ristretto.Scalar
	if err := randomScalar(&nonce, zeroReader{}); err != nil {
		t.Fatal(err)
	}
	proof, err := factor.prove(&nonce, n, moved)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRekey(keys[0].PublicKey(), keys[1].PublicKey(), n, moved, proof); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		v.Elements = append(v.Elements, hex.EncodeToString(n[i].Bytes()))
		v.Moved = append(v.Moved, hex.EncodeToString(moved[i].Bytes()))
	}
	encoded := nonce.Bytes()
	v.Nonce, v.Proof = hex.EncodeToString(encoded[:]), hex.EncodeToString(proof[:])
	return v
}

func TestVectorsRekey(t *testing.T) {
	const file = "testdata/kith-rekey-v1.json"
	made, err := json.MarshalIndent(makeRekeyVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(file, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, want) {
		t.Errorf("got %s, want %s", made, want)
	}
}

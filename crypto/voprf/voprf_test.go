package voprf

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"

	"github.com/kith-project/kith/crypto/ristretto"
)

// zeroReader makes tests repeatable.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type brokenReader struct{}

var errBroken = errors.New("broken reader")

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// finalizeOutput is the end of Finalize, RFC 9497, Section 3.3.1, which Kith itself does not use.
func finalizeOutput(input []byte, n UnblindedElement) []byte {
	var t transcript
	t.add(input)
	t.add(n.Value[:])
	t = append(t, "Finalize"...)
	sum := sha512.Sum512(t)
	return sum[:]
}

func circlProof(t *testing.T, proof Proof) *dleq.Proof {
	t.Helper()
	out := new(dleq.Proof)
	if err := out.UnmarshalBinary(group.Ristretto255, proof[:]); err != nil {
		t.Fatal(err)
	}
	return out
}

// circlElements decodes packed elements.
func circlElements(t testing.TB, packed []byte) []group.Element {
	t.Helper()
	elements := make([]group.Element, len(packed)/ElementSize)
	for i := range elements {
		elements[i] = group.Ristretto255.NewElement()
		if err := elements[i].UnmarshalBinary(packed[i*ElementSize : (i+1)*ElementSize]); err != nil {
			t.Fatal(err)
		}
	}
	return elements
}

// packCircl encodes elements.
func packCircl(t testing.TB, elements []group.Element) (packed []byte) {
	t.Helper()
	for _, e := range elements {
		b, err := e.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, b...)
	}
	return packed
}

func testBatch(t testing.TB, n int) (key *PrivateKey, blinds []BlindScalar, blinded []byte) {
	t.Helper()
	key, err := GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	if blinds, err = RandomBlinds(rand.Reader, n); err != nil {
		t.Fatal(err)
	}
	if blinded, err = Blind(inputs, blinds); err != nil {
		t.Fatal(err)
	}
	return key, blinds, blinded
}

func TestBatchLengths(t *testing.T) {
	key, blinds, blinded := testBatch(t, 1)
	inputs := [][]byte{[]byte("x")}
	tests := []struct {
		name string
		run  func() error
		want error
	}{
		{"evaluate nothing", func() error { _, _, err := key.BlindEvaluate(rand.Reader, nil); return err }, ErrBatch},
		{"evaluate one byte less", func() error { _, _, err := key.BlindEvaluate(rand.Reader, blinded[1:]); return err }, ErrLength},
		{"evaluate one byte more", func() error {
			_, _, err := key.BlindEvaluate(rand.Reader, append(blinded[:ElementSize:ElementSize], 0))
			return err
		}, ErrLength},
		{"evaluate one element too many", func() error {
			_, _, err := key.BlindEvaluate(rand.Reader, bytes.Repeat(blinded, MaxBatch+1))
			return err
		}, ErrBatch},
		{"blind nothing", func() error { _, err := Blind(nil, nil); return err }, ErrBatch},
		{"blind with too few blinds", func() error { _, err := Blind(inputs, nil); return err }, ErrLength},
		{"blind too many", func() error {
			_, err := Blind(make([][]byte, MaxBatch+1), make([]BlindScalar, MaxBatch+1))
			return err
		}, ErrBatch},
		{"blind with a zero blind", func() error { _, err := Blind(inputs, make([]BlindScalar, 1)); return err }, ErrScalar},
		{"blind an input too long", func() error { _, err := Blind([][]byte{make([]byte, MaxInput+1)}, blinds); return err }, ErrInput},
		{"blind the longest input", func() error { _, err := Blind([][]byte{make([]byte, MaxInput)}, blinds); return err }, nil},
		{"unblind nothing", func() error { _, err := Unblind(nil, nil); return err }, ErrBatch},
		{"unblind with too few blinds", func() error { _, err := Unblind(nil, blinded); return err }, ErrLength},
		{"unblind with a zero blind", func() error { _, err := Unblind(make([]BlindScalar, 1), blinded); return err }, ErrScalar},
		{"verify nothing", func() error { return key.PublicKey().VerifyProof(nil, nil, Proof{}) }, ErrBatch},
		{"verify unequal batches", func() error { return key.PublicKey().VerifyProof(blinded, nil, Proof{}) }, ErrLength},
		{"evaluate an input too long", func() error { _, err := key.Evaluate([][]byte{make([]byte, MaxInput+1)}); return err }, ErrInput},
		{"short public key", func() error { _, err := UnmarshalPublicKey(blinded[1:]); return err }, ErrElement},
		{"no public key", func() error { _, err := UnmarshalPublicKey(nil); return err }, ErrElement},
		{"broken randomness in a key", func() error { _, err := GenerateKeyPair(brokenReader{}); return err }, errBroken},
		{"broken randomness in blinds", func() error { _, err := RandomBlinds(brokenReader{}, 1); return err }, errBroken},
		{"broken randomness in a proof", func() error { _, _, err := key.BlindEvaluate(brokenReader{}, blinded); return err }, errBroken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.run(); !errors.Is(got, test.want) {
				t.Errorf("got error %v, want %v", got, test.want)
			}
		})
	}
}

// order is the group order, little-endian (RFC 9496, Section 4).
const order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

func TestScalarEncodings(t *testing.T) {
	scalar := func(hexBytes string) []byte { return hexList(t, hexBytes)[0] }
	minusOne := scalar("ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"zero", make([]byte, ScalarSize), ErrScalar},
		{"one", append([]byte{1}, make([]byte, 31)...), nil},
		{"order minus one", minusOne, nil},
		{"order", scalar(order), ErrScalar},
		{"all ones", bytes.Repeat([]byte{0xff}, ScalarSize), ErrScalar},
		{"short", minusOne[1:], ErrScalar},
		{"long", append(minusOne[:ScalarSize:ScalarSize], 0), ErrScalar},
		{"none", nil, ErrScalar},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, err := UnmarshalPrivateKey(test.b)
			if err != test.want {
				t.Errorf("private key: got error %v, want %v", err, test.want)
			}
			if err == nil && !bytes.Equal(key.Bytes(), test.b) {
				t.Errorf("private key encodes to other bytes than it was decoded from")
			}
			blind, err := UnmarshalBlindScalar(test.b)
			if err != test.want {
				t.Errorf("blind: got error %v, want %v", err, test.want)
			}
			if err == nil && !bytes.Equal(blind.Bytes(), test.b) {
				t.Errorf("blind encodes to other bytes than it was decoded from")
			}
		})
	}
}

func TestVerifyProofRefuses(t *testing.T) {
	key, _, blinded := testBatch(t, 3)
	evaluated, proof, err := key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		t.Fatal(err)
	}
	pk := key.PublicKey()
	if err := pk.VerifyProof(blinded, evaluated, proof); err != nil {
		t.Fatalf("honest proof: %v", err)
	}
	other, _, _ := testBatch(t, 1)
	if err := other.PublicKey().VerifyProof(blinded, evaluated, proof); err != ErrProof {
		t.Errorf("another public key: got %v, want ErrProof", err)
	}
	for i := range proof {
		bad := proof
		bad[i] ^= 1
		if err := pk.VerifyProof(blinded, evaluated, bad); err != ErrProof {
			t.Errorf("bit flipped in byte %d of the proof: got %v, want ErrProof", i, err)
		}
	}
	e := func(packed []byte, i int) []byte { return packed[i*ElementSize : (i+1)*ElementSize] }
	swapped := bytes.Join([][]byte{e(evaluated, 1), e(evaluated, 0), e(evaluated, 2)}, nil)
	if err := pk.VerifyProof(blinded, swapped, proof); err != ErrProof {
		t.Errorf("two answers swapped: got %v, want ErrProof", err)
	}
	// One element evaluated under another key, with the rest and the proof honest.
	marked, _, err := other.BlindEvaluate(rand.Reader, e(blinded, 2))
	if err != nil {
		t.Fatal(err)
	}
	mixed := bytes.Join([][]byte{e(evaluated, 0), e(evaluated, 1), marked}, nil)
	if err := pk.VerifyProof(blinded, mixed, proof); err != ErrProof {
		t.Errorf("one element under another key: got %v, want ErrProof", err)
	}
	if err := pk.VerifyProof(blinded[:2*ElementSize], evaluated[:2*ElementSize], proof); err != ErrProof {
		t.Errorf("batch cut short: got %v, want ErrProof", err)
	}
	if err := pk.VerifyProof(blinded, evaluated, Proof{}); err != ErrProof {
		t.Errorf("zero proof: got %v, want ErrProof", err)
	}
}

func TestDeriveKeyPairBounds(t *testing.T) {
	if _, err := DeriveKeyPair(make([]byte, SeedSize-1), nil); err != ErrDeriveKeyPair {
		t.Errorf("seed of 31 bytes: got %v, want ErrDeriveKeyPair", err)
	}
	if _, err := DeriveKeyPair(make([]byte, SeedSize), make([]byte, 1<<16)); err != ErrDeriveKeyPair {
		t.Errorf("info of 65536 bytes: got %v, want ErrDeriveKeyPair", err)
	}
	if _, err := DeriveKeyPair(make([]byte, SeedSize), make([]byte, 1<<16-1)); err != nil {
		t.Errorf("info of 65535 bytes: got %v, want a key", err)
	}
	calls := 0
	alwaysZero := func(_ *ristretto.Scalar, msg []byte) {
		if msg[len(msg)-1] != byte(calls) {
			t.Errorf("attempt %d hashed the counter %d", calls, msg[len(msg)-1])
		}
		calls++
	}
	if _, err := deriveKeyPair(make([]byte, SeedSize), nil, alwaysZero); err != ErrDeriveKeyPair || calls != 256 {
		t.Errorf("only zeros: got %v after %d attempts, want ErrDeriveKeyPair after 256", err, calls)
	}
}

func TestRandomnessIsReallyRead(t *testing.T) {
	a, err := GenerateKeyPair(zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKeyPair(zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := GenerateKeyPair(strings.NewReader(strings.Repeat("x", 64)))
	if err != nil {
		t.Fatal(err)
	}
	if !a.PublicKey().Equal(b.PublicKey()) || a.PublicKey().Equal(c.PublicKey()) {
		t.Error("keys do not follow from the reader alone")
	}
}

func TestKeysPrintNothing(t *testing.T) {
	key, blinds, blinded := testBatch(t, 1)
	n, err := Unblind(blinds, blinded)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"private key": key, "blind": blinds[0], "unblinded element": n[0]} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s of a %s printed %q, want [secret]", verb, name, got)
			}
		}
	}
}

// TestBlindEvaluateEach answers batches together, of which some are refused, and compares with one batch at a time.
func TestBlindEvaluateEach(t *testing.T) {
	key, _, all := testBatch(t, 200)
	identity := make([]byte, ElementSize)
	at := 0
	next := func(n int) []byte {
		at += n
		return all[(at-n)*ElementSize : at*ElementSize]
	}
	good := [][]byte{next(1), next(1), next(3), next(17), next(1), next(130), next(1), next(8), next(8)}
	for name, test := range map[string]struct {
		batches [][]byte
		want    []error
	}{
		"none":           {},
		"all good":       {good, make([]error, len(good))},
		"one refused":    {[][]byte{identity}, []error{ErrElement}},
		"all refused":    {[][]byte{identity, nil, identity[1:]}, []error{ErrElement, ErrBatch, ErrLength}},
		"some refused":   {[][]byte{good[0], append(identity, good[1]...), good[2], nil, good[3][1:], good[4]}, []error{nil, ErrElement, nil, ErrBatch, ErrLength, nil}},
		"the last alone": {[][]byte{identity, good[5]}, []error{ErrElement, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := key.BlindEvaluateEach(rand.Reader, test.batches)
			if len(answers) != len(test.batches) {
				t.Fatalf("%d answers to %d batches", len(answers), len(test.batches))
			}
			for i := range answers {
				answers[i].Evaluated = append(answers[i].Evaluated, bytes.Repeat([]byte{0xee}, ProofSize)...) // must not reach the next
			}
			for i, batch := range test.batches {
				got := answers[i]
				if got.Err != test.want[i] {
					t.Errorf("batch %d: got error %v, want %v", i, got.Err, test.want[i])
				}
				evaluated, _, err := key.BlindEvaluate(rand.Reader, batch)
				if err != test.want[i] {
					t.Errorf("batch %d alone: got error %v, want %v", i, err, test.want[i])
				}
				if got.Evaluated = got.Evaluated[:len(got.Evaluated)-ProofSize]; !bytes.Equal(got.Evaluated, evaluated) {
					t.Errorf("batch %d: other elements than alone", i)
				}
				if err != nil {
					continue
				}
				if err := key.PublicKey().VerifyProof(batch, got.Evaluated, got.Proof); err != nil {
					t.Errorf("batch %d: %v", i, err)
				}
			}
		})
	}
	for _, answer := range key.BlindEvaluateEach(brokenReader{}, good[:2]) {
		if !errors.Is(answer.Err, errBroken) || answer.Evaluated != nil {
			t.Errorf("broken randomness: got %v, want the reader's error", answer.Err)
		}
	}
}

// TestConcurrentBatches evaluates, proves and unblinds in many goroutines, which share work spaces one after the other.
func TestConcurrentBatches(t *testing.T) {
	key, blinds, blinded := testBatch(t, 20)
	want, _, err := key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		t.Fatal(err)
	}
	unblinded, err := Unblind(blinds, want)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 5 {
				n = (i+n)%20 + 1
				evaluated, proof, err := key.BlindEvaluate(rand.Reader, blinded[:n*ElementSize])
				if err != nil || !bytes.Equal(evaluated, want[:n*ElementSize]) {
					t.Errorf("BlindEvaluate of %d: other elements, or %v", n, err)
				}
				if err := key.PublicKey().VerifyProof(blinded[:n*ElementSize], evaluated, proof); err != nil {
					t.Errorf("VerifyProof of %d: %v", n, err)
				}
				got, err := Unblind(blinds[:n], evaluated)
				if err != nil || !slices.Equal(got, unblinded[:n]) {
					t.Errorf("Unblind of %d: other elements, or %v", n, err)
				}
			}
		})
	}
	wait.Wait()
}

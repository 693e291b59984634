//go:build timing

package voprf

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"testing"

	"github.com/kith-project/kith/crypto/dudect"
	"github.com/kith-project/kith/crypto/ristretto"
)

// timingSamples is as in package ristretto.
const timingSamples = 40_000

// timingClasses are encoded scalars that are compared with random ones: of few bits, of digits that are all the same, and l-1.
func timingClasses(t *testing.T) map[string][ScalarSize]byte {
	var s, one ristretto.Scalar
	if err := one.SetCanonicalBytes(append([]byte{1}, make([]byte, ScalarSize-1)...)); err != nil {
		t.Fatal(err)
	}
	classes := map[string][ScalarSize]byte{"1": {1}, "2^200": {25: 1}, "l-1": s.Subtract(&s, &one).Bytes()}
	sevens := [ScalarSize]byte{}
	for i := range sevens {
		sevens[i] = 0x77
	}
	sevens[31] = 0x07
	classes["0x77...7"] = sevens
	return classes
}

// blindSource has pairs of a fixed blind and a random one. Both of a pair are read, and one is kept by a mask.
type blindSource struct {
	pairs [64][2]BlindScalar
	next  int
}

func newBlindSource(t *testing.T, fixed [ScalarSize]byte) *blindSource {
	s := new(blindSource)
	random, err := RandomBlinds(rand.Reader, len(s.pairs))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.pairs {
		s.pairs[i][0].Value, s.pairs[i][1] = fixed, random[i]
	}
	return s
}

// draw returns a scalar of a class: 0, the fixed one, or 1.
func (s *blindSource) draw(class int) BlindScalar {
	pair := &s.pairs[s.next]
	s.next = (s.next + 1) % len(s.pairs)
	b := pair[0]
	subtle.ConstantTimeCopy(class, b.Value[:], pair[1].Value[:])
	return b
}

// compareTimes wants the time of f to be the same for scalars of each class and for random ones.
func compareTimes(t *testing.T, samples int, put func(BlindScalar), f func()) {
	for name, fixed := range timingClasses(t) {
		r := dudect.Confirm(func() dudect.Result {
			source := newBlindSource(t, fixed)
			return dudect.Compare(samples, func(class int) { put(source.draw(class)) }, f)
		})
		if t.Logf("%s: %v", name, r); r.Leaks() {
			t.Errorf("the time tells %s from random scalars", name)
		}
	}
}

// TestTimeOfSecrets compares what is done with blinds, nonces and private keys, by each engine. The tests of package ristretto do so
// for what this is made of, and have the controls.
func TestTimeOfSecrets(t *testing.T) {
	before := ristretto.Engine()
	defer func() {
		if err := ristretto.UseEngine(before); err != nil {
			t.Fatal(err)
		}
		freshWorkspaces()
	}()
	for _, engine := range []string{"ifma", "portable"} {
		if ristretto.UseEngine(engine) != nil {
			t.Logf("no engine %s here", engine)
			continue
		}
		freshWorkspaces()
		t.Run(engine, testTimeOfSecrets)
	}
}

// freshWorkspaces drops those there are, which stay with the engine that they were made for.
func freshWorkspaces() {
	publicWorkspaces, secretWorkspaces = sync.Pool{New: newWorkspace}, sync.Pool{New: newWorkspace}
}

func testTimeOfSecrets(t *testing.T) {
	key, blinds, blinded := testBatch(t, 1)
	evaluated, _, err := key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		t.Fatal(err)
	}
	inputs, putBlind := [][]byte{[]byte("tel:+14155550123")}, func(b BlindScalar) { blinds[0] = b }
	t.Run("Blind", func(t *testing.T) {
		compareTimes(t, timingSamples, putBlind, func() {
			if _, err := Blind(inputs, blinds); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("Unblind", func(t *testing.T) {
		compareTimes(t, timingSamples, putBlind, func() {
			if _, err := Unblind(blinds, evaluated); err != nil {
				t.Fatal(err)
			}
		})
	})
	statement, commitments := evaluation(key.PublicKey()), make([]byte, commitmentsSize)
	var secret, other ristretto.Scalar
	copy(commitments, blinded)
	put := func(b BlindScalar) {
		if err := secret.SetCanonicalBytes(b.Value[:]); err != nil {
			t.Fatal(err)
		}
	}
	other.Add(&other, &key.k)
	t.Run("respond, of keys", func(t *testing.T) {
		compareTimes(t, timingSamples, put, func() { statement.respond(&other, &secret, commitments) })
	})
	t.Run("respond, of nonces", func(t *testing.T) {
		compareTimes(t, timingSamples, put, func() { statement.respond(&secret, &other, commitments) })
	})
	encoded := make([]byte, ScalarSize)
	t.Run("newPrivateKey", func(t *testing.T) {
		compareTimes(t, timingSamples, func(b BlindScalar) { copy(encoded, b.Value[:]) }, func() {
			if _, err := UnmarshalPrivateKey(encoded); err != nil {
				t.Fatal(err)
			}
		})
	})
}

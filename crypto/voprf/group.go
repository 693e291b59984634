package voprf

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/kith-project/kith/crypto/ristretto"
)

// This file is the meeting of packed bytes with the group arithmetic, which is package ristretto's: constant time but where a
// name says VarTime.

// workspace is what a batch is computed in. Its memory is used again.
type workspace struct {
	batch   ristretto.Batch
	weights []ristretto.Scalar
	lengths []int
	bytes   []byte
}

// Work spaces for public elements and for secret ones are never the same: so those for public ones need not be cleared.
var publicWorkspaces, secretWorkspaces = sync.Pool{New: newWorkspace}, sync.Pool{New: newWorkspace}

func newWorkspace() any { return new(workspace) }

// publicWorkspace returns a workspace for elements that travel in the clear, to be given back by release.
func publicWorkspace() *workspace { return publicWorkspaces.Get().(*workspace) }

func (w *workspace) release() { publicWorkspaces.Put(w) }

// secretWorkspace returns one for elements or scalars that are secret, to be given back by wipe.
func secretWorkspace() *workspace { return secretWorkspaces.Get().(*workspace) }

// wipe clears the workspace and gives it back.
func (w *workspace) wipe() {
	w.batch.Wipe()
	clear(w.weights[:cap(w.weights)])
	clear(w.bytes[:cap(w.bytes)])
	secretWorkspaces.Put(w)
}

// scalars returns the workspace's scalars, n of them. What they hold is undefined.
func (w *workspace) scalars(n int) []ristretto.Scalar {
	if cap(w.weights) < n {
		clear(w.weights)
		w.weights = make([]ristretto.Scalar, n)
	}
	w.weights = w.weights[:n]
	return w.weights
}

// decodeScalar decodes 32 bytes, little-endian and below the group order. It returns ErrScalar for zero as well.
func decodeScalar(s *ristretto.Scalar, b []byte) error {
	if err := s.SetCanonicalBytes(b); err != nil || s.IsZero() {
		return ErrScalar
	}
	return nil
}

// randomScalar sets s to a nonzero scalar, as randomScalars does.
func randomScalar(s *ristretto.Scalar, rand io.Reader) error {
	var one [1]ristretto.Scalar
	defer clear(one[:])
	err := randomScalars(one[:], rand)
	*s = one[0]
	return err
}

// randomScalars sets s to nonzero scalars made of 64 bytes of rand each, which are hashed to the scalars, so that their bias is
// below 2^-256.
func randomScalars(s []ristretto.Scalar, rand io.Reader) error {
	const atOnce = 64 // bounds the memory; hashing takes eight at a time
	seeds := make([]byte, min(len(s), atOnce)*ristretto.UniformSize)
	defer clear(seeds)
	h := ristretto.NewHasher("Kith-RandomScalar-v1")
	defer h.Wipe()
	for len(s) > 0 {
		n := min(len(s), atOnce)
		seeds = seeds[:n*ristretto.UniformSize]
		if _, err := io.ReadFull(rand, seeds); err != nil {
			return fmt.Errorf("voprf: reading randomness: %w", err)
		}
		h.ScalarsPacked(s[:n], seeds, ristretto.UniformSize)
		if slices.ContainsFunc(s[:n], func(r ristretto.Scalar) bool { return r.IsZero() }) {
			continue // with a probability of n * 2^-252
		}
		s = s[n:]
	}
	return nil
}

// decode decodes a packed batch, or returns ErrLength, ErrBatch or ErrElement. That it failed is public, and which elements did
// is not seen.
func (w *workspace) decode(packed []byte) error {
	if _, err := batchLen(packed); err != nil {
		return err
	}
	if w.batch.Decode(packed) != nil {
		return ErrElement
	}
	return nil
}

// decodeUnblinded decodes unblinded elements, which may be none, or returns ErrElement.
func (w *workspace) decodeUnblinded(n []UnblindedElement) error {
	w.bytes = pack(w.bytes[:0], n)
	if w.batch.Decode(w.bytes) != nil {
		return ErrElement
	}
	return nil
}

// split copies packed elements into those of out.
func split(out []UnblindedElement, packed []byte) {
	for i := range out {
		copy(out[i].Value[:], packed[i*ElementSize:])
	}
}

package ristretto

import (
	"errors"
	"os"
)

// ErrEngine means that KITH_ENGINE names no engine, or one that this processor or this build has not.
var ErrEngine = errors.New("ristretto: no such engine on this machine")

// engine is one way to compute on batches.
type engine struct {
	name     string
	newBatch func() batch
	// newExpander is nil if messages are hashed one by one.
	newExpander func(dstPrime []byte) expander
}

// batch is what an engine computes on: a number of elements, in a form of its own. Lengths fit, which [Batch] sees to.
// Memory is kept for the next elements, and nothing is allocated once there is enough of it, except by the portable sum, and
// by the portable varTimeSums of few elements. Everything is constant time but for varTimeSums.
type batch interface {
	// resize sets the number of elements to n; those there were are lost.
	resize(n int)
	// decode decodes the elements. Those that are not in canonical encoding or are the identity become the identity, and
	// false in ok.
	decode(packed []byte, ok []bool)
	// derive makes the elements of 64 uniform bytes each. It returns false if one of them is the identity.
	derive(uniform []byte) bool
	// multiply writes the encodings of k times each element to dst.
	multiply(dst []byte, k *Scalar)
	// multiplyEach writes the encodings of k[i] times element i to dst.
	multiplyEach(dst []byte, k []Scalar)
	// sum sets e to the sum of weights[i] times element i.
	sum(e *Element, weights []Scalar)
	// varTimeSums sets e[i] to the sum of the i-th run of elements times their weights, lengths[i] of them. All is public.
	varTimeSums(e []Element, lengths []int, weights []Scalar)
	// commit writes the encodings of m[i], k*m[i], r[i]*base and r[i]*m[i] to dst, for each i. The elements of the batch are
	// lost.
	commit(dst []byte, m []Element, k *Scalar, base *Element, r []Scalar)
	// wipe clears all memory of the batch.
	wipe()
}

// expander hashes some messages at a time to uniform bytes, as [Hasher] does one by one, under one tag. It is constant time in
// the messages, except for their lengths.
type expander interface {
	// expand sets dst to 64 bytes for each of up to expanderGroup messages.
	expand(dst []byte, messages [][]byte)
	// wipe clears what is left of messages and their hashes.
	wipe()
}

// expanderGroup is how many messages an expander takes at a time.
const expanderGroup = 8

var (
	portable = engine{name: "portable", newBatch: func() batch { return new(portableBatch) }}

	current, currentErr = choose(os.Getenv("KITH_ENGINE"), engines())
)

// choose returns the first of the engines, or the one named, or else the first and ErrEngine.
func choose(name string, available []engine) (engine, error) {
	if name == "" {
		return available[0], nil
	}
	for _, e := range available {
		if e.name == name {
			return e, nil
		}
	}
	return available[0], ErrEngine
}

// Engine returns the name of the engine in use: "portable", or "ifma" for the one of AVX-512 IFMA.
func Engine() string { return current.name }

// CheckEngine returns ErrEngine if the environment asks for an engine by KITH_ENGINE that there is none of, and so Engine
// is another.
func CheckEngine() error { return currentErr }

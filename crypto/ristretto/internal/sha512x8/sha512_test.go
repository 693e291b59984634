//go:build amd64 && !purego

package sha512x8

import (
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"
	"testing"
	"unsafe"
)

// pad is FIPS 180-4, Section 5.1.2.
func pad(message []byte) []byte {
	padded := append(slices.Clone(message), 0x80)
	for len(padded)%BlockSize != BlockSize-16 {
		padded = append(padded, 0)
	}
	return binary.BigEndian.AppendUint64(append(padded, make([]byte, 8)...), 8*uint64(len(message)))
}

// digests hashes up to eight messages, each in the lane of its place. The lanes of shorter messages go on with zeros.
func digests(messages [][]byte) [][Size]byte {
	var state State
	state.Reset()
	out, padded := make([][Size]byte, len(messages)), make([][]byte, len(messages))
	for j := range messages {
		padded[j] = pad(messages[j])
	}
	for left := len(messages); left > 0; {
		var block Block
		for j, p := range padded {
			if len(p) > 0 {
				block.SetLane(j, (*[BlockSize]byte)(p))
			}
		}
		state.Compress(&block)
		for j, p := range padded {
			if len(p) == 0 {
				continue
			}
			if padded[j] = p[BlockSize:]; len(padded[j]) == 0 {
				state.Lane(j, &out[j])
				left--
			}
		}
	}
	return out
}

// check compares with the standard library.
func check(t *testing.T, messages [][]byte) {
	t.Helper()
	for j, got := range digests(messages) {
		if want := sha512.Sum512(messages[j]); got != want {
			t.Errorf("lane %d of %d, %d bytes: got %x, want %x", j, len(messages), len(messages[j]), got, want)
		}
	}
}

// message returns n bytes, others for every seed.
func message(n, seed int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		sum := sha512.Sum512(binary.BigEndian.AppendUint64(nil, uint64(seed)<<32|uint64(i)))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// testEveryLengthInEveryLane has each length of 0 to 300 bytes in each lane, once beside messages of its length and once
// beside shorter and longer ones.
func testEveryLengthInEveryLane(t *testing.T) {
	equal, mixed := make([][]byte, Lanes), make([][]byte, Lanes)
	for n := range 301 {
		for j := range Lanes {
			for i := range Lanes {
				equal[i] = message(n, i)
				mixed[i] = message((n+37*(Lanes+i-j))%301, i)
			}
			mixed[j] = message(n, j)
			check(t, mixed)
		}
		check(t, equal)
	}
}

func testPartialBatches(t *testing.T) {
	for n := range Lanes + 1 {
		var messages [][]byte
		for i := range n {
			messages = append(messages, message(50*i, i))
		}
		check(t, messages)
	}
}

// testLanesDoNotMix changes one lane, of every bit pattern at the ends, and looks at the others.
func testLanesDoNotMix(t *testing.T) {
	for _, fill := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
		for j := range Lanes {
			var state, changed State
			var block Block
			state.Reset()
			for i := range block {
				for k := range block[i] {
					block[i][k] = uint64(i*Lanes+k) * 0x9e3779b97f4a7c15
				}
			}
			changed = state
			state.Compress(&block)
			for i := range block {
				block[i][j] = fill
			}
			changed.Compress(&block)
			for k := range Lanes {
				var before, after [Size]byte
				state.Lane(k, &before)
				changed.Lane(k, &after)
				if (before == after) == (k == j) {
					t.Errorf("lane %d changed, and lane %d has %x after %x", j, k, after, before)
				}
			}
		}
	}
}

// testVectors are the examples that NIST publishes with FIPS 180-4, of one block and of two.
func testVectors(t *testing.T) {
	for message, want := range map[string]string{
		"abc": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu": "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
	} {
		for j, got := range digests(slices.Repeat([][]byte{[]byte(message)}, Lanes)) {
			if want, _ := new(big.Int).SetString(want, 16); new(big.Int).SetBytes(got[:]).Cmp(want) != 0 {
				t.Errorf("%q in lane %d: got %x, want %x", message, j, got, want)
			}
		}
	}
}

// TestConstants derives the constants as FIPS 180-4, Sections 4.2.3 and 5.3.5, says.
func TestConstants(t *testing.T) {
	var primes []int64
	for n := int64(2); len(primes) < len(roundConstants); n++ {
		if big.NewInt(n).ProbablyPrime(0) { // always right below 2^64
			primes = append(primes, n)
		}
	}
	for i, prime := range primes {
		if want := rootFraction(prime, 3); roundConstants[i] != want {
			t.Errorf("K[%d]: got %#x, want %#x", i, roundConstants[i], want)
		}
		if i < len(initial) {
			if want := rootFraction(prime, 2); initial[i] != want {
				t.Errorf("H[%d]: got %#x, want %#x", i, initial[i], want)
			}
		}
	}
}

// rootFraction returns the first 64 bits of the fractional part of the root of n of that degree: those at the end of the
// largest r with r^degree <= n * 2^(64*degree).
func rootFraction(n, degree int64) uint64 {
	r, limit := new(big.Int), new(big.Int).Lsh(big.NewInt(n), uint(64*degree))
	for bit := 72; bit >= 0; bit-- {
		if r.SetBit(r, bit, 1); new(big.Int).Exp(r, big.NewInt(degree), nil).Cmp(limit) > 0 {
			r.SetBit(r, bit, 0)
		}
	}
	return r.And(r, new(big.Int).SetUint64(1<<64-1)).Uint64()
}

func TestSetAllIsSetLane(t *testing.T) {
	var all, each Block
	block := (*[BlockSize]byte)(message(BlockSize, 0))
	all.SetAll(block)
	for j := range Lanes {
		each.SetLane(j, block)
	}
	if all != each {
		t.Errorf("got %x, want %x", all, each)
	}
}

// testAlignment has state and block at every address modulo 64 that words may have.
func testAlignment(t *testing.T) {
	var want State
	var words Block
	want.Reset()
	for j := range Lanes {
		words.SetLane(j, (*[BlockSize]byte)(message(BlockSize, j)))
	}
	want.Compress(&words)
	var stateSpace [unsafe.Sizeof(State{})/8 + 8]uint64
	var blockSpace [unsafe.Sizeof(Block{})/8 + 8]uint64
	for i := range 8 {
		for j := range 8 {
			state, block := (*State)(unsafe.Pointer(&stateSpace[i])), (*Block)(unsafe.Pointer(&blockSpace[j]))
			state.Reset()
			*block = words
			if state.Compress(block); *state != want || *block != words {
				t.Errorf("state at %d and block at %d: got %x of %x, want %x of %x", i, j, *state, *block, want, words)
			}
		}
	}
}

func testNothingIsAllocated(t *testing.T) {
	state, block, digest := new(State), new(Block), new([Size]byte)
	bytes := (*[BlockSize]byte)(message(BlockSize, 0))
	if allocated := testing.AllocsPerRun(10, func() {
		state.Reset()
		block.SetAll(bytes)
		block.SetLane(1, bytes)
		state.Compress(block)
		state.Lane(1, digest)
	}); allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func testGoroutinesDoNotMeet(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				check(t, [][]byte{message(i, n), message(300-n, i)})
			}
		})
	}
	all.Wait()
}

// FuzzEqualsStandard cuts the bytes into messages of n bytes, and the last of what is left. It has nothing to compare on a processor
// without lanes, where TestKernels shows that there are none.
func FuzzEqualsStandard(f *testing.F) {
	f.Add(message(900, 0), uint16(128))
	f.Add([]byte(nil), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		var messages [][]byte
		for range Lanes {
			m := b[:min(int(n), len(b))]
			b = b[len(m):]
			messages = append(messages, m)
		}
		if !runnable(t) {
			return
		}
		check(t, messages[:Lanes-1])
		messages[Lanes-1] = b
		check(t, messages)
	})
}

// BenchmarkCompress is the compression of eight blocks, and what the standard library takes for one.
func BenchmarkCompress(b *testing.B) {
	if !runnable(b) {
		return
	}
	b.Run("eight", func(b *testing.B) {
		state, block := new(State), new(Block)
		for b.Loop() {
			state.Compress(block)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Lanes, "ns/block")
	})
	b.Run("standard", func(b *testing.B) {
		const blocks = 64
		h, data, sum := sha512.New(), make([]byte, blocks*BlockSize), make([]byte, 0, Size)
		for b.Loop() {
			h.Reset()
			h.Write(data)
			h.Sum(sum)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(blocks+1), "ns/block")
	})
}

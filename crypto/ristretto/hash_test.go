package ristretto

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"
)

// hashMessages returns n messages, of other bytes and lengths than each other.
func hashMessages(n int, length func(i int) int) [][]byte {
	messages := make([][]byte, n)
	for i := range messages {
		for len(messages[i]) < length(i) {
			messages[i] = append(messages[i], uniform("message", 1000*i+len(messages[i]))[:]...)
		}
		messages[i] = messages[i][:length(i)]
	}
	return messages
}

// checkHashes compares both hashes of many messages, under every engine, with those of one by one, and with circl's.
func checkHashes(t *testing.T, dst string, messages [][]byte) {
	t.Helper()
	h := portable.newHasher(dst)
	want, wantElements := make([]Scalar, len(messages)), []byte(nil)
	for i, message := range messages {
		checkHash(t, h, dst, message)
		var e Element
		h.Scalar(&want[i], message)
		h.Element(&e, message)
		encoded := e.Bytes()
		wantElements = append(wantElements, encoded[:]...)
	}
	for _, e := range engines() {
		h, got := e.newHasher(dst), make([]Scalar, len(messages))
		h.Scalars(got, messages)
		for i := range got {
			if !got[i].Equal(&want[i]) {
				t.Errorf("%s: scalar %d of %d, of %d bytes, under %q: got %v, want %v", e.name, i, len(messages), len(messages[i]), dst, bigOf(&got[i]), bigOf(&want[i]))
			}
		}
		b := Batch{elements: e.newBatch()}
		if err := b.Hash(h, messages); err != nil {
			t.Fatal(err)
		}
		if got := b.AppendMultiply(nil, new(Scalar).setSmall(1)); !bytes.Equal(got, wantElements) {
			t.Errorf("%s: %d elements under %q: got %x, want %x", e.name, len(messages), dst, got, wantElements)
		}
	}
}

const hashDST = "HashToScalar-OPRFV1-\x01-ristretto255-SHA512"

// TestHashPartialBatches has batches of up to two groups and one, of equal lengths and of different ones.
func TestHashPartialBatches(t *testing.T) {
	for n := range 2*expanderGroup + 2 {
		checkHashes(t, hashDST, hashMessages(n, func(int) int { return 145 }))
		checkHashes(t, hashDST, hashMessages(n, func(i int) int { return i * 61 % 400 }))
	}
}

// TestHashEveryLaneAndLength has in each place of a group a message that ends in an earlier block than the others, or a later
// one, for tags on both sides of each change in the number of blocks of either hash.
func TestHashEveryLaneAndLength(t *testing.T) {
	long := string(bytes.Repeat([]byte("tag"), 100))
	for _, tag := range []int{0, 44, 45, 46, 47, 173, 174, 175, 255, 300} {
		for lane := range expanderGroup {
			lengths := []int{0, 300, 127, 128, 129, 63, 64, 65, 66, 67, 191, 192}
			at := lengths[(tag+lane)%len(lengths)]
			checkHashes(t, long[:tag], hashMessages(expanderGroup, func(i int) int {
				if i == lane {
					return at
				}
				return 145 + i
			}))
		}
	}
}

// TestHashEveryLength has each number of bytes in a last block, of equal messages in length and beside each other.
func TestHashEveryLength(t *testing.T) {
	for _, e := range engines() {
		h, one := e.newHasher(hashDST), portable.newHasher(hashDST)
		for n := range 301 {
			for _, messages := range [][][]byte{
				hashMessages(expanderGroup, func(int) int { return n }),
				hashMessages(expanderGroup, func(i int) int { return (n + 43*i) % 301 }),
			} {
				got := make([]Scalar, len(messages))
				h.Scalars(got, messages)
				for i, message := range messages {
					var want Scalar
					if one.Scalar(&want, message); !got[i].Equal(&want) {
						t.Errorf("%s: message %d, of %d bytes: got %v, want %v", e.name, i, len(message), bigOf(&got[i]), bigOf(&want))
					}
				}
			}
		}
	}
}

func TestScalarsPacked(t *testing.T) {
	for _, e := range engines() {
		h := e.newHasher(hashDST)
		for _, size := range []int{0, 1, 145} {
			for n := range 2*expanderGroup + 2 {
				messages := hashMessages(n, func(int) int { return size })
				want, got := make([]Scalar, n), make([]Scalar, n)
				h.Scalars(want, messages)
				if h.ScalarsPacked(got, slices.Concat(messages...), size); !slices.EqualFunc(got, want, func(a, b Scalar) bool { return a.Equal(&b) }) {
					t.Errorf("%s: %d of %d bytes: got %x, want %x", e.name, n, size, got, want)
				}
			}
		}
		for i := range h.group {
			if h.group[i] != nil {
				t.Errorf("%s: message %d is kept", e.name, i)
			}
		}
	}
}

func TestHashLengths(t *testing.T) {
	h := NewHasher(hashDST)
	for name, f := range map[string]func(){
		"Scalars of fewer messages":       func() { h.Scalars(make([]Scalar, 2), make([][]byte, 1)) },
		"Scalars of more messages":        func() { h.Scalars(nil, make([][]byte, 1)) },
		"ScalarsPacked of a byte too few": func() { h.ScalarsPacked(make([]Scalar, 2), make([]byte, 19), 10) },
		"ScalarsPacked of a byte more":    func() { h.ScalarsPacked(make([]Scalar, 2), make([]byte, 21), 10) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

// TestHashUsesWhatTheEngineHas looks for lanes under the engine that has them, and for none under the other.
func TestHashUsesWhatTheEngineHas(t *testing.T) {
	for _, e := range engines() {
		h := e.newHasher(hashDST)
		h.Scalars(make([]Scalar, expanderGroup), make([][]byte, expanderGroup))
		if got, want := h.expander != nil, e.name != portable.name; got != want {
			t.Errorf("%s: messages are hashed together: %t, want %t", e.name, got, want)
		}
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	messages := hashMessages(expanderGroup+3, func(i int) int { return 145 + i })
	packed, s := make([]byte, 10*len(messages)), make([]Scalar, len(messages))
	for _, e := range engines() {
		h := e.newHasher(hashDST)
		for name, f := range map[string]func(){
			"Scalars":       func() { h.Scalars(s, messages) },
			"ScalarsPacked": func() { h.ScalarsPacked(s, packed, 10) },
			"Wipe":          h.Wipe,
		} {
			if allocations := testing.AllocsPerRun(2, f); allocations != 0 {
				t.Errorf("%s: %s: %v allocations, want none", e.name, name, allocations)
			}
		}
	}
}

// TestHashWipe compares a hasher that has hashed with one that has hashed nothing but what is empty, after both were wiped:
// what is left depends on the tag alone. And it goes on to hash.
func TestHashWipe(t *testing.T) {
	messages := hashMessages(expanderGroup+1, func(i int) int { return 100 + 100*i })
	for _, e := range engines() {
		used, fresh := e.newHasher(hashDST), e.newHasher(hashDST)
		got, want := make([]Scalar, len(messages)), make([]Scalar, len(messages))
		used.Scalars(want, messages)
		fresh.Scalars(got, make([][]byte, len(messages)))
		if e.newExpander != nil && reflect.DeepEqual(used.expander, fresh.expander) {
			t.Errorf("%s: hashers in use look wiped", e.name)
		}
		used.Wipe()
		fresh.Wipe()
		if !allZero(reflect.ValueOf(used.uniform)) || !allZero(reflect.ValueOf(used.digest)) || !reflect.DeepEqual(used.expander, fresh.expander) {
			t.Errorf("%s: something is left of messages", e.name)
		}
		if used.Scalars(got, messages); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: after Wipe: got %x, want %x", e.name, got, want)
		}
	}
}

// TestConcurrentHashers has hashers under one tag hash different messages at a time.
func TestConcurrentHashers(t *testing.T) {
	for _, e := range engines() {
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() {
				h, one := e.newHasher(hashDST), portable.newHasher(hashDST)
				messages := hashMessages(20, func(j int) int { return 50*i + j })
				got := make([]Scalar, len(messages))
				for range 20 {
					h.Scalars(got, messages)
					for j, message := range messages {
						var want Scalar
						if one.Scalar(&want, message); !got[j].Equal(&want) {
							t.Errorf("%s: message %d: got %v, want %v", e.name, j, bigOf(&got[j]), bigOf(&want))
						}
					}
				}
			})
		}
		wait.Wait()
	}
}

// FuzzHashes cuts the bytes into messages of two lengths in turn.
func FuzzHashes(f *testing.F) {
	f.Add(hashDST, bytes.Repeat([]byte("message"), 200), uint16(145), uint16(145))
	f.Add("", []byte("tel:+14155552671"), uint16(1), uint16(0))
	f.Fuzz(func(t *testing.T, dst string, b []byte, even, odd uint16) {
		var messages [][]byte
		for len(messages) < 2*expanderGroup {
			length := []uint16{even, odd}[len(messages)%2]
			m := b[:min(int(length), len(b))]
			b, messages = b[len(m):], append(messages, m)
		}
		checkHashes(t, dst, append(messages, b))
	})
}

// BenchmarkHash is the hash to scalars of messages as long as those of a proof's weights, and the expansion of a hash to
// elements of ones as short as telephone numbers, in turns with the same one by one: the medians of both, and what part the
// one is of the other.
func BenchmarkHash(b *testing.B) {
	eachEngine(b, func(b *testing.B, e engine) {
		for _, n := range []int{1, 2, 3, 8, 9, 16, 1024} {
			h, scalars := e.newHasher(hashDST), make([]Scalar, n)
			weights := slices.Concat(hashMessages(n, func(int) int { return 145 })...)
			numbers, uniform := hashMessages(n, func(i int) int { return 15 + i%3 }), make([]byte, n*UniformSize)
			b.Run(fmt.Sprint("scalars/", n), func(b *testing.B) {
				inTurns(b, n, func() { h.ScalarsPacked(scalars, weights, 145) }, func() {
					for i := range scalars {
						h.Scalar(&scalars[i], weights[145*i:145*(i+1)])
					}
				})
			})
			b.Run(fmt.Sprint("expand/", n), func(b *testing.B) {
				inTurns(b, n, func() { h.expandAll(uniform, numbers) }, func() {
					for i := range numbers {
						h.expand(uniform[UniformSize*i:], numbers[i])
					}
				})
			})
		}
	})
	b.Run("scalars-circl", func(b *testing.B) {
		message := make([]byte, 145)
		for b.Loop() {
			group.Ristretto255.HashToScalar(message, []byte(hashDST))
		}
	})
	b.Run("new-hasher/8", func(b *testing.B) {
		scalars, messages := make([]Scalar, 8), make([]byte, 8*145)
		inTurns(b, 8, func() { NewHasher(hashDST).ScalarsPacked(scalars, messages, 145) }, func() {
			portable.newHasher(hashDST).ScalarsPacked(scalars, messages, 145)
		})
	})
}

// inTurns reports the medians of both, for each of n messages, and their ratio. A turn takes some microseconds at least.
func inTurns(b *testing.B, n int, own, one func()) {
	var owns, ones []float64
	repeat := max(1, 64/n)
	times := func(f func()) float64 {
		start := time.Now()
		for range repeat {
			f()
		}
		return time.Since(start).Seconds() * 1e6 / float64(repeat*n)
	}
	for b.Loop() {
		owns = append(owns, times(own))
		ones = append(ones, times(one))
	}
	b.ReportMetric(median(owns), "µs/message")
	b.ReportMetric(median(ones), "one-by-one-µs/message")
	b.ReportMetric(median(ones)/median(owns), "one-by-one/own")
}

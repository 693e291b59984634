package ristretto

import (
	"bytes"
	"reflect"
	"slices"
	"sync"
	"testing"

	"filippo.io/edwards25519"
)

// sums returns the sum of weights[i] * elements[i], one by one.
func sums(t testing.TB, packed []byte, weights []Scalar) *Element {
	t.Helper()
	sum := new(Element).SetIdentity()
	var e Element
	for i := range weights {
		if err := e.Decode(packed[i*ElementSize : (i+1)*ElementSize]); err != nil {
			t.Fatal(err)
		}
		sum.Add(sum, e.Multiply(&weights[i], &e))
	}
	return sum
}

// TestSums takes numbers of elements on both sides of every change of method, with weights at the edges among others.
func TestSums(t *testing.T) {
	const most = 1500
	weights := append(edgeScalars(), randomScalars("sums", most)...)
	packed := randomElements("sums", most)
	copy(packed[ElementSize:], packed[:ElementSize]) // the same twice
	h, messages := NewHasher("sums"), make([][]byte, strausBelow+1)
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		var got Element
		for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 17, chunk, chunk + 1, strausBelow - 1, strausBelow, strausBelow + 1, 255, 256, 257, 1024, 1025, 1024 + 256, most} {
			if err := b.Decode(packed[:n*ElementSize]); err != nil {
				t.Fatal(err)
			}
			want := sums(t, packed, weights[:n])
			if b.Sum(&got, weights[:n]); !got.Equal(want) {
				t.Errorf("Sum of %d: got %x, want %x", n, got.Bytes(), want.Bytes())
			}
			if b.VarTimeSum(&got, weights[:n]); !got.Equal(want) {
				t.Errorf("VarTimeSum of %d: got %x, want %x", n, got.Bytes(), want.Bytes())
			}
		}
		if err := b.Hash(h, messages); err != nil {
			t.Fatal(err)
		}
		var one, want Element
		h.Element(&one, nil)
		var total Scalar
		for i := range messages {
			total.Add(&total, &weights[i])
		}
		want.Multiply(&total, &one)
		if b.VarTimeSum(&got, weights[:len(messages)]); !got.Equal(&want) {
			t.Errorf("VarTimeSum of hashed elements: got %x, want %x", got.Bytes(), want.Bytes())
		}
	})
}

// TestVarTimeSums adds up runs of every length that shares lanes or not, and of none.
func TestVarTimeSums(t *testing.T) {
	for _, lengths := range [][]int{
		{}, {0}, {1}, {0, 3, 0}, {1, 1}, {2, 5, 1}, {16, 1, 17, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9},
		{7, 16, 16, 16, 3, 16, 16, 16, 16, 2, 40, strausBelow, 5}, {300, 4, 300}, {3, 300}, slices.Repeat([]int{1}, 100),
	} {
		n := 0
		for _, length := range lengths {
			n += length
		}
		packed, weights := randomElements("runs", n), randomScalars("runs", n)
		eachEngine(t, func(t *testing.T, e engine) {
			b := Batch{elements: e.newBatch()}
			if err := b.Decode(packed); err != nil {
				t.Fatal(err)
			}
			got := make([]Element, len(lengths))
			b.VarTimeSums(got, lengths, weights)
			from := 0
			for i, length := range lengths {
				want := sums(t, packed[from*ElementSize:], weights[from:from+length])
				if !got[i].Equal(want) {
					t.Errorf("%v: run %d: got %x, want %x", lengths, i, got[i].Bytes(), want.Bytes())
				}
				from += length
			}
		})
	}
}

// TestCommitments compares with single elements, with the generator for a base and another.
func TestCommitments(t *testing.T) {
	k, packed := randomScalar("commitments"), randomElements("commitments", 18)
	elements := make([]Element, 18)
	for i := range elements {
		if err := elements[i].Decode(packed[i*ElementSize : (i+1)*ElementSize]); err != nil {
			t.Fatal(err)
		}
	}
	base, generator := &elements[17], new(Element).SetGenerator()
	elements[3].SetIdentity()
	for n := range elements {
		r := randomScalars("nonces", n)
		for _, given := range []*Element{nil, base} {
			of := given
			if of == nil {
				of = generator
			}
			want := []byte("before")
			var e Element
			for i, m := range elements[:n] {
				for _, b := range [][ElementSize]byte{m.Bytes(), e.Multiply(k, &m).Bytes(), e.Multiply(&r[i], of).Bytes(), e.Multiply(&r[i], &m).Bytes()} {
					want = append(want, b[:]...)
				}
			}
			eachEngine(t, func(t *testing.T, e engine) {
				b := Batch{elements: e.newBatch()}
				if got := b.AppendCommitments([]byte("before"), elements[:n], k, given, r); !bytes.Equal(got, want) || b.Len() != 0 {
					t.Errorf("%d elements: got %x, want %x", n, got, want)
				}
			})
		}
	}
}

// TestDigits adds the digits up again, for every size of digits.
func TestDigits(t *testing.T) {
	weights := append(edgeScalars(), randomScalars("digits", 20)...)
	for c := 4; c <= 14; c++ {
		o := offset(c)
		for i := range weights {
			var d digits
			d.set(&weights[i], &o)
			var sum, digit Scalar
			for place := places(c) - 1; place >= 0; place-- {
				for range c {
					sum.Add(&sum, &sum)
				}
				v := d.at(place, c)
				if v < -1<<(c-1) || v >= 1<<(c-1) {
					t.Fatalf("digit %d of %d bits", v, c)
				}
				b := [ScalarSize]byte{byte(max(v, -v)), byte(max(v, -v) >> 8)}
				if err := digit.SetCanonicalBytes(b[:]); err != nil {
					t.Fatal(err)
				}
				if v < 0 {
					sum.Subtract(&sum, &digit)
				} else {
					sum.Add(&sum, &digit)
				}
			}
			if !sum.Equal(&weights[i]) {
				t.Errorf("digits of %d bits: got %v, want %v", c, bigOf(&sum), bigOf(&weights[i]))
			}
		}
	}
}

// TestPippengerWindows forces Pippenger's method on few and many points.
func TestPippengerWindows(t *testing.T) {
	weights := append(edgeScalars(), randomScalars("pippenger", 300)...)
	packed := randomElements("pippenger", len(weights))
	for _, n := range []int{1, 2, 50, len(weights)} {
		var w pippenger
		var b portableBatch
		b.resize(n)
		b.decode(packed[:n*ElementSize], make([]bool, n))
		got, want := new(Element).SetIdentity(), sums(t, packed, weights[:n])
		if w.sum(&got.p, b.points, weights[:n]); !got.Equal(want) {
			t.Errorf("%d points: got %x, want %x", n, got.Bytes(), want.Bytes())
		}
	}
	previous := 0
	for n := 1; n <= 1<<17; n *= 2 {
		c := window(n)
		if c < previous || c < 4 || c > 14 {
			t.Errorf("window(%d): got %d after %d", n, c, previous)
		}
		previous = c
	}
}

// TestIdentityAmongOthers multiplies elements to the identity next to others: with a shared inversion, a zero could spoil them.
func TestIdentityAmongOthers(t *testing.T) {
	const n = chunk + 3
	packed := randomElements("identity", n)
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		if err := b.Decode(packed); err != nil {
			t.Fatal(err)
		}
		if got := b.AppendMultiply(nil, new(Scalar)); !bytes.Equal(got, make([]byte, n*ElementSize)) {
			t.Errorf("zero times the elements: got %x", got)
		}
		for zero := range n {
			scalars := randomScalars("identity", n)
			scalars[zero] = Scalar{}
			got := b.AppendMultiplyEach(nil, scalars)
			for i := range n {
				var e Element
				want := [ElementSize]byte{}
				if i != zero {
					if err := e.Decode(packed[i*ElementSize : (i+1)*ElementSize]); err != nil {
						t.Fatal(err)
					}
					want = e.Multiply(&scalars[i], &e).Bytes()
				}
				if !bytes.Equal(got[i*ElementSize:(i+1)*ElementSize], want[:]) {
					t.Fatalf("element %d beside a zero at %d: got %x, want %x", i, zero, got[i*ElementSize:(i+1)*ElementSize], want)
				}
			}
		}
	})
}

// TestEncodeDoublesOfSmallOrder encodes the doubles of all points that stand for the identity, next to others.
func TestEncodeDoublesOfSmallOrder(t *testing.T) {
	small, err := new(edwards25519.Point).SetBytes(unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")) // order 8
	if err != nil {
		t.Fatal(err)
	}
	g := edwards25519.NewGeneratorPoint()
	var doubles []doubling
	var want []byte
	p := edwards25519.NewIdentityPoint()
	for range 8 {
		doubles = append(doubles, make([]doubling, 2)...)
		doubles[len(doubles)-2].set(new(edwards25519.Point).Add(p, g))
		doubles[len(doubles)-1].set(p)
		expected := Element{*new(edwards25519.Point).Double(g)}
		encoded := expected.Bytes()
		want = append(append(want, encoded[:]...), make([]byte, ElementSize)...)
		p.Add(p, small).Add(p, small) // the points of order 4, which are equal in ristretto255
	}
	got := make([]byte, len(want))
	if encodeDoubles(got, doubles); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestBatchLengths(t *testing.T) {
	packed := randomElements("lengths", 3)
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		for _, n := range []int{1, 31, 33, 95} {
			if err := b.Decode(packed); err != nil {
				t.Fatal(err)
			}
			if err := b.Decode(packed[:n]); err != ErrLength || b.Len() != 0 {
				t.Errorf("Decode of %d bytes: got %v and %d elements, want ErrLength and none", n, err, b.Len())
			}
		}
		if err := b.Decode(nil); err != nil || b.Len() != 0 || len(b.AppendMultiply(nil, new(Scalar))) != 0 {
			t.Errorf("an empty batch: %v, %d elements", err, b.Len())
		}
		if err := b.Decode(packed); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]func(){
			"AppendMultiplyEach": func() { b.AppendMultiplyEach(nil, make([]Scalar, 2)) },
			"Sum":                func() { b.Sum(new(Element), make([]Scalar, 4)) },
			"VarTimeSum":         func() { b.VarTimeSum(new(Element), nil) },
			"VarTimeSums":        func() { b.VarTimeSums(make([]Element, 1), []int{2}, make([]Scalar, 2)) },
			"AppendCommitments":  func() { b.AppendCommitments(nil, make([]Element, 1), new(Scalar), nil, nil) },
			"DecodeEach":         func() { _, _ = b.DecodeEach(packed, nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s with a wrong number of scalars did not panic", name)
					}
				}()
				f()
			}()
		}
	})
}

// TestBatchAliasing writes products over what was decoded, and behind what is there.
func TestBatchAliasing(t *testing.T) {
	packed, k := randomElements("alias", 40), randomScalar("alias")
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		if err := b.Decode(packed); err != nil {
			t.Fatal(err)
		}
		want := b.AppendMultiply(nil, k)
		over := slices.Clone(packed)
		if err := b.Decode(over); err != nil {
			t.Fatal(err)
		}
		if got := b.AppendMultiply(over[:0], k); !bytes.Equal(got, want) || !bytes.Equal(over, want) {
			t.Error("over what was decoded: other products")
		}
		behind := append([]byte("before"), make([]byte, len(packed)+5)...)
		if got := b.AppendMultiply(behind[:6], k); !bytes.Equal(got, append([]byte("before"), want...)) || !bytes.Equal(behind[6+len(want):], make([]byte, 5)) {
			t.Error("behind what is there: other products, or bytes beyond them")
		}
		if got := b.AppendMultiply([]byte("before"), k); !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Error("in new memory: other products")
		}
	})
}

// TestBatchShrinks uses a batch for many elements and then for few.
func TestBatchShrinks(t *testing.T) {
	packed, k := randomElements("shrink", 50), randomScalar("shrink")
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		for _, n := range []int{50, 1, 17, 3, 50} {
			if err := b.Decode(packed[:n*ElementSize]); err != nil {
				t.Fatal(err)
			}
			fresh := Batch{elements: e.newBatch()}
			if err := fresh.Decode(packed[:n*ElementSize]); err != nil {
				t.Fatal(err)
			}
			if got, want := b.AppendMultiply(nil, k), fresh.AppendMultiply(nil, k); b.Len() != n || !bytes.Equal(got, want) {
				t.Errorf("%d elements in used memory: got %x, want %x", n, got, want)
			}
		}
	})
}

func TestBatchAllocatesNothing(t *testing.T) {
	const n = strausBelow
	packed, k := randomElements("allocations", n), randomScalars("allocations", n)
	h, messages := NewHasher("allocations"), make([][]byte, n)
	var sum Element
	eachEngine(t, func(t *testing.T, e engine) {
		b, dst := Batch{elements: e.newBatch()}, make([]byte, 0, len(packed))
		for name, f := range map[string]func(){
			"Decode":             func() { _ = b.Decode(packed) },
			"AppendMultiply":     func() { b.AppendMultiply(dst, &k[0]) },
			"AppendMultiplyEach": func() { b.AppendMultiplyEach(dst, k) },
			"Hash":               func() { _ = b.Hash(h, messages) },
			"VarTimeSum":         func() { b.VarTimeSum(&sum, k) },
		} {
			if err := b.Decode(packed); err != nil {
				t.Fatal(err)
			}
			if allocations := testing.AllocsPerRun(2, f); allocations != 0 {
				t.Errorf("%s: %v allocations, want none", name, allocations)
			}
		}
	})
}

// TestBatchWipe looks into all memory that a batch had.
func TestBatchWipe(t *testing.T) {
	packed, scalars := randomElements("wipe", 200), randomScalars("wipe", 200)
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		if err := b.Hash(NewHasher("wipe"), make([][]byte, 200)); err != nil {
			t.Fatal(err)
		}
		if err := b.Decode(packed); err != nil {
			t.Fatal(err)
		}
		b.AppendMultiply(nil, &scalars[0])
		b.VarTimeSum(new(Element), scalars)
		b.AppendCommitments(nil, []Element{*new(Element).SetGenerator()}, &scalars[0], nil, scalars[:1])
		if allZero(reflect.ValueOf(b.elements).Elem()) {
			t.Error("a batch in use looks empty")
		}
		if b.Wipe(); b.Len() != 0 || !allZero(reflect.ValueOf(b.elements).Elem()) || !allZero(reflect.ValueOf(b.uniform)) {
			t.Error("elements are left, or what was made of them")
		}
	})
	new(Batch).Wipe()
}

// allZero reports whether v is zero, and all that slices in it have room for. What says how many there are may be set.
func allZero(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		for all, i := v.Slice(0, v.Cap()), 0; i < v.Cap(); i++ {
			if !all.Index(i).IsZero() {
				return false
			}
		}
		return true
	case reflect.Pointer:
		return v.IsNil() || allZero(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if !allZero(v.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Int, reflect.Bool:
		return true
	default:
		return v.IsZero()
	}
}

// TestConcurrentBatches computes on several batches at a time, with one scalar.
func TestConcurrentBatches(t *testing.T) {
	packed, k := randomElements("concurrent", 20), randomScalar("concurrent")
	eachEngine(t, func(t *testing.T, e engine) {
		results := make([][]byte, 4)
		var wait sync.WaitGroup
		for i := range results {
			wait.Go(func() {
				b := Batch{elements: e.newBatch()}
				if err := b.Decode(packed); err == nil {
					results[i] = b.AppendMultiply(nil, k)
				}
			})
		}
		wait.Wait()
		for i := range results {
			if len(results[i]) != len(packed) || !bytes.Equal(results[i], results[0]) {
				t.Errorf("goroutine %d: got %x, want %x", i, results[i], results[0])
			}
		}
	})
}

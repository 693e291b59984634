package filter_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

// randomTags returns n tags, the same for the same seed.
func randomTags(seed uint64, n int) []crypto.Tag {
	random := rand.New(rand.NewPCG(seed, 0))
	tags := make([]crypto.Tag, n)
	for i := range tags {
		binary.BigEndian.PutUint64(tags[i][:8], random.Uint64())
		binary.BigEndian.PutUint64(tags[i][8:], random.Uint64())
	}
	return tags
}

func keys(tags []crypto.Tag) []uint64 {
	keys := make([]uint64, len(tags))
	for i, tag := range tags {
		keys[i] = filter.Key(tag)
	}
	return keys
}

func build(t testing.TB, keys []uint64) *filter.Filter {
	t.Helper()
	f, err := filter.Build(keys)
	if err != nil {
		t.Fatalf("Build of %d keys: %v", len(keys), err)
	}
	return f
}

func marshal(t testing.TB, f *filter.Filter) []byte {
	t.Helper()
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatalf("MarshalBinary: %v", err)
	}
	return b
}

// TestContainsWhatWasPutIn has sizes at which xorfilter changes its parameters, and asks the filter and its decoded copy.
func TestContainsWhatWasPutIn(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 10, 99, 100, 1000, 4095, 30_000, 200_000} {
		tags := randomTags(uint64(n), n)
		built := build(t, keys(tags))
		decoded, err := filter.Unmarshal(marshal(t, built))
		if err != nil {
			t.Fatalf("%d tags: Unmarshal: %v", n, err)
		}
		for _, tag := range tags {
			if !built.Contains(tag) || !decoded.Contains(tag) {
				t.Fatalf("%d tags: built %t, decoded %t, want both true", n, built.Contains(tag), decoded.Contains(tag))
			}
		}
	}
}

// TestFalsePositives expects 2^-16 of a million, 15.3: outside 1 to 50 the chance is below one in a million, and the tags
// are always the same.
func TestFalsePositives(t *testing.T) {
	const probes = 1_000_000
	f := build(t, keys(randomTags(1, 200_000)))
	found := 0
	for _, tag := range randomTags(2, probes) {
		if f.Contains(tag) {
			found++
		}
	}
	t.Logf("%d of %d others found: 2^-16 would be %.1f", found, probes, probes/65536.0)
	if found < 1 || found > 50 {
		t.Errorf("got %d false positives of %d, want 1 to 50", found, probes)
	}
}

// TestBitsPerKey holds the size that budgets are made with.
func TestBitsPerKey(t *testing.T) {
	for _, c := range []struct {
		keys int
		most float64
	}{{10_000, 24}, {100_000, 20}, {262_144, 20}, {1_000_000, 19}} {
		bits := 8 * float64(len(marshal(t, build(t, keys(randomTags(3, c.keys)))))) / float64(c.keys)
		t.Logf("%d keys: %.2f bits each", c.keys, bits)
		if bits > c.most {
			t.Errorf("%d keys: got %.2f bits each, want at most %.0f", c.keys, bits, c.most)
		}
	}
}

func TestEqualSetsGiveEqualFilters(t *testing.T) {
	want := marshal(t, build(t, keys(randomTags(4, 5000))))
	for name, change := range map[string]func([]uint64) []uint64{
		"reversed":   func(k []uint64) []uint64 { slices.Reverse(k); return k },
		"repeated":   func(k []uint64) []uint64 { return append(k, k...) },
		"one 1000 x": func(k []uint64) []uint64 { return append(k, slices.Repeat(k[:1], 1000)...) },
	} {
		if got := marshal(t, build(t, change(keys(randomTags(4, 5000))))); !bytes.Equal(got, want) {
			t.Errorf("%s: got another filter", name)
		}
	}
	same := build(t, slices.Repeat([]uint64{7}, 1000))
	if !same.Contains(crypto.Tag{15: 7}) {
		t.Error("one key 1000 times: not found")
	}
}

func TestEmptyFilterContainsNothing(t *testing.T) {
	empty := build(t, nil)
	want := append([]byte("kbf1"), make([]byte, 16)...)
	if got := marshal(t, empty); !bytes.Equal(got, want) {
		t.Errorf("wire form: got %x, want %x", got, want)
	}
	for _, tag := range randomTags(5, 200_000) {
		if empty.Contains(tag) {
			t.Fatal("the empty filter contains a tag")
		}
	}
	if new(filter.Filter).Contains(crypto.Tag{}) {
		t.Error("the zero filter contains a tag")
	}
}

func TestBuildRefusesTooManyKeys(t *testing.T) {
	if f, err := filter.Build(make([]uint64, filter.MaxKeys+1)); !errors.Is(err, filter.ErrBuild) || f != nil {
		t.Errorf("got %v, %v, want ErrBuild", f, err)
	}
}

// header returns the beginning of a filter followed by n zero bytes.
func header(seed uint64, length, count uint32, n int) []byte {
	b := binary.BigEndian.AppendUint64([]byte("kbf1"), seed)
	b = binary.BigEndian.AppendUint32(b, length)
	b = binary.BigEndian.AppendUint32(b, count)
	return append(b, make([]byte, n)...)
}

func TestUnmarshalRefuses(t *testing.T) {
	valid := marshal(t, build(t, []uint64{1, 2, 3}))
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"nothing", nil},
		{"magic alone", valid[:4]},
		{"a byte short of the header", valid[:filter.HeaderSize-1]},
		{"header without its fingerprints", valid[:filter.HeaderSize]},
		{"a byte short", valid[:len(valid)-1]},
		{"a fingerprint short", valid[:len(valid)-2]},
		{"a byte long", append(slices.Clone(valid), 0)},
		{"another version", append([]byte("kbf2"), valid[4:]...)},
		{"empty with a seed", header(1, 0, 0, 0)},
		{"empty with a segment length", header(0, 4, 0, 0)},
		{"empty with a segment count", header(0, 0, 1, 0)},
		{"segment length 0", header(0, 0, 1, 24)},
		{"segment length 3", header(0, 3, 1, 18)},
		{"no segment", header(0, 4, 0, 16)},
		{"segment length 2^19", header(0, 1<<19, 1, 3<<20)},
		{"segment length 2^31", header(0, 1<<31, 2, 24)},
		{"4 GiB promised", header(0, 1<<18, 1<<13, 24)},
		{"product wraps to 0 in 32 bits", header(0, 1<<18, 1<<14-2, 2)},
		{"product wraps to 12 in 32 bits", header(0, 4, 1<<30+1, 24)},
		{"count plus two wraps", header(0, 4, 1<<32-1, 8)},
	} {
		if f, err := filter.Unmarshal(c.bytes); !errors.Is(err, filter.ErrFilter) || f != nil {
			t.Errorf("%s: got %v, %v, want ErrFilter", c.name, f, err)
		}
	}
}

// TestUnmarshalCopies changes the bytes afterwards.
func TestUnmarshalCopies(t *testing.T) {
	tag := crypto.Tag{15: 9}
	b := marshal(t, build(t, []uint64{filter.Key(tag)}))
	f, err := filter.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0xA5
	}
	if !f.Contains(tag) {
		t.Error("the filter changed with the bytes that it was decoded from")
	}
}

func TestAppendBinaryAppends(t *testing.T) {
	f := build(t, []uint64{1, 2, 3})
	got, err := f.AppendBinary([]byte("before"))
	if want := append([]byte("before"), marshal(t, f)...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
}

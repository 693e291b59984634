package bucket

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kith-project/kith/crypto"
)

func TestTagBytesFor(t *testing.T) {
	for _, c := range []struct{ bits, slots, want int }{
		{0, 96, 4}, {1, 96, 4}, {5, 96, 4}, {6, 96, 5}, {7, 96, 5}, {8, 96, 4}, {12, 96, 4}, {14, 96, 5}, {16, 96, 4},
		{20, 96, 4}, {23, 96, 5}, {24, 96, 4}, {32, 96, 4}, {0, 1, 3}, {8, 16, 3}, {8, 17, 4}, {0, 4096, 4}, {7, MaxSlots, 5},
	} {
		if got := TagBytesFor(c.bits, c.slots); got != c.want {
			t.Errorf("%d bits, %d slots: got %d, want %d", c.bits, c.slots, got, c.want)
		}
	}
	for bits := range 33 {
		for slots := 1; slots <= MaxSlots; slots++ {
			n := TagBytesFor(bits, slots)
			chance := func(n int) float64 { return float64(slots) * math.Exp2(-float64(8*n-bits%8)) }
			if chance(n) >= 1e-6 || n > 1 && chance(n-1) < 1e-6 {
				t.Fatalf("%d bits, %d slots: got %d, where a wrong hit has the chance %g", bits, slots, n, chance(n))
			}
		}
	}
	if got := TagBytesFor(0, -1); got != maxTagBytes {
		t.Errorf("slots out of range: got %d, want %d", got, maxTagBytes)
	}
}

// TestWrongHits counts wrong hits where they are frequent enough to be counted.
func TestWrongHits(t *testing.T) {
	f := Format{Bits: 12, TagBytes: 2, Slots: 64} // 12 free bits: a wrong hit in 64 of 4,096 cases
	p := newPadder(FillKey{})
	random := rand.New(rand.NewPCG(1, 1))
	const rounds, contacts = 100, 2000
	hits := 0
	for range rounds {
		bucket := uint32(random.IntN(1 << 12))
		slots, err := p.slots(f, bucket, f.keys(randomRegistrations(random, f.Bits, bucket, 30)))
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[uint64]bool)
		for _, s := range slots {
			shown[s.short] = true
		}
		for range contacts {
			if shown[f.short(f.key(randomTag(random, f.Bits, bucket)))] {
				hits++
			}
		}
	}
	// 3,125 expected, with a standard deviation below 60.
	if hits < 2800 || hits > 3400 {
		t.Errorf("got %d wrong hits of %d, want about %d", hits, rounds*contacts, rounds*contacts*64/4096)
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		mean float64
		want int
	}{
		{0, 8}, {1, 8}, {2, 16}, {50, 96}, {77, 128}, {500, 632}, {1e9, MaxSlots}, {math.NaN(), MaxSlots}, {-1, MaxSlots},
		{math.Inf(1), MaxSlots},
	} {
		if got := SlotsFor(c.mean); got != c.want {
			t.Errorf("SlotsFor(%g): got %d, want %d", c.mean, got, c.want)
		}
	}
	for registrations, want := range map[int]int{0: 8, 7: 8, 8: 16, 96: 104, 97: 104, 103: 104, 104: 112} {
		if got := SlotsAbove(registrations); got != want {
			t.Errorf("SlotsAbove(%d): got %d, want %d", registrations, got, want)
		}
	}
}

func TestFormatValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
		want   error
	}{
		{"usual", Format{20, 4, 96}, nil},
		{"least", Format{0, 1, 1}, nil},
		{"most", Format{crypto.MaxPrefixBits, 8, MaxSlots}, nil},
		{"a quarter of the short tags", Format{0, 1, 64}, nil},
		{"more than a quarter", Format{0, 1, 65}, ErrFormat},
		{"a quarter, prefix bits in the way", Format{7, 1, 1}, ErrFormat},
		{"zero value", Format{}, ErrFormat},
		{"negative bits", Format{-1, 4, 96}, ErrFormat},
		{"33 bits", Format{33, 4, 96}, ErrFormat},
		{"no bytes", Format{20, 0, 96}, ErrFormat},
		{"9 bytes", Format{20, 9, 96}, ErrFormat},
		{"no slots", Format{20, 4, 0}, ErrFormat},
		{"too many slots", Format{20, 8, MaxSlots + 1}, ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.format.Validate(); !errors.Is(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	for bits := range 33 {
		if f, err := NewFormat(bits, 96); err != nil || f.Validate() != nil || f != (Format{bits, TagBytesFor(bits, 96), 96}) {
			t.Errorf("NewFormat(%d, 96): got %v, %v", bits, f, err)
		}
	}
	for _, c := range []struct{ bits, slots int }{{-1, 96}, {33, 96}, {20, 0}, {20, MaxSlots + 1}} {
		if f, err := NewFormat(c.bits, c.slots); !errors.Is(err, ErrFormat) || f != (Format{}) {
			t.Errorf("NewFormat(%d, %d): got %v, %v, want ErrFormat", c.bits, c.slots, f, err)
		}
	}
}

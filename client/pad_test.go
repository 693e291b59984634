package client

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

func TestClasses(t *testing.T) {
	var quarters, powers []int
	for n := 1; n <= 64; n++ {
		quarters, powers = append(quarters, QuarterClass(n)), append(powers, PowerClass(n))
		if q := QuarterClass(n); q < n || n >= 4 && 4*q > 5*n+4 {
			t.Errorf("QuarterClass(%d): got %d", n, q)
		}
	}
	for _, tt := range []struct {
		name      string
		got, want []int
	}{
		{"quarter steps", slices.Compact(quarters), []int{4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64}},
		{"powers", slices.Compact(powers), []int{8, 16, 32, 64}},
		{"large", []int{QuarterClass(1000), QuarterClass(1025), QuarterClass(5000), PowerClass(65), PowerClass(1000)},
			[]int{1024, 1280, 5120, 128, 1024}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestShuffle(t *testing.T) {
	dice, err := newDice(zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	s := make([]int, 50)
	for i := range s {
		s[i] = i
	}
	before := slices.Clone(s)
	if shuffle(dice, s); slices.Equal(s, before) {
		t.Error("the order is the same")
	}
	if slices.Sort(s); !slices.Equal(s, before) {
		t.Error("it is not a permutation")
	}
	if _, err := newDice(iotest.ErrReader(io.ErrNoProgress)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got error %v, want the reader's", err)
	}
}

func TestDrawPrefixes(t *testing.T) {
	dice, err := newDice(zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ bits, n, taken, want int }{
		{8, 5, 0, 5}, {3, 8, 0, 8}, {3, 100, 3, 5}, {0, 4, 0, 1}, {0, 4, 1, 0}, {32, 3, 0, 3}, {8, 0, 9, 0},
	} {
		taken := make(map[uint32]bool)
		for p := range tt.taken {
			taken[uint32(p)] = true
		}
		drawn := drawPrefixes(dice, tt.bits, tt.n, taken)
		if len(drawn) != tt.want || !distinct(drawn) || !prefixes(drawn, tt.bits) || len(taken) != tt.taken+tt.want {
			t.Errorf("%d of %d bits with %d taken: got %v, want %d", tt.n, tt.bits, tt.taken, drawn, tt.want)
		}
	}
}

//go:build amd64 && !purego

package ifma

import "math/bits"

// Sum adds up multiples of many points by Straus's method, where the doublings are shared by all points of a group of
// MaxElements. It is the space that takes, 200 KB, for one goroutine at a time. It needs no initialisation and may be used again
// as it is, but holds what it last computed until Wipe.
type Sum struct {
	work    Work
	tables  [MaxVectors]table
	scalars [MaxVectors]Scalars
	group   Vector
	turned  Vector
}

// Multiply sets every lane of p to the sum of k[i] * P[i], where P[i] is lane i%8 of v[i/8]. All scalars are 32 bytes
// little-endian and less than the order of the group. It is constant time in all but len(k). p is not one of v. The sum of
// nothing is the identity.
func (s *Sum) Multiply(p *Vector, k [][32]byte, v []Vector) { s.multiply(p, k, v, digits-1) }

// MultiplyVarTime is Multiply for public scalars: it takes less time the fewer bits the largest of them has.
func (s *Sum) MultiplyVarTime(p *Vector, k [][32]byte, v []Vector) {
	s.multiply(p, k, v, topDigitVarTime(k))
}

// multiply is Multiply with the digits from top down.
func (s *Sum) multiply(p *Vector, k [][32]byte, v []Vector, top int) {
	p.SetIdentity()
	for len(k) > 0 {
		group := k[:min(len(k), MaxElements)]
		n := (len(group) + Lanes - 1) / Lanes
		clear(s.scalars[:n])
		for i := range group {
			s.scalars[i/Lanes].SetLane(i%Lanes, &group[i])
		}
		for i := range n {
			s.tables[i].fill(&v[i], &s.work)
		}
		s.group.SetIdentity()
		straus(&s.group, &s.work.scratch, &s.tables[0], &s.scalars[0], n, top)
		p.Add(&s.group, &s.work)
		k, v = k[len(group):], v[n:]
	}
	s.addLanes(p)
}

// addLanes sets every lane of p to the sum of all.
func (s *Sum) addLanes(p *Vector) {
	for step := Lanes / 2; step > 0; step /= 2 {
		for j := range Lanes {
			s.turned.SetLane(j, p, (j+step)%Lanes)
		}
		p.Add(&s.turned, &s.work)
	}
}

// Wipe clears s.
func (s *Sum) Wipe() { *s = Sum{} }

// topDigitVarTime returns the number of the highest digit that any of the scalars can have. That of a scalar of 4n or
// 4n - 1 bits can be n, where a carry goes.
func topDigitVarTime(k [][32]byte) int {
	var all [4]uint64
	for i := range k {
		for j, w := range words(&k[i]) {
			all[j] |= w
		}
	}
	length := 0
	for j, w := range all {
		if w != 0 {
			length = 64*j + bits.Len64(w)
		}
	}
	return min(digits-1, (length+1)/4)
}

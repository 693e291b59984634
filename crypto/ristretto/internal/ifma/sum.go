//go:build amd64 && !purego

package ifma

import "math/bits"

// Sum is a multi-scalar multiplication in variable time, for public scalars and points: by Straus's method, where the
// doublings are shared by all points of a group of MaxElements. It takes 170 KB, for one goroutine at a time, and may be used
// again.
type Sum struct {
	work    Work
	tables  [MaxVectors]table
	scalars [MaxVectors]Scalars
}

// VarTime sets every lane of p to the sum of k[i] * P[i], where P[i] is lane i%8 of points[i/8]: all scalars less than the
// order of the group, 32 bytes little-endian. It is faster the fewer bits the largest scalar has. The sum of nothing is
// the identity.
func (s *Sum) VarTime(p *Vector, k [][32]byte, points []Vector) {
	top := topDigitVarTime(k)
	var sum, part Vector
	sum.SetIdentity()
	for len(k) > 0 {
		group := k[:min(len(k), MaxElements)]
		n := (len(group) + Lanes - 1) / Lanes
		for i := range n {
			s.tables[i].fill(&points[i], &s.work)
			s.scalars[i] = Scalars{}
		}
		for i := range group {
			s.scalars[i/Lanes].SetLane(i%Lanes, &group[i])
		}
		part.SetIdentity()
		straus(&part, &s.work.scratch, &s.tables[0], &s.scalars[0], n, top)
		sum.Add(&part, &s.work)
		k, points = k[len(group):], points[n:]
	}
	p.addLanes(&sum, &s.work)
}

// addLanes sets every lane of p to the sum of all lanes of q.
func (p *Vector) addLanes(q *Vector, w *Work) {
	*p = *q
	var turned Vector
	for step := Lanes / 2; step > 0; step /= 2 {
		for j := range Lanes {
			turned.SetLane(j, p, (j+step)%Lanes)
		}
		p.Add(&turned, w)
	}
}

// topDigitVarTime returns the number of the highest digit that any of the scalars has. A carry may add one to what its bits
// need.
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

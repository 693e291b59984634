//go:build amd64 && !purego

package ifma

// Sum adds up multiples of many points by Straus's method, where the doublings are shared by all points that come to one
// lane, MaxVectors of them at a time. It is the space that takes, 160 KB, for one goroutine at a time. It needs no
// initialisation and may be used again as it is, but holds what it last computed until Wipe.
type Sum struct {
	work   Work
	tables [MaxVectors]table
	part   Vector
	turned Vector
}

// Multiply adds up k[i] * v[i] lane by lane, and then the lanes that are neighbours, so many as lanes says: 1, 2, 4 or 8. All
// lanes of such a group of p are set to its sum; with 8 that is the sum of everything. It is constant time in all but
// lanes and the length of v, which that of k is not below. p is not one of v. The sum of nothing is the identity.
func (s *Sum) Multiply(p *Vector, k []Scalars, v []Vector, lanes int) {
	p.SetIdentity()
	for len(v) > 0 {
		n := min(len(v), MaxVectors)
		for i := range n {
			s.tables[i].fill(&v[i], &s.work)
		}
		s.part.SetIdentity()
		straus(&s.part, &s.work.scratch, &s.tables[0], &k[0], n, digits-1)
		p.Add(&s.part, &s.work)
		k, v = k[n:], v[n:]
	}
	for step := 1; step < lanes; step *= 2 {
		for j := range Lanes {
			s.turned.SetLane(j, p, j^step)
		}
		p.Add(&s.turned, &s.work)
	}
}

// Wipe clears s.
func (s *Sum) Wipe() { *s = Sum{} }

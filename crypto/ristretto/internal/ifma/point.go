//go:build amd64 && !purego

package ifma

import "unsafe"

// Lanes is how many elements a Vector holds.
const Lanes = 8

// Vector is eight points of edwards25519 in extended coordinates, x = X/Z, y = Y/Z, xy = T/Z, each standing for its class of
// four or eight, which is an element of ristretto255. The zero value is not valid: see SetIdentity.
type Vector struct{ x, y, z, t field }

// cached is eight points in the form that an addition takes them: Y+X, Y-X, 2Z and 2dT.
type cached struct{ yPlusX, yMinusX, z2, t2d field }

// table is the points 1P to 8P.
type table [8]cached

// The sizes of a table and of a Scalars in bytes, for the assembly, which is given those of structs alone.
const (
	tableSize   = int(unsafe.Sizeof(table{}))   //lint:ignore U1000 for point_amd64.s
	scalarsSize = int(unsafe.Sizeof(Scalars{})) //lint:ignore U1000 for point_amd64.s
)

// scratch holds what the formulas of point_amd64.s have no registers for.
type scratch struct {
	a, b, c, s field //lint:ignore U1000 for point_amd64.s; wide
	e, f, g, h field //lint:ignore U1000 for point_amd64.s
	selected   cached
}

// double sets p = 2p.
//
//go:noescape
func double(p *Vector, s *scratch)

// addCached sets p = p + q.
//
//go:noescape
func addCached(p *Vector, q *cached, s *scratch)

// cache sets q to p. d2 is twoD.
//
//go:noescape
func cache(q *cached, p *Vector, d2 *field)

// straus sets p, which holds identities, to the sum of scalars[i] * P[i] over n >= 1 vectors, lane by lane, where tables[i]
// is of P[i]. It uses the digits from top, at most 63, down to 0, and is constant time in all but n and top.
//
//go:noescape
func straus(p *Vector, s *scratch, tables *table, scalars *Scalars, n, top int)

// fill sets the table to the multiples of p. It uses w.multiple.
func (t *table) fill(p *Vector, w *Work) {
	q := &w.multiple
	*q = *p
	cache(&t[0], q, &twoD)
	for i := 1; i < len(t); i++ {
		addCached(q, &t[0], &w.scratch)
		cache(&t[i], q, &twoD)
	}
}

// SetIdentity sets all lanes to the identity.
func (p *Vector) SetIdentity() { *p = Vector{y: one, z: one} }

// setIdentityIn sets the lanes given to the identity.
func (p *Vector) setIdentityIn(lanes uint8) {
	choose(&p.x, &p.x, &zero, lanes)
	choose(&p.y, &p.y, &one, lanes)
	choose(&p.z, &p.z, &one, lanes)
	choose(&p.t, &p.t, &zero, lanes)
}

// SetLane sets lane i of p to lane j of q, both below Lanes. The numbers are public.
func (p *Vector) SetLane(i int, q *Vector, j int) {
	for limb := range p.x {
		p.x[limb][i] = q.x[limb][j]
		p.y[limb][i] = q.y[limb][j]
		p.z[limb][i] = q.z[limb][j]
		p.t[limb][i] = q.t[limb][j]
	}
}

// Add sets p = p + q, lane by lane. q may be p.
func (p *Vector) Add(q *Vector, w *Work) {
	cache(&w.scratch.selected, q, &twoD)
	addCached(p, &w.scratch.selected, &w.scratch)
}

// Double sets p = 2p.
func (p *Vector) Double(w *Work) { double(p, &w.scratch) }

// Mul sets p = k * q, lane by lane, in the same steps for every k and q. q may be p.
func (p *Vector) Mul(k *Scalars, q *Vector, w *Work) {
	w.table.fill(q, w)
	p.SetIdentity()
	straus(p, &w.scratch, &w.table, k, 1, digits-1)
}

// Wipe clears p.
func (p *Vector) Wipe() { *p = Vector{} }

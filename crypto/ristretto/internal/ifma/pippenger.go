//go:build amd64 && !purego

package ifma

import (
	"encoding/binary"
	"math/bits"
)

// A weight is written in places digits of radix 2^8, each from -128 to 127, and for each place there is a bucket for each
// size of a digit but 0.
const (
	places  = 32
	buckets = 128
)

// affine is a point with z = 1 for addEach: y+x, y-x and 2dt, and a word that is not used.
type affine [16]uint64

// addEach adds points to p: in each of n >= 1 steps, to lane j the point whose number is entries[j] of this step, or, if that is
// negative, the negative of the point whose number is its complement. It takes the same time for all points, but where
// they are in memory is seen.
//
//go:noescape
func addEach(p *Vector, s *scratch, points *affine, entries *[Lanes]int32, n int)

// Pippenger adds up multiples of many public points by the method of Pippenger (1976), in the order of Bernstein, Doumen, Lange
// and Oosterwijk, "Faster batch forgery identification" (2012): for each place of the weights each point is added to the
// bucket of its digit, and then each bucket as often as its digit says. A lane adds up one bucket at a time, and the eight
// that are computed together have about as many points each, whichever place they are of. It is the space that takes, 1.5 MB
// for 1,024 points, for one goroutine at a time. It needs no initialisation. It is for public weights and points alone.
type Pippenger struct {
	work   Work
	points []affine // and last the identity
	digits [][places]uint8
	// Bucket i is that of digits i%buckets + 1 at place i/buckets.
	size    [places * buckets]int32 // points in it
	order   [places * buckets]int16 // all buckets, the largest first
	next    [places * buckets]int32 // where in entries its next point goes
	bySize  []int32                 // how many buckets have a size or a larger one
	entries []int32                 // the numbers of points, Lanes of them for each step
	sums    [places / Lanes][buckets]Vector
	sum     Vector // of eight buckets
	running Vector
	total   [places / Lanes]Vector
	one     Vector // with its other lanes the identity
}

// MultiplyVarTime sets lane 0 of p to the sum of k[i] * P[i], where P[i] is lane i%8 of v[i/8] and has z = 1, as after Decode. All
// scalars are 32 bytes little-endian and less than the order of the group.
func (s *Pippenger) MultiplyVarTime(p *Vector, k [][32]byte, v []Vector) {
	s.setPoints(v, len(k))
	s.setDigits(k)
	s.sortBuckets()
	s.fillEntries()
	s.addBuckets()
	s.addPlaces(p)
}

// setPoints copies n points, and the identity.
func (s *Pippenger) setPoints(v []Vector, n int) {
	s.points = grow(s.points, n+1)
	q := &s.work.scratch.selected
	for i := range v {
		cache(q, &v[i], &twoD)
		for j := range min(Lanes, n-i*Lanes) {
			p := &s.points[i*Lanes+j]
			for limb := range q.yPlusX {
				p[limb], p[5+limb], p[10+limb] = q.yPlusX[limb][j], q.yMinusX[limb][j], q.t2d[limb][j]
			}
		}
	}
	s.points[n] = affine{0: 1, 5: 1}
}

// setDigits sets digit i of each weight, plus 128: that of the weight plus 128 in every place.
func (s *Pippenger) setDigits(k [][32]byte) {
	s.digits = grow(s.digits, len(k))
	clear(s.size[:])
	const offset = 0x8080808080808080
	for i := range k {
		var carry uint64
		for j, w := range words(&k[i]) {
			w, carry = bits.Add64(w, offset, carry)
			binary.LittleEndian.PutUint64(s.digits[i][8*j:], w)
		}
		for place, digit := range s.digits[i] {
			if bucket, _ := bucketOf(place, digit); bucket >= 0 {
				s.size[bucket]++
			}
		}
	}
}

// bucketOf returns the bucket for a digit plus 128, or -1 for 0, and -1 if it is negative, else 0.
func bucketOf(place int, digit uint8) (bucket int, negative int32) {
	d := int32(digit) - 128
	negative = d >> 31
	if d == 0 {
		return -1, 0
	}
	return place*buckets + int((d^negative)-negative) - 1, negative
}

// sortBuckets sets order, and where the points of each bucket go: those of eight of one rank are side by side.
func (s *Pippenger) sortBuckets() {
	most := int32(0)
	for _, size := range s.size {
		most = max(most, size)
	}
	s.bySize = grow(s.bySize, int(most)+2)
	clear(s.bySize)
	for _, size := range s.size {
		s.bySize[size]++
	}
	for size := most; size >= 0; size-- { // from here on: how many are larger
		s.bySize[size] += s.bySize[size+1]
	}
	for bucket, size := range s.size {
		s.order[s.bySize[size+1]] = int16(bucket)
		s.bySize[size+1]++
	}
	at := int32(0)
	for i, bucket := range s.order {
		s.next[bucket] = at + int32(i%Lanes)
		if i%Lanes == Lanes-1 {
			at += s.steps(i) * Lanes
		}
	}
	s.entries = grow(s.entries, int(at))
}

// steps returns how many points the largest of the eight buckets has that the i-th largest is among.
func (s *Pippenger) steps(i int) int32 { return s.size[s.order[i-i%Lanes]] }

// fillEntries puts each point, for each place, to its bucket, and the identity where a bucket has less than the largest of
// eight.
func (s *Pippenger) fillEntries() {
	identity := int32(len(s.points) - 1)
	for i := range s.entries {
		s.entries[i] = identity
	}
	for i := range s.digits {
		for place, digit := range s.digits[i] {
			if bucket, negative := bucketOf(place, digit); bucket >= 0 {
				s.entries[s.next[bucket]] = int32(i) ^ negative
				s.next[bucket] += Lanes
			}
		}
	}
}

// addBuckets adds up the points of each bucket, and puts the sum to where addPlaces takes it from: eight places side by side.
func (s *Pippenger) addBuckets() {
	at := int32(0)
	for i := 0; i < len(s.order); i += Lanes {
		s.sum.SetIdentity()
		if steps := s.steps(i); steps > 0 {
			addEach(&s.sum, &s.work.scratch, &s.points[0], (*[Lanes]int32)(s.entries[at:]), int(steps))
			at += steps * Lanes
		}
		for j, bucket := range s.order[i : i+Lanes] {
			place := int(bucket) / buckets
			s.sums[place/Lanes][int(bucket)%buckets].SetLane(place%Lanes, &s.sum, j)
		}
	}
}

// addPlaces sets lane 0 of p to the sum of all buckets, each times its digit and the weight of its place.
func (s *Pippenger) addPlaces(p *Vector) {
	for i := range s.total {
		s.running.SetIdentity()
		s.total[i].SetIdentity()
		for digit := buckets - 1; digit >= 0; digit-- { // sums of sums: each bucket comes into the total once for each digit up to its own
			s.running.Add(&s.sums[i][digit], &s.work)
			s.total[i].Add(&s.running, &s.work)
		}
	}
	p.SetIdentity()
	s.one.SetIdentity()
	for place := places - 1; place >= 0; place-- {
		for range 8 {
			p.Double(&s.work)
		}
		s.one.SetLane(0, &s.total[place/Lanes], place%Lanes)
		p.Add(&s.one, &s.work)
	}
}

// grow returns a slice of n, of the memory of s if it is enough. What it holds is undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

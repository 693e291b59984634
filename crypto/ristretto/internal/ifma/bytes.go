//go:build amd64 && !purego

package ifma

import (
	"encoding/binary"
	"math/bits"
)

// limbMask has the 51 bits of a limb.
const limbMask = 1<<51 - 1

// setBytes sets lane j of x to the 255 low bits of b, 32 bytes little-endian, and returns 1 if b is less than p, else 0.
func (x *field) setBytes(j int, b []byte) (canonical uint8) {
	w := words((*[32]byte)(b))
	x[0][j] = w[0] & limbMask
	x[1][j] = (w[0]>>51 | w[1]<<13) & limbMask
	x[2][j] = (w[1]>>38 | w[2]<<26) & limbMask
	x[3][j] = (w[2]>>25 | w[3]<<39) & limbMask
	x[4][j] = w[3] >> 12 & limbMask
	_, borrow := bits.Sub64(w[0], 1<<64-19, 0)
	_, borrow = bits.Sub64(w[1], 1<<64-1, borrow)
	_, borrow = bits.Sub64(w[2], 1<<64-1, borrow)
	_, borrow = bits.Sub64(w[3], 1<<63-1, borrow)
	return uint8(borrow)
}

// bytes stores lane j of x, which is canonical, in b, 32 bytes.
func (x *field) bytes(j int, b []byte) {
	_ = b[31]
	binary.LittleEndian.PutUint64(b, x[0][j]|x[1][j]<<51)
	binary.LittleEndian.PutUint64(b[8:], x[1][j]>>13|x[2][j]<<38)
	binary.LittleEndian.PutUint64(b[16:], x[2][j]>>26|x[3][j]<<25)
	binary.LittleEndian.PutUint64(b[24:], x[3][j]>>39|x[4][j]<<12)
}

// Coordinates returns lane j in extended coordinates, each 32 bytes little-endian and less than p.
func (p *Vector) Coordinates(j int, w *Work) (x, y, z, t [32]byte) {
	for _, c := range []struct {
		to   *[32]byte
		from *field
	}{{&x, &p.x}, {&y, &p.y}, {&z, &p.z}, {&t, &p.t}} {
		canonical(&w.codec.t, c.from)
		w.codec.t.bytes(j, c.to[:])
	}
	return x, y, z, t
}

// SetCoordinates sets lane j to a point of the curve in extended coordinates, each 32 bytes little-endian. That it is one of
// those that stand for elements of ristretto255 is not checked.
func (p *Vector) SetCoordinates(j int, x, y, z, t *[32]byte) {
	p.x.setBytes(j, x[:])
	p.y.setBytes(j, y[:])
	p.z.setBytes(j, z[:])
	p.t.setBytes(j, t[:])
}

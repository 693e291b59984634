// Package ifma does the arithmetic of ristretto255 (RFC 9496) on eight elements at a time, one to each 64-bit lane of the
// vector registers of AVX-512, with its multiplier of 52-bit integers (IFMA). It exists because one scalar
// multiplication an element is nearly all the work of a server, and eight lanes do it in a tenth of the time of one.
//
// A [Vector] is eight points. [Vector.Decode], [Vector.Encode] and [Vector.Derive] are those of RFC 9496, Section 4.3;
// [DoubleEncode] encodes the doubles of many vectors with one inversion for all; [Vector.Mul] multiplies by a [Scalars], which
// is one scalar for all lanes or one for each; a [Sum] adds up multiples of many points. [DecodeMulEncode] is the way from bytes
// to bytes.
//
// # How it computes
//
// A field element of GF(2^255-19) is five limbs of radix 2^51. A limb is a 64-bit lane, so five vector registers hold
// eight field elements. The multiplier takes the low 52 bits of each factor, which leaves one bit above the radix: sums
// are carried before they are multiplied. field_amd64.h has the steps, and bounds_test.go derives the bound of every limb
// after every step from the bounds before it.
//
// Points are in extended coordinates on the twisted Edwards curve with a = -1, whose addition formulas are complete: the
// identity and points of small order need no case of their own. A multiplication has 64 signed digits of radix 16, from
// -8 to 7. For each it doubles four times, reads all of a table of eight multiples and keeps one by masks, and adds it.
//
// # Timing
//
// No branch, address or number of steps depends on a scalar, a point or an encoding, for any function whose name does not
// say VarTime. Scalars, work space and vectors hold secrets when their inputs are secret: the caller wipes them with their
// method Wipe.
//
// # What it leaves out
//
// It has no fallback: where [Available] is false, as it always is in a build for another processor or with the tag
// purego, nothing else may be called, and in such a build nothing else is there. Nor does it hash to the group.
//
// Functions may be called concurrently as long as no two share a destination or work space. None allocates.
package ifma

// Field arithmetic in GF(2^255-19) on eight lanes, as macros.
//
// An element has five limbs of radix 2^51, a[0] + 2^51 a[1] + ... + 2^204 a[4]. In memory a limb is the eight lanes of 64
// bits one after the other, 64 bytes, and an element is its five limbs, 320 bytes. Loads and stores assume no alignment.
//
// An element is called
//
//	reduced  when each limb is below 2^51 + 2^16, which is what CARRY leaves;
//	wide     when it is the outcome of MUL or SQUARE before CARRY: each limb below 2^59 if the factors were reduced.
//
// Factors are reduced. Sums and differences of wide elements are carried once instead of each of their terms; differences
// of them first add a multiple of p that has larger limbs than what is subtracted. bounds_test.go derives all this, and
// the formulas of point_amd64.s, step by step.
//
// Registers:
//
//	A0-A4, B0-B4  the factors
//	H1-H9         sums by position, the power of 2^51 that they stand for; the outcome ends in R0-R4, five of them
//	T0-T4         temporaries of CARRY; they are sums that MUL and SQUARE no longer need
//	S0-S4         a further element, for sums and differences
//	MASK51, C19, C38  constants
//
// Z24, Z25 and Z26 are for what is done beside, between MULBEGIN and MULEND or elsewhere.

#define A0 Z0
#define A1 Z1
#define A2 Z2
#define A3 Z3
#define A4 Z4
#define B0 Z5
#define B1 Z6
#define B2 Z7
#define B3 Z8
#define B4 Z9
#define H1 Z10
#define H2 Z11
#define H3 Z12
#define H4 Z13
#define H5 Z14
#define H6 Z15
#define H7 Z16
#define H8 Z17
#define H9 Z18
#define R0 H5
#define R1 H1
#define R2 H2
#define R3 H3
#define R4 H4
#define T0 Z15
#define T1 Z16
#define T2 Z17
#define T3 Z18
#define T4 Z30
#define S0 Z19
#define S1 Z20
#define S2 Z21
#define S3 Z22
#define S4 Z23
#define MASK51 Z27
#define C19 Z28
#define C38 Z29

#define CONSTANTS \
	VPBROADCASTQ mask51<>(SB), MASK51; \
	VPBROADCASTQ nineteen<>(SB), C19; \
	VPADDQ C19, C19, C38

// LOAD and STORE move an element between memory at off(p) and registers.
#define LOAD(off, p, r0, r1, r2, r3, r4) \
	VMOVDQU64 (off+0*64)(p), r0; \
	VMOVDQU64 (off+1*64)(p), r1; \
	VMOVDQU64 (off+2*64)(p), r2; \
	VMOVDQU64 (off+3*64)(p), r3; \
	VMOVDQU64 (off+4*64)(p), r4

#define STORE(r0, r1, r2, r3, r4, off, p) \
	VMOVDQU64 r0, (off+0*64)(p); \
	VMOVDQU64 r1, (off+1*64)(p); \
	VMOVDQU64 r2, (off+2*64)(p); \
	VMOVDQU64 r3, (off+3*64)(p); \
	VMOVDQU64 r4, (off+4*64)(p)

#define LOADA(off, p) LOAD(off, p, A0, A1, A2, A3, A4)
#define LOADB(off, p) LOAD(off, p, B0, B1, B2, B3, B4)
// BLENDB replaces B in the lanes of a mask.
#define BLENDB(off, p, mask) \
	VPBLENDMQ (off+0*64)(p), B0, mask, B0; \
	VPBLENDMQ (off+1*64)(p), B1, mask, B1; \
	VPBLENDMQ (off+2*64)(p), B2, mask, B2; \
	VPBLENDMQ (off+3*64)(p), B3, mask, B3; \
	VPBLENDMQ (off+4*64)(p), B4, mask, B4

#define STOREA(off, p) STORE(A0, A1, A2, A3, A4, off, p)
#define STOREB(off, p) STORE(B0, B1, B2, B3, B4, off, p)
#define STORER(off, p) STORE(R0, R1, R2, R3, R4, off, p)
#define STORES(off, p) STORE(S0, S1, S2, S3, S4, off, p)

// MOVE copies x to d.
#define MOVE(x0, x1, x2, x3, x4, d0, d1, d2, d3, d4) \
	VMOVDQA64 x0, d0; \
	VMOVDQA64 x1, d1; \
	VMOVDQA64 x2, d2; \
	VMOVDQA64 x3, d3; \
	VMOVDQA64 x4, d4

// ADD sets d = x + y by limbs, without a carry. ADDMEM takes the second term from memory.
#define ADD(x0, x1, x2, x3, x4, y0, y1, y2, y3, y4, d0, d1, d2, d3, d4) \
	VPADDQ x0, y0, d0; \
	VPADDQ x1, y1, d1; \
	VPADDQ x2, y2, d2; \
	VPADDQ x3, y3, d3; \
	VPADDQ x4, y4, d4

#define ADDMEM(off, p, x0, x1, x2, x3, x4, d0, d1, d2, d3, d4) \
	VPADDQ (off+0*64)(p), x0, d0; \
	VPADDQ (off+1*64)(p), x1, d1; \
	VPADDQ (off+2*64)(p), x2, d2; \
	VPADDQ (off+3*64)(p), x3, d3; \
	VPADDQ (off+4*64)(p), x4, d4

// SUB sets d = x - y by limbs; no limb of y may be larger than that of x. SUBMEM takes y from memory.
#define SUB(x0, x1, x2, x3, x4, y0, y1, y2, y3, y4, d0, d1, d2, d3, d4) \
	VPSUBQ y0, x0, d0; \
	VPSUBQ y1, x1, d1; \
	VPSUBQ y2, x2, d2; \
	VPSUBQ y3, x3, d3; \
	VPSUBQ y4, x4, d4

#define SUBMEM(off, p, x0, x1, x2, x3, x4, d0, d1, d2, d3, d4) \
	VPSUBQ (off+0*64)(p), x0, d0; \
	VPSUBQ (off+1*64)(p), x1, d1; \
	VPSUBQ (off+2*64)(p), x2, d2; \
	VPSUBQ (off+3*64)(p), x3, d3; \
	VPSUBQ (off+4*64)(p), x4, d4

// BIAS adds a multiple of p, given by its lowest limb and the one that all the others are, to x.
#define BIAS(low, others, x0, x1, x2, x3, x4) \
	VPADDQ.BCST low<>(SB), x0, x0; \
	VPADDQ.BCST others<>(SB), x1, x1; \
	VPADDQ.BCST others<>(SB), x2, x2; \
	VPADDQ.BCST others<>(SB), x3, x3; \
	VPADDQ.BCST others<>(SB), x4, x4

// CARRY leaves 51 bits in each limb and adds the rest to the next, all at once; that of the highest limb goes to the lowest
// 19 times. For limbs below 2^62 what is carried is below 2^11, and so what is left below 2^51 + 19 * 2^11 < 2^51 + 2^16.
#define CARRY(x0, x1, x2, x3, x4) \
	VPSRLQ $51, x0, T0; \
	VPSRLQ $51, x1, T1; \
	VPSRLQ $51, x2, T2; \
	VPSRLQ $51, x3, T3; \
	VPSRLQ $51, x4, T4; \
	VPANDQ MASK51, x0, x0; \
	VPANDQ MASK51, x1, x1; \
	VPANDQ MASK51, x2, x2; \
	VPANDQ MASK51, x3, x3; \
	VPANDQ MASK51, x4, x4; \
	VPADDQ T0, x1, x1; \
	VPADDQ T1, x2, x2; \
	VPADDQ T2, x3, x3; \
	VPADDQ T3, x4, x4; \
	VPMADD52LUQ C19, T4, x0

#define CARRYA CARRY(A0, A1, A2, A3, A4)
#define CARRYB CARRY(B0, B1, B2, B3, B4)
#define CARRYR CARRY(R0, R1, R2, R3, R4)
#define CARRYS CARRY(S0, S1, S2, S3, S4)

// A product of limbs has up to 104 bits, and its upper half begins at bit 52 where the next limb begins at 51: it counts
// twice there. So the upper halves are summed first, doubled, and the lower halves added on top.

// ZERO clears all sums.
#define ZERO \
	VPXORQ H1, H1, H1; \
	VPXORQ H2, H2, H2; \
	VPXORQ H3, H3, H3; \
	VPXORQ H4, H4, H4; \
	VPXORQ H5, H5, H5; \
	VPXORQ H6, H6, H6; \
	VPXORQ H7, H7, H7; \
	VPXORQ H8, H8, H8; \
	VPXORQ H9, H9, H9

// MULHIGH adds the high half of each product a[i]*b[j], bits 52 and up, to the sum of position i+j+1.
#define MULHIGH \
	VPMADD52HUQ B0, A0, H1; \
	VPMADD52HUQ B1, A0, H2; \
	VPMADD52HUQ B2, A0, H3; \
	VPMADD52HUQ B3, A0, H4; \
	VPMADD52HUQ B4, A0, H5; \
	VPMADD52HUQ B0, A1, H2; \
	VPMADD52HUQ B1, A1, H3; \
	VPMADD52HUQ B2, A1, H4; \
	VPMADD52HUQ B3, A1, H5; \
	VPMADD52HUQ B4, A1, H6; \
	VPMADD52HUQ B0, A2, H3; \
	VPMADD52HUQ B1, A2, H4; \
	VPMADD52HUQ B2, A2, H5; \
	VPMADD52HUQ B3, A2, H6; \
	VPMADD52HUQ B4, A2, H7; \
	VPMADD52HUQ B0, A3, H4; \
	VPMADD52HUQ B1, A3, H5; \
	VPMADD52HUQ B2, A3, H6; \
	VPMADD52HUQ B3, A3, H7; \
	VPMADD52HUQ B4, A3, H8; \
	VPMADD52HUQ B0, A4, H5; \
	VPMADD52HUQ B1, A4, H6; \
	VPMADD52HUQ B2, A4, H7; \
	VPMADD52HUQ B3, A4, H8; \
	VPMADD52HUQ B4, A4, H9

// MULLOWUPPER adds the low half of each product to the sum of position i+j, where that is 5 or more: those that FOLD multiplies.
#define MULLOWUPPER \
	VPMADD52LUQ B4, A1, H5; \
	VPMADD52LUQ B4, A2, H6; \
	VPMADD52LUQ B4, A3, H7; \
	VPMADD52LUQ B4, A4, H8; \
	VPMADD52LUQ B3, A2, H5; \
	VPMADD52LUQ B3, A3, H6; \
	VPMADD52LUQ B3, A4, H7; \
	VPMADD52LUQ B2, A3, H5; \
	VPMADD52LUQ B2, A4, H6; \
	VPMADD52LUQ B1, A4, H5

// MULLOWLOWER does so for the positions 1 to 4.
#define MULLOWLOWER \
	VPMADD52LUQ B4, A0, H4; \
	VPMADD52LUQ B3, A0, H3; \
	VPMADD52LUQ B2, A0, H2; \
	VPMADD52LUQ B1, A0, H1; \
	VPMADD52LUQ B3, A1, H4; \
	VPMADD52LUQ B2, A1, H3; \
	VPMADD52LUQ B1, A1, H2; \
	VPMADD52LUQ B0, A1, H1; \
	VPMADD52LUQ B2, A2, H4; \
	VPMADD52LUQ B1, A2, H3; \
	VPMADD52LUQ B0, A2, H2; \
	VPMADD52LUQ B1, A3, H4; \
	VPMADD52LUQ B0, A3, H3; \
	VPMADD52LUQ B0, A4, H4

// DOUBLEUPPER doubles the sums of positions 5 to 8, DOUBLELOWER those of 1 to 4. Position 9 is doubled by FOLD.
#define DOUBLEUPPER \
	VPADDQ H5, H5, H5; \
	VPADDQ H6, H6, H6; \
	VPADDQ H7, H7, H7; \
	VPADDQ H8, H8, H8

#define DOUBLELOWER \
	VPADDQ H1, H1, H1; \
	VPADDQ H2, H2, H2; \
	VPADDQ H3, H3, H3; \
	VPADDQ H4, H4, H4

// FOLD multiplies the sums of positions 5 to 9 by 19, since 2^255 = 19 modulo p, and the last by 38, as nothing doubled it.
#define FOLD \
	VPMULLQ C38, H9, H9; \
	VPMULLQ C19, H8, H8; \
	VPMULLQ C19, H7, H7; \
	VPMULLQ C19, H6, H6; \
	VPMULLQ C19, H5, H5

// JOIN adds what was folded to the positions it belongs to. Position 0 has no sum of its own: its one product is added to H5,
// which is R0 from here on.
#define JOIN \
	VPADDQ H6, H1, H1; \
	VPADDQ H7, H2, H2; \
	VPADDQ H8, H3, H3; \
	VPADDQ H9, H4, H4

// SQHIGHCROSS adds the high halves of the products of two different limbs, SQHIGHDIAGONAL those of the squares.
#define SQHIGHCROSS \
	VPMADD52HUQ A1, A0, H2; \
	VPMADD52HUQ A2, A0, H3; \
	VPMADD52HUQ A3, A0, H4; \
	VPMADD52HUQ A4, A0, H5; \
	VPMADD52HUQ A4, A1, H6; \
	VPMADD52HUQ A4, A2, H7; \
	VPMADD52HUQ A4, A3, H8; \
	VPMADD52HUQ A2, A1, H4; \
	VPMADD52HUQ A3, A1, H5; \
	VPMADD52HUQ A3, A2, H6

#define SQHIGHDIAGONAL \
	VPMADD52HUQ A0, A0, H1; \
	VPMADD52HUQ A1, A1, H3; \
	VPMADD52HUQ A2, A2, H5; \
	VPMADD52HUQ A3, A3, H7; \
	VPMADD52HUQ A4, A4, H9

// SQLOWCROSS adds the low halves of the products of two different limbs.
#define SQLOWCROSS \
	VPMADD52LUQ A1, A0, H1; \
	VPMADD52LUQ A2, A0, H2; \
	VPMADD52LUQ A3, A0, H3; \
	VPMADD52LUQ A4, A0, H4; \
	VPMADD52LUQ A4, A1, H5; \
	VPMADD52LUQ A4, A2, H6; \
	VPMADD52LUQ A4, A3, H7; \
	VPMADD52LUQ A2, A1, H3; \
	VPMADD52LUQ A3, A1, H4; \
	VPMADD52LUQ A3, A2, H5

// MUL sets R = A * B, wide. It leaves A and B as they are. Its two parts allow for other work in between.
#define MUL \
	MULBEGIN; \
	MULEND

#define MULBEGIN \
	ZERO; \
	MULHIGH

#define MULEND \
	DOUBLEUPPER; \
	DOUBLELOWER; \
	MULLOWUPPER; \
	FOLD; \
	MULLOWLOWER; \
	VPMADD52LUQ B0, A0, R0; \
	JOIN

// SQUARE sets R = A * A, wide, and leaves A as it is. A product of two different limbs counts twice, so its upper half
// four times at the next position. The upper half of a[4]*a[4] alone is at position 9, and is doubled by FOLD.
#define SQUARE \
	ZERO; \
	SQHIGHCROSS; \
	DOUBLEUPPER; \
	VPADDQ H2, H2, H2; \
	VPADDQ H3, H3, H3; \
	VPADDQ H4, H4, H4; \
	SQHIGHDIAGONAL; \
	SQLOWCROSS; \
	DOUBLEUPPER; \
	DOUBLELOWER; \
	VPMADD52LUQ A4, A4, H8; \
	VPMADD52LUQ A3, A3, H6; \
	FOLD; \
	VPMADD52LUQ A1, A1, H2; \
	VPMADD52LUQ A2, A2, H4; \
	VPMADD52LUQ A0, A0, R0; \
	JOIN

// The constants. A bias is a multiple of p: 2^n * (2^51 - 19) for the lowest limb and 2^n * (2^51 - 1) for the others, for n
// of 2 (above any reduced element), 8 (above any wide one) and 9 (above a sum of two).
DATA mask51<>+0(SB)/8, $0x0007ffffffffffff
GLOBL mask51<>(SB), RODATA|NOPTR, $8
DATA nineteen<>+0(SB)/8, $19
GLOBL nineteen<>(SB), RODATA|NOPTR, $8
DATA bias2low<>+0(SB)/8, $0x001fffffffffffb4
GLOBL bias2low<>(SB), RODATA|NOPTR, $8
DATA bias2others<>+0(SB)/8, $0x001ffffffffffffc
GLOBL bias2others<>(SB), RODATA|NOPTR, $8
DATA bias8low<>+0(SB)/8, $0x07ffffffffffed00
GLOBL bias8low<>(SB), RODATA|NOPTR, $8
DATA bias8others<>+0(SB)/8, $0x07ffffffffffff00
GLOBL bias8others<>(SB), RODATA|NOPTR, $8
DATA bias9low<>+0(SB)/8, $0x0fffffffffffda00
GLOBL bias9low<>(SB), RODATA|NOPTR, $8
DATA bias9others<>+0(SB)/8, $0x0ffffffffffffe00
GLOBL bias9others<>(SB), RODATA|NOPTR, $8

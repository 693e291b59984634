//go:build amd64 && !purego

#include "textflag.h"
#include "go_asm.h"
#include "field_amd64.h"

// Point arithmetic in the extended coordinates of Hisil, Wong, Carter and Dawson, "Twisted Edwards Curves Revisited" (2008),
// for a = -1. In all macros DI points to the point and SI to the scratch.

#define BIT0 K1
#define BIT1 K2
#define BIT2 K3
#define IDENTITY K4
#define OTHERS K5
#define NEGATIVE K6

// The order of steps in these macros is for the sake of speed: the multiplier is the bottleneck, and sums and carries cost
// next to nothing while it works on something else. So each is done as soon as it can be, and needed as late as can be.

// DOUBLE1 to DOUBLE6 double the point, but for T, which doubling does not need (Section 3.3 there, all signs turned): with
// A = X^2, B = Y^2, C = Z^2 and S = (X+Y)^2, all wide,
//
//	H = A + B   G = B - A   E = S - H   F = 2C - G
//
// each carried once, and then X = EF, Y = GH and Z = FG. From one to the next the registers S hold X+Y and then H, those of B
// hold G. The argument of the last three is a step to do within their multiplication, which may use Z24, Z25 and Z26, or
// NOTHING.
#define NOTHING

#define DOUBLE1 \
	LOADA(Vector_y, DI); \
	SQUARE; \
	STORER(scratch_b, SI); \
	LOADB(Vector_x, DI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4); \
	CARRYS; \
	MOVE(B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	SQUARE; \
	STORER(scratch_a, SI)

#define DOUBLE2 \
	MOVE(S0, S1, S2, S3, S4, A0, A1, A2, A3, A4); \
	SQUARE; \
	STORER(scratch_s, SI); \
	LOADA(scratch_a, SI); \
	LOADB(scratch_b, SI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4); \
	BIAS(bias8low, bias8others, B0, B1, B2, B3, B4); \
	SUB(B0, B1, B2, B3, B4, A0, A1, A2, A3, A4, B0, B1, B2, B3, B4); \
	CARRYS; \
	CARRYB; \
	STORES(scratch_h, SI); \
	STOREB(scratch_g, SI)

#define DOUBLE3 \
	LOADA(Vector_z, DI); \
	SQUARE; \
	STORER(scratch_c, SI); \
	LOADA(scratch_s, SI); \
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, S0, S1, S2, S3, S4, A0, A1, A2, A3, A4); \
	CARRYA; \
	STOREA(scratch_e, SI)

#define DOUBLE4(step) \
	MOVE(S0, S1, S2, S3, S4, A0, A1, A2, A3, A4); \
	MULBEGIN; \
	step; \
	MULEND; \
	CARRYR; \
	STORER(Vector_y, DI)

#define DOUBLE5(step) \
	LOADA(scratch_c, SI); \
	ADD(A0, A1, A2, A3, A4, A0, A1, A2, A3, A4, A0, A1, A2, A3, A4); \
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	LOADB(scratch_e, SI); \
	MULBEGIN; \
	step; \
	MULEND; \
	CARRYR; \
	STORER(Vector_x, DI)

#define DOUBLE6(step) \
	LOADB(scratch_g, SI); \
	MULBEGIN; \
	step; \
	MULEND; \
	CARRYR; \
	STORER(Vector_z, DI)

// ADDCACHED sets the factors of the sum of the point and a cached one at DX (Section 3.1 there), which is negated in the
// lanes of NEGATIVE: there y+x and y-x change places. With A = (Y-X)*(y-x), B = (Y+X)*(y+x), D = Z*2z and C = T*2dt, negated
// in these lanes, all wide,
//
//	E = B - A   H = B + A   F = D - C   G = D + C
//
// each carried once. ADDAFFINE does so for a point with z = 1, where D = 2Z.
#define ADDCACHED ADDPOINT(TIMESZ2)
#define ADDAFFINE ADDPOINT(TWICE)

#define TIMESZ2 \
	LOADB(cached_z2, DX); \
	MUL

#define TWICE ADD(A0, A1, A2, A3, A4, A0, A1, A2, A3, A4, R0, R1, R2, R3, R4)

// ADDPOINT does these. Its argument sets R = D with A = Z.
#define ADDPOINT(timesZ) \
	LOADA(Vector_y, DI); \
	LOADB(Vector_x, DI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4); \
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	LOADB(cached_yMinusX, DX); \
	BLENDB(cached_yPlusX, DX, NEGATIVE); \
	MUL; \
	STORER(scratch_a, SI); \
	CARRYS; \
	MOVE(S0, S1, S2, S3, S4, A0, A1, A2, A3, A4); \
	LOADB(cached_yPlusX, DX); \
	BLENDB(cached_yMinusX, DX, NEGATIVE); \
	MUL; \
	MOVE(R0, R1, R2, R3, R4, S0, S1, S2, S3, S4); \
	LOADA(Vector_t, DI); \
	LOADB(cached_t2d, DX); \
	MUL; \
	VPBROADCASTQ bias8low<>(SB), A0; \
	VPBROADCASTQ bias8others<>(SB), A1; \
	VPSUBQ R0, A0, NEGATIVE, R0; \
	VPSUBQ R1, A1, NEGATIVE, R1; \
	VPSUBQ R2, A1, NEGATIVE, R2; \
	VPSUBQ R3, A1, NEGATIVE, R3; \
	VPSUBQ R4, A1, NEGATIVE, R4; \
	STORER(scratch_c, SI); \
	LOADA(scratch_a, SI); \
	ADD(A0, A1, A2, A3, A4, S0, S1, S2, S3, S4, B0, B1, B2, B3, B4); \
	BIAS(bias8low, bias8others, S0, S1, S2, S3, S4); \
	SUB(S0, S1, S2, S3, S4, A0, A1, A2, A3, A4, S0, S1, S2, S3, S4); \
	CARRYB; \
	STOREB(scratch_h, SI); \
	CARRYS; \
	LOADA(Vector_z, DI); \
	timesZ; \
	STORES(scratch_e, SI); \
	LOADB(scratch_c, SI); \
	ADD(R0, R1, R2, R3, R4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	BIAS(bias8low, bias8others, R0, R1, R2, R3, R4); \
	SUB(R0, R1, R2, R3, R4, B0, B1, B2, B3, B4, B0, B1, B2, B3, B4); \
	CARRYA; \
	CARRYB; \
	STOREA(scratch_g, SI); \
	STOREB(scratch_f, SI)

// PROJECT sets the point from its factors after ADDCACHED: X = EF, Y = GH and Z = FG. EXTEND sets T = EH.
#define PROJECT \
	LOADB(scratch_h, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_y, DI); \
	LOADB(scratch_f, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_z, DI); \
	LOADA(scratch_e, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_x, DI)

#define EXTEND \
	LOADA(scratch_e, SI); \
	LOADB(scratch_h, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_t, DI)

// WIPE clears the registers that VZEROUPPER leaves as they are, and those it does not clear below bit 128.
#define WIPE \
	VZEROALL; \
	VPXORQ Z16, Z16, Z16; \
	VPXORQ Z17, Z17, Z17; \
	VPXORQ Z18, Z18, Z18; \
	VPXORQ Z19, Z19, Z19; \
	VPXORQ Z20, Z20, Z20; \
	VPXORQ Z21, Z21, Z21; \
	VPXORQ Z22, Z22, Z22; \
	VPXORQ Z23, Z23, Z23; \
	VPXORQ Z24, Z24, Z24; \
	VPXORQ Z25, Z25, Z25; \
	VPXORQ Z26, Z26, Z26; \
	VPXORQ Z30, Z30, Z30; \
	VPXORQ Z31, Z31, Z31; \
	VZEROUPPER

// func double(p *Vector, s *scratch)
TEXT ·double(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ s+8(FP), SI
	CONSTANTS
	DOUBLE1
	DOUBLE2
	DOUBLE3
	DOUBLE4(NOTHING)
	DOUBLE5(NOTHING)
	DOUBLE6(NOTHING)
	EXTEND
	WIPE
	RET

// func addCached(p *Vector, q *cached, s *scratch)
TEXT ·addCached(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ q+8(FP), DX
	MOVQ s+16(FP), SI
	CONSTANTS
	KXORB NEGATIVE, NEGATIVE, NEGATIVE
	ADDCACHED
	PROJECT
	EXTEND
	WIPE
	RET

// func cache(q *cached, p *Vector, d2 *field)
TEXT ·cache(SB), NOSPLIT, $0-24
	MOVQ q+0(FP), DX
	MOVQ p+8(FP), DI
	MOVQ d2+16(FP), BX
	CONSTANTS
	LOADA(Vector_y, DI)
	LOADB(Vector_x, DI)
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4)
	CARRYS
	STORES(cached_yPlusX, DX)
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4)
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4)
	CARRYA
	STOREA(cached_yMinusX, DX)
	LOADA(Vector_z, DI)
	ADD(A0, A1, A2, A3, A4, A0, A1, A2, A3, A4, A0, A1, A2, A3, A4)
	CARRYA
	STOREA(cached_z2, DX)
	LOADA(Vector_t, DI)
	LOADB(0, BX)
	MUL
	CARRYR
	STORER(cached_t2d, DX)
	WIPE
	RET

// A table is read whole for each digit, limb by limb: of the eight multiples' limbs, in CHOOSE, three masks keep one as the
// bits of |digit| - 1 say, and a fourth puts the identity in place where the digit is 0. The limbs of the first coordinate of
// the eight multiples stand at BX and every cached__size bytes from there. While the point is doubled four times, its
// multiples' four coordinates are read, one each time: loads and masks between and within multiplications cost half of what
// they do by themselves.

// MASKS sets the masks for the digits of eight lanes at R8.
#define MASKS \
	VPMOVSXBQ (R8), Z24; \
	VPMOVQ2M Z24, NEGATIVE; \
	VPTESTNMQ Z24, Z24, IDENTITY; \
	VPTESTMQ Z24, Z24, OTHERS; \
	VPABSQ Z24, Z24; \
	VPTERNLOGD $0xff, Z25, Z25, Z25; \
	VPADDQ Z25, Z24, Z24; \
	VPSLLQ $63, Z24, Z25; \
	VPMOVQ2M Z25, BIT0; \
	VPSLLQ $62, Z24, Z25; \
	VPMOVQ2M Z25, BIT1; \
	VPSLLQ $61, Z24, Z25; \
	VPMOVQ2M Z25, BIT2

// CHOOSE leaves limb i of the multiples that the masks say in Z24.
#define CHOOSE(i) \
	VMOVDQU64 (0*cached__size+i*64)(BX), Z24; \
	VMOVDQU64 (2*cached__size+i*64)(BX), Z25; \
	VPBLENDMQ (1*cached__size+i*64)(BX), Z24, BIT0, Z24; \
	VPBLENDMQ (3*cached__size+i*64)(BX), Z25, BIT0, Z25; \
	VPBLENDMQ Z25, Z24, BIT1, Z24; \
	VMOVDQU64 (4*cached__size+i*64)(BX), Z25; \
	VMOVDQU64 (6*cached__size+i*64)(BX), Z26; \
	VPBLENDMQ (5*cached__size+i*64)(BX), Z25, BIT0, Z25; \
	VPBLENDMQ (7*cached__size+i*64)(BX), Z26, BIT0, Z26; \
	VPBLENDMQ Z26, Z25, BIT1, Z25; \
	VPBLENDMQ Z25, Z24, BIT2, Z24

// CHOOSELOWEST and CHOOSEHIGHER choose limb 0 and another, and store it for ADDCACHED. The identity is 1, 1, 2, 0, whose lowest
// limbs are at R11.
#define CHOOSELOWEST \
	CHOOSE(0); \
	VPBLENDMQ.BCST (R11), Z24, IDENTITY, Z24; \
	VMOVDQU64 Z24, (DX)

#define CHOOSEHIGHER(i) \
	CHOOSE(i); \
	VMOVDQA64.Z Z24, OTHERS, Z24; \
	VMOVDQU64 Z24, (i*64)(DX)

DATA identity<>+0(SB)/8, $1
DATA identity<>+8(SB)/8, $1
DATA identity<>+16(SB)/8, $2
DATA identity<>+24(SB)/8, $0
GLOBL identity<>(SB), RODATA|NOPTR, $32

// START points to the first coordinate, NEXT to the next, which follows it everywhere.
#define START \
	LEAQ scratch_selected(SI), DX; \
	LEAQ identity<>(SB), R11; \
	MOVQ $4, R10

#define NEXT \
	ADDQ $(5*64), BX; \
	ADDQ $(5*64), DX; \
	ADDQ $8, R11

// func straus(p *Vector, s *scratch, tables *table, scalars *Scalars, n, top int)
//
// CX is the number of the digit, R12 what is left of n at this digit, R10 what is left of four coordinates.
TEXT ·straus(SB), NOSPLIT, $0-48
	MOVQ p+0(FP), DI
	MOVQ s+8(FP), SI
	MOVQ scalars+24(FP), R8
	MOVQ top+40(FP), CX
	CONSTANTS
	LEAQ (R8)(CX*8), R8
	MOVQ tables+16(FP), BX
	MOVQ n+32(FP), R12
	JMP  choose

digit:
	MOVQ tables+16(FP), BX
	MOVQ scalars+24(FP), R8
	LEAQ (R8)(CX*8), R8
	MOVQ n+32(FP), R12
	MASKS
	START

double:
	DOUBLE1
	CHOOSELOWEST
	DOUBLE2
	DOUBLE3
	CHOOSEHIGHER(1)
	DOUBLE4(CHOOSEHIGHER(2))
	DOUBLE5(CHOOSEHIGHER(3))
	DOUBLE6(CHOOSEHIGHER(4))
	NEXT
	DECQ R10
	JNZ  double
	EXTEND
	JMP  add

choose:
	MASKS
	START

coordinate:
	CHOOSELOWEST
	CHOOSEHIGHER(1)
	CHOOSEHIGHER(2)
	CHOOSEHIGHER(3)
	CHOOSEHIGHER(4)
	NEXT
	DECQ R10
	JNZ  coordinate

add:
	LEAQ scratch_selected(SI), DX
	ADDCACHED
	PROJECT
	DECQ R12
	JZ   added
	EXTEND
	ADDQ $(const_tableSize-cached__size), BX
	ADDQ $const_scalarsSize, R8
	JMP  choose

added:
	DECQ CX
	JNS  digit
	EXTEND
	WIPE
	RET

// Points that are gathered have z = 1 and stand in memory one after the other, each 16 words: y+x, y-x and 2dt, five limbs
// each, and a word that is not used. Eight of them, one for each lane, are turned so that a register has one limb of all.

// ENTRY points to the point that lane j is to add: the number at R8 is its own, or its complement where it is negated.
#define ENTRY(j, reg) \
	MOVLQSX (4*j)(R8), AX; \
	MOVQ    AX, reg; \
	SARQ    $63, AX; \
	XORQ    AX, reg; \
	SHLQ    $7, reg; \
	ADDQ    BX, reg

// ENTRIES points to all eight, and sets NEGATIVE.
#define ENTRIES \
	VPMOVSXDQ (R8), Z24; \
	VPMOVQ2M Z24, NEGATIVE; \
	ENTRY(0, R9); \
	ENTRY(1, R10); \
	ENTRY(2, R11); \
	ENTRY(3, R12); \
	ENTRY(4, R13); \
	ENTRY(5, CX); \
	ENTRY(6, DX); \
	ENTRY(7, R15)

// TURN reads the eight words at off of each point, and leaves word i of all points in register Z(i), for i from 0 to 7. Pairs of
// points are interleaved word by word, and then their 128 bits put together, twice.
#define TURN(off) \
	VMOVDQU64 off(R9), Z8; \
	VMOVDQU64 off(R10), Z9; \
	VMOVDQU64 off(R11), Z10; \
	VMOVDQU64 off(R12), Z11; \
	VMOVDQU64 off(R13), Z12; \
	VMOVDQU64 off(CX), Z13; \
	VMOVDQU64 off(DX), Z14; \
	VMOVDQU64 off(R15), Z15; \
	VPUNPCKLQDQ Z9, Z8, Z0; \
	VPUNPCKHQDQ Z9, Z8, Z1; \
	VPUNPCKLQDQ Z11, Z10, Z2; \
	VPUNPCKHQDQ Z11, Z10, Z3; \
	VPUNPCKLQDQ Z13, Z12, Z4; \
	VPUNPCKHQDQ Z13, Z12, Z5; \
	VPUNPCKLQDQ Z15, Z14, Z6; \
	VPUNPCKHQDQ Z15, Z14, Z7; \
	VSHUFI64X2 $0x88, Z2, Z0, Z8; \
	VSHUFI64X2 $0xdd, Z2, Z0, Z9; \
	VSHUFI64X2 $0x88, Z6, Z4, Z10; \
	VSHUFI64X2 $0xdd, Z6, Z4, Z11; \
	VSHUFI64X2 $0x88, Z3, Z1, Z12; \
	VSHUFI64X2 $0xdd, Z3, Z1, Z13; \
	VSHUFI64X2 $0x88, Z7, Z5, Z14; \
	VSHUFI64X2 $0xdd, Z7, Z5, Z15; \
	VSHUFI64X2 $0x88, Z10, Z8, Z0; \
	VSHUFI64X2 $0x88, Z11, Z9, Z2; \
	VSHUFI64X2 $0xdd, Z10, Z8, Z4; \
	VSHUFI64X2 $0xdd, Z11, Z9, Z6; \
	VSHUFI64X2 $0x88, Z14, Z12, Z1; \
	VSHUFI64X2 $0x88, Z15, Z13, Z3; \
	VSHUFI64X2 $0xdd, Z14, Z12, Z5; \
	VSHUFI64X2 $0xdd, Z15, Z13, Z7

// GATHER reads the points that are next into the selected one of the scratch, but for its z.
#define GATHER \
	ENTRIES; \
	TURN(0); \
	STORE(Z0, Z1, Z2, Z3, Z4, scratch_selected+cached_yPlusX, SI); \
	VMOVDQU64 Z5, (scratch_selected+cached_yMinusX+0*64)(SI); \
	VMOVDQU64 Z6, (scratch_selected+cached_yMinusX+1*64)(SI); \
	VMOVDQU64 Z7, (scratch_selected+cached_yMinusX+2*64)(SI); \
	TURN(64); \
	VMOVDQU64 Z0, (scratch_selected+cached_yMinusX+3*64)(SI); \
	VMOVDQU64 Z1, (scratch_selected+cached_yMinusX+4*64)(SI); \
	STORE(Z2, Z3, Z4, Z5, Z6, scratch_selected+cached_t2d, SI)

// func addEach(p *Vector, s *scratch, points *affine, entries *[Lanes]int32, n int)
TEXT ·addEach(SB), NOSPLIT, $0-40
	MOVQ p+0(FP), DI
	MOVQ s+8(FP), SI
	MOVQ points+16(FP), BX
	MOVQ entries+24(FP), R8
	CONSTANTS

point:
	GATHER
	LEAQ scratch_selected(SI), DX
	ADDAFFINE
	PROJECT
	EXTEND
	ADDQ $32, R8
	DECQ n+32(FP)
	JNZ  point
	WIPE
	RET

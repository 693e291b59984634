//go:build amd64 && !purego

#include "textflag.h"
#include "go_asm.h"
#include "field_amd64.h"

// Point arithmetic in the extended coordinates of Hisil, Wong, Carter and Dawson, "Twisted Edwards Curves Revisited" (2008),
// for a = -1. In all macros DI points to the point and SI to the scratch.

// DOUBLE sets the factors of the double of the point (Section 3.3 there, all signs turned): with A = X^2, B = Y^2,
// C = Z^2 and S = (X+Y)^2, all wide,
//
//	H = A + B   E = S - H   G = B - A   F = 2C - G
//
// each carried once.
#define DOUBLE \
	LOADA(Vector_x, DI); \
	LOADB(Vector_y, DI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	SQUARE; \
	STORER(scratch_s, SI); \
	LOADA(Vector_z, DI); \
	SQUARE; \
	STORER(scratch_c, SI); \
	LOADA(Vector_x, DI); \
	SQUARE; \
	STORER(scratch_a, SI); \
	LOADA(Vector_y, DI); \
	SQUARE; \
	LOADA(scratch_a, SI); \
	ADD(R0, R1, R2, R3, R4, A0, A1, A2, A3, A4, S0, S1, S2, S3, S4); \
	BIAS(bias8low, bias8others, R0, R1, R2, R3, R4); \
	SUB(R0, R1, R2, R3, R4, A0, A1, A2, A3, A4, B0, B1, B2, B3, B4); \
	LOADA(scratch_s, SI); \
	BIAS(bias9low, bias9others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, S0, S1, S2, S3, S4, A0, A1, A2, A3, A4); \
	CARRYA; \
	STOREA(scratch_e, SI); \
	CARRYS; \
	STORES(scratch_h, SI); \
	LOADA(scratch_c, SI); \
	ADD(A0, A1, A2, A3, A4, A0, A1, A2, A3, A4, A0, A1, A2, A3, A4); \
	BIAS(bias9low, bias9others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	STOREA(scratch_f, SI); \
	CARRY(B0, B1, B2, B3, B4); \
	STOREB(scratch_g, SI)

// ADDCACHED sets the factors of the sum of the point and a cached one at DX (Section 3.1 there), which is negated in the
// lanes of K2, if its y+x and y-x are exchanged there already: with A = (Y-X)*(y-x), B = (Y+X)*(y+x), C = T*2dt, negated in
// the lanes of K2, and D = Z*2z, all wide,
//
//	E = B - A   F = D - C   G = D + C   H = B + A
//
// each carried once.
#define ADDCACHED \
	LOADA(Vector_y, DI); \
	LOADB(Vector_x, DI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4); \
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	CARRYS; \
	LOADB(cached_yMinusX, DX); \
	MUL; \
	STORER(scratch_a, SI); \
	VMOVDQA64 S0, A0; \
	VMOVDQA64 S1, A1; \
	VMOVDQA64 S2, A2; \
	VMOVDQA64 S3, A3; \
	VMOVDQA64 S4, A4; \
	LOADB(cached_yPlusX, DX); \
	MUL; \
	STORER(scratch_b, SI); \
	LOADA(Vector_t, DI); \
	LOADB(cached_t2d, DX); \
	MUL; \
	VPBROADCASTQ bias8low<>(SB), A0; \
	VPBROADCASTQ bias8others<>(SB), A1; \
	VPSUBQ R0, A0, K2, R0; \
	VPSUBQ R1, A1, K2, R1; \
	VPSUBQ R2, A1, K2, R2; \
	VPSUBQ R3, A1, K2, R3; \
	VPSUBQ R4, A1, K2, R4; \
	STORER(scratch_c, SI); \
	LOADA(Vector_z, DI); \
	LOADB(cached_z2, DX); \
	MUL; \
	LOADA(scratch_c, SI); \
	ADD(R0, R1, R2, R3, R4, A0, A1, A2, A3, A4, S0, S1, S2, S3, S4); \
	BIAS(bias8low, bias8others, R0, R1, R2, R3, R4); \
	SUB(R0, R1, R2, R3, R4, A0, A1, A2, A3, A4, R0, R1, R2, R3, R4); \
	CARRYR; \
	STORER(scratch_f, SI); \
	CARRYS; \
	STORES(scratch_g, SI); \
	LOADA(scratch_b, SI); \
	LOADB(scratch_a, SI); \
	ADD(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, S0, S1, S2, S3, S4); \
	BIAS(bias8low, bias8others, A0, A1, A2, A3, A4); \
	SUB(A0, A1, A2, A3, A4, B0, B1, B2, B3, B4, A0, A1, A2, A3, A4); \
	CARRYA; \
	STOREA(scratch_e, SI); \
	CARRYS; \
	STORES(scratch_h, SI)

// PROJECT sets the point from its factors, X = EF, Y = GH and Z = FG, but for T, which doubling does not need. EXTEND sets
// T = EH.
#define PROJECT \
	LOADA(scratch_e, SI); \
	LOADB(scratch_f, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_x, DI); \
	LOADA(scratch_g, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_z, DI); \
	LOADB(scratch_h, SI); \
	MUL; \
	CARRYR; \
	STORER(Vector_y, DI)

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
	DOUBLE
	PROJECT
	EXTEND
	WIPE
	RET

// func addCached(p *Vector, q *cached, s *scratch)
TEXT ·addCached(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ q+8(FP), DX
	MOVQ s+16(FP), SI
	CONSTANTS
	KXORB K2, K2, K2
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

// KEEP loads the table's entry i, which is (i+1) times the point, where the digit is i+1 or -(i+1): Z30 holds the digits'
// absolute values. The loads read the whole entry whether a lane keeps it or not.
#define KEEP(i) \
	VPCMPEQQ.BCST counts<>+8*i(SB), Z30, K1; \
	VMOVDQU64 (i*cached__size+0*64)(BX), K1, Z0; \
	VMOVDQU64 (i*cached__size+1*64)(BX), K1, Z1; \
	VMOVDQU64 (i*cached__size+2*64)(BX), K1, Z2; \
	VMOVDQU64 (i*cached__size+3*64)(BX), K1, Z3; \
	VMOVDQU64 (i*cached__size+4*64)(BX), K1, Z4; \
	VMOVDQU64 (i*cached__size+5*64)(BX), K1, Z5; \
	VMOVDQU64 (i*cached__size+6*64)(BX), K1, Z6; \
	VMOVDQU64 (i*cached__size+7*64)(BX), K1, Z7; \
	VMOVDQU64 (i*cached__size+8*64)(BX), K1, Z8; \
	VMOVDQU64 (i*cached__size+9*64)(BX), K1, Z9; \
	VMOVDQU64 (i*cached__size+10*64)(BX), K1, Z10; \
	VMOVDQU64 (i*cached__size+11*64)(BX), K1, Z11; \
	VMOVDQU64 (i*cached__size+12*64)(BX), K1, Z12; \
	VMOVDQU64 (i*cached__size+13*64)(BX), K1, Z13; \
	VMOVDQU64 (i*cached__size+14*64)(BX), K1, Z14; \
	VMOVDQU64 (i*cached__size+15*64)(BX), K1, Z15; \
	VMOVDQU64 (i*cached__size+16*64)(BX), K1, Z16; \
	VMOVDQU64 (i*cached__size+17*64)(BX), K1, Z17; \
	VMOVDQU64 (i*cached__size+18*64)(BX), K1, Z18; \
	VMOVDQU64 (i*cached__size+19*64)(BX), K1, Z19

// IDENTITY sets Z0 to Z19 to the cached identity: y+x = y-x = 1, 2z = 2, 2dt = 0.
#define IDENTITY \
	VPBROADCASTQ counts<>+0(SB), Z0; \
	VPXORQ Z1, Z1, Z1; \
	VPXORQ Z2, Z2, Z2; \
	VPXORQ Z3, Z3, Z3; \
	VPXORQ Z4, Z4, Z4; \
	VMOVDQA64 Z0, Z5; \
	VPXORQ Z6, Z6, Z6; \
	VPXORQ Z7, Z7, Z7; \
	VPXORQ Z8, Z8, Z8; \
	VPXORQ Z9, Z9, Z9; \
	VPADDQ Z0, Z0, Z10; \
	VPXORQ Z11, Z11, Z11; \
	VPXORQ Z12, Z12, Z12; \
	VPXORQ Z13, Z13, Z13; \
	VPXORQ Z14, Z14, Z14; \
	VPXORQ Z15, Z15, Z15; \
	VPXORQ Z16, Z16, Z16; \
	VPXORQ Z17, Z17, Z17; \
	VPXORQ Z18, Z18, Z18; \
	VPXORQ Z19, Z19, Z19

// EXCHANGE exchanges x and y in the lanes of K2.
#define EXCHANGE(x, y) \
	VMOVDQA64 x, Z20; \
	VMOVDQA64 y, K2, x; \
	VMOVDQA64 Z20, K2, y

// SELECT reads the digits of eight lanes at R8 and all of the table at BX, and leaves in the scratch the multiple for each
// lane's digit, with y+x and y-x exchanged for negative digits. K2 has the lanes of these.
#define SELECT \
	VPMOVSXBQ (R8), Z31; \
	VPABSQ Z31, Z30; \
	VPMOVQ2M Z31, K2; \
	IDENTITY; \
	KEEP(0); \
	KEEP(1); \
	KEEP(2); \
	KEEP(3); \
	KEEP(4); \
	KEEP(5); \
	KEEP(6); \
	KEEP(7); \
	EXCHANGE(Z0, Z5); \
	EXCHANGE(Z1, Z6); \
	EXCHANGE(Z2, Z7); \
	EXCHANGE(Z3, Z8); \
	EXCHANGE(Z4, Z9); \
	STORE(Z0, Z1, Z2, Z3, Z4, 0, DX); \
	STORE(Z5, Z6, Z7, Z8, Z9, (5*64), DX); \
	STORE(Z10, Z11, Z12, Z13, Z14, (10*64), DX); \
	STORE(Z15, Z16, Z17, Z18, Z19, (15*64), DX)

DATA counts<>+0(SB)/8, $1
DATA counts<>+8(SB)/8, $2
DATA counts<>+16(SB)/8, $3
DATA counts<>+24(SB)/8, $4
DATA counts<>+32(SB)/8, $5
DATA counts<>+40(SB)/8, $6
DATA counts<>+48(SB)/8, $7
DATA counts<>+56(SB)/8, $8
GLOBL counts<>(SB), RODATA|NOPTR, $64

// func straus(p *Vector, s *scratch, tables *table, scalars *Scalars, n, top int)
//
// R10 is what is left of n at this digit, CX the number of the digit, R12 and R13 walk the scalars and tables.
TEXT ·straus(SB), NOSPLIT, $0-48
	MOVQ p+0(FP), DI
	MOVQ s+8(FP), SI
	MOVQ top+40(FP), CX
	LEAQ scratch_selected(SI), DX
	CONSTANTS
	JMP  add

digit:
	MOVQ $3, R10

double:
	DOUBLE
	PROJECT
	DECQ R10
	JNZ  double
	DOUBLE
	PROJECT
	EXTEND

add:
	MOVQ tables+16(FP), BX
	MOVQ scalars+24(FP), R8
	LEAQ (R8)(CX*8), R8
	MOVQ n+32(FP), R10

next:
	SELECT
	ADDCACHED
	PROJECT
	ADDQ $const_tableSize, BX
	ADDQ $const_scalarsSize, R8
	DECQ R10
	JZ   added
	EXTEND
	JMP  next

added:
	DECQ CX
	JNS  digit
	EXTEND
	WIPE
	RET

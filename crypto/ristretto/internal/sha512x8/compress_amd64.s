//go:build amd64 && !purego

#include "textflag.h"

// The compression of SHA-512, FIPS 180-4, Section 6.4.2, on eight lanes. Every register is one word of 64 bits of each of eight
// messages. Names are those of the standard, and rounds count from 0.
//
// A-H    the working variables. Their names turn by one place from round to round, by the order of the arguments of ROUND, so that
//        nothing is moved: what is h before a round is a after it. After 8 rounds they are back in their places.
// W0-15  the message schedule: in round t, Wi is W(t') for the t' >= t next to t with t' mod 16 = i
// T0-2   temporaries
//
// DI points to the state, DX to the constants K of the sixteen rounds under way, and CX counts.
#define A Z0
#define B Z1
#define C Z2
#define D Z3
#define E Z4
#define F Z5
#define G Z6
#define H Z7
#define W0 Z8
#define W1 Z9
#define W2 Z10
#define W3 Z11
#define W4 Z12
#define W5 Z13
#define W6 Z14
#define W7 Z15
#define W8 Z16
#define W9 Z17
#define W10 Z18
#define W11 Z19
#define W12 Z20
#define W13 Z21
#define W14 Z22
#define W15 Z23
#define T0 Z24
#define T1 Z25
#define T2 Z26

// VPTERNLOGQ takes a function of three bits as the table of its eight values: bit 4x+2y+z is f(x, y, z), where x is of the last
// operand, which is the destination, y of the one before it, and z of the one after the table.
#define XOR3 $0x96     // x ^ y ^ z
#define CHOOSE $0xca   // (x & y) ^ (^x & z), Ch of the standard
#define MAJORITY $0xe8 // (x & y) ^ (x & z) ^ (y & z), Maj of the standard

// ROUND is step 3 of Section 6.4.2, for the t-th of the sixteen rounds that DX points to:
//
//	T1 = h + Sigma1(e) + Ch(e, f, g) + K[t] + W[t]
//	T2 = Sigma0(a) + Maj(a, b, c)
//	h = g, g = f, f = e, e = d + T1, d = c, c = b, b = a, a = T1 + T2
//
// where T1 gathers in h, which ends as T1 + T2, and
//
//	Sigma1(e) = ROTR14(e) ^ ROTR18(e) ^ ROTR41(e)
//	Sigma0(a) = ROTR28(a) ^ ROTR34(a) ^ ROTR39(a)
//
// What depends on e, the newest of them, is added last.
#define ROUND(t, w, a, b, c, d, e, f, g, h) \
	VPADDQ.BCST (8*t)(DX), w, T0; \
	VPADDQ T0, h, h; \
	VMOVDQA64 e, T0; \
	VPTERNLOGQ CHOOSE, g, f, T0; \
	VPADDQ T0, h, h; \
	VPRORQ $14, e, T0; \
	VPRORQ $18, e, T1; \
	VPRORQ $41, e, T2; \
	VPTERNLOGQ XOR3, T0, T1, T2; \
	VPADDQ T2, h, h; \
	VPADDQ h, d, d; \
	VMOVDQA64 a, T0; \
	VPTERNLOGQ MAJORITY, c, b, T0; \
	VPADDQ T0, h, h; \
	VPRORQ $28, a, T0; \
	VPRORQ $34, a, T1; \
	VPRORQ $39, a, T2; \
	VPTERNLOGQ XOR3, T0, T1, T2; \
	VPADDQ T2, h, h

// SCHEDULE is step 1 of Section 6.4.2, sixteen rounds ahead: after round t it replaces W[t], which is w0, by
//
//	W[t+16] = sigma1(W[t+14]) + W[t+9] + sigma0(W[t+1]) + W[t]
//
// where
//
//	sigma0(x) = ROTR1(x) ^ ROTR8(x) ^ SHR7(x)
//	sigma1(x) = ROTR19(x) ^ ROTR61(x) ^ SHR6(x)
#define SCHEDULE(w0, w1, w9, w14) \
	VPRORQ $1, w1, T0; \
	VPRORQ $8, w1, T1; \
	VPSRLQ $7, w1, T2; \
	VPTERNLOGQ XOR3, T0, T1, T2; \
	VPADDQ w9, w0, w0; \
	VPADDQ T2, w0, w0; \
	VPRORQ $19, w14, T0; \
	VPRORQ $61, w14, T1; \
	VPSRLQ $6, w14, T2; \
	VPTERNLOGQ XOR3, T0, T1, T2; \
	VPADDQ T2, w0, w0

// func compress(state *[8][Lanes]uint64, words *[16][Lanes]uint64)
//
// The loop is rounds 0 to 63, sixteen at a time; the last sixteen have no words to prepare. Loads and stores assume no
// alignment.
TEXT ·compress(SB), NOSPLIT, $0-16
	MOVQ state+0(FP), DI
	MOVQ words+8(FP), SI
	LEAQ ·roundConstants(SB), DX
	MOVQ $4, CX
	VMOVDQU64 0(DI), A
	VMOVDQU64 64(DI), B
	VMOVDQU64 128(DI), C
	VMOVDQU64 192(DI), D
	VMOVDQU64 256(DI), E
	VMOVDQU64 320(DI), F
	VMOVDQU64 384(DI), G
	VMOVDQU64 448(DI), H
	VMOVDQU64 0(SI), W0
	VMOVDQU64 64(SI), W1
	VMOVDQU64 128(SI), W2
	VMOVDQU64 192(SI), W3
	VMOVDQU64 256(SI), W4
	VMOVDQU64 320(SI), W5
	VMOVDQU64 384(SI), W6
	VMOVDQU64 448(SI), W7
	VMOVDQU64 512(SI), W8
	VMOVDQU64 576(SI), W9
	VMOVDQU64 640(SI), W10
	VMOVDQU64 704(SI), W11
	VMOVDQU64 768(SI), W12
	VMOVDQU64 832(SI), W13
	VMOVDQU64 896(SI), W14
	VMOVDQU64 960(SI), W15

sixteen:
	ROUND(0, W0, A, B, C, D, E, F, G, H)
	SCHEDULE(W0, W1, W9, W14)
	ROUND(1, W1, H, A, B, C, D, E, F, G)
	SCHEDULE(W1, W2, W10, W15)
	ROUND(2, W2, G, H, A, B, C, D, E, F)
	SCHEDULE(W2, W3, W11, W0)
	ROUND(3, W3, F, G, H, A, B, C, D, E)
	SCHEDULE(W3, W4, W12, W1)
	ROUND(4, W4, E, F, G, H, A, B, C, D)
	SCHEDULE(W4, W5, W13, W2)
	ROUND(5, W5, D, E, F, G, H, A, B, C)
	SCHEDULE(W5, W6, W14, W3)
	ROUND(6, W6, C, D, E, F, G, H, A, B)
	SCHEDULE(W6, W7, W15, W4)
	ROUND(7, W7, B, C, D, E, F, G, H, A)
	SCHEDULE(W7, W8, W0, W5)
	ROUND(8, W8, A, B, C, D, E, F, G, H)
	SCHEDULE(W8, W9, W1, W6)
	ROUND(9, W9, H, A, B, C, D, E, F, G)
	SCHEDULE(W9, W10, W2, W7)
	ROUND(10, W10, G, H, A, B, C, D, E, F)
	SCHEDULE(W10, W11, W3, W8)
	ROUND(11, W11, F, G, H, A, B, C, D, E)
	SCHEDULE(W11, W12, W4, W9)
	ROUND(12, W12, E, F, G, H, A, B, C, D)
	SCHEDULE(W12, W13, W5, W10)
	ROUND(13, W13, D, E, F, G, H, A, B, C)
	SCHEDULE(W13, W14, W6, W11)
	ROUND(14, W14, C, D, E, F, G, H, A, B)
	SCHEDULE(W14, W15, W7, W12)
	ROUND(15, W15, B, C, D, E, F, G, H, A)
	SCHEDULE(W15, W0, W8, W13)
	ADDQ $128, DX
	DECQ CX
	JNZ  sixteen

	ROUND(0, W0, A, B, C, D, E, F, G, H)
	ROUND(1, W1, H, A, B, C, D, E, F, G)
	ROUND(2, W2, G, H, A, B, C, D, E, F)
	ROUND(3, W3, F, G, H, A, B, C, D, E)
	ROUND(4, W4, E, F, G, H, A, B, C, D)
	ROUND(5, W5, D, E, F, G, H, A, B, C)
	ROUND(6, W6, C, D, E, F, G, H, A, B)
	ROUND(7, W7, B, C, D, E, F, G, H, A)
	ROUND(8, W8, A, B, C, D, E, F, G, H)
	ROUND(9, W9, H, A, B, C, D, E, F, G)
	ROUND(10, W10, G, H, A, B, C, D, E, F)
	ROUND(11, W11, F, G, H, A, B, C, D, E)
	ROUND(12, W12, E, F, G, H, A, B, C, D)
	ROUND(13, W13, D, E, F, G, H, A, B, C)
	ROUND(14, W14, C, D, E, F, G, H, A, B)
	ROUND(15, W15, B, C, D, E, F, G, H, A)

	// Step 4: the hash value is that before plus the working variables.
	VPADDQ 0(DI), A, A
	VPADDQ 64(DI), B, B
	VPADDQ 128(DI), C, C
	VPADDQ 192(DI), D, D
	VPADDQ 256(DI), E, E
	VPADDQ 320(DI), F, F
	VPADDQ 384(DI), G, G
	VPADDQ 448(DI), H, H
	VMOVDQU64 A, 0(DI)
	VMOVDQU64 B, 64(DI)
	VMOVDQU64 C, 128(DI)
	VMOVDQU64 D, 192(DI)
	VMOVDQU64 E, 256(DI)
	VMOVDQU64 F, 320(DI)
	VMOVDQU64 G, 384(DI)
	VMOVDQU64 H, 448(DI)
	VZEROUPPER
	RET

//go:build amd64 && !purego

#include "textflag.h"
#include "field_amd64.h"

// Functions on single field elements, for what is not worth a formula of its own: decoding, encoding and inversion.

// func mul(z, x, y *field)
TEXT ·mul(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOADA(0, SI)
	LOADB(0, DX)
	MUL
	CARRYR
	STORER(0, DI)
	VZEROUPPER
	RET

// func squareN(z, x *field, n int)
TEXT ·squareN(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	CONSTANTS
	LOADA(0, SI)

again:
	SQUARE
	CARRYR
	VMOVDQA64 R0, A0
	VMOVDQA64 R1, A1
	VMOVDQA64 R2, A2
	VMOVDQA64 R3, A3
	VMOVDQA64 R4, A4
	DECQ CX
	JNZ  again
	STOREA(0, DI)
	VZEROUPPER
	RET

// func add(z, x, y *field)
TEXT ·add(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOADA(0, SI)
	ADDMEM(0, DX, A0, A1, A2, A3, A4, A0, A1, A2, A3, A4)
	CARRYA
	STOREA(0, DI)
	VZEROUPPER
	RET

// func subtract(z, x, y *field)
TEXT ·subtract(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOADA(0, SI)
	BIAS(bias2low, bias2others, A0, A1, A2, A3, A4)
	SUBMEM(0, DX, A0, A1, A2, A3, A4, A0, A1, A2, A3, A4)
	CARRYA
	STOREA(0, DI)
	VZEROUPPER
	RET

// func choose(z, x, y *field, lanes uint8)
TEXT ·choose(SB), NOSPLIT, $0-25
	MOVQ    z+0(FP), DI
	MOVQ    x+8(FP), SI
	MOVQ    y+16(FP), DX
	MOVBLZX lanes+24(FP), AX
	KMOVB   AX, K1
	LOADA(0, SI)
	VMOVDQU64 0(DX), K1, A0
	VMOVDQU64 64(DX), K1, A1
	VMOVDQU64 128(DX), K1, A2
	VMOVDQU64 192(DX), K1, A3
	VMOVDQU64 256(DX), K1, A4
	STOREA(0, DI)
	VZEROUPPER
	RET

// RIPPLE carries from each of the limbs 0 to 3 to the next, one after the other, and leaves 51 bits in them.
#define RIPPLE \
	VPSRLQ $51, A0, T0; \
	VPANDQ MASK51, A0, A0; \
	VPADDQ T0, A1, A1; \
	VPSRLQ $51, A1, T0; \
	VPANDQ MASK51, A1, A1; \
	VPADDQ T0, A2, A2; \
	VPSRLQ $51, A2, T0; \
	VPANDQ MASK51, A2, A2; \
	VPADDQ T0, A3, A3; \
	VPSRLQ $51, A3, T0; \
	VPANDQ MASK51, A3, A3; \
	VPADDQ T0, A4, A4

// func canonical(z, x *field)
//
// After the first pass x is below 2^255 + 2^8, so below 2p. Then q = floor((x + 19) / 2^255) is 1 where x >= p, else 0, and
// x + 19q without its bit 255 is x - qp.
TEXT ·canonical(SB), NOSPLIT, $0-16
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	CONSTANTS
	LOADA(0, SI)
	RIPPLE
	VPSRLQ $51, A4, T0
	VPANDQ MASK51, A4, A4
	VPMADD52LUQ C19, T0, A0
	VPADDQ C19, A0, T0
	VPSRLQ $51, T0, T0
	VPADDQ A1, T0, T0
	VPSRLQ $51, T0, T0
	VPADDQ A2, T0, T0
	VPSRLQ $51, T0, T0
	VPADDQ A3, T0, T0
	VPSRLQ $51, T0, T0
	VPADDQ A4, T0, T0
	VPSRLQ $51, T0, T0
	VPMADD52LUQ C19, T0, A0
	RIPPLE
	VPANDQ MASK51, A4, A4
	STOREA(0, DI)
	VZEROUPPER
	RET

// func equal(x, y *field) (lanes uint8)
TEXT ·equal(SB), NOSPLIT, $0-17
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DX
	LOADA(0, SI)
	VPXORQ (DX), A0, A0
	VPXORQ 64(DX), A1, A1
	VPXORQ 128(DX), A2, A2
	VPXORQ 192(DX), A3, A3
	VPXORQ 256(DX), A4, A4
	VPORQ  A1, A0, A0
	VPORQ  A2, A0, A0
	VPORQ  A3, A0, A0
	VPORQ  A4, A0, A0
	VPTESTNMQ A0, A0, K1
	KMOVB  K1, AX
	MOVB   AX, lanes+16(FP)
	VZEROUPPER
	RET

// func odd(x *field) (lanes uint8)
TEXT ·odd(SB), NOSPLIT, $0-9
	MOVQ   x+0(FP), SI
	VMOVDQU64 (SI), A0
	VPSLLQ $63, A0, A0
	VPMOVQ2M A0, K1
	KMOVB  K1, AX
	MOVB   AX, lanes+8(FP)
	VZEROUPPER
	RET

//go:build amd64 && !purego

#include "textflag.h"

// func copyRunsAVX512(dst *float32, ldd uintptr, src *float32, lds uintptr, runs uintptr, mask uint64)
//
// A bit of mask an element. Masked elements are neither read nor written, so that nothing outside the runs is touched.
// Runs of up to 16 and up to 32 elements have loops of their own.
TEXT ·copyRunsAVX512(SB), NOSPLIT, $0-48
	MOVQ  dst+0(FP), DI
	MOVQ  ldd+8(FP), R8
	MOVQ  src+16(FP), SI
	MOVQ  lds+24(FP), R9
	MOVQ  runs+32(FP), CX
	MOVQ  mask+40(FP), AX
	KMOVW AX, K1
	SHRQ  $16, AX
	JZ    one
	KMOVW AX, K2
	SHRQ  $16, AX
	JZ    two
	KMOVW AX, K3
	SHRQ  $16, AX
	KMOVW AX, K4

four:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS.Z 128(SI), K3, Z2
	VMOVUPS.Z 192(SI), K4, Z3
	VMOVUPS   Z0, K1, (DI)
	VMOVUPS   Z1, K2, 64(DI)
	VMOVUPS   Z2, K3, 128(DI)
	VMOVUPS   Z3, K4, 192(DI)
	ADDQ      R9, SI
	ADDQ      R8, DI
	DECQ      CX
	JNZ       four
	VZEROUPPER
	RET

two:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS   Z0, K1, (DI)
	VMOVUPS   Z1, K2, 64(DI)
	ADDQ      R9, SI
	ADDQ      R8, DI
	DECQ      CX
	JNZ       two
	VZEROUPPER
	RET

one:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS   Z0, K1, (DI)
	ADDQ      R9, SI
	ADDQ      R8, DI
	DECQ      CX
	JNZ       one
	VZEROUPPER
	RET

// func maxRunsAVX512(dst *float32, ldd uintptr, src *float32, lds uintptr, runs uintptr, mask uint64)
//
// dst = max(dst, src), where NaN counts as the largest number. VMAXPS returns its second operand, here src, when either
// is NaN, so that a NaN of dst has to be put back.
TEXT ·maxRunsAVX512(SB), NOSPLIT, $0-48
	MOVQ  dst+0(FP), DI
	MOVQ  ldd+8(FP), R8
	MOVQ  src+16(FP), SI
	MOVQ  lds+24(FP), R9
	MOVQ  runs+32(FP), CX
	MOVQ  mask+40(FP), AX
	KMOVW AX, K1

loop:
	VMOVUPS.Z (DI), K1, Z0
	VMOVUPS.Z (SI), K1, Z1
	VMAXPS    Z1, Z0, Z2
	VCMPPS    $3, Z0, Z0, K2
	VMOVAPS   Z0, K2, Z2
	VMOVUPS   Z2, K1, (DI)
	ADDQ      R9, SI
	ADDQ      R8, DI
	DECQ      CX
	JNZ       loop
	VZEROUPPER
	RET

// func routeRunsAVX512(dx, x *float32, ldx uintptr, left, y *float32, ldy, ldl, runs uintptr, mask uint64)
//
// Where x = y or x is NaN: dx += left, left = 0.
TEXT ·routeRunsAVX512(SB), NOSPLIT, $0-72
	MOVQ  dx+0(FP), DI
	MOVQ  x+8(FP), SI
	MOVQ  ldx+16(FP), R8
	MOVQ  left+24(FP), R10
	MOVQ  y+32(FP), R11
	MOVQ  ldy+40(FP), R9
	MOVQ  ldl+48(FP), R12
	MOVQ  runs+56(FP), CX
	MOVQ  mask+64(FP), AX
	KMOVW AX, K1
	VPXORD Z4, Z4, Z4

loop:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (R11), K1, Z1
	VMOVUPS.Z (R10), K1, Z2
	VMOVUPS.Z (DI), K1, Z3
	VCMPPS    $0, Z1, Z0, K2
	VCMPPS    $3, Z0, Z0, K3
	KORW      K2, K3, K2
	KANDW     K1, K2, K2
	VADDPS    Z2, Z3, K2, Z3
	VMOVUPS   Z3, K2, (DI)
	VMOVUPS   Z4, K2, (R10)
	ADDQ      R8, SI
	ADDQ      R8, DI
	ADDQ      R9, R11
	ADDQ      R12, R10
	DECQ      CX
	JNZ       loop
	VZEROUPPER
	RET

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

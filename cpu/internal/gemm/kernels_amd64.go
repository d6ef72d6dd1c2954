//go:build amd64 && !purego

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

//go:generate go run -C ../../_asm . -out ../internal

// kernelsFor returns the micro-kernels of a level the machine has.
func kernelsFor(level cpuid.Level) kernels {
	switch level {
	case cpuid.AVX512:
		return avx512
	case cpuid.AVX2:
		return avx2
	default:
		return generic
	}
}

var avx512 = kernels{
	mr: 12, nr: 32, lane: 16,
	copyRows:  copyRows512,
	transpose: transpose8,
	tiles: [2][][]kernel{
		{
			{nil, kernelAVX512rh1w16, kernelAVX512rh2w16, kernelAVX512rh3w16, kernelAVX512rh4w16, kernelAVX512rh5w16, kernelAVX512rh6w16, kernelAVX512rh7w16, kernelAVX512rh8w16, kernelAVX512rh9w16, kernelAVX512rh10w16, kernelAVX512rh11w16, kernelAVX512rh12w16},
			{nil, kernelAVX512rh1w32, kernelAVX512rh2w32, kernelAVX512rh3w32, kernelAVX512rh4w32, kernelAVX512rh5w32, kernelAVX512rh6w32, kernelAVX512rh7w32, kernelAVX512rh8w32, kernelAVX512rh9w32, kernelAVX512rh10w32, kernelAVX512rh11w32, kernelAVX512rh12w32},
		},
		{
			{nil, kernelAVX512dh1w16, kernelAVX512dh2w16, kernelAVX512dh3w16, kernelAVX512dh4w16, kernelAVX512dh5w16, kernelAVX512dh6w16, kernelAVX512dh7w16, kernelAVX512dh8w16, kernelAVX512dh9w16, kernelAVX512dh10w16, kernelAVX512dh11w16, kernelAVX512dh12w16},
			{nil, kernelAVX512dh1w32, kernelAVX512dh2w32, kernelAVX512dh3w32, kernelAVX512dh4w32, kernelAVX512dh5w32, kernelAVX512dh6w32, kernelAVX512dh7w32, kernelAVX512dh8w32, kernelAVX512dh9w32, kernelAVX512dh10w32, kernelAVX512dh11w32, kernelAVX512dh12w32},
		},
	},
}

var avx2 = kernels{
	mr: 6, nr: 16, lane: 8,
	transpose: transpose8,
	tiles: [2][][]kernel{
		{
			{nil, kernelAVX2rh1w8, kernelAVX2rh2w8, kernelAVX2rh3w8, kernelAVX2rh4w8, kernelAVX2rh5w8, kernelAVX2rh6w8},
			{nil, kernelAVX2rh1w16, kernelAVX2rh2w16, kernelAVX2rh3w16, kernelAVX2rh4w16, kernelAVX2rh5w16, kernelAVX2rh6w16},
		},
		{
			{nil, kernelAVX2dh1w8, kernelAVX2dh2w8, kernelAVX2dh3w8, kernelAVX2dh4w8, kernelAVX2dh5w8, kernelAVX2dh6w8},
			{nil, kernelAVX2dh1w16, kernelAVX2dh2w16, kernelAVX2dh3w16, kernelAVX2dh4w16, kernelAVX2dh5w16, kernelAVX2dh6w16},
		},
	},
}

// copyRows512 copies everything when cols fits two vectors, else nothing.
func copyRows512(dst []float32, ldd int, src []float32, lds, rows, cols int) int {
	if cols > 32 {
		return rows
	}
	copyRowsAVX512(&dst[0], uintptr(4*ldd), &src[0], uintptr(4*lds), uintptr(rows), 1<<cols-1, uintptr(4*packRows*lds))
	return 0
}

// transpose8 transposes all rows but the last rows%8.
func transpose8(dst []float32, ldd int, src []float32, lds, rows, cols int) int {
	c8 := cols &^ 7
	r := 0
	for ; r+8 <= rows; r += 8 {
		if c8 > 0 {
			transpose8AVX2(&dst[r], uintptr(4*ldd), &src[r*lds], uintptr(4*lds), uintptr(c8/8))
		}
		if c8 < cols {
			transposeGo(dst[c8*ldd+r:], ldd, src[r*lds+c8:], lds, 8, cols-c8)
		}
	}
	return rows - r
}

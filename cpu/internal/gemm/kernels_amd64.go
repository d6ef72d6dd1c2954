//go:build amd64 && !purego

package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

//go:generate go run -C ../../_asm . -out ../internal

func levelFor(l cpuid.Level) *level {
	switch l {
	case cpuid.AVX512:
		return &avx512
	case cpuid.AVX2:
		return &avx2
	default:
		return &generic
	}
}

var avx512 = level{
	f32: kernels[float32]{
		mr: 12, nr: 32, lane: 16, fence: fence,
		copyRows: copyRows512[float32],
		tiles: [2][][]kernel[float32]{
			{
				{nil, kernelAVX512rh1w16, kernelAVX512rh2w16, kernelAVX512rh3w16, kernelAVX512rh4w16, kernelAVX512rh5w16, kernelAVX512rh6w16, kernelAVX512rh7w16, kernelAVX512rh8w16, kernelAVX512rh9w16, kernelAVX512rh10w16, kernelAVX512rh11w16, kernelAVX512rh12w16},
				{nil, kernelAVX512rh1w32, kernelAVX512rh2w32, kernelAVX512rh3w32, kernelAVX512rh4w32, kernelAVX512rh5w32, kernelAVX512rh6w32, kernelAVX512rh7w32, kernelAVX512rh8w32, kernelAVX512rh9w32, kernelAVX512rh10w32, kernelAVX512rh11w32, kernelAVX512rh12w32},
			},
			{
				{nil, kernelAVX512dh1w16, kernelAVX512dh2w16, kernelAVX512dh3w16, kernelAVX512dh4w16, kernelAVX512dh5w16, kernelAVX512dh6w16, kernelAVX512dh7w16, kernelAVX512dh8w16, kernelAVX512dh9w16, kernelAVX512dh10w16, kernelAVX512dh11w16, kernelAVX512dh12w16},
				{nil, kernelAVX512dh1w32, kernelAVX512dh2w32, kernelAVX512dh3w32, kernelAVX512dh4w32, kernelAVX512dh5w32, kernelAVX512dh6w32, kernelAVX512dh7w32, kernelAVX512dh8w32, kernelAVX512dh9w32, kernelAVX512dh10w32, kernelAVX512dh11w32, kernelAVX512dh12w32},
			},
		},
	},
	f64: kernels[float64]{
		mr: 12, nr: 16, lane: 8, fence: fence,
		copyRows: copyRows512[float64],
		tiles: [2][][]kernel[float64]{
			{
				{nil, kernel64AVX512rh1w8, kernel64AVX512rh2w8, kernel64AVX512rh3w8, kernel64AVX512rh4w8, kernel64AVX512rh5w8, kernel64AVX512rh6w8, kernel64AVX512rh7w8, kernel64AVX512rh8w8, kernel64AVX512rh9w8, kernel64AVX512rh10w8, kernel64AVX512rh11w8, kernel64AVX512rh12w8},
				{nil, kernel64AVX512rh1w16, kernel64AVX512rh2w16, kernel64AVX512rh3w16, kernel64AVX512rh4w16, kernel64AVX512rh5w16, kernel64AVX512rh6w16, kernel64AVX512rh7w16, kernel64AVX512rh8w16, kernel64AVX512rh9w16, kernel64AVX512rh10w16, kernel64AVX512rh11w16, kernel64AVX512rh12w16},
			},
			{
				{nil, kernel64AVX512dh1w8, kernel64AVX512dh2w8, kernel64AVX512dh3w8, kernel64AVX512dh4w8, kernel64AVX512dh5w8, kernel64AVX512dh6w8, kernel64AVX512dh7w8, kernel64AVX512dh8w8, kernel64AVX512dh9w8, kernel64AVX512dh10w8, kernel64AVX512dh11w8, kernel64AVX512dh12w8},
				{nil, kernel64AVX512dh1w16, kernel64AVX512dh2w16, kernel64AVX512dh3w16, kernel64AVX512dh4w16, kernel64AVX512dh5w16, kernel64AVX512dh6w16, kernel64AVX512dh7w16, kernel64AVX512dh8w16, kernel64AVX512dh9w16, kernel64AVX512dh10w16, kernel64AVX512dh11w16, kernel64AVX512dh12w16},
			},
		},
	},
}

var avx2 = level{
	f32: kernels[float32]{
		mr: 6, nr: 16, lane: 8, fence: fence,
		tiles: [2][][]kernel[float32]{
			{
				{nil, kernelAVX2rh1w8, kernelAVX2rh2w8, kernelAVX2rh3w8, kernelAVX2rh4w8, kernelAVX2rh5w8, kernelAVX2rh6w8},
				{nil, kernelAVX2rh1w16, kernelAVX2rh2w16, kernelAVX2rh3w16, kernelAVX2rh4w16, kernelAVX2rh5w16, kernelAVX2rh6w16},
			},
			{
				{nil, kernelAVX2dh1w8, kernelAVX2dh2w8, kernelAVX2dh3w8, kernelAVX2dh4w8, kernelAVX2dh5w8, kernelAVX2dh6w8},
				{nil, kernelAVX2dh1w16, kernelAVX2dh2w16, kernelAVX2dh3w16, kernelAVX2dh4w16, kernelAVX2dh5w16, kernelAVX2dh6w16},
			},
		},
	},
	f64: kernels[float64]{
		mr: 6, nr: 8, lane: 4, fence: fence,
		tiles: [2][][]kernel[float64]{
			{
				{nil, kernel64AVX2rh1w4, kernel64AVX2rh2w4, kernel64AVX2rh3w4, kernel64AVX2rh4w4, kernel64AVX2rh5w4, kernel64AVX2rh6w4},
				{nil, kernel64AVX2rh1w8, kernel64AVX2rh2w8, kernel64AVX2rh3w8, kernel64AVX2rh4w8, kernel64AVX2rh5w8, kernel64AVX2rh6w8},
			},
			{
				{nil, kernel64AVX2dh1w4, kernel64AVX2dh2w4, kernel64AVX2dh3w4, kernel64AVX2dh4w4, kernel64AVX2dh5w4, kernel64AVX2dh6w4},
				{nil, kernel64AVX2dh1w8, kernel64AVX2dh2w8, kernel64AVX2dh3w8, kernel64AVX2dh4w8, kernel64AVX2dh5w8, kernel64AVX2dh6w8},
			},
		},
	},
}

// copyRows512 copies everything when cols fits two vectors, else nothing. The
// assembly moves words of 4 bytes, of which a float64 is two.
func copyRows512[T vec.Float](dst []T, ldd int, src []T, lds, rows, cols int) int {
	e := size[T]()
	words := cols * int(e) / 4
	if words > 32 {
		return rows
	}
	copyRowsAVX512((*float32)(unsafe.Pointer(&dst[0])), e*uintptr(ldd), (*float32)(unsafe.Pointer(&src[0])), e*uintptr(lds),
		uintptr(rows), 1<<words-1, e*uintptr(packRows*lds))
	return 0
}

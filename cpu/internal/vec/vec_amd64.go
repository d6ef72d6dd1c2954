//go:build amd64 && !purego

package vec

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

//go:generate go run -C ../../_asm . -out ../internal

func opsFor(level cpuid.Level) *Ops {
	switch level {
	case cpuid.AVX512:
		return &avx512
	case cpuid.AVX2:
		return &avx2
	default:
		return &generic
	}
}

var avx512 = Ops{
	level: cpuid.AVX512,
	add:   addAVX512, mul: mulAVX512, reluGrad: reluGradAVX512, relu: reluAVX512,
	scale: scaleAVX512, axpy: axpyAVX512, momentum: momentumAVX512, nesterov: nesterovAVX512, adam: adamAVX512,
	scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr){
		{scaleShiftAVX512, scaleShiftReLUAVX512}, {scaleShiftAddAVX512, scaleShiftAddReLUAVX512},
	},
	normGrad: normGradAVX512, colSum: colSumAVX512, colMoments: colMomentsAVX512, colNormGrad: colNormGradAVX512,
	dot: func(x, y *float32, n uintptr) float32 {
		var lanes [16]float32
		dotAVX512(&lanes[0], x, y, n)
		return pairwise(lanes[:])
	},
}

var avx2 = Ops{
	level: cpuid.AVX2,
	add:   addAVX2, mul: mulAVX2, reluGrad: reluGradAVX2, relu: reluAVX2,
	scale: scaleAVX2, axpy: axpyAVX2, momentum: momentumAVX2, nesterov: nesterovAVX2, adam: adamAVX2,
	scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr){
		{scaleShiftAVX2, scaleShiftReLUAVX2}, {scaleShiftAddAVX2, scaleShiftAddReLUAVX2},
	},
	normGrad: normGradAVX2, colSum: colSumAVX2, colMoments: colMomentsAVX2, colNormGrad: colNormGradAVX2,
	dot: func(x, y *float32, n uintptr) float32 {
		var lanes [8]float32
		dotAVX2(&lanes[0], x, y, n)
		return pairwise(lanes[:])
	},
}

// pairwise sums a power of two of elements as a tree.
func pairwise(x []float32) float32 {
	for len(x) > 1 {
		half := len(x) / 2
		for i := range half {
			x[i] += x[half+i]
		}
		x = x[:half]
	}
	return x[0]
}

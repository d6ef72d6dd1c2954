//go:build amd64 && !purego

package vec

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

//go:generate go run -C ../../_asm . -out ../internal

var avx512 = both{
	f32: Ops[float32]{
		level: cpuid.AVX512,
		add:   addAVX512, mul: mulAVX512, reluGrad: reluGradAVX512, relu: reluAVX512,
		scale: scaleAVX512, axpy: axpyAVX512, adam: adamAVX512,
		momentum:      [2]func(w, v, g *float32, n uintptr, lr, mu float32){momentumAVX512, nesterovAVX512},
		momentumDecay: [2]func(w, v, g *float32, n uintptr, lr, mu, decay float32){momentumDecayAVX512, nesterovDecayAVX512},
		momentumSquares: [2]func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32{
			func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32 {
				var lanes [16]float32
				momentumDecaySquaresAVX512(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
			func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32 {
				var lanes [16]float32
				nesterovDecaySquaresAVX512(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
		},
		scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr){
			{scaleShiftAVX512, scaleShiftReLUAVX512}, {scaleShiftAddAVX512, scaleShiftAddReLUAVX512},
		},
		normGrad: normGradAVX512, normGradReLU: normGradReLUAVX512, normGradBound: normGradBoundAVX512, colSum: colSumAVX512, colMoments: colMomentsAVX512,
		colNormGrad: colNormGradAVX512, colNormGradReLU: colNormGradReLUAVX512, colNormGradBound: colNormGradBoundAVX512, colNormGradJoin: colNormGradJoinAVX512,
		dot: func(x, y *float32, n uintptr) float32 {
			var lanes [16]float32
			dotAVX512(&lanes[0], x, y, n)
			return pairwise(lanes[:])
		},
		minus: minusAVX512,
		sum: func(x *float32, n uintptr) float32 {
			var lanes [16]float32
			sumAVX512(&lanes[0], x, n)
			return pairwise(lanes[:])
		},
		top: func(x *float32, n uintptr) float32 {
			var lanes [16]float32
			lowest(lanes[:])
			topAVX512(&lanes[0], x, n&^15)
			topAVX512(&lanes[0], &in(x, n)[n-16], 16) // some of them once more
			return topGo(&lanes[0], 16)
		},
		moments: func(x *float32, n uintptr, mean float32) (float32, float32) {
			var lanes [32]float32
			momentsAVX512(&lanes[0], x, n, mean)
			return pairwise(lanes[:16]), pairwise(lanes[16:])
		},
		normRow: normRowAVX512,
		normRowSums: func(dscale, dshift, dy, x, scale *float32, n uintptr, mean, low, inverse float32) (float32, float32) {
			var lanes [32]float32
			normRowSumsAVX512(&lanes[0], dscale, dshift, dy, x, scale, n, mean, low, inverse)
			return pairwise(lanes[:16]), pairwise(lanes[16:])
		},
		normRowGrad: normRowGradAVX512, normRowGradAdd: normRowGradAddAVX512,
		transpose: transposeAVX2, side: 8,
	},
	f64: Ops[float64]{
		level: cpuid.AVX512,
		add:   add64AVX512, mul: mul64AVX512, reluGrad: reluGrad64AVX512, relu: relu64AVX512,
		scale: scale64AVX512, axpy: axpy64AVX512, adam: adam64AVX512,
		momentum:      [2]func(w, v, g *float64, n uintptr, lr, mu float64){momentum64AVX512, nesterov64AVX512},
		momentumDecay: [2]func(w, v, g *float64, n uintptr, lr, mu, decay float64){momentumDecay64AVX512, nesterovDecay64AVX512},
		momentumSquares: [2]func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64{
			func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64 {
				var lanes [8]float64
				momentumDecaySquares64AVX512(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
			func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64 {
				var lanes [8]float64
				nesterovDecaySquares64AVX512(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
		},
		scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float64, rows, c uintptr){
			{scaleShift64AVX512, scaleShiftReLU64AVX512}, {scaleShiftAdd64AVX512, scaleShiftAddReLU64AVX512},
		},
		normGrad: normGrad64AVX512, normGradReLU: normGradReLU64AVX512, normGradBound: normGradBound64AVX512, colSum: colSum64AVX512, colMoments: colMoments64AVX512,
		colNormGrad: colNormGrad64AVX512, colNormGradReLU: colNormGradReLU64AVX512, colNormGradBound: colNormGradBound64AVX512, colNormGradJoin: colNormGradJoin64AVX512,
		dot: func(x, y *float64, n uintptr) float64 {
			var lanes [8]float64
			dot64AVX512(&lanes[0], x, y, n)
			return pairwise(lanes[:])
		},
		minus: minus64AVX512,
		sum: func(x *float64, n uintptr) float64 {
			var lanes [8]float64
			sum64AVX512(&lanes[0], x, n)
			return pairwise(lanes[:])
		},
		top: func(x *float64, n uintptr) float64 {
			var lanes [8]float64
			lowest(lanes[:])
			top64AVX512(&lanes[0], x, n&^7)
			top64AVX512(&lanes[0], &in(x, n)[n-8], 8) // some of them once more
			return topGo(&lanes[0], 8)
		},
		moments: func(x *float64, n uintptr, mean float64) (float64, float64) {
			var lanes [16]float64
			moments64AVX512(&lanes[0], x, n, mean)
			return pairwise(lanes[:8]), pairwise(lanes[8:])
		},
		normRow: normRow64AVX512,
		normRowSums: func(dscale, dshift, dy, x, scale *float64, n uintptr, mean, low, inverse float64) (float64, float64) {
			var lanes [16]float64
			normRowSums64AVX512(&lanes[0], dscale, dshift, dy, x, scale, n, mean, low, inverse)
			return pairwise(lanes[:8]), pairwise(lanes[8:])
		},
		normRowGrad: normRowGrad64AVX512, normRowGradAdd: normRowGradAdd64AVX512,
		transpose: transpose64AVX2, side: 4,
	},
}

var avx2 = both{
	f32: Ops[float32]{
		level: cpuid.AVX2,
		add:   addAVX2, mul: mulAVX2, reluGrad: reluGradAVX2, relu: reluAVX2,
		scale: scaleAVX2, axpy: axpyAVX2, adam: adamAVX2,
		momentum:      [2]func(w, v, g *float32, n uintptr, lr, mu float32){momentumAVX2, nesterovAVX2},
		momentumDecay: [2]func(w, v, g *float32, n uintptr, lr, mu, decay float32){momentumDecayAVX2, nesterovDecayAVX2},
		momentumSquares: [2]func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32{
			func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32 {
				var lanes [8]float32
				momentumDecaySquaresAVX2(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
			func(w, v, g *float32, n uintptr, lr, mu, decay float32) float32 {
				var lanes [8]float32
				nesterovDecaySquaresAVX2(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
		},
		scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr){
			{scaleShiftAVX2, scaleShiftReLUAVX2}, {scaleShiftAddAVX2, scaleShiftAddReLUAVX2},
		},
		normGrad: normGradAVX2, normGradReLU: normGradReLUAVX2, normGradBound: normGradBoundAVX2, colSum: colSumAVX2, colMoments: colMomentsAVX2,
		colNormGrad: colNormGradAVX2, colNormGradReLU: colNormGradReLUAVX2, colNormGradBound: colNormGradBoundAVX2, colNormGradJoin: colNormGradJoinAVX2,
		dot: func(x, y *float32, n uintptr) float32 {
			var lanes [8]float32
			dotAVX2(&lanes[0], x, y, n)
			return pairwise(lanes[:])
		},
		minus: minusAVX2,
		sum: func(x *float32, n uintptr) float32 {
			var lanes [8]float32
			sumAVX2(&lanes[0], x, n)
			return pairwise(lanes[:])
		},
		top: func(x *float32, n uintptr) float32 {
			var lanes [8]float32
			lowest(lanes[:])
			topAVX2(&lanes[0], x, n&^7)
			topAVX2(&lanes[0], &in(x, n)[n-8], 8) // some of them once more
			return topGo(&lanes[0], 8)
		},
		moments: func(x *float32, n uintptr, mean float32) (float32, float32) {
			var lanes [16]float32
			momentsAVX2(&lanes[0], x, n, mean)
			return pairwise(lanes[:8]), pairwise(lanes[8:])
		},
		normRow: normRowAVX2,
		normRowSums: func(dscale, dshift, dy, x, scale *float32, n uintptr, mean, low, inverse float32) (float32, float32) {
			var lanes [16]float32
			normRowSumsAVX2(&lanes[0], dscale, dshift, dy, x, scale, n, mean, low, inverse)
			return pairwise(lanes[:8]), pairwise(lanes[8:])
		},
		normRowGrad: normRowGradAVX2, normRowGradAdd: normRowGradAddAVX2,
		transpose: transposeAVX2, side: 8,
	},
	f64: Ops[float64]{
		level: cpuid.AVX2,
		add:   add64AVX2, mul: mul64AVX2, reluGrad: reluGrad64AVX2, relu: relu64AVX2,
		scale: scale64AVX2, axpy: axpy64AVX2, adam: adam64AVX2,
		momentum:      [2]func(w, v, g *float64, n uintptr, lr, mu float64){momentum64AVX2, nesterov64AVX2},
		momentumDecay: [2]func(w, v, g *float64, n uintptr, lr, mu, decay float64){momentumDecay64AVX2, nesterovDecay64AVX2},
		momentumSquares: [2]func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64{
			func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64 {
				var lanes [4]float64
				momentumDecaySquares64AVX2(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
			func(w, v, g *float64, n uintptr, lr, mu, decay float64) float64 {
				var lanes [4]float64
				nesterovDecaySquares64AVX2(&lanes[0], w, v, g, n, lr, mu, decay)
				return pairwise(lanes[:])
			},
		},
		scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float64, rows, c uintptr){
			{scaleShift64AVX2, scaleShiftReLU64AVX2}, {scaleShiftAdd64AVX2, scaleShiftAddReLU64AVX2},
		},
		normGrad: normGrad64AVX2, normGradReLU: normGradReLU64AVX2, normGradBound: normGradBound64AVX2, colSum: colSum64AVX2, colMoments: colMoments64AVX2,
		colNormGrad: colNormGrad64AVX2, colNormGradReLU: colNormGradReLU64AVX2, colNormGradBound: colNormGradBound64AVX2, colNormGradJoin: colNormGradJoin64AVX2,
		dot: func(x, y *float64, n uintptr) float64 {
			var lanes [4]float64
			dot64AVX2(&lanes[0], x, y, n)
			return pairwise(lanes[:])
		},
		minus: minus64AVX2,
		sum: func(x *float64, n uintptr) float64 {
			var lanes [4]float64
			sum64AVX2(&lanes[0], x, n)
			return pairwise(lanes[:])
		},
		top: func(x *float64, n uintptr) float64 {
			var lanes [4]float64
			lowest(lanes[:])
			top64AVX2(&lanes[0], x, n&^3)
			top64AVX2(&lanes[0], &in(x, n)[n-4], 4) // some of them once more
			return topGo(&lanes[0], 4)
		},
		moments: func(x *float64, n uintptr, mean float64) (float64, float64) {
			var lanes [8]float64
			moments64AVX2(&lanes[0], x, n, mean)
			return pairwise(lanes[:4]), pairwise(lanes[4:])
		},
		normRow: normRow64AVX2,
		normRowSums: func(dscale, dshift, dy, x, scale *float64, n uintptr, mean, low, inverse float64) (float64, float64) {
			var lanes [8]float64
			normRowSums64AVX2(&lanes[0], dscale, dshift, dy, x, scale, n, mean, low, inverse)
			return pairwise(lanes[:4]), pairwise(lanes[4:])
		},
		normRowGrad: normRowGrad64AVX2, normRowGradAdd: normRowGradAdd64AVX2,
		transpose: transpose64AVX2, side: 4,
	},
}

// pairwise sums 4, 8 or 16 elements as a tree.
func pairwise[T Float](x []T) T {
	if len(x) == 16 {
		y, z := (*[8]T)(x), (*[8]T)(x[8:])
		for i := range y {
			y[i] += z[i]
		}
		x = x[:8]
	}
	if len(x) == 8 {
		y := (*[8]T)(x)
		return (y[0] + y[4] + (y[2] + y[6])) + (y[1] + y[5] + (y[3] + y[7]))
	}
	y := (*[4]T)(x)
	return (y[0] + y[2]) + (y[1] + y[3])
}

// lowest fills x with −Inf.
func lowest[T Float](x []T) {
	for i := range x {
		x[i] = T(math.Inf(-1))
	}
}

//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// tapsFor returns the assembly of a level.
func tapsFor(l cpuid.Level) (f32 tapLoops[float32], f64 tapLoops[float64]) {
	switch min(l, cpuid.Best()) {
	case cpuid.AVX512:
		f32.sum = [...]tapSum[float32]{sumTapsAVX512, sumTapsOf1AVX512, sumTapsOf4AVX512}
		f32.pixels = [...][]pixelLoop[float32]{{
			{7, sumPixels7AVX512, sumPixels7AheadAVX512},
			{5, sumPixels5AVX512, sumPixels5AheadAVX512},
			{3, sumPixels3AVX512, sumPixels3AheadAVX512},
			{1, sumPixels1AVX512, sumPixels1AheadAVX512},
		},
			{{16, sumPixelsOf1x16AVX512, nil}, {4, sumPixelsOf1x4AVX512, nil}, {1, sumPixelsOf1x1AVX512, nil}}, {{4, sumPixelsOf4AVX512, nil}}}
		f64.sum = [...]tapSum[float64]{sumTaps64AVX512, sumTapsOf164AVX512, sumTapsOf464AVX512}
		f64.pixels = [...][]pixelLoop[float64]{{
			{7, sumPixels764AVX512, sumPixels7Ahead64AVX512},
			{5, sumPixels564AVX512, sumPixels5Ahead64AVX512},
			{3, sumPixels364AVX512, sumPixels3Ahead64AVX512},
			{1, sumPixels164AVX512, sumPixels1Ahead64AVX512},
		},
			{{16, sumPixelsOf1x1664AVX512, nil}, {4, sumPixelsOf1x464AVX512, nil}, {1, sumPixelsOf1x164AVX512, nil}}, {{4, sumPixelsOf464AVX512, nil}}}
	case cpuid.AVX2:
		f32.sum = [...]tapSum[float32]{sumTapsAVX2, sumTapsOf1AVX2, sumTapsOf4AVX2}
		f32.pixels = [...][]pixelLoop[float32]{{
			{7, sumPixels7AVX2, sumPixels7AheadAVX2},
			{5, sumPixels5AVX2, sumPixels5AheadAVX2},
			{3, sumPixels3AVX2, sumPixels3AheadAVX2},
			{1, sumPixels1AVX2, sumPixels1AheadAVX2},
		},
			{{8, sumPixelsOf1x8AVX2, nil}, {4, sumPixelsOf1x4AVX2, nil}, {1, sumPixelsOf1x1AVX2, nil}}, {{4, sumPixelsOf4AVX2, nil}}}
		f64.sum = [...]tapSum[float64]{sumTaps64AVX2, sumTapsOf164AVX2, sumTapsOf464AVX2}
		f64.pixels = [...][]pixelLoop[float64]{{
			{7, sumPixels764AVX2, sumPixels7Ahead64AVX2},
			{5, sumPixels564AVX2, sumPixels5Ahead64AVX2},
			{3, sumPixels364AVX2, sumPixels3Ahead64AVX2},
			{1, sumPixels164AVX2, sumPixels1Ahead64AVX2},
		},
			{{8, sumPixelsOf1x864AVX2, nil}, {4, sumPixelsOf1x464AVX2, nil}, {1, sumPixelsOf1x164AVX2, nil}}, {{4, sumPixelsOf464AVX2, nil}}}
	}
	return f32, f64
}

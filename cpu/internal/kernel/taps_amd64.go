//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// tapsFor returns the assembly of a level.
func tapsFor(l cpuid.Level) (f32 tapLoops[float32], f64 tapLoops[float64]) {
	switch min(l, cpuid.Best()) {
	case cpuid.AVX512:
		f32.sum[0], f32.sum[1] = sumTapsAVX512, sumTapsOf1AVX512
		f32.pixels[0], f32.pixels[1], f32.more[0], f32.more[1] = sumPixels1AVX512, sumPixelsOf1x1AVX512, sumPixels3AVX512, sumPixelsOf1x4AVX512
		f64.sum[0], f64.sum[1] = sumTaps64AVX512, sumTapsOf164AVX512
		f64.pixels[0], f64.pixels[1], f64.more[0], f64.more[1] = sumPixels164AVX512, sumPixelsOf1x164AVX512, sumPixels364AVX512, sumPixelsOf1x464AVX512
	case cpuid.AVX2:
		f32.sum[0], f32.sum[1] = sumTapsAVX2, sumTapsOf1AVX2
		f32.pixels[0], f32.pixels[1], f32.more[0], f32.more[1] = sumPixels1AVX2, sumPixelsOf1x1AVX2, sumPixels3AVX2, sumPixelsOf1x4AVX2
		f64.sum[0], f64.sum[1] = sumTaps64AVX2, sumTapsOf164AVX2
		f64.pixels[0], f64.pixels[1], f64.more[0], f64.more[1] = sumPixels164AVX2, sumPixelsOf1x164AVX2, sumPixels364AVX2, sumPixelsOf1x464AVX2
	}
	return f32, f64
}

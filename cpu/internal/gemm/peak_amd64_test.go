//go:build amd64 && !purego

package gemm

import (
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// BenchmarkPeak measures this core's FMA ceiling, to be held against
// BenchmarkGemm of the same run.
func BenchmarkPeak(b *testing.B) {
	const n = 10000
	run := func(name string, lanes int, peak func(uint64)) {
		b.Run(name, func(b *testing.B) { measure(b, 1, 2*lanes*12*n, func() { peak(n) }) })
	}
	if cpuid.Best() >= cpuid.AVX2 {
		run("float32/avx2", 8, peakAVX2)
		run("float64/avx2", 4, peak64AVX2)
	}
	if cpuid.Best() >= cpuid.AVX512 {
		run("float32/avx512", 16, peakAVX512)
		run("float64/avx512", 8, peak64AVX512)
	}
	if cpuid.HasBF16() {
		run("bf16", 32, peakBF16)
	}
}

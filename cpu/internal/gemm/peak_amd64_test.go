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
	if cpuid.Best() >= cpuid.AVX2 {
		b.Run("avx2", func(b *testing.B) { measure(b, 1, 2*8*12*n, func() { peakAVX2(n) }) })
	}
	if cpuid.Best() >= cpuid.AVX512 {
		b.Run("avx512", func(b *testing.B) { measure(b, 1, 2*16*12*n, func() { peakAVX512(n) }) })
	}
}

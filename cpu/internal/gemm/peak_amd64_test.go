//go:build amd64 && !purego

package gemm

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// The loops of the assembly have as many multiplications with additions as Peak says.
func TestPeakAccumulators(t *testing.T) {
	add := regexp.MustCompile(`V(FMADD231P[SD]|DPBF16PS) `)
	for _, isa := range []string{"kernels_avx2", "kernels64_avx2", "kernels_avx512", "kernels64_avx512", "kernels_bf16"} {
		source, err := os.ReadFile(isa + "_amd64.s")
		require.NoError(t, err)
		_, loop, found := strings.Cut(string(source), "·peak")
		require.True(t, found, isa)
		loop, _, _ = strings.Cut(loop, "RET")
		require.Len(t, add.FindAllString(loop, -1), peakAccumulators, isa)
	}
}

// BenchmarkPeak measures this core's FMA ceiling, to be held against
// BenchmarkGemm of the same run.
func BenchmarkPeak(b *testing.B) {
	const n = 10000
	run := func(name string, lanes int, peak func(uint64)) {
		b.Run(name, func(b *testing.B) { measure(b, 1, 2*lanes*peakAccumulators*n, func() { peak(n) }) })
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

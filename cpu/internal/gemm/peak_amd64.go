//go:build amd64 && !purego

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

func peakOf(l cpuid.Level) (func(rounds uint64), int) {
	const lanes512, lanes256 = 16, 8
	switch l {
	case cpuid.AVX512:
		return peakAVX512, 2 * peakAccumulators * lanes512
	case cpuid.AVX2:
		return peakAVX2, 2 * peakAccumulators * lanes256
	}
	return peakGeneric, 2 * peakAccumulators
}

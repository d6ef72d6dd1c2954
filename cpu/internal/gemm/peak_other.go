//go:build !amd64 || purego

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

func peakOf(cpuid.Level) (func(rounds uint64), int) { return peakGeneric, 2 * peakAccumulators }

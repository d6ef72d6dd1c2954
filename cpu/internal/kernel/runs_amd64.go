//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

//go:generate go run -C ../../_asm . -out ../internal

// runsFor returns the assembly of a level: a copy takes up to four vectors a run, a maximum one.
func runsFor(l cpuid.Level) (f32 runLoops[float32], f64 runLoops[float64]) {
	switch min(l, cpuid.Best()) {
	case cpuid.AVX512:
		return runLoops[float32]{64, 16, copyRunsAVX512, maxRunsAVX512, maxWindowsAVX512, routeWindowsAVX512},
			runLoops[float64]{64, 8, copyRunsAVX512, maxRuns64AVX512, maxWindows64AVX512, routeWindows64AVX512}
	case cpuid.AVX2:
		return runLoops[float32]{32, 8, copyRunsAVX2, maxRunsAVX2, maxWindowsAVX2, routeWindowsAVX2},
			runLoops[float64]{32, 4, copyRunsAVX2, maxRuns64AVX2, maxWindows64AVX2, routeWindows64AVX2}
	}
	return f32, f64
}

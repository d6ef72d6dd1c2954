//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// copyRunsAVX512 copies runs (at least 1) of up to 64 elements, one bit of mask each, ldd and lds bytes apart.
//
//go:noescape
func copyRunsAVX512(dst *float32, ldd uintptr, src *float32, lds uintptr, runs uintptr, mask uint64)

// fastRuns is the longest run that copyRuns hands to assembly: 64, or 0 without AVX-512. Tests lower it to force the
// plain twin.
var fastRuns = func() int {
	if level, _ := cpuid.Default(); level >= cpuid.AVX512 {
		return 64
	}
	return 0
}()

// copyRuns copies count runs of n elements, ld apart in dst and step apart in src.
func copyRuns(dst []float32, ld int, src []float32, step, count, n int) {
	if n > fastRuns || n == 0 || count <= 0 {
		copyRunsGo(dst, ld, src, step, count, n)
		return
	}
	_ = dst[(count-1)*ld+n-1]
	_ = src[(count-1)*step+n-1]
	copyRunsAVX512(&dst[0], uintptr(4*ld), &src[0], uintptr(4*step), uintptr(count), ^uint64(0)>>(64-n))
}

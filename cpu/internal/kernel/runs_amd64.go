//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// The assembly works on runs of elements, at least 1 of them, with one bit of mask an element and strides in bytes.

// copyRunsAVX512 copies runs of up to 64 elements.
//
//go:noescape
func copyRunsAVX512(dst *float32, ldd uintptr, src *float32, lds uintptr, runs uintptr, mask uint64)

// maxRunsAVX512 is dst = max(dst, src) for runs of up to 16 elements.
//
//go:noescape
func maxRunsAVX512(dst *float32, ldd uintptr, src *float32, lds uintptr, runs uintptr, mask uint64)

// routeRunsAVX512 adds left to dx and clears it wherever x is the maximum y, for runs of up to 16 elements.
//
//go:noescape
func routeRunsAVX512(dx, x *float32, ldx uintptr, left, y *float32, ldy, ldl, runs uintptr, mask uint64)

// fast says whether the assembly is used. Tests turn it off to force the plain twins.
var fast = level >= cpuid.AVX512

// copyRuns copies count runs of n elements, ldd apart in dst and lds apart in src.
func copyRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	if !fast || n > 64 || n <= 0 || count <= 0 {
		copyRunsGo(dst, ldd, src, lds, count, n)
		return
	}
	_ = dst[(count-1)*ldd+n-1]
	_ = src[(count-1)*lds+n-1]
	copyRunsAVX512(&dst[0], uintptr(4*ldd), &src[0], uintptr(4*lds), uintptr(count), ^uint64(0)>>(64-n))
}

// maxRuns is dst = max(dst, src), where NaN counts as the largest number, for count runs of n elements.
func maxRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	if !fast || n <= 0 || count <= 0 {
		maxRunsGo(dst, ldd, src, lds, count, n)
		return
	}
	_ = dst[(count-1)*ldd+n-1]
	_ = src[(count-1)*lds+n-1]
	for i := 0; i < n; i += 16 {
		maxRunsAVX512(&dst[i], uintptr(4*ldd), &src[i], uintptr(4*lds), uintptr(count), lanes(n-i))
	}
}

// routeRuns adds left to dx and clears it wherever x is the maximum y, for count runs of n elements: ldx apart in dx
// and x, ldy in y, ldl in left.
func routeRuns(dx, x []float32, ldx int, left, y []float32, ldy, ldl, count, n int) {
	if !fast || n <= 0 || count <= 0 {
		routeRunsGo(dx, x, ldx, left, y, ldy, ldl, count, n)
		return
	}
	_, _ = dx[(count-1)*ldx+n-1], x[(count-1)*ldx+n-1]
	_, _ = y[(count-1)*ldy+n-1], left[(count-1)*ldl+n-1]
	for i := 0; i < n; i += 16 {
		routeRunsAVX512(&dx[i], &x[i], uintptr(4*ldx), &left[i], &y[i], uintptr(4*ldy), uintptr(4*ldl), uintptr(count), lanes(n-i))
	}
}

// lanes is the mask of the first n of 16 elements.
func lanes(n int) uint64 { return 1<<min(n, 16) - 1 }

//go:build amd64 && !purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

//go:generate go run -C ../../_asm . -out ../internal

// The assembly takes runs of at least 1 element and strides in bytes. Its vectors have 16 lanes with AVX-512 and 8 with
// AVX2; a copy takes up to four vectors a run, the others one. It checks no bounds: the functions below do.

// copyRuns copies count runs of n elements, ldd apart in dst and lds apart in src.
func copyRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	level := ops.Level()
	if n <= 0 || count <= 0 || level == cpuid.Generic || n > 64 || level == cpuid.AVX2 && n > 32 {
		copyRunsGo(dst, ldd, src, lds, count, n)
		return
	}
	_ = dst[(count-1)*ldd+n-1]
	_ = src[(count-1)*lds+n-1]
	if level == cpuid.AVX512 {
		copyRunsAVX512(&dst[0], uintptr(4*ldd), &src[0], uintptr(4*lds), uintptr(count), uintptr(n))
	} else {
		copyRunsAVX2(&dst[0], uintptr(4*ldd), &src[0], uintptr(4*lds), uintptr(count), uintptr(n))
	}
}

// maxRuns is dst = max(dst, src), where NaN counts as the largest number, for count runs of n elements.
func maxRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	level := ops.Level()
	if n <= 0 || count <= 0 || level == cpuid.Generic {
		maxRunsGo(dst, ldd, src, lds, count, n)
		return
	}
	_ = dst[(count-1)*ldd+n-1]
	_ = src[(count-1)*lds+n-1]
	if level == cpuid.AVX512 {
		for i := 0; i < n; i += 16 {
			maxRunsAVX512(&dst[i], uintptr(4*ldd), &src[i], uintptr(4*lds), uintptr(count), uintptr(min(n-i, 16)))
		}
		return
	}
	for i := 0; i < n; i += 8 {
		maxRunsAVX2(&dst[i], uintptr(4*ldd), &src[i], uintptr(4*lds), uintptr(count), uintptr(min(n-i, 8)))
	}
}

// routeRuns adds left to dx and clears it wherever x is the maximum y, for count runs of n elements: ldx apart in dx
// and x, ldy in y, ldl in left.
func routeRuns(dx, x []float32, ldx int, left, y []float32, ldy, ldl, count, n int) {
	level := ops.Level()
	if n <= 0 || count <= 0 || level == cpuid.Generic {
		routeRunsGo(dx, x, ldx, left, y, ldy, ldl, count, n)
		return
	}
	_, _ = dx[(count-1)*ldx+n-1], x[(count-1)*ldx+n-1]
	_, _ = y[(count-1)*ldy+n-1], left[(count-1)*ldl+n-1]
	bx, by, bl, runs := uintptr(4*ldx), uintptr(4*ldy), uintptr(4*ldl), uintptr(count)
	if level == cpuid.AVX512 {
		for i := 0; i < n; i += 16 {
			routeRunsAVX512(&dx[i], &x[i], bx, &left[i], &y[i], by, bl, runs, uintptr(min(n-i, 16)))
		}
		return
	}
	for i := 0; i < n; i += 8 {
		routeRunsAVX2(&dx[i], &x[i], bx, &left[i], &y[i], by, bl, runs, uintptr(min(n-i, 8)))
	}
}

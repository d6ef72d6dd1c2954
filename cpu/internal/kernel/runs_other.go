//go:build !amd64 || purego

package kernel

// copyRuns copies count runs of n elements, ldd apart in dst and lds apart in src.
func copyRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	copyRunsGo(dst, ldd, src, lds, count, n)
}

// maxRuns is dst = max(dst, src), where NaN counts as the largest number, for count runs of n elements.
func maxRuns(dst []float32, ldd int, src []float32, lds, count, n int) {
	maxRunsGo(dst, ldd, src, lds, count, n)
}

// routeRuns adds left to dx and clears it wherever x is the maximum y, for count runs of n elements: ldx apart in dx
// and x, ldy in y, ldl in left.
func routeRuns(dx, x []float32, ldx int, left, y []float32, ldy, ldl, count, n int) {
	routeRunsGo(dx, x, ldx, left, y, ldy, ldl, count, n)
}

package kernel

import "math"

// Runs are short stretches of neighbouring elements, mostly the channels of a pixel, at equal distances. The loops over
// them have assembly twins (runs_amd64.s).

// copyRunsGo is the plain twin of copyRuns, and its form for long runs.
func copyRunsGo(dst []float32, ld int, src []float32, step, count, n int) {
	for q := range count {
		d, s := dst[q*ld:q*ld+n], src[q*step:q*step+n]
		if n >= 48 {
			copy(d, s)
			continue
		}
		for len(d) >= 4 { // a call of memmove would cost more than the run
			*(*[4]float32)(d) = *(*[4]float32)(s)
			d, s = d[4:], s[4:]
		}
		for i := range d {
			d[i] = s[i]
		}
	}
}

// zeroRuns clears count runs of n elements, ld apart.
func zeroRuns(dst []float32, ld, count, n int) {
	for range count - 1 {
		clear(dst[:n])
		dst = dst[ld:]
	}
	clear(dst[:n])
}

// maxRunsGo is the plain twin of maxRuns.
func maxRunsGo(dst []float32, ldd int, src []float32, lds, count, n int) {
	for q := range count {
		d, s := dst[q*ldd:q*ldd+n], src[q*lds:q*lds+n]
		for i, v := range s {
			d[i] = max(d[i], v) // hands NaN on
		}
	}
}

// routeRunsGo is the plain twin of routeRuns. It has no branches: where the maximum lies is random, and a mispredicted
// branch costs more than the loop.
func routeRunsGo(dx, x []float32, ldx int, left, y []float32, ldy, ldl, count, n int) {
	for q := range count {
		d, s := dx[q*ldx:q*ldx+n], x[q*ldx:q*ldx+n]
		rest, top := left[q*ldl:q*ldl+n], y[q*ldy:q*ldy+n]
		for i, v := range s {
			var hit, nan uint32
			if v == top[i] {
				hit = 1
			}
			if v != v {
				nan = 1
			}
			r := math.Float32bits(rest[i])
			take := r & -(hit | nan)
			rest[i] = math.Float32frombits(r ^ take)
			d[i] += math.Float32frombits(take)
		}
	}
}

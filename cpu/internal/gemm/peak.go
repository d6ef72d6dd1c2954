package gemm

import (
	"runtime"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// Peak returns a loop of nothing but multiplications with additions of float32, as
// many at once as the level's registers allow, and the operations of one round of
// it: the ceiling of every product. A level above what the machine has is lowered
// to cpuid.Best.
func Peak(level cpuid.Level) (run func(rounds uint64), flops int) {
	return peakOf(min(level, cpuid.Best()))
}

// peakAccumulators is how many sums the loops keep apart, so that none waits for
// another: peakGeneric, and what the generator writes.
const peakAccumulators = 12

// peakFactor is a variable, so that the compiler computes what peakGeneric asks for.
var peakFactor float32 = 1

// peakGeneric is the loop in plain Go.
func peakGeneric(rounds uint64) {
	var a, b, c, d, e, f, g, h, i, j, k, l float32
	x, y := peakFactor, peakFactor
	for range rounds {
		a = a*x + y
		b = b*x + y
		c = c*x + y
		d = d*x + y
		e = e*x + y
		f = f*x + y
		g = g*x + y
		h = h*x + y
		i = i*x + y
		j = j*x + y
		k = k*x + y
		l = l*x + y
	}
	runtime.KeepAlive(a + b + c + d + e + f + g + h + i + j + k + l) // or the compiler would leave the loop out
}

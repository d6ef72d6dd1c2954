package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// level is the instruction set of this process, the same for all kernels, chosen when it starts. An unknown name in the
// environment is reported where the engine is opened.
var level, _ = cpuid.Default()

// Level is the instruction set of the kernels.
func Level() cpuid.Level { return level }

// Float is the element types of the kernels.
type Float = vec.Float

// loops are the loops of one level: those over vectors, those over runs, and those over the taps of windows.
type loops[T Float] struct {
	*vec.Ops[T]
	runs runLoops[T]
	taps tapLoops[T]
}

// inUse has the loops of that level for both element types. Tests put other levels' here.
var inUse = loopsFor(level)

type loopsOfBoth struct {
	f32 loops[float32]
	f64 loops[float64]
}

func loopsFor(l cpuid.Level) loopsOfBoth {
	runs32, runs64 := runsFor(l)
	taps32, taps64 := tapsFor(l)
	return loopsOfBoth{loops[float32]{vec.For[float32](l), runs32, taps32}, loops[float64]{vec.For[float64](l), runs64, taps64}}
}

// ops are the loops in use for an element type.
func ops[T Float]() *loops[T] {
	if o, ok := any(&inUse.f32).(*loops[T]); ok {
		return o
	}
	return any(&inUse.f64).(*loops[T])
}

func relu[T Float](y, x []T)            { ops[T]().ReLU(y, x) }
func reluGrad[T Float](dx, y, dy []T)   { ops[T]().ReLUGrad(dx, y, dy) }
func scale[T Float](y, x []T, factor T) { ops[T]().Scale(y, factor, x) }
func add[T Float](y, a, b []T)          { ops[T]().Add(y, a, b) }
func mul[T Float](y, a, b []T)          { ops[T]().Mul(y, a, b) }

// loopBlock is the number of elements that a loop of several sweeps handles at a time: they stay in the first-level
// cache.
const loopBlock = 1024

// same says whether two slices of equal length are the same memory.
func same[T Float](a, b []T) bool { return len(a) == 0 || &a[0] == &b[0] }

// moveTo copies src to dst unless it is there already.
func moveTo[T Float](dst, src []T) {
	if !same(dst, src) {
		copy(dst, src)
	}
}

// axpy is y = a + f·b; y may be a or b.
func axpy[T Float](y, a, b []T, f T) {
	if same(y, b) && !same(y, a) {
		for i, v := range a {
			y[i] = v + f*b[i]
		}
		return
	}
	for len(y) > 0 {
		n := min(len(y), loopBlock)
		moveTo(y[:n], a[:n])
		ops[T]().Axpy(y[:n], f, b[:n])
		y, a, b = y[n:], a[n:], b[n:]
	}
}

// axpby is y = alpha·a + beta·b; y may be a or b.
func axpby[T Float](y, a, b []T, alpha, beta T) {
	if same(y, b) {
		if same(y, a) {
			for i, v := range a {
				y[i] = alpha*v + beta*v
			}
			return
		}
		a, b, alpha, beta = b, a, beta, alpha
	}
	for len(y) > 0 {
		n := min(len(y), loopBlock)
		ops[T]().Scale(y[:n], alpha, a[:n])
		ops[T]().Axpy(y[:n], beta, b[:n])
		y, a, b = y[n:], a[n:], b[n:]
	}
}

// columnSums adds the rows of x, each as long as acc, to acc.
func columnSums[T Float](acc, x []T) { ops[T]().ColSum(acc, x, len(acc), len(x)/len(acc)) }

// columnMoments adds the rows of x−origin to s and their squares to q.
func columnMoments[T Float](s, q, x, origin []T) {
	ops[T]().ColMoments(s, q, x, origin, len(s), len(x)/len(origin))
}

// scaleShiftRows is y = scale·(x−mean) + shift (+ z), then ReLU, for rows as long as shift; a nil z is 0.
func scaleShiftRows[T Float](y, x, z, mean, scale, shift []T, relu bool) {
	ops[T]().ScaleShift(y, x, z, mean, scale, shift, len(x)/len(shift), relu)
}

func mulAdd[T Float](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += a[i] * b[i]
	}
}

// sum adds in float64.
func sum[T Float](x []T) float64 { return sumFrom(x, 0) }

// sumFrom is Σ(x−from) in float64.
func sumFrom[T Float](x []T, from float64) float64 {
	var a, b, c, d float64 // four sums, so that the adder's latency does not bound the speed
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0]) - from
		b += float64(x[1]) - from
		c += float64(x[2]) - from
		d += float64(x[3]) - from
	}
	for _, v := range x {
		a += float64(v) - from
	}
	return (a + b) + (c + d)
}

// sumSquares is Σ(x−mean)² in float64.
func sumSquares[T Float](x []T, mean float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		p, q, r, s := float64(x[0])-mean, float64(x[1])-mean, float64(x[2])-mean, float64(x[3])-mean
		a += p * p
		b += q * q
		c += r * r
		d += s * s
	}
	for _, v := range x {
		p := float64(v) - mean
		a += p * p
	}
	return (a + b) + (c + d)
}

func scaleShift[T Float](y, x []T, mean, scale, shift T, relu bool) {
	for len(x) > 0 {
		n := min(len(x), loopBlock)
		to := y[:n]
		for i, v := range x[:n] {
			to[i] = (v-mean)*scale + shift
		}
		if relu {
			ops[T]().ReLU(to, to)
		}
		y, x = y[n:], x[n:]
	}
}

func scaleShiftAdd[T Float](y, x, z []T, mean, scale, shift T, relu bool) {
	for len(x) > 0 {
		n := min(len(x), loopBlock)
		to, add := y[:n], z[:n]
		for i, v := range x[:n] {
			to[i] = (v-mean)*scale + shift + add[i]
		}
		if relu {
			ops[T]().ReLU(to, to)
		}
		y, x, z = y[n:], x[n:], z[n:]
	}
}

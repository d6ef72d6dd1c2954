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

// ops are the vector loops of that level, which is also that of the loops over runs. Tests put other levels' here.
var ops = vec.For(level)

func relu(y, x []float32)                  { ops.ReLU(y, x) }
func reluGrad(dx, y, dy []float32)         { ops.ReLUGrad(dx, y, dy) }
func scale(y, x []float32, factor float32) { ops.Scale(y, factor, x) }
func add(y, a, b []float32)                { ops.Add(y, a, b) }
func mul(y, a, b []float32)                { ops.Mul(y, a, b) }

// loopBlock is the number of elements that a loop of several sweeps handles at a time: they stay in the first-level
// cache.
const loopBlock = 1024

// same says whether two slices of equal length are the same memory.
func same(a, b []float32) bool { return len(a) == 0 || &a[0] == &b[0] }

// moveTo copies src to dst unless it is there already.
func moveTo(dst, src []float32) {
	if !same(dst, src) {
		copy(dst, src)
	}
}

// axpy is y = a + f·b; y may be a or b.
func axpy(y, a, b []float32, f float32) {
	if same(y, b) && !same(y, a) {
		for i, v := range a {
			y[i] = v + f*b[i]
		}
		return
	}
	for len(y) > 0 {
		n := min(len(y), loopBlock)
		moveTo(y[:n], a[:n])
		ops.Axpy(y[:n], f, b[:n])
		y, a, b = y[n:], a[n:], b[n:]
	}
}

// axpby is y = alpha·a + beta·b; y may be a or b.
func axpby(y, a, b []float32, alpha, beta float32) {
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
		ops.Scale(y[:n], alpha, a[:n])
		ops.Axpy(y[:n], beta, b[:n])
		y, a, b = y[n:], a[n:], b[n:]
	}
}

// columnSums adds the rows of x, each as long as acc, to acc.
func columnSums(acc, x []float32) { ops.ColSum(acc, x, len(x)/len(acc)) }

// columnMoments adds the rows of x−origin to s and their squares to q.
func columnMoments(s, q, x, origin []float32) { ops.ColMoments(s, q, x, origin, len(x)/len(origin)) }

// columnNormGrad adds the rows of dy to s and those of dy·(x−mean)·rstd to q.
func columnNormGrad(s, q, dy, x, mean, rstd []float32) {
	ops.ColNormGrad(s, q, dy, x, mean, rstd, len(x)/len(mean))
}

// scaleShiftRows is y = scale·(x−mean) + shift (+ z), then ReLU, for rows as long as shift; a nil z is 0.
func scaleShiftRows(y, x, z, mean, scale, shift []float32, relu bool) {
	ops.ScaleShift(y, x, z, mean, scale, shift, len(x)/len(shift), relu)
}

// normGradRows is dx = a·dy + b·(x−mean) + d for rows as long as a.
func normGradRows(dx, dy, x, a, mean, b, d []float32) {
	ops.NormGrad(dx, dy, x, a, mean, b, d, len(x)/len(a))
}

func mulAdd(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += a[i] * b[i]
	}
}

// sum adds in float64.
func sum(x []float32) float64 {
	var a, b, c, d float64 // four sums, so that the adder's latency does not bound the speed
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

// sumSquares is Σ(x−mean)² in float64.
func sumSquares(x []float32, mean float64) float64 {
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

func scaleShift(y, x []float32, mean, scale, shift float32, relu bool) {
	for len(x) > 0 {
		n := min(len(x), loopBlock)
		to := y[:n]
		for i, v := range x[:n] {
			to[i] = (v-mean)*scale + shift
		}
		if relu {
			ops.ReLU(to, to)
		}
		y, x = y[n:], x[n:]
	}
}

func scaleShiftAdd(y, x, z []float32, mean, scale, shift float32, relu bool) {
	for len(x) > 0 {
		n := min(len(x), loopBlock)
		to, add := y[:n], z[:n]
		for i, v := range x[:n] {
			to[i] = (v-mean)*scale + shift + add[i]
		}
		if relu {
			ops.ReLU(to, to)
		}
		y, x, z = y[n:], x[n:], z[n:]
	}
}

// Package vec has the vector primitives of the CPU engine: elementwise loops,
// loops over rows of channels, sums over rows, optimizer steps.
//
// [For] returns the set of an instruction-set level; its methods work on one
// worker's piece, and the caller deals out pieces. Slices of one call have one
// length; a mismatch is a mistake of the engine and panics. An output may be the
// very memory of an input, but must not overlap it in part. NaN and Inf propagate:
// ReLU of NaN is NaN, as in Keras and PyTorch.
//
// Images and matrices are rows × c with the channels contiguous (NHWC). Results
// of one level are reproducible bit for bit; levels differ in rounding, because
// the vector ones fuse multiplication and addition.
package vec

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// Ops is the primitives of one instruction-set level. It has no state.
type Ops struct {
	level cpuid.Level

	add, mul, reluGrad func(dst, a, b *float32, n uintptr)
	relu               func(dst, x *float32, n uintptr)
	scale, axpy        func(dst, x *float32, n uintptr, a float32)
	momentum, nesterov func(w, v, g *float32, n uintptr, lr, mu float32)
	adam               func(w, m, v, g *float32, n uintptr, lr, c1, c2, eps float32)
	// [with z][with ReLU]
	scaleShift  [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr)
	normGrad    func(dx, dy, x, a, mean, b, d *float32, rows, c uintptr)
	colSum      func(sum, x *float32, rows, c uintptr)
	colMoments  func(sum, sq, x, shift *float32, rows, c uintptr)
	colNormGrad func(sum, dot, dy, x, mean, rstd *float32, rows, c uintptr)
	dot         func(x, y *float32, n uintptr) float32
}

// For returns the primitives of a level. A level above what the machine has is
// lowered to cpuid.Best.
func For(level cpuid.Level) *Ops { return opsFor(min(level, cpuid.Best())) }

// Level returns the instruction-set level in use.
func (o *Ops) Level() cpuid.Level { return o.level }

func same(op string, n int, lens ...int) {
	for _, l := range lens {
		if l != n {
			panic(fmt.Sprintf("vec: %s: a slice has %d elements, want %d", op, l, n)) // lens itself must not escape
		}
	}
}

// Add computes dst = a + b.
func (o *Ops) Add(dst, a, b []float32) { o.binary("Add", o.add, dst, a, b) }

// Mul computes dst = a·b.
func (o *Ops) Mul(dst, a, b []float32) { o.binary("Mul", o.mul, dst, a, b) }

// ReLUGrad computes dst = dy where y > 0, else 0; y is ReLU's input or output.
func (o *Ops) ReLUGrad(dst, y, dy []float32) { o.binary("ReLUGrad", o.reluGrad, dst, y, dy) }

func (o *Ops) binary(op string, f func(dst, a, b *float32, n uintptr), dst, a, b []float32) {
	if len(a) != len(dst) || len(b) != len(dst) {
		same(op, len(dst), len(a), len(b))
	}
	if len(dst) > 0 {
		f(&dst[0], &a[0], &b[0], uintptr(len(dst)))
	}
}

// ReLU computes dst = max(x, 0).
func (o *Ops) ReLU(dst, x []float32) {
	same("ReLU", len(dst), len(x))
	if len(dst) > 0 {
		o.relu(&dst[0], &x[0], uintptr(len(dst)))
	}
}

// Scale computes dst = a·x.
func (o *Ops) Scale(dst []float32, a float32, x []float32) {
	same("Scale", len(dst), len(x))
	if len(dst) > 0 {
		o.scale(&dst[0], &x[0], uintptr(len(dst)), a)
	}
}

// Axpy computes dst += a·x.
func (o *Ops) Axpy(dst []float32, a float32, x []float32) {
	same("Axpy", len(dst), len(x))
	if len(dst) > 0 {
		o.axpy(&dst[0], &x[0], uintptr(len(dst)), a)
	}
}

// Momentum is Keras's SGD step: v = mu·v - lr·g, then w += v, or with Nesterov
// w += mu·v - lr·g, in one pass.
func (o *Ops) Momentum(w, v, g []float32, lr, mu float32, nesterov bool) {
	same("Momentum", len(w), len(v), len(g))
	if len(w) == 0 {
		return
	}
	f := o.momentum
	if nesterov {
		f = o.nesterov
	}
	f(&w[0], &v[0], &g[0], uintptr(len(w)), lr, mu)
}

// Adam is Keras's Adam step in one pass: m += (1-beta1)·(g-m),
// v += (1-beta2)·(g²-v), w -= lr·m/(√v+eps). lr carries the correction of the
// bias, lr·√(1-beta2ᵗ)/(1-beta1ᵗ) at step t (Kingma and Ba 2015, section 2).
func (o *Ops) Adam(w, m, v, g []float32, lr, beta1, beta2, eps float64) {
	same("Adam", len(w), len(m), len(v), len(g))
	if len(w) > 0 {
		o.adam(&w[0], &m[0], &v[0], &g[0], uintptr(len(w)), float32(lr), float32(1-beta1), float32(1-beta2), float32(eps))
	}
}

// ScaleShift computes dst[r,c] = (x[r,c]-mean[c])·scale[c] + shift[c] (+ z[r,c]
// unless z is nil), then max(·, 0) with relu. dst, x and z are rows × len(scale).
// The mean is taken off first: folded into the shift it would cancel against
// x·scale and leave the rounding of two large numbers.
func (o *Ops) ScaleShift(dst, x, z, mean, scale, shift []float32, rows int, relu bool) {
	c := len(scale)
	same("ScaleShift", rows*c, len(dst), len(x))
	same("ScaleShift", c, len(mean), len(shift))
	if rows*c == 0 {
		return
	}
	res, act := 0, 0
	zp := &x[0]
	if z != nil {
		same("ScaleShift", rows*c, len(z))
		res, zp = 1, &z[0]
	}
	if relu {
		act = 1
	}
	o.scaleShift[res][act](&dst[0], &x[0], zp, &mean[0], &scale[0], &shift[0], uintptr(rows), uintptr(c))
}

// NormGrad is batch norm's backward pass to its input once the sums are known:
// dx[r,c] = a[c]·dy[r,c] + b[c]·(x[r,c]-mean[c]) + d[c] over rows × len(a).
func (o *Ops) NormGrad(dx, dy, x, a, mean, b, d []float32, rows int) {
	c := len(a)
	same("NormGrad", rows*c, len(dx), len(dy), len(x))
	same("NormGrad", c, len(mean), len(b), len(d))
	if rows*c > 0 {
		o.normGrad(&dx[0], &dy[0], &x[0], &a[0], &mean[0], &b[0], &d[0], uintptr(rows), uintptr(c))
	}
}

// The sums over rows below add up in float32, row after row. A caller with many
// rows sums blocks of some hundred and adds the blocks up in float64.

// ColSum adds Σ_r x[r,c] to sum[c]; x is rows × len(sum).
func (o *Ops) ColSum(sum, x []float32, rows int) {
	same("ColSum", rows*len(sum), len(x))
	if len(x) > 0 {
		o.colSum(&sum[0], &x[0], uintptr(rows), uintptr(len(sum)))
	}
}

// ColMoments adds Σ_r (x[r,c]-shift[c]) to sum[c] and Σ_r (x[r,c]-shift[c])² to
// sq[c]. A shift near the mean keeps the variance free of cancellation.
func (o *Ops) ColMoments(sum, sq, x, shift []float32, rows int) {
	c := len(sum)
	same("ColMoments", c, len(sq), len(shift))
	same("ColMoments", rows*c, len(x))
	if rows*c > 0 {
		o.colMoments(&sum[0], &sq[0], &x[0], &shift[0], uintptr(rows), uintptr(c))
	}
}

// ColNormGrad adds Σ_r dy[r,c] to sum[c] and Σ_r dy[r,c]·(x[r,c]-mean[c])·rstd[c]
// to dot[c]: the gradients of batch norm's beta and gamma.
func (o *Ops) ColNormGrad(sum, dot, dy, x, mean, rstd []float32, rows int) {
	c := len(sum)
	same("ColNormGrad", c, len(dot), len(mean), len(rstd))
	same("ColNormGrad", rows*c, len(dy), len(x))
	if rows*c > 0 {
		o.colNormGrad(&sum[0], &dot[0], &dy[0], &x[0], &mean[0], &rstd[0], uintptr(rows), uintptr(c))
	}
}

// dotBlock is how many products are added in float32 before float64 takes over.
const dotBlock = 4096

// Dot returns Σ x·y: blocks in float32 vectors, the blocks in float64.
func (o *Ops) Dot(x, y []float32) float64 {
	same("Dot", len(x), len(y))
	var sum float64
	for i := 0; i < len(x); i += dotBlock {
		sum += float64(o.dot(&x[i], &y[i], uintptr(min(dotBlock, len(x)-i))))
	}
	return sum
}

// SumSquares returns Σ x², added up as in Dot.
func (o *Ops) SumSquares(x []float32) float64 { return o.Dot(x, x) }

// Package vec has the vector primitives of the CPU engine: elementwise loops,
// loops over rows of channels, sums over rows, optimizer steps, transposition, for
// float32 and float64.
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
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// Float is the element types. Both have the same code, assembly included.
type Float interface{ float32 | float64 }

// Ops is the primitives of one instruction-set level. It has no state.
type Ops[T Float] struct {
	level cpuid.Level

	add, mul, reluGrad func(dst, a, b *T, n uintptr)
	relu               func(dst, x *T, n uintptr)
	scale, axpy        func(dst, x *T, n uintptr, a T)
	// [with Nesterov's look-ahead]
	momentum        [2]func(w, v, g *T, n uintptr, lr, mu T)
	momentumDecay   [2]func(w, v, g *T, n uintptr, lr, mu, decay T)
	momentumSquares [2]func(w, v, g *T, n uintptr, lr, mu, decay T) T // Σ old w²
	adam            func(w, m, v, g *T, n uintptr, lr, c1, c2, eps T)
	// [with z][with ReLU]
	scaleShift       [2][2]func(dst, x, z, mean, scale, shift *T, rows, c uintptr)
	normGrad         func(dx, dy, x, a, mean, b, d *T, rows, c uintptr)
	normGradReLU     func(dx, dy, x, a, mean, b, d, shift *T, rows, c uintptr)
	normGradBound    func(dx, dy, x, a, mean, b, d, shift *T, rows, c uintptr, most T)
	colSum           func(sum, x *T, rows, c, ld uintptr)
	colMoments       func(sum, sq, x, shift *T, rows, c, ld uintptr)
	colNormGrad      func(sum, dot, dy, x, mean *T, rows, c uintptr)
	colNormGradReLU  func(sum, dot, dy, x, mean, scale, shift *T, rows, c uintptr)
	colNormGradBound func(sum, dot, dy, x, mean, scale, shift *T, rows, c uintptr, most T)
	colNormGradJoin  func(sum, dot, dy, a, b, y, x, mean *T, rows, c uintptr)
	dot              func(x, y *T, n uintptr) T
	minus            func(dst, x *T, n uintptr, a T)
	sum, top         func(x *T, n uintptr) T

	moments        func(x *T, n uintptr, mean T) (T, T)
	normRow        func(dst, x, scale, shift *T, n uintptr, mean, low, inverse T)
	normRowSums    func(dscale, dshift, dy, x, scale *T, n uintptr, mean, low, inverse T) (T, T)
	normRowGrad    func(dx, dy, x, scale *T, n uintptr, mean, low, inverse, a, b T)
	normRowGradAdd func(dx, dy, x, scale, z *T, n uintptr, mean, low, inverse, a, b T)

	// transpose takes blocks of side×side elements that lie side by side in src;
	// strides are in bytes. A nil one takes none.
	transpose func(dst *T, ldd uintptr, src *T, lds, blocks uintptr)
	side      int
}

// For returns the primitives of a level. A level above what the machine has is
// lowered to cpuid.Best.
func For[T Float](level cpuid.Level) *Ops[T] {
	all := &generic
	switch min(level, cpuid.Best()) {
	case cpuid.AVX512:
		all = &avx512
	case cpuid.AVX2:
		all = &avx2
	}
	if o, ok := any(&all.f32).(*Ops[T]); ok {
		return o
	}
	return any(&all.f64).(*Ops[T])
}

// both is a level's primitives for both element types.
type both struct {
	f32 Ops[float32]
	f64 Ops[float64]
}

// Level returns the instruction-set level in use.
func (o *Ops[T]) Level() cpuid.Level { return o.level }

func same(op string, n int, lens ...int) {
	for _, l := range lens {
		if l != n {
			panic(fmt.Sprintf("vec: %s: a slice has %d elements, want %d", op, l, n)) // lens itself must not escape
		}
	}
}

// Add computes dst = a + b.
func (o *Ops[T]) Add(dst, a, b []T) { o.binary("Add", o.add, dst, a, b) }

// Mul computes dst = a·b.
func (o *Ops[T]) Mul(dst, a, b []T) { o.binary("Mul", o.mul, dst, a, b) }

// ReLUGrad computes dst = dy where y > 0, else 0; y is ReLU's input or output.
func (o *Ops[T]) ReLUGrad(dst, y, dy []T) { o.binary("ReLUGrad", o.reluGrad, dst, y, dy) }

func (o *Ops[T]) binary(op string, f func(dst, a, b *T, n uintptr), dst, a, b []T) {
	if len(a) != len(dst) || len(b) != len(dst) {
		same(op, len(dst), len(a), len(b))
	}
	if len(dst) > 0 {
		f(&dst[0], &a[0], &b[0], uintptr(len(dst)))
	}
}

// ReLU computes dst = max(x, 0).
func (o *Ops[T]) ReLU(dst, x []T) {
	same("ReLU", len(dst), len(x))
	if len(dst) > 0 {
		o.relu(&dst[0], &x[0], uintptr(len(dst)))
	}
}

// Scale computes dst = a·x.
func (o *Ops[T]) Scale(dst []T, a T, x []T) {
	same("Scale", len(dst), len(x))
	if len(dst) > 0 {
		o.scale(&dst[0], &x[0], uintptr(len(dst)), a)
	}
}

// Axpy computes dst += a·x.
func (o *Ops[T]) Axpy(dst []T, a T, x []T) {
	same("Axpy", len(dst), len(x))
	if len(dst) > 0 {
		o.axpy(&dst[0], &x[0], uintptr(len(dst)), a)
	}
}

// Momentum is Keras's SGD step: v = mu·v - lr·g, then w += v, or with Nesterov
// w += mu·v - lr·g, in one pass.
func (o *Ops[T]) Momentum(w, v, g []T, lr, mu T, nesterov bool) {
	same("Momentum", len(w), len(v), len(g))
	if len(w) == 0 {
		return
	}
	o.momentum[index(nesterov)](&w[0], &v[0], &g[0], uintptr(len(w)), lr, mu)
}

// MomentumDecay is Momentum with the gradient g + decay·w.
func (o *Ops[T]) MomentumDecay(w, v, g []T, lr, mu, decay T, nesterov bool) {
	same("MomentumDecay", len(w), len(v), len(g))
	if len(w) > 0 {
		o.momentumDecay[index(nesterov)](&w[0], &v[0], &g[0], uintptr(len(w)), lr, mu, decay)
	}
}

// MomentumSquares is MomentumDecay and returns the SumSquares of the old w.
func (o *Ops[T]) MomentumSquares(w, v, g []T, lr, mu, decay T, nesterov bool) float64 {
	same("MomentumSquares", len(w), len(v), len(g))
	var sum float64
	for i := 0; i < len(w); i += dotBlock {
		n := min(dotBlock, len(w)-i)
		sum += float64(o.momentumSquares[index(nesterov)](&w[i], &v[i], &g[i], uintptr(n), lr, mu, decay))
	}
	return sum
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Adam is Keras's Adam step in one pass: m += (1-beta1)·(g-m),
// v += (1-beta2)·(g²-v), w -= lr·m/(√v+eps). lr carries the correction of the
// bias, lr·√(1-beta2ᵗ)/(1-beta1ᵗ) at step t (Kingma and Ba 2015, section 2).
func (o *Ops[T]) Adam(w, m, v, g []T, lr, beta1, beta2, eps float64) {
	same("Adam", len(w), len(m), len(v), len(g))
	if len(w) > 0 {
		o.adam(&w[0], &m[0], &v[0], &g[0], uintptr(len(w)), T(lr), T(1-beta1), T(1-beta2), T(eps))
	}
}

// dotBlock is how many products are added in T before float64 takes over.
const dotBlock = 4096

// Dot returns Σ x·y: blocks in vectors of T, the blocks in float64.
func (o *Ops[T]) Dot(x, y []T) float64 {
	same("Dot", len(x), len(y))
	var sum float64
	for i := 0; i < len(x); i += dotBlock {
		sum += float64(o.dot(&x[i], &y[i], uintptr(min(dotBlock, len(x)-i))))
	}
	return sum
}

// SumSquares returns Σ x², added up as in Dot.
func (o *Ops[T]) SumSquares(x []T) float64 { return o.Dot(x, x) }

// Transpose writes the transpose of the rows×cols block of src: element (r, c),
// at src[r·lds+c], to dst[c·ldd+r].
func (o *Ops[T]) Transpose(dst []T, ldd int, src []T, lds, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	_ = dst[(cols-1)*ldd+rows-1]
	_ = src[(rows-1)*lds+cols-1]
	r, c := 0, 0 // what the blocks have done
	if o.transpose != nil {
		r, c = rows/o.side*o.side, cols/o.side*o.side
	}
	if r == 0 || c == 0 {
		transposeGo(dst, ldd, src, lds, rows, cols)
		return
	}
	size := unsafe.Sizeof(*new(T))
	// Blocks follow each other along the rows that lie further apart: their lines, which
	// may all fall into one set of the cache, are done with before the next.
	wide := c
	if ldd > lds {
		wide = o.side
	}
	for j := 0; j < c; j += wide {
		for i := 0; i < r; i += o.side {
			o.transpose(&dst[j*ldd+i], size*uintptr(ldd), &src[i*lds+j], size*uintptr(lds), uintptr(wide/o.side))
		}
	}
	if c < cols {
		transposeGo(dst[c*ldd:], ldd, src[c:], lds, r, cols-c)
	}
	if r < rows {
		transposeGo(dst[r:], ldd, src[r*lds:], lds, rows-r, cols)
	}
}

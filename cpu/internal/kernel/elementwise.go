package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// Unary is an elementwise function of one array: see [NewReLU], [NewScale].
type Unary[T Float] struct {
	work split
	loop phase
	f    func(y, x []T)
	y, x []T
}

// NewReLU prepares y = max(x, 0) over n elements; NaN stays NaN.
func NewReLU[T Float](p *pool.Pool, n int) (*Unary[T], error) { return newUnary(p, "ReLU", n, relu[T]) }

// NewScale prepares y = factor·x over n elements.
func NewScale[T Float](p *pool.Pool, n int, factor float64) (*Unary[T], error) {
	f := T(factor)
	return newUnary(p, "Scale", n, func(y, x []T) { scale(y, x, f) })
}

func newUnary[T Float](p *pool.Pool, name string, n int, f func(y, x []T)) (*Unary[T], error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Unary[T]{work: splitBy(n, 1), f: f}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x; they may be the same memory.
func (k *Unary[T]) Run(y, x []T) {
	k.y, k.x = y[:k.work.n], x[:k.work.n]
	k.loop.run()
}

func (k *Unary[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	k.f(k.y[lo:hi], k.x[lo:hi])
}

// Binary is an elementwise function of two arrays: see [NewAdd], [NewMul], [NewReLUGrad].
type Binary[T Float] struct {
	work    split
	loop    phase
	f       func(y, a, b []T)
	y, a, b []T
}

// NewAdd prepares y = a + b over n elements.
func NewAdd[T Float](p *pool.Pool, n int) (*Binary[T], error) { return newBinary(p, "Add", n, add[T]) }

// NewMul prepares y = a·b over n elements.
func NewMul[T Float](p *pool.Pool, n int) (*Binary[T], error) { return newBinary(p, "Mul", n, mul[T]) }

// NewReLUGrad prepares dx = dy where y > 0, else 0, over n elements: Run(dx, y, dy).
func NewReLUGrad[T Float](p *pool.Pool, n int) (*Binary[T], error) {
	return newBinary(p, "ReLUGrad", n, reluGrad[T])
}

func newBinary[T Float](p *pool.Pool, name string, n int, f func(y, a, b []T)) (*Binary[T], error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Binary[T]{work: splitBy(n, 1), f: f}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b; y may be the memory of one of them.
func (k *Binary[T]) Run(y, a, b []T) {
	k.y, k.a, k.b = y[:k.work.n], a[:k.work.n], b[:k.work.n]
	k.loop.run()
}

func (k *Binary[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	k.f(k.y[lo:hi], k.a[lo:hi], k.b[lo:hi])
}

// ScalarTimes is an elementwise function of one or two arrays and a number that is known only when it runs, such as a
// learning rate or the gradient of a scalar: see [NewScaleBy], [NewAddScaled].
type ScalarTimes[T Float] struct {
	work    split
	loop    phase
	factor  float64
	scalar  T
	y, a, b []T
}

// NewScaleBy prepares y = (factor·s)·x over n elements: the gradient of an L2 penalty λ·Σw² has factor 2·λ.
func NewScaleBy[T Float](p *pool.Pool, n int, factor float64) (*ScalarTimes[T], error) {
	return newScalarTimes[T](p, "ScaleBy", n, factor)
}

// NewAddScaled prepares y = a + (factor·s)·b over n elements: an optimizer's descent has factor −1, an L2 penalty's
// gradient that is added to another one has factor 2·λ.
func NewAddScaled[T Float](p *pool.Pool, n int, factor float64) (*ScalarTimes[T], error) {
	return newScalarTimes[T](p, "AddScaled", n, factor)
}

func newScalarTimes[T Float](p *pool.Pool, name string, n int, factor float64) (*ScalarTimes[T], error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &ScalarTimes[T]{work: splitBy(n, 1), factor: factor}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b and the number s; y may be the memory of one of them. For ScaleBy a is nil.
func (k *ScalarTimes[T]) Run(y, a, b []T, s T) {
	k.y, k.a, k.b, k.scalar = y[:k.work.n], a, b[:k.work.n], T(k.factor*float64(s))
	k.loop.run()
}

func (k *ScalarTimes[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	if k.a == nil {
		scale(k.y[lo:hi], k.b[lo:hi], k.scalar)
		return
	}
	axpy(k.y[lo:hi], k.a[lo:hi], k.b[lo:hi], k.scalar)
}

// Fill is y = value over n elements: see [NewFill].
type Fill[T Float] struct {
	work  split
	loop  phase
	value T
	y     []T
}

// NewFill prepares y = value over n elements: the gradient of a sum (factor 1) or of a mean (factor 1/n) is a Fill.
func NewFill[T Float](p *pool.Pool, n int) (*Fill[T], error) {
	if err := checkLen("Fill", n); err != nil {
		return nil, err
	}
	k := &Fill[T]{work: splitBy(n, 1)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run writes value into y.
func (k *Fill[T]) Run(y []T, value T) {
	k.y, k.value = y[:k.work.n], value
	k.loop.run()
}

func (k *Fill[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	y := k.y[lo:hi]
	if k.value == 0 {
		clear(y)
		return
	}
	for i := range y {
		y[i] = k.value
	}
}

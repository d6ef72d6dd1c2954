package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// Unary is an elementwise function of one array: see [NewReLU], [NewScale].
type Unary struct {
	work split
	loop phase
	f    func(y, x []float32)
	y, x []float32
}

// NewReLU prepares y = max(x, 0) over n elements; NaN stays NaN.
func NewReLU(p *pool.Pool, n int) (*Unary, error) { return newUnary(p, "ReLU", n, relu) }

// NewScale prepares y = factor·x over n elements.
func NewScale(p *pool.Pool, n int, factor float64) (*Unary, error) {
	f := float32(factor)
	return newUnary(p, "Scale", n, func(y, x []float32) { scale(y, x, f) })
}

func newUnary(p *pool.Pool, name string, n int, f func(y, x []float32)) (*Unary, error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Unary{work: splitBy(n, 1), f: f}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x; they may be the same memory.
func (k *Unary) Run(y, x []float32) {
	k.y, k.x = y[:k.work.n], x[:k.work.n]
	k.loop.run()
}

func (k *Unary) part(_, part int) {
	lo, hi := k.work.bounds(part)
	k.f(k.y[lo:hi], k.x[lo:hi])
}

// Binary is an elementwise function of two arrays: see [NewAdd], [NewMul], [NewReLUGrad].
type Binary struct {
	work    split
	loop    phase
	f       func(y, a, b []float32)
	y, a, b []float32
}

// NewAdd prepares y = a + b over n elements.
func NewAdd(p *pool.Pool, n int) (*Binary, error) { return newBinary(p, "Add", n, add) }

// NewMul prepares y = a·b over n elements.
func NewMul(p *pool.Pool, n int) (*Binary, error) { return newBinary(p, "Mul", n, mul) }

// NewReLUGrad prepares dx = dy where y > 0, else 0, over n elements: Run(dx, y, dy).
func NewReLUGrad(p *pool.Pool, n int) (*Binary, error) { return newBinary(p, "ReLUGrad", n, reluGrad) }

func newBinary(p *pool.Pool, name string, n int, f func(y, a, b []float32)) (*Binary, error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Binary{work: splitBy(n, 1), f: f}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b; y may be the memory of one of them.
func (k *Binary) Run(y, a, b []float32) {
	k.y, k.a, k.b = y[:k.work.n], a[:k.work.n], b[:k.work.n]
	k.loop.run()
}

func (k *Binary) part(_, part int) {
	lo, hi := k.work.bounds(part)
	k.f(k.y[lo:hi], k.a[lo:hi], k.b[lo:hi])
}

// ScalarTimes is an elementwise function of one or two arrays and a number that is known only when it runs, such as a
// learning rate or the gradient of a scalar: see [NewScaleBy], [NewAddScaled].
type ScalarTimes struct {
	work    split
	loop    phase
	factor  float64
	scalar  float32
	y, a, b []float32
}

// NewScaleBy prepares y = (factor·s)·x over n elements: the gradient of an L2 penalty λ·Σw² has factor 2·λ.
func NewScaleBy(p *pool.Pool, n int, factor float64) (*ScalarTimes, error) {
	return newScalarTimes(p, "ScaleBy", n, factor)
}

// NewAddScaled prepares y = a + (factor·s)·b over n elements: an optimizer's descent has factor −1, an L2 penalty's
// gradient that is added to another one has factor 2·λ.
func NewAddScaled(p *pool.Pool, n int, factor float64) (*ScalarTimes, error) {
	return newScalarTimes(p, "AddScaled", n, factor)
}

func newScalarTimes(p *pool.Pool, name string, n int, factor float64) (*ScalarTimes, error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &ScalarTimes{work: splitBy(n, 1), factor: factor}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b and the number s; y may be the memory of one of them. For ScaleBy a is nil.
func (k *ScalarTimes) Run(y, a, b []float32, s float32) {
	k.y, k.a, k.b, k.scalar = y[:k.work.n], a, b[:k.work.n], float32(k.factor*float64(s))
	k.loop.run()
}

func (k *ScalarTimes) part(_, part int) {
	lo, hi := k.work.bounds(part)
	if k.a == nil {
		scale(k.y[lo:hi], k.b[lo:hi], k.scalar)
		return
	}
	axpy(k.y[lo:hi], k.a[lo:hi], k.b[lo:hi], k.scalar)
}

// Fill is y = value over n elements: see [NewFill].
type Fill struct {
	work  split
	loop  phase
	value float32
	y     []float32
}

// NewFill prepares y = value over n elements: the gradient of a sum (factor 1) or of a mean (factor 1/n) is a Fill.
func NewFill(p *pool.Pool, n int) (*Fill, error) {
	if err := checkLen("Fill", n); err != nil {
		return nil, err
	}
	k := &Fill{work: splitBy(n, 1)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run writes value into y.
func (k *Fill) Run(y []float32, value float32) {
	k.y, k.value = y[:k.work.n], value
	k.loop.run()
}

func (k *Fill) part(_, part int) {
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

package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
)

// rowLoop runs a function over the rows of (n, c) matrices.
type rowLoop[T Float] struct {
	n, c int
	work split
	loop phase
	exp  vmath.F1[T]
}

// expCost is the price of an exponential in elements of plain arithmetic.
const expCost = 4

func (l *rowLoop[T]) prepare(p *pool.Pool, kernel string, n, c int, row func(r int)) error {
	if n < 1 || c < 1 {
		return fmt.Errorf("kernel: %s of %d rows with %d columns; both must be at least 1", kernel, n, c)
	}
	l.n, l.c, l.work, l.exp = n, c, splitBy(n, c*expCost), vmath.For[T](ops[T]().Level()).Exp
	l.loop = newPhase(p, l.work.parts, func(_, part int) {
		lo, hi := l.work.bounds(part)
		for r := lo; r < hi; r++ {
			row(r)
		}
	})
	return nil
}

func (l *rowLoop[T]) row(x []T, r int) []T { return x[r*l.c : (r+1)*l.c] }

// Softmax is [op.Softmax] or [op.LogSoftmax] over the rows of a matrix, the row's maximum subtracted first.
type Softmax[T Float] struct {
	rowLoop[T]
	log  bool
	y, x []T
}

// NewSoftmax prepares the probabilities of n rows with c columns; log gives their logarithms.
func NewSoftmax[T Float](p *pool.Pool, n, c int, log bool) (*Softmax[T], error) {
	k := &Softmax[T]{log: log}
	return k, k.prepare(p, "Softmax", n, c, k.one)
}

// Run computes y from x; they may be the same memory.
func (k *Softmax[T]) Run(y, x []T) {
	k.y, k.x = y, x
	k.loop.run()
}

func (k *Softmax[T]) one(r int) {
	x, y := k.row(k.x, r), k.row(k.y, r)
	top := maximum(x)
	if k.log {
		var total float64
		for _, v := range x {
			total += math.Exp(float64(v) - top)
		}
		logTotal := math.Log(total)
		for i, v := range x {
			y[i] = T(float64(v) - top - logTotal)
		}
		return
	}
	total := exps(k.exp, y, x, top)
	scale(y, y, T(1/total))
}

// maximum is the largest element of x; NaN elements are passed over.
func maximum[T Float](x []T) float64 {
	top := T(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return float64(top)
}

// exps writes exp(x−top) to y and returns the sum.
func exps[T Float](exp vmath.F1[T], y, x []T, top float64) (total float64) {
	for i, v := range x {
		y[i] = v - T(top)
	}
	exp(&y[0], &y[0], uintptr(len(y)))
	for _, v := range y {
		total += float64(v)
	}
	return total
}

// SoftmaxGrad is [op.SoftmaxGrad] or [op.LogSoftmaxGrad] over the rows of a matrix.
type SoftmaxGrad[T Float] struct {
	rowLoop[T]
	log       bool
	dx, y, dy []T
}

// NewSoftmaxGrad prepares the gradient of a Softmax of n rows with c columns.
func NewSoftmaxGrad[T Float](p *pool.Pool, n, c int, log bool) (*SoftmaxGrad[T], error) {
	k := &SoftmaxGrad[T]{log: log}
	return k, k.prepare(p, "SoftmaxGrad", n, c, k.one)
}

// Run computes dx from the result y and its gradient dy; dx may be the memory of either.
func (k *SoftmaxGrad[T]) Run(dx, y, dy []T) {
	k.dx, k.y, k.dy = dx, y, dy
	k.loop.run()
}

func (k *SoftmaxGrad[T]) one(r int) {
	dx, y, dy := k.row(k.dx, r), k.row(k.y, r), k.row(k.dy, r)
	var total float64
	if k.log {
		for _, d := range dy {
			total += float64(d)
		}
		for i, v := range y {
			dx[i] = T(float64(dy[i]) - math.Exp(float64(v))*total)
		}
		return
	}
	for i, v := range y {
		total += float64(v) * float64(dy[i])
	}
	for i, v := range y {
		dx[i] = T(float64(v) * (float64(dy[i]) - total))
	}
}

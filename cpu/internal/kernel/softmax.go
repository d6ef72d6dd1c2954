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

	room []T // a worker's expRoom elements, where exponentials have no other place
}

// expRoom is how many exponentials of a row are computed at a time where only their sum is wanted.
const expRoom = 1024

// expCost is the price of an exponential in elements of plain arithmetic.
const expCost = 4

func (l *rowLoop[T]) prepare(p *pool.Pool, kernel string, n, c int, row func(worker, r int)) error {
	if n < 1 || c < 1 {
		return fmt.Errorf("kernel: %s of %d rows with %d columns; both must be at least 1", kernel, n, c)
	}
	l.n, l.c, l.work, l.exp = n, c, splitBy(n, c*expCost), vmath.For[T](ops[T]().Level()).Exp
	l.room = make([]T, expRoom*p.Threads())
	l.loop = newPhase(p, l.work.parts, func(worker, part int) {
		lo, hi := l.work.bounds(part)
		for r := lo; r < hi; r++ {
			row(worker, r)
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

func (k *Softmax[T]) one(worker, r int) {
	x, y := k.row(k.x, r), k.row(k.y, r)
	top := maximum(x)
	if k.log {
		own, others := k.sumExps(worker, x, top, -1)
		logTotal := math.Log(own + others)
		for i, v := range x {
			y[i] = T(float64(v) - top - logTotal)
		}
		return
	}
	k.exps(y, x, top)
	total := ops[T]().Sum(y)
	scale(y, y, T(1/total))
}

// maximum is the largest element of x; NaN elements are passed over.
func maximum[T Float](x []T) float64 { return float64(ops[T]().Top(x)) }

// exps writes exp(x−top) to y, which may be x.
func (l *rowLoop[T]) exps(y, x []T, top float64) {
	ops[T]().Minus(y, x, T(top))
	l.exp(&y[0], &y[0], uintptr(len(y)))
}

// sumExps returns exp(x−top) of one element, 0 where there is no such, and the sum of the others: apart, so that a sum beside 1 keeps
// its digits.
func (l *rowLoop[T]) sumExps(worker int, x []T, top float64, one int) (own, others float64) {
	room := l.room[worker*expRoom:][:expRoom]
	for i := 0; i < len(x); i += expRoom {
		e := room[:min(expRoom, len(x)-i)]
		l.exps(e, x[i:i+len(e)], top)
		a, b := sumApart(e, one-i)
		own, others = own+a, others+b
	}
	return own, others
}

// sumApart returns an element of e, 0 where there is no such, and the sum of the others.
func sumApart[T Float](e []T, one int) (own, others float64) {
	if one < 0 || one >= len(e) {
		return 0, ops[T]().Sum(e)
	}
	v := e[one]
	e[one] = 0
	others = ops[T]().Sum(e)
	e[one] = v
	return float64(v), others
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

func (k *SoftmaxGrad[T]) one(worker, r int) {
	dx, y, dy, o := k.row(k.dx, r), k.row(k.y, r), k.row(k.dy, r), ops[T]()
	var total float64
	if k.log {
		total = o.Sum(dy)
	} else {
		total = o.Dot(y, dy)
	}
	for room := k.room[worker*expRoom:][:expRoom]; len(dx) > 0; { // dx may be the memory of y or dy
		n := min(expRoom, len(dx))
		e := room[:n]
		if k.log {
			k.exp(&e[0], &y[0], uintptr(n))
			o.Scale(e, T(-total), e)
			o.Add(dx[:n], dy[:n], e)
		} else {
			o.Minus(e, dy[:n], T(total))
			o.Mul(dx[:n], y[:n], e)
		}
		dx, y, dy = dx[n:], y[n:], dy[n:]
	}
}

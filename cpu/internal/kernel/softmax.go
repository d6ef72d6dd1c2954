package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// rowLoop runs a function over the rows of (n, c) matrices.
type rowLoop struct {
	n, c int
	work split
	loop phase
}

// expCost is the price of an exponential in elements of plain arithmetic.
const expCost = 16

func (l *rowLoop) prepare(p *pool.Pool, kernel string, n, c int, row func(r int)) error {
	if n < 1 || c < 1 {
		return fmt.Errorf("kernel: %s of %d rows with %d columns; both must be at least 1", kernel, n, c)
	}
	l.n, l.c, l.work = n, c, splitBy(n, c*expCost)
	l.loop = newPhase(p, l.work.parts, func(_, part int) {
		lo, hi := l.work.bounds(part)
		for r := lo; r < hi; r++ {
			row(r)
		}
	})
	return nil
}

func (l *rowLoop) row(x []float32, r int) []float32 { return x[r*l.c : (r+1)*l.c] }

// Softmax is [op.Softmax] or [op.LogSoftmax] over the rows of a matrix, the row's maximum subtracted first.
type Softmax struct {
	rowLoop
	log  bool
	y, x []float32
}

// NewSoftmax prepares the probabilities of n rows with c columns; log gives their logarithms.
func NewSoftmax(p *pool.Pool, n, c int, log bool) (*Softmax, error) {
	k := &Softmax{log: log}
	return k, k.prepare(p, "Softmax", n, c, k.one)
}

// Run computes y from x; they may be the same memory.
func (k *Softmax) Run(y, x []float32) {
	k.y, k.x = y, x
	k.loop.run()
}

func (k *Softmax) one(r int) {
	x, y := k.row(k.x, r), k.row(k.y, r)
	top := maximum(x)
	if k.log {
		var total float64
		for _, v := range x {
			total += math.Exp(float64(v) - top)
		}
		logTotal := math.Log(total)
		for i, v := range x {
			y[i] = float32(float64(v) - top - logTotal)
		}
		return
	}
	total := exps(y, x, top)
	for i, v := range y {
		y[i] = float32(float64(v) / total)
	}
}

// maximum is the largest element of x; NaN elements are passed over.
func maximum(x []float32) float64 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return float64(top)
}

// exps writes exp(x−top) to y and returns the sum.
func exps(y, x []float32, top float64) (total float64) {
	for i, v := range x {
		e := math.Exp(float64(v) - top)
		total += e
		y[i] = float32(e)
	}
	return total
}

// SoftmaxGrad is [op.SoftmaxGrad] or [op.LogSoftmaxGrad] over the rows of a matrix.
type SoftmaxGrad struct {
	rowLoop
	log       bool
	dx, y, dy []float32
}

// NewSoftmaxGrad prepares the gradient of a Softmax of n rows with c columns.
func NewSoftmaxGrad(p *pool.Pool, n, c int, log bool) (*SoftmaxGrad, error) {
	k := &SoftmaxGrad{log: log}
	return k, k.prepare(p, "SoftmaxGrad", n, c, k.one)
}

// Run computes dx from the result y and its gradient dy; dx may be the memory of either.
func (k *SoftmaxGrad) Run(dx, y, dy []float32) {
	k.dx, k.y, k.dy = dx, y, dy
	k.loop.run()
}

func (k *SoftmaxGrad) one(r int) {
	dx, y, dy := k.row(k.dx, r), k.row(k.y, r), k.row(k.dy, r)
	var total float64
	if k.log {
		for _, d := range dy {
			total += float64(d)
		}
		for i, v := range y {
			dx[i] = float32(float64(dy[i]) - math.Exp(float64(v))*total)
		}
		return
	}
	for i, v := range y {
		total += float64(v) * float64(dy[i])
	}
	for i, v := range y {
		dx[i] = float32(float64(v) * (float64(dy[i]) - total))
	}
}

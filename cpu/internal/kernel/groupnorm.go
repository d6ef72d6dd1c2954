package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// GroupNorm is [ir.GroupNorm], or with NewGroupNormGrad its gradient: rows of elements that lie together, each
// normalised by itself. Rows are cut into pieces for the sums; where a row is one piece, all is done while it is in the
// cache.
type GroupNorm[T Float] struct {
	n       int   // elements of a row
	rows    split // of rows, where they are one piece
	pieces  split // of a row's elements
	epsilon float64
	grad    bool
	whole   phase
	phases  [3]phase
	sums    []rowSums // a row's pieces one after the other
	y, x    []T       // or dx, x
	dy      []T
}

// rowSums are sums over a piece of a row: Σx, Σ(x−mean)², Σdy, Σdy·(x−mean).
type rowSums struct{ x, squares, dy, dot float64 }

// NewGroupNorm prepares the normalisation of rows of n elements.
func NewGroupNorm[T Float](p *pool.Pool, rows, n int, epsilon float64) (*GroupNorm[T], error) {
	return newGroupNorm[T](p, rows, n, epsilon, false)
}

func newGroupNorm[T Float](p *pool.Pool, rows, n int, epsilon float64, grad bool) (*GroupNorm[T], error) {
	if rows < 1 || n < 1 {
		return nil, fmt.Errorf("kernel: GroupNorm of %d groups of %d elements; want at least 1", rows, n)
	}
	k := &GroupNorm[T]{n: n, rows: splitBy(rows, n), pieces: splitBy(n, 1), epsilon: epsilon, grad: grad}
	k.sums = make([]rowSums, rows*k.pieces.parts)
	if k.pieces.parts == 1 {
		k.whole = newPhase(p, k.rows.parts, k.wholeRows)
		return k, nil
	}
	for i, body := range []func(worker, part int){k.sumPart, k.momentPart, k.writePart} {
		k.phases[i] = newPhase(p, rows*k.pieces.parts, body)
	}
	return k, nil
}

// Run computes y from x; they may be the same memory.
func (k *GroupNorm[T]) Run(y, x []T) { k.run(y, x, nil) }

func (k *GroupNorm[T]) run(y, x, dy []T) {
	n := k.rows.n * k.n
	k.y, k.x = y[:n], x[:n]
	if k.grad {
		k.dy = dy[:n]
	}
	if k.pieces.parts == 1 {
		k.whole.run()
		return
	}
	for i := range k.phases {
		k.phases[i].run()
	}
}

func (k *GroupNorm[T]) wholeRows(_, part int) {
	lo, hi := k.rows.bounds(part)
	for row := lo; row < hi; row++ {
		k.sumPart(0, row)
		k.momentPart(0, row)
		k.writePart(0, row)
	}
}

// piece returns the elements of a piece and the sums of its row.
func (k *GroupNorm[T]) piece(number int) (lo, hi int, row []rowSums) {
	at := number / k.pieces.parts
	lo, hi = k.pieces.bounds(number % k.pieces.parts)
	return at*k.n + lo, at*k.n + hi, k.sums[at*k.pieces.parts : (at+1)*k.pieces.parts]
}

func (k *GroupNorm[T]) sumPart(_, number int) {
	lo, hi, _ := k.piece(number)
	k.sums[number].x = sum(k.x[lo:hi])
}

// mean is that of a row.
func (k *GroupNorm[T]) mean(row []rowSums) float64 {
	total := 0.0
	for i := range row {
		total += row[i].x
	}
	return total / float64(k.n)
}

func (k *GroupNorm[T]) momentPart(_, number int) {
	lo, hi, row := k.piece(number)
	mean := k.mean(row)
	s := &k.sums[number]
	if !k.grad {
		s.squares = sumSquares(k.x[lo:hi], mean)
		return
	}
	dy := k.dy[lo:hi]
	var squares, total, dot float64
	for i, v := range k.x[lo:hi] {
		d, g := float64(v)-mean, float64(dy[i])
		squares += d * d
		total += g
		dot += g * d
	}
	s.squares, s.dy, s.dot = squares, total, dot
}

func (k *GroupNorm[T]) writePart(_, number int) {
	lo, hi, row := k.piece(number)
	mean, n := k.mean(row), float64(k.n)
	var t rowSums
	for i := range row {
		t.squares += row[i].squares
		t.dy += row[i].dy
		t.dot += row[i].dot
	}
	rstd := 1 / math.Sqrt(t.squares/n+k.epsilon)
	y := k.y[lo:hi]
	if !k.grad {
		for i, v := range k.x[lo:hi] {
			y[i] = T((float64(v) - mean) * rstd)
		}
		return
	}
	// dx = rstd·(dy − mean(dy) − (x−mean)·rstd²·mean(dy·(x−mean)))
	shift, slope := t.dy/n, rstd*rstd*t.dot/n
	dy := k.dy[lo:hi]
	for i, v := range k.x[lo:hi] {
		y[i] = T(rstd * (float64(dy[i]) - shift - (float64(v)-mean)*slope))
	}
}

// GroupNormGrad is [ir.GroupNormGrad].
type GroupNormGrad[T Float] struct{ forward *GroupNorm[T] }

// NewGroupNormGrad prepares the gradient for rows of n elements.
func NewGroupNormGrad[T Float](p *pool.Pool, rows, n int, epsilon float64) (*GroupNormGrad[T], error) {
	k, err := newGroupNorm[T](p, rows, n, epsilon, true)
	return &GroupNormGrad[T]{k}, err
}

// Run computes dx from x and dy; it may take the memory of either.
func (k *GroupNormGrad[T]) Run(dx, x, dy []T) { k.forward.run(dx, x, dy) }

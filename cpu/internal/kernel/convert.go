package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// Convert is [ir.Cast] from elements F to elements T.
type Convert[T Float, F Float | ~int] struct {
	work split
	loop phase
	y    []T
	x    []F
}

// NewConvert prepares the conversion of n elements.
func NewConvert[T Float, F Float | ~int](p *pool.Pool, n int) (*Convert[T, F], error) {
	if err := checkLen("Cast", n); err != nil {
		return nil, err
	}
	k := &Convert[T, F]{work: splitBy(n, 1)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x.
func (k *Convert[T, F]) Run(y []T, x []F) {
	k.y, k.x = y[:k.work.n], x[:k.work.n]
	k.loop.run()
}

func (k *Convert[T, F]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	y := k.y[lo:hi]
	for i, v := range k.x[lo:hi] {
		y[i] = T(v)
	}
}

// DiagFlat is [ir.DiagFlat]: an n×n matrix with x on its diagonal.
type DiagFlat[T Float] struct {
	n    int
	work split // elements of the result
	loop phase
	y, x []T
}

// NewDiagFlat prepares a matrix of n×n elements.
func NewDiagFlat[T Float](p *pool.Pool, n int) (*DiagFlat[T], error) {
	if err := checkLen("DiagFlat", n); err != nil {
		return nil, err
	}
	k := &DiagFlat[T]{n: n, work: splitBy(n*n, 1)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *DiagFlat[T]) Run(y, x []T) {
	k.y, k.x = y[:k.work.n], x[:k.n]
	k.loop.run()
}

func (k *DiagFlat[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	clear(k.y[lo:hi])
	for i := ceilDiv(lo, k.n+1); i*(k.n+1) < hi; i++ {
		k.y[i*(k.n+1)] = k.x[i]
	}
}

package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// layerRows are rows of C elements, each normalised by itself. A row is read several times while it is in the first-level cache.
type layerRows[T Float] struct {
	rows, c     int
	epsilon     float64
	ones, zeros []T // for a scale and a shift that are not there
}

func newLayerRows[T Float](rows, c int, epsilon float64) (layerRows[T], error) {
	if rows < 1 || c < 1 {
		return layerRows[T]{}, fmt.Errorf("kernel: LayerNorm of %d rows of %d elements; want at least 1", rows, c)
	}
	l := layerRows[T]{rows: rows, c: c, epsilon: epsilon, ones: make([]T, c), zeros: make([]T, c)}
	spread(l.ones, 1)
	return l, nil
}

// rowMoments are a row's mean, in two parts, and its reciprocal standard deviation.
type rowMoments[T Float] struct{ mean, low, inverse T }

// moments takes the mean off before it squares. What rounding the mean has lost is found on the way.
func (l *layerRows[T]) moments(x []T) rowMoments[T] {
	n := float64(len(x))
	mean := T(ops[T]().Sum(x) / n)
	rest, squares := ops[T]().Moments(x, mean)
	rest /= n
	variance := max(squares/n-rest*rest, 0) // hands NaN on
	return rowMoments[T]{mean, T(rest), T(1 / math.Sqrt(variance+l.epsilon))}
}

func orElse[T Float](x, other []T) []T {
	if x == nil {
		return other
	}
	return x
}

// LayerNorm is [op.LayerNorm].
type LayerNorm[T Float] struct {
	layerRows[T]
	work               split
	loop               phase
	y, x, scale, shift []T
}

// NewLayerNorm prepares the normalisation of rows of c elements.
func NewLayerNorm[T Float](p *pool.Pool, rows, c int, epsilon float64) (*LayerNorm[T], error) {
	l, err := newLayerRows[T](rows, c, epsilon)
	if err != nil {
		return nil, err
	}
	k := &LayerNorm[T]{layerRows: l, work: splitBy(rows, c)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x; they may be the same memory. A nil scale is 1, a nil shift 0.
func (k *LayerNorm[T]) Run(y, x, scale, shift []T) {
	k.y, k.x, k.scale, k.shift = y, x, orElse(scale, k.ones), orElse(shift, k.zeros)
	k.loop.run()
}

func (k *LayerNorm[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for at := lo * k.c; at < hi*k.c; at += k.c {
		x := k.x[at : at+k.c]
		m := k.moments(x)
		ops[T]().NormRow(k.y[at:at+k.c], x, k.scale, k.shift, m.mean, m.low, m.inverse)
	}
}

// LayerNormGrad is all that is computed backwards of an [op.LayerNorm], in one sweep: see [graph.LayerNormBackward].
type LayerNormGrad[T Float] struct {
	Scratch[T]
	layerRows[T]
	work           split
	loop           phase
	partial        area[T] // gradRows rows of C elements a part: Σ dy·x̂, Σ dy, and the block sums of both
	dx, x, dy, z   []T
	scale          []T
	dscale, dshift []T
}

// NewLayerNormGrad prepares the gradients of the normalisation of rows of c elements.
func NewLayerNormGrad[T Float](p *pool.Pool, rows, c int, epsilon float64) (*LayerNormGrad[T], error) {
	l, err := newLayerRows[T](rows, c, epsilon)
	if err != nil {
		return nil, err
	}
	k := &LayerNormGrad[T]{layerRows: l, work: sumSplit(rows, c)}
	k.partial = k.reserve(k.work.parts * gradRows * c)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes those of dx, dscale and dshift that are not nil. A nil scale is 1; z, unless it is nil, is added to dx, which may be the memory
// of x, dy or z.
func (k *LayerNormGrad[T]) Run(dx, dscale, dshift, x, scale, dy, z []T) {
	k.dx, k.x, k.scale, k.dy, k.z, k.dscale, k.dshift = dx, x, orElse(scale, k.ones), dy, z, dscale, dshift
	k.loop.run()
	if dscale != nil || dshift != nil {
		k.join()
	}
}

func (k *LayerNormGrad[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c
	m := k.partial.of(&k.Scratch)[part*gradRows*c:][:gradRows*c]
	s, q, blockS, blockQ := m[:c], m[c:2*c], m[2*c:3*c], m[3*c:]
	clear(s)
	clear(q)
	for r := lo; r < hi; r += sumRun {
		clear(blockS)
		clear(blockQ)
		for row := r; row < min(r+sumRun, hi); row++ {
			k.row(row*c, blockS, blockQ)
		}
		add(s, s, blockS)
		add(q, q, blockQ)
	}
}

// row does the row that begins at an element.
func (k *LayerNormGrad[T]) row(at int, dscale, dshift []T) {
	x, dy, n := k.x[at:at+k.c], k.dy[at:at+k.c], float64(k.c)
	m := k.moments(x)
	total, dot := ops[T]().NormRowSums(dscale, dshift, dy, x, k.scale, m.mean, m.low, m.inverse)
	if k.dx == nil {
		return
	}
	var z []T
	if k.z != nil {
		z = k.z[at : at+k.c]
	}
	r := float64(m.inverse)
	ops[T]().NormRowGrad(k.dx[at:at+k.c], dy, x, k.scale, z, m.mean, m.low, m.inverse, T(total/n), T(r*r*dot/n))
}

// join adds the parts up in their order.
func (k *LayerNormGrad[T]) join() {
	m := k.partial.of(&k.Scratch)
	for i, to := range [][]T{k.dscale, k.dshift} {
		if to == nil {
			continue
		}
		for lo := 0; lo < k.c; lo += joinBlock {
			var total [joinBlock]float64
			n := min(joinBlock, k.c-lo)
			for p := range k.work.parts {
				for j, v := range m[(p*gradRows+i)*k.c+lo:][:n] {
					total[j] += float64(v)
				}
			}
			for j, v := range total[:n] {
				to[lo+j] = T(v)
			}
		}
	}
}

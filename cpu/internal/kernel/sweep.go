package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// sweep reduces the middle axis of an array of outer × n × inner elements X to outer × inner elements Y, in float64: sums, divided by
// a number, or maxima. Long rows and tall columns are cut into pieces, whose results are put together in their order.
type sweep[X, Y op.Float] struct {
	outer, n, inner int
	max             bool
	divisor         float64

	pieces  split // of the n
	columns split // of the inner ones
	work    split // piece by piece: outer × pieces × columns
	loop    phase
	finish  phase     // puts pieces together, if there are several
	partial []float64 // outer × pieces × inner
	gather  split     // elements of the result
	x       []X
	y       []Y
}

const (
	// sweepParts is how many parts a reduction should have at least, where it is large: enough for many workers.
	sweepParts = 32
	// sweepWidth bounds the columns whose sums are kept at a time: 4 KiB, which stay in the first-level cache.
	sweepWidth = 512
	// sweepStrip is the width to which narrow rows are joined, so that a loop over columns is long.
	sweepStrip = 256
)

func newSweep[X, Y op.Float](p *pool.Pool, outer, n, inner int, max bool, divisor float64) *sweep[X, Y] {
	k := &sweep[X, Y]{outer: outer, n: n, inner: inner, max: max, divisor: divisor}
	k.columns = splitInto(inner, ceilDiv(inner, sweepWidth))
	parts := min(sweepParts, splitBy(outer*n, inner).parts)
	k.pieces = splitInto(n, ceilDiv(parts, outer*k.columns.parts))
	items := outer * k.pieces.parts * k.columns.parts
	k.work = splitBy(items, k.pieces.size*k.columns.size)
	k.loop = newPhase(p, k.work.parts, k.part)
	if k.pieces.parts > 1 {
		k.partial = make([]float64, outer*k.pieces.parts*inner)
		k.gather = splitBy(outer*inner, k.pieces.parts)
		k.finish = newPhase(p, k.gather.parts, k.finishPart)
	}
	return k
}

// run computes y from x, which must not overlap.
func (k *sweep[X, Y]) run(y []Y, x []X) {
	k.y, k.x = y[:k.outer*k.inner], x[:k.outer*k.n*k.inner]
	k.loop.run()
	if k.pieces.parts > 1 {
		k.finish.run()
	}
}

func (k *sweep[X, Y]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	var memory [sweepWidth]float64
	for item := lo; item < hi; item++ {
		c0, c1 := k.columns.bounds(item % k.columns.parts)
		rest := item / k.columns.parts
		r0, r1 := k.pieces.bounds(rest % k.pieces.parts)
		outer := rest / k.pieces.parts
		x := k.x[(outer*k.n+r0)*k.inner : (outer*k.n+r1)*k.inner]
		if k.inner == 1 {
			total := k.row(x)
			if k.pieces.parts > 1 {
				k.partial[rest] = total
			} else {
				k.y[outer] = Y(total / k.divisor)
			}
			continue
		}
		totals := k.reduceColumns(memory[:], x, c0, c1)
		if k.pieces.parts > 1 {
			copy(k.partial[rest*k.inner+c0:], totals)
			continue
		}
		y := k.y[outer*k.inner+c0:][:len(totals)]
		for i, v := range totals {
			y[i] = Y(v / k.divisor)
		}
	}
}

// row reduces a run of elements.
func (k *sweep[X, Y]) row(x []X) float64 {
	if k.max {
		return maxOf(x)
	}
	return sumOf(x)
}

// reduceColumns reduces columns [c0, c1) of rows of inner elements into memory.
func (k *sweep[X, Y]) reduceColumns(memory []float64, x []X, c0, c1 int) []float64 {
	if c1-c0 < k.inner {
		acc := memory[:c1-c0]
		k.clear(acc)
		k.rows(acc, x[c0:], k.inner, len(x)/k.inner)
		return acc
	}
	// Whole rows lie together: rows that are joined to longer ones have the same columns more than once.
	join := max(min(sweepStrip/k.inner, len(x)/k.inner), 1)
	acc := memory[:join*k.inner]
	k.clear(acc)
	n := len(x) / len(acc)
	k.rows(acc, x, len(acc), n)
	if rest := x[n*len(acc):]; len(rest) > 0 {
		k.rows(acc[:len(rest)], rest, len(rest), 1)
	}
	for strip := acc[k.inner:]; len(strip) > 0; strip = strip[k.inner:] {
		k.merge(acc[:k.inner], strip)
	}
	return acc[:k.inner]
}

func (k *sweep[X, Y]) clear(acc []float64) {
	start := 0.0
	if k.max {
		start = math.Inf(-1)
	}
	for i := range acc {
		acc[i] = start
	}
}

// rows puts n rows, ld apart, into acc.
func (k *sweep[X, Y]) rows(acc []float64, x []X, ld, n int) {
	if k.max {
		for i := range n {
			maxRow(acc, x[i*ld:])
		}
		return
	}
	i := 0
	for ; i+4 <= n; i += 4 {
		addRows(acc, x[i*ld:], x[(i+1)*ld:], x[(i+2)*ld:], x[(i+3)*ld:])
	}
	for ; i < n; i++ {
		addRow(acc, x[i*ld:])
	}
}

// merge puts the results of one piece into those of another.
func (k *sweep[X, Y]) merge(acc, piece []float64) {
	if k.max {
		maxRow(acc, piece)
	} else {
		addRow(acc, piece)
	}
}

func (k *sweep[X, Y]) finishPart(_, part int) {
	lo, hi := k.gather.bounds(part)
	pieces := k.pieces.parts
	for e := lo; e < hi; e++ {
		outer, column := e/k.inner, e%k.inner
		at := outer*pieces*k.inner + column
		total := k.partial[at]
		for range pieces - 1 {
			at += k.inner
			if v := k.partial[at]; !k.max {
				total += v
			} else if v > total || v != v {
				total = v
			}
		}
		k.y[e] = Y(total / k.divisor)
	}
}

// sumOf adds in float64.
func sumOf[X op.Float](x []X) float64 {
	var a, b, c, d float64 // four sums, so that the adder's latency does not bound the speed
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

// maxOf is the largest element; NaN if one is NaN.
func maxOf[X op.Float](x []X) float64 {
	largest := x[0]
	for _, v := range x {
		if !(v <= largest) {
			if v != v {
				return float64(v)
			}
			largest = v
		}
	}
	return float64(largest)
}

func addRow[X op.Float](acc []float64, x []X) {
	x = x[:len(acc)]
	for i, v := range x {
		acc[i] += float64(v)
	}
}

func addRows[X op.Float](acc []float64, a, b, c, d []X) {
	a, b, c, d = a[:len(acc)], b[:len(acc)], c[:len(acc)], d[:len(acc)]
	for i := range acc {
		acc[i] += (float64(a[i]) + float64(b[i])) + (float64(c[i]) + float64(d[i]))
	}
}

func maxRow[X op.Float](acc []float64, x []X) {
	x = x[:len(acc)]
	for i, v := range x {
		if v := float64(v); v > acc[i] || v != v {
			acc[i] = v
		}
	}
}

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// sweep reduces the middle axis of an array of outer × n × inner elements X to outer × inner elements Y: sums, divided
// by a number, or maxima. Sums are added up in X over blocks of a few rows and from there on in float64. Long rows and
// tall columns are cut into pieces, whose results are put together in their order.
type sweep[X, Y Float] struct {
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
	blocks  []X       // sweepWidth of each worker
	totals  []float64 // the same
	x       []X
	y       []Y
}

const (
	// sweepParts is how many parts a reduction should have at least, where it is large: enough for many workers.
	sweepParts = 32
	// sweepWidth bounds the columns that are kept at a time, so that they stay in the first-level cache.
	sweepWidth = 512
	// sweepStrip is the width to which narrow rows are joined, so that loops over columns are long.
	sweepStrip = 256
	// sweepRows is how many rows are added up in X. A sum of so few is nearly as good as its terms.
	sweepRows = 32
	// sweepDirect is how many rows are too few to prepare a loop over columns for.
	sweepDirect = 32
)

func newSweep[X, Y Float](p *pool.Pool, outer, n, inner int, max bool, divisor float64) *sweep[X, Y] {
	k := &sweep[X, Y]{outer: outer, n: n, inner: inner, max: max, divisor: divisor}
	k.columns = splitInto(inner, ceilDiv(inner, sweepWidth))
	parts := min(sweepParts, splitBy(outer*n, inner).parts)
	k.pieces = splitInto(n, ceilDiv(parts, outer*k.columns.parts))
	k.work = splitBy(outer*k.pieces.parts*k.columns.parts, k.pieces.size*k.columns.size)
	k.loop = newPhase(p, k.work.parts, k.part)
	k.blocks, k.totals = make([]X, p.Threads()*sweepWidth), make([]float64, p.Threads()*sweepWidth)
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

func (k *sweep[X, Y]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	if k.inner == 1 && k.n <= sweepDirect {
		k.shortRows(k.y[lo:hi], k.x[lo*k.n:hi*k.n])
		return
	}
	if k.work.n == k.outer && k.n <= sweepDirect {
		for outer := lo; outer < hi; outer++ {
			k.direct(k.y[outer*k.inner:(outer+1)*k.inner], k.x[outer*k.n*k.inner:(outer+1)*k.n*k.inner])
		}
		return
	}
	for item := lo; item < hi; item++ {
		c0, c1 := k.columns.bounds(item % k.columns.parts)
		rest := item / k.columns.parts
		r0, r1 := k.pieces.bounds(rest % k.pieces.parts)
		outer := rest / k.pieces.parts
		totals := k.reduce(worker, k.x[(outer*k.n+r0)*k.inner:(outer*k.n+r1)*k.inner], c0, c1)
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

// shortRows reduces rows that lie together.
func (k *sweep[X, Y]) shortRows(y []Y, x []X) {
	n := k.n
	for i := range y {
		row := x[i*n : (i+1)*n]
		if k.max {
			largest := row[0]
			for _, v := range row[1:] {
				largest = max(largest, v) // hands NaN on
			}
			y[i] = Y(largest)
			continue
		}
		total := 0.0
		for _, v := range row {
			total += float64(v)
		}
		y[i] = Y(total / k.divisor)
	}
}

// direct reduces a few rows, column by column.
func (k *sweep[X, Y]) direct(y []Y, x []X) {
	for j := range y {
		if k.max {
			largest := x[j]
			for i := j + k.inner; i < len(x); i += k.inner {
				largest = max(largest, x[i]) // hands NaN on
			}
			y[j] = Y(largest)
			continue
		}
		total := float64(x[j])
		for i := j + k.inner; i < len(x); i += k.inner {
			total += float64(x[i])
		}
		y[j] = Y(total / k.divisor)
	}
}

// reduce reduces columns [c0, c1) of whole rows.
func (k *sweep[X, Y]) reduce(worker int, x []X, c0, c1 int) []float64 {
	totals := k.totals[worker*sweepWidth:][:sweepWidth]
	if k.inner == 1 && len(x) < 4*sweepStrip {
		totals[0] = k.row(x)
		return totals[:1]
	}
	block := k.blocks[worker*sweepWidth:][:sweepWidth]
	if c1-c0 < k.inner {
		k.strips(totals[:c1-c0], block[:c1-c0], x[c0:], k.inner, len(x)/k.inner)
		return totals[:c1-c0]
	}
	// Rows lie together: those that are joined to longer ones have the same columns more than once.
	width := max(min(sweepStrip/k.inner, len(x)/k.inner), 1) * k.inner
	n := len(x) / width
	k.strips(totals[:width], block[:width], x, width, n)
	if rest := x[n*width:]; len(rest) > 0 {
		k.merge(totals, rest)
	}
	for join := width / k.inner; join > 1; { // the second half over the first
		half := join / 2
		k.mergeTotals(totals, totals[(join-half)*k.inner:join*k.inner])
		join -= half
	}
	return totals[:k.inner]
}

func (k *sweep[X, Y]) row(x []X) float64 {
	total := ops[X]().Sum(x)
	switch {
	case !k.max:
		return total
	case total != total: // there may be NaN, which the vectors pass over
		return maxOf(x)
	}
	return float64(ops[X]().Top(x))
}

// strips reduces n rows as long as totals, ld apart.
func (k *sweep[X, Y]) strips(totals []float64, block, x []X, ld, n int) {
	width := len(totals)
	if k.max {
		copy(block, x[:width])
		for i := 1; i < n; i++ {
			maxInto(block, x[i*ld:][:width])
		}
		for i, v := range block {
			totals[i] = float64(v)
		}
		return
	}
	clear(totals)
	for i := 0; i < n; i += sweepRows {
		rows := min(sweepRows, n-i)
		clear(block)
		if ld == width {
			columnSums(block, x[i*ld:(i+rows)*ld])
		} else {
			for row := i; row < i+rows; row++ {
				add(block, block, x[row*ld:][:width])
			}
		}
		addRow(totals, block)
	}
}

// merge puts a row that may be shorter into totals.
func (k *sweep[X, Y]) merge(totals []float64, x []X) {
	if k.max {
		maxRow(totals[:len(x)], x)
	} else {
		addRow(totals[:len(x)], x)
	}
}

func (k *sweep[X, Y]) mergeTotals(totals, more []float64) {
	if k.max {
		maxRow(totals[:len(more)], more)
	} else {
		addRow(totals[:len(more)], more)
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
			if k.max {
				total = max(total, k.partial[at])
			} else {
				total += k.partial[at]
			}
		}
		k.y[e] = Y(total / k.divisor)
	}
}

// maxInto is dst = max(dst, src), where NaN counts as the largest number.
func maxInto[T Float](dst, src []T) {
	lanes := max(ops[T]().runs.lanes, 1)
	whole := len(dst) / lanes * lanes
	maxRuns(dst, lanes, src, lanes, whole/lanes, lanes)
	maxRuns(dst[whole:], 0, src[whole:], 0, 1, len(dst)-whole)
}

// maxOf is the largest element; NaN if one is NaN.
func maxOf[X Float](x []X) float64 {
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

func addRow[X Float](acc []float64, x []X) {
	x = x[:len(acc)]
	for i, v := range x {
		acc[i] += float64(v)
	}
}

func maxRow[X Float](acc []float64, x []X) {
	x = x[:len(acc)]
	for i, v := range x {
		acc[i] = max(acc[i], float64(v)) // hands NaN on
	}
}

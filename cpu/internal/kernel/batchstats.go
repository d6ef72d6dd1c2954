package kernel

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// BatchStats computes the mean and the biased variance of every channel in one sweep over memory.
//
// Each block of rows first takes the mean of its own beginning as an origin and then sums deviations from it and their
// squares, so that a large mean does not swallow a small variance as Σx² − (Σx)²/M would. Blocks are combined in float64
// (Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983).
type BatchStats[T Float] struct {
	Scratch[T]
	c          Channels
	work       split
	loop, join phase
	joins      split
	partial    area[T] // rows of C elements for each part: origin, Σ, Σ²; unless it watches, also the block sums of both
	rows       int     // of them
	mean, vari []T
	x          []T
}

const (
	statRows    = 5 // of partial
	watchedRows = 3 // of them where it watches
	// sumRun is how many rows are added into one sum before it is folded into the next: it bounds the
	// rounding error of long sums.
	sumRun = 256
	// originRows is how many rows make an origin. One row might be an outlier.
	originRows = 64
)

// NewBatchStats prepares the statistics of the channels of c.
func NewBatchStats[T Float](p *pool.Pool, c Channels) (*BatchStats[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchStats[T]{c: c, rows: statRows}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
		k.loop.backwards = true
		k.prepareJoin(p)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// newWatchedStats prepares the statistics of an array with the channels last, of which [BatchStats.Done] is told whenever size
// rows, at most sumRun, are finished, but for the last ones.
func newWatchedStats[T Float](p *pool.Pool, c Channels, size int) *BatchStats[T] {
	k := &BatchStats[T]{c: c, rows: watchedRows}
	k.work = split{n: c.Outer, size: size, parts: ceilDiv(c.Outer, size)}
	k.prepareJoin(p)
	return k
}

// prepareJoin reserves the memory for what the parts find and prepares putting it together.
func (k *BatchStats[T]) prepareJoin(p *pool.Pool) {
	k.partial = k.reserve(k.work.parts * k.rows * k.c.C)
	k.joins = splitBy(k.c.C, 8*k.work.parts)
	k.join = newPhase(p, k.joins.parts, k.joinPart)
}

// Run computes mean and variance (C elements each) of x. Either may be nil when it is not wanted.
func (k *BatchStats[T]) Run(mean, variance, x []T) {
	k.mean, k.vari, k.x = mean, variance, x[:k.c.Len()]
	k.loop.run()
	if k.c.Inner == 1 {
		k.join.run()
	}
}

// begin and finish are Run around the writing of x: what Done is told in between is all of it.
func (k *BatchStats[T]) begin(x []T) { k.x = x[:k.c.Len()] }

func (k *BatchStats[T]) finish(mean, variance []T) {
	k.mean, k.vari = mean, variance
	k.join.run()
}

// Done implements [gemm.Watcher].
func (k *BatchStats[T]) Done(i0, rows, j0, cols int) {
	c := k.c.C
	origin, s, q := k.statsOf(i0 / k.work.size)
	origin, s, q = origin[j0:j0+cols], s[j0:j0+cols], q[j0:j0+cols]
	clear(origin)
	clear(s)
	clear(q)
	x, n := k.x[i0*c+j0:], min(originRows, rows)
	ops[T]().ColSum(origin, x, c, n)
	scale(origin, origin, 1/T(n))
	ops[T]().ColMoments(s, q, x, origin, c, rows)
}

// statsOf returns the first rows of a part's partial sums.
func (k *BatchStats[T]) statsOf(part int) (origin, s, q []T) {
	c := k.c.C
	m := k.partial.of(&k.Scratch)[part*k.rows*c:]
	return m[:c], m[c : 2*c], m[2*c : 3*c]
}

// blocksOf returns the rows behind those: of a block.
func (k *BatchStats[T]) blocksOf(part int) (s, q []T) {
	c := k.c.C
	m := k.partial.of(&k.Scratch)[(part*k.rows+watchedRows)*c:]
	return m[:c], m[c : 2*c]
}

func (k *BatchStats[T]) rowsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c.C
	origin, s, q := k.statsOf(part)
	blockS, blockQ := k.blocksOf(part)
	n := min(originRows, hi-lo)
	clear(origin)
	columnSums(origin, k.x[lo*c:(lo+n)*c])
	scale(origin, origin, 1/T(n))
	clear(s)
	clear(q)
	for r := lo; r < hi; r += sumRun {
		end := min(r+sumRun, hi)
		clear(blockS)
		clear(blockQ)
		columnMoments(blockS, blockQ, k.x[r*c:end*c], origin)
		add(s, s, blockS)
		add(q, q, blockQ)
	}
}

// joinPart combines the parts' sums for a range of channels. With e = origin − mean, a part of n rows contributes
// Σ((x−origin)+e)² = q + 2·e·s + n·e².
func (k *BatchStats[T]) joinPart(_, part int) {
	lo, hi := k.joins.bounds(part)
	total := float64(k.c.Rows())
	for ; lo < hi; lo += joinBlock {
		var from, mean, squares [joinBlock]float64
		end := min(lo+joinBlock, hi)
		first, _, _ := k.statsOf(0)
		for i, o := range first[lo:end] {
			from[i] = base(o)
		}
		for p := range k.work.parts {
			first, last := k.work.bounds(p)
			n := float64(last - first)
			origin, s, _ := k.statsOf(p)
			for i, o := range origin[lo:end] {
				mean[i] += n*(float64(o)-from[i]) + float64(s[lo+i])
			}
		}
		for i := range mean {
			mean[i] = from[i] + mean[i]/total
		}
		for p := range k.work.parts {
			first, last := k.work.bounds(p)
			n := float64(last - first)
			origin, s, q := k.statsOf(p)
			for i, o := range origin[lo:end] {
				e := float64(o) - mean[i]
				squares[i] += float64(q[lo+i]) + e*(2*float64(s[lo+i])+n*e)
			}
		}
		for i := range end - lo {
			k.store(lo+i, moments{total, mean[i], squares[i]})
		}
	}
}

// joinBlock is the number of channels whose sums are combined at a time.
const joinBlock = 64

func (k *BatchStats[T]) store(ch int, m moments) {
	if k.mean != nil {
		k.mean[ch] = T(m.mean)
	}
	if k.vari != nil {
		v := m.squares / m.n
		if v < 0 { // rounding of a constant channel
			v = 0
		}
		k.vari[ch] = T(v)
	}
}

func (k *BatchStats[T]) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var m moments
		from := base(k.x[ch*k.c.Inner])
		for o := range k.c.Outer {
			run := k.x[(o*k.c.C+ch)*k.c.Inner:][:k.c.Inner]
			mean := sumFrom(run, from) / float64(len(run))
			m.merge(float64(len(run)), mean, sumSquares(run, from+mean))
		}
		m.mean += from
		k.store(ch, m)
	}
}

// base returns what means of an array that starts with x are computed relative to. Float64 has no wider type to add
// large means up in, so it adds distances from one of the elements; for float32, float64 is wide enough.
func base[T Float](x T) float64 {
	if unsafe.Sizeof(x) == 8 {
		return float64(x)
	}
	return 0
}

// moments are the count, the mean and the sum of squared deviations of a set of numbers.
type moments struct{ n, mean, squares float64 }

// merge adds another set.
func (m *moments) merge(n, mean, squares float64) {
	d, total := mean-m.mean, m.n+n
	m.squares += squares + d*d*m.n*n/total
	m.mean += d * n / total
	m.n = total
}

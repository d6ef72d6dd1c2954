package kernel

import (
	"math"
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
	partial    area[T] // statRows rows of C elements a part: origin, Σ, Σ², and the block sums of both
	mean, vari []T
	x          []T
}

const (
	statRows = 5
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
	k := &BatchStats[T]{c: c}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(k.work.parts * statRows * c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
		k.loop.backwards = true
		k.joins = splitBy(c.C, 8*k.work.parts)
		k.join = newPhase(p, k.joins.parts, k.joinPart)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// Run computes mean and variance (C elements each) of x. Either may be nil when it is not wanted.
func (k *BatchStats[T]) Run(mean, variance, x []T) {
	k.mean, k.vari, k.x = mean, variance, x[:k.c.Len()]
	k.loop.run()
	if k.c.Inner == 1 {
		k.join.run()
	}
}

// statsOf returns the rows of a part's partial sums.
func (k *BatchStats[T]) statsOf(part int) (origin, s, q, blockS, blockQ []T) {
	c := k.c.C
	m := k.partial.of(&k.Scratch)[part*statRows*c:][:statRows*c]
	return m[:c], m[c : 2*c], m[2*c : 3*c], m[3*c : 4*c], m[4*c:]
}

func (k *BatchStats[T]) rowsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c.C
	origin, s, q, blockS, blockQ := k.statsOf(part)
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
		first, _, _, _, _ := k.statsOf(0)
		for i, o := range first[lo:end] {
			from[i] = base(o)
		}
		for p := range k.work.parts {
			first, last := k.work.bounds(p)
			n := float64(last - first)
			origin, s, _, _, _ := k.statsOf(p)
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
			origin, s, q, _, _ := k.statsOf(p)
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

// BatchNorm is y = γ·(x−mean)/√(variance+ε) + β, then optionally + residual, then optionally ReLU: batch
// normalization with given statistics, in training (those of [BatchStats]) and in inference (the running ones).
type BatchNorm[T Float] struct {
	Scratch[T]
	rows        channelRows
	epsilon     float64
	relu        bool
	coef        area[T]
	scale       []T // γ/√(variance+ε)
	mean, shift []T
	loop        phase
	y, x, z     []T
}

// NewBatchNorm prepares the normalization of the channels of c; relu applies max(·, 0) last.
func NewBatchNorm[T Float](p *pool.Pool, c Channels, epsilon float64, relu bool) (*BatchNorm[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNorm[T]{rows: channelRowsOf(c), epsilon: epsilon, relu: relu}
	k.coef = k.reserve(c.C)
	k.loop = newPhase(p, k.rows.parts, k.part)
	return k, nil
}

// Run computes y from x; gamma, beta, mean and variance have C elements. residual, of the size of x, is added before
// the ReLU; nil adds nothing. y may be the memory of x or residual.
func (k *BatchNorm[T]) Run(y, x, gamma, beta, mean, variance, residual []T) {
	n, c := k.rows.Len(), k.rows.C
	k.y, k.x, k.z = y[:n], x[:n], residual
	k.mean, k.scale, k.shift = mean[:c], k.coef.of(&k.Scratch), beta[:c]
	normScale(k.scale, gamma, variance, k.epsilon)
	k.loop.run()
}

// normScale computes γ/√(variance+ε). Forward and backward pass take the same numbers, so that they agree on a ReLU's zeros.
func normScale[T Float](scale, gamma, variance []T, epsilon float64) {
	for i := range scale {
		scale[i] = T(float64(gamma[i]) * rstd(variance[i], epsilon))
	}
}

// rstd is 1/√(variance+ε).
func rstd[T Float](variance T, epsilon float64) float64 {
	return 1 / math.Sqrt(float64(variance)+epsilon)
}

func (k *BatchNorm[T]) part(_, part int) {
	lo, hi := k.rows.bounds(part)
	if k.rows.Inner == 1 {
		c := k.rows.C
		var z []T
		if k.z != nil {
			z = k.z[lo*c : hi*c]
		}
		scaleShiftRows(k.y[lo*c:hi*c], k.x[lo*c:hi*c], z, k.mean, k.scale, k.shift, k.relu)
		return
	}
	for r := lo; r < hi; r++ {
		ch := r % k.rows.C
		y, x := rowOf(&k.rows, k.y, r), rowOf(&k.rows, k.x, r)
		if k.z == nil {
			scaleShift(y, x, k.mean[ch], k.scale[ch], k.shift[ch], k.relu)
		} else {
			scaleShiftAdd(y, x, rowOf(&k.rows, k.z, r), k.mean[ch], k.scale[ch], k.shift[ch], k.relu)
		}
	}
}

package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// BatchStats computes the mean and the biased variance of every channel in one sweep over memory.
//
// Each block of rows first takes the mean of its own beginning as an origin and then sums deviations from it and their
// squares, so that a large mean does not swallow a small variance as Σx² − (Σx)²/M would. Blocks are combined in float64
// (Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983).
type BatchStats struct {
	Scratch
	c          Channels
	work       split
	loop, join phase
	joins      split
	partial    area // statRows rows of C elements a part: origin, Σ, Σ², and the block sums of both
	mean, vari []float32
	x          []float32
}

const (
	statRows = 5
	// sumRun is how many rows are added into one float32 sum before it is folded into the next: it bounds the
	// rounding error of long sums.
	sumRun = 256
	// originRows is how many rows make an origin. One row might be an outlier.
	originRows = 64
)

// NewBatchStats prepares the statistics of the channels of c.
func NewBatchStats(p *pool.Pool, c Channels) (*BatchStats, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchStats{c: c}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(k.work.parts * statRows * c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
		k.joins = splitBy(c.C, 8*k.work.parts)
		k.join = newPhase(p, k.joins.parts, k.joinPart)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// Run computes mean and variance (C elements each) of x. Either may be nil when it is not wanted.
func (k *BatchStats) Run(mean, variance, x []float32) {
	k.mean, k.vari, k.x = mean, variance, x[:k.c.Len()]
	k.loop.run()
	if k.c.Inner == 1 {
		k.join.run()
	}
}

// statsOf returns the rows of a part's partial sums.
func (k *BatchStats) statsOf(part int) (origin, s, q, blockS, blockQ []float32) {
	c := k.c.C
	m := k.partial.of(&k.Scratch)[part*statRows*c:][:statRows*c]
	return m[:c], m[c : 2*c], m[2*c : 3*c], m[3*c : 4*c], m[4*c:]
}

func (k *BatchStats) rowsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c.C
	origin, s, q, blockS, blockQ := k.statsOf(part)
	n := min(originRows, hi-lo)
	clear(origin)
	columnSums(origin, k.x[lo*c:(lo+n)*c])
	scale(origin, origin, 1/float32(n))
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
func (k *BatchStats) joinPart(_, part int) {
	lo, hi := k.joins.bounds(part)
	total := float64(k.c.Rows())
	for ; lo < hi; lo += joinBlock {
		var mean, squares [joinBlock]float64
		end := min(lo+joinBlock, hi)
		for p := range k.work.parts {
			first, last := k.work.bounds(p)
			n := float64(last - first)
			origin, s, _, _, _ := k.statsOf(p)
			for i, o := range origin[lo:end] {
				mean[i] += n*float64(o) + float64(s[lo+i])
			}
		}
		for i := range mean {
			mean[i] /= total
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

func (k *BatchStats) store(ch int, m moments) {
	if k.mean != nil {
		k.mean[ch] = float32(m.mean)
	}
	if k.vari != nil {
		v := m.squares / m.n
		if v < 0 { // rounding of a constant channel
			v = 0
		}
		k.vari[ch] = float32(v)
	}
}

func (k *BatchStats) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var m moments
		for o := range k.c.Outer {
			run := k.x[(o*k.c.C+ch)*k.c.Inner:][:k.c.Inner]
			mean := sum(run) / float64(len(run))
			m.merge(float64(len(run)), mean, sumSquares(run, mean))
		}
		k.store(ch, m)
	}
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
type BatchNorm struct {
	Scratch
	rows        channelRows
	epsilon     float64
	relu        bool
	coef        area
	scale       []float32 // γ/√(variance+ε)
	mean, shift []float32
	loop        phase
	y, x, z     []float32
}

// NewBatchNorm prepares the normalization of the channels of c; relu applies max(·, 0) last.
func NewBatchNorm(p *pool.Pool, c Channels, epsilon float64, relu bool) (*BatchNorm, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNorm{rows: channelRowsOf(c), epsilon: epsilon, relu: relu}
	k.coef = k.reserve(c.C)
	k.loop = newPhase(p, k.rows.parts, k.part)
	return k, nil
}

// Run computes y from x; gamma, beta, mean and variance have C elements. residual, of the size of x, is added before
// the ReLU; nil adds nothing. y may be the memory of x or residual.
func (k *BatchNorm) Run(y, x, gamma, beta, mean, variance, residual []float32) {
	n, c := k.rows.Len(), k.rows.C
	k.y, k.x, k.z = y[:n], x[:n], residual
	k.mean, k.scale, k.shift = mean[:c], k.coef.of(&k.Scratch), beta[:c]
	for i := range k.scale {
		k.scale[i] = float32(float64(gamma[i]) * rstd(variance[i], k.epsilon))
	}
	k.loop.run()
}

// rstd is 1/√(variance+ε).
func rstd(variance float32, epsilon float64) float64 {
	return 1 / math.Sqrt(float64(variance)+epsilon)
}

func (k *BatchNorm) part(_, part int) {
	lo, hi := k.rows.bounds(part)
	if k.rows.Inner == 1 {
		c := k.rows.C
		var z []float32
		if k.z != nil {
			z = k.z[lo*c : hi*c]
		}
		scaleShiftRows(k.y[lo*c:hi*c], k.x[lo*c:hi*c], z, k.mean, k.scale, k.shift, k.relu)
		return
	}
	for r := lo; r < hi; r++ {
		ch := r % k.rows.C
		y, x := k.rows.row(k.y, r), k.rows.row(k.x, r)
		if k.z == nil {
			scaleShift(y, x, k.mean[ch], k.scale[ch], k.shift[ch], k.relu)
		} else {
			scaleShiftAdd(y, x, k.rows.row(k.z, r), k.mean[ch], k.scale[ch], k.shift[ch], k.relu)
		}
	}
}

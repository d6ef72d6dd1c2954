package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// BatchNormSums computes both channel sums of a batch norm's backward pass in one sweep:
//
//	dβ = Σ dy,  dγ = Σ dy·(x−mean)/√(variance+ε)
//
// where dy may count as 0 wherever a ReLU that followed gave 0.
type BatchNormSums[T Float] struct {
	Scratch[T]
	c             Channels
	epsilon       float64
	work          split
	loop          phase
	partial       area[T] // gradRows rows of C elements a part: Σdy, Σdy·(x−mean), and the block sums of both
	coef          area[T]
	masked        maskBlock[T]
	mode          maskMode
	x, mean, dy   []T
	scale, shift  []T // of the batch norm, for maskNorm and maskBound
	most          T   // for maskBound
	y             []T
	a, b          []T // for maskJoin
	variance      []T
	dgamma, dbeta []T
}

// maskMode says how a ReLU's zeros get into dy.
type maskMode int

const (
	maskNone  maskMode = iota
	maskY              // where y ≤ 0
	maskNorm           // where the batch norm gives ≤ 0
	maskBound          // where it gives ≤ 0 or ≥ most
	maskJoin           // where y ≤ 0, and dy = a + b is to be made
)

const gradRows = 4

// NewBatchNormSums prepares the sums over the channels of c.
func NewBatchNormSums[T Float](p *pool.Pool, c Channels, epsilon float64) (*BatchNormSums[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNormSums[T]{c: c, epsilon: epsilon}
	k.coef = k.reserve(c.C)
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(k.work.parts * gradRows * c.C)
		k.masked = newMaskBlock(&k.Scratch, p.Threads(), c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
		k.loop.backwards = true
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// Run computes dgamma and dbeta (C elements each). y is the result after the ReLU, nil when none followed.
func (k *BatchNormSums[T]) Run(dgamma, dbeta, x, mean, variance, dy, y []T) {
	k.mode = maskNone
	if y != nil {
		k.mode = maskY
	}
	k.y, k.dy = y, dy[:k.c.Len()]
	k.run(dgamma, dbeta, x, mean, variance)
}

// RunReLU is Run where a ReLU followed the batch norm and nothing in between: its zeros are found from x.
func (k *BatchNormSums[T]) RunReLU(dgamma, dbeta, x, gamma, beta, mean, variance, dy []T) {
	k.mode, k.dy, k.shift = maskNorm, dy[:k.c.Len()], beta[:k.c.C]
	k.scale = k.coef.of(&k.Scratch)
	normScale(k.scale, gamma, variance, k.epsilon)
	k.run(dgamma, dbeta, x, mean, variance)
}

// RunBound is RunReLU where the ReLU's result was bounded by most: dy counts as 0 where it was most or more, too.
func (k *BatchNormSums[T]) RunBound(dgamma, dbeta, x, gamma, beta, mean, variance, dy []T, most T) {
	k.mode, k.most, k.dy, k.shift = maskBound, most, dy[:k.c.Len()], beta[:k.c.C]
	k.scale = k.coef.of(&k.Scratch)
	normScale(k.scale, gamma, variance, k.epsilon)
	k.run(dgamma, dbeta, x, mean, variance)
}

// RunJoin is Run for the gradient dy = a + b where y > 0, else 0, which it makes. dy may be the memory of a, b or y.
func (k *BatchNormSums[T]) RunJoin(dgamma, dbeta, dy, x, mean, variance, a, b, y []T) {
	n := k.c.Len()
	k.mode, k.dy, k.a, k.b, k.y = maskJoin, dy[:n], a[:n], b[:n], y[:n]
	k.run(dgamma, dbeta, x, mean, variance)
}

func (k *BatchNormSums[T]) run(dgamma, dbeta, x, mean, variance []T) {
	c := k.c.C
	k.dgamma, k.dbeta, k.x, k.mean, k.variance = dgamma[:c], dbeta[:c], x[:k.c.Len()], mean[:c], variance[:c]
	k.loop.run()
	if k.c.Inner == 1 {
		k.join()
	}
}

// maskBlock is memory of the workers for some rows of a gradient with a ReLU's zeros put in: few enough to stay in the
// first-level cache until they are used.
type maskBlock[T Float] struct {
	area[T]
	rows, c int
}

func newMaskBlock[T Float](s *Scratch[T], workers, c int) maskBlock[T] {
	const elements = 4096
	rows := max(min(sumRun, elements/c), 1)
	return maskBlock[T]{area: s.reserve(workers * rows * c), rows: rows, c: c}
}

// apply writes dy with 0 where y ≤ 0 to the worker's memory.
func (m maskBlock[T]) apply(s *Scratch[T], worker int, y, dy []T) []T {
	to := m.of(s)[worker*m.rows*m.c:][:len(dy)]
	reluGrad(to, y, dy)
	return to
}

func (k *BatchNormSums[T]) rowsPart(worker, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c.C
	m := k.partial.of(&k.Scratch)[part*gradRows*c:][:gradRows*c]
	s, q, blockS, blockQ := m[:c], m[c:2*c], m[2*c:3*c], m[3*c:]
	clear(s)
	clear(q)
	for r := lo; r < hi; r += sumRun {
		clear(blockS)
		clear(blockQ)
		k.block(worker, r*c, min(r+sumRun, hi)*c, blockS, blockQ)
		add(s, s, blockS)
		add(q, q, blockQ)
	}
}

// block adds the elements [lo, hi) to the sums.
func (k *BatchNormSums[T]) block(worker, lo, hi int, s, q []T) {
	rows := (hi - lo) / k.c.C
	switch k.mode {
	case maskNone:
		ops[T]().ColNormGrad(s, q, k.dy[lo:hi], k.x[lo:hi], k.mean, rows)
	case maskNorm:
		ops[T]().ColNormGradReLU(s, q, k.dy[lo:hi], k.x[lo:hi], k.mean, k.scale, k.shift, rows)
	case maskBound:
		ops[T]().ColNormGradBound(s, q, k.dy[lo:hi], k.x[lo:hi], k.mean, k.scale, k.shift, rows, k.most)
	case maskJoin:
		ops[T]().ColNormGradJoin(s, q, k.dy[lo:hi], k.a[lo:hi], k.b[lo:hi], k.y[lo:hi], k.x[lo:hi], k.mean, rows)
	case maskY:
		for step := k.masked.rows * k.c.C; lo < hi; lo += step {
			end := min(lo+step, hi)
			dy := k.masked.apply(&k.Scratch, worker, k.y[lo:end], k.dy[lo:end])
			ops[T]().ColNormGrad(s, q, dy, k.x[lo:end], k.mean, len(dy)/k.c.C)
		}
	}
}

func (k *BatchNormSums[T]) join() {
	c, m := k.c.C, k.partial.of(&k.Scratch)
	for lo := 0; lo < c; lo += joinBlock {
		var s, q [joinBlock]float64
		n := min(joinBlock, c-lo)
		for p := range k.work.parts {
			from := m[p*gradRows*c+lo:]
			for i := range n {
				s[i] += float64(from[i])
				q[i] += float64(from[c+i])
			}
		}
		for i := range n {
			k.store(lo+i, s[i], q[i])
		}
	}
}

func (k *BatchNormSums[T]) store(ch int, s, q float64) {
	k.dbeta[ch], k.dgamma[ch] = T(s), T(q*rstd(k.variance[ch], k.epsilon))
}

func (k *BatchNormSums[T]) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var s, q float64
		mean := k.mean[ch]
		for o := range k.c.Outer {
			at := (o*k.c.C + ch) * k.c.Inner
			x := k.x[at : at+k.c.Inner]
			for i := range x {
				v := x[i] - mean
				d := k.gradient(at+i, ch, v)
				s += float64(d)
				q += float64(d) * float64(v)
			}
		}
		k.store(ch, s, q)
	}
}

// gradient returns an element of dy, where x lies centred above its mean, and makes it if it is to be made.
func (k *BatchNormSums[T]) gradient(at, ch int, centred T) T {
	switch k.mode {
	case maskNorm:
		if !(centred*k.scale[ch]+k.shift[ch] > 0) {
			return 0
		}
	case maskBound:
		if y := centred*k.scale[ch] + k.shift[ch]; !(y > 0 && y < k.most) {
			return 0
		}
	case maskY:
		if !(k.y[at] > 0) {
			return 0
		}
	case maskJoin:
		d := k.a[at] + k.b[at]
		if !(k.y[at] > 0) {
			d = 0
		}
		k.dy[at] = d
	}
	return k.dy[at]
}

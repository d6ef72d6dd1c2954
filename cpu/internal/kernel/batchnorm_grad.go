package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// BatchNormSums computes both channel sums of a batch norm's backward pass in one sweep:
//
//	dβ = Σ dy,  dγ = Σ dy·(x−mean)/√(variance+ε)
//
// where dy counts as 0 wherever y ≤ 0 if a ReLU followed.
type BatchNormSums[T Float] struct {
	Scratch[T]
	c             Channels
	epsilon       float64
	work          split
	loop          phase
	partial       area[T] // gradRows rows of C elements a part: Σdy, Σdy·(x−mean)/√(variance+ε), and the block sums of both
	rstdArea      area[T]
	rstd          []T
	masked        maskBlock[T]
	x, mean, dy   []T
	y             []T
	dgamma, dbeta []T
}

const gradRows = 4

// NewBatchNormSums prepares the sums over the channels of c.
func NewBatchNormSums[T Float](p *pool.Pool, c Channels, epsilon float64) (*BatchNormSums[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNormSums[T]{c: c, epsilon: epsilon}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(k.work.parts * gradRows * c.C)
		k.rstdArea = k.reserve(c.C)
		k.masked = newMaskBlock(&k.Scratch, p.Threads(), c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// Run computes dgamma and dbeta (C elements each). y is the result after the ReLU, nil when none followed.
func (k *BatchNormSums[T]) Run(dgamma, dbeta, x, mean, variance, dy, y []T) {
	n, c := k.c.Len(), k.c.C
	k.dgamma, k.dbeta, k.x, k.mean, k.dy, k.y = dgamma[:c], dbeta[:c], x[:n], mean[:c], dy[:n], y
	if k.c.Inner == 1 {
		k.rstd = k.rstdArea.of(&k.Scratch)
		for i := range k.rstd {
			k.rstd[i] = T(rstd(variance[i], k.epsilon))
		}
		k.loop.run()
		k.join()
		return
	}
	k.loop.run()
	for i := range k.dgamma {
		k.dgamma[i] = T(float64(k.dgamma[i]) * rstd(variance[i], k.epsilon))
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
	if k.y == nil {
		columnNormGrad(s, q, k.dy[lo:hi], k.x[lo:hi], k.mean, k.rstd)
		return
	}
	for step := k.masked.rows * k.c.C; lo < hi; lo += step {
		end := min(lo+step, hi)
		dy := k.masked.apply(&k.Scratch, worker, k.y[lo:end], k.dy[lo:end])
		columnNormGrad(s, q, dy, k.x[lo:end], k.mean, k.rstd)
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
			k.dbeta[lo+i], k.dgamma[lo+i] = T(s[i]), T(q[i])
		}
	}
}

func (k *BatchNormSums[T]) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var s, q float64
		mean := k.mean[ch]
		for o := range k.c.Outer {
			at := (o*k.c.C + ch) * k.c.Inner
			x, dy := k.x[at:at+k.c.Inner], k.dy[at:at+k.c.Inner]
			var y []T
			if k.y != nil {
				y = k.y[at : at+k.c.Inner]
			}
			for i, d := range dy {
				if y != nil && !(y[i] > 0) {
					continue
				}
				s += float64(d)
				q += float64(d) * float64(x[i]-mean)
			}
		}
		k.dbeta[ch], k.dgamma[ch] = T(s), T(q)
	}
}

// BatchNormGradInput is the gradient of a batch norm with respect to x:
//
//	dx = γ/√(variance+ε)·(dy − dβ/M − (x−mean)/√(variance+ε)·dγ/M)
//
// with M elements a channel, and dy counting as 0 wherever y ≤ 0 if a ReLU followed. In inference, where the statistics
// do not depend on x, only the first term remains: see [NewBatchNormInferenceGradInput].
type BatchNormGradInput[T Float] struct {
	Scratch[T]
	rows      channelRows
	epsilon   float64
	inference bool
	coef      area[T]
	a, b, d   []T // dx = a·dy + b·(x−mean) + d; in inference b and d are 0
	masked    maskBlock[T]
	loop      phase
	dx, mask  []T
	x, mean   []T
	dy, y     []T
}

// NewBatchNormGradInput prepares the gradient in training.
func NewBatchNormGradInput[T Float](p *pool.Pool, c Channels, epsilon float64) (*BatchNormGradInput[T], error) {
	return newBatchNormGradInput[T](p, c, epsilon, false)
}

// NewBatchNormInferenceGradInput prepares dx = γ/√(variance+ε)·dy, with the same masking by y. Its Run ignores x, mean,
// dgamma and dbeta.
func NewBatchNormInferenceGradInput[T Float](p *pool.Pool, c Channels, epsilon float64) (*BatchNormGradInput[T], error) {
	return newBatchNormGradInput[T](p, c, epsilon, true)
}

func newBatchNormGradInput[T Float](p *pool.Pool, c Channels, epsilon float64, inference bool) (*BatchNormGradInput[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNormGradInput[T]{rows: channelRowsOf(c), epsilon: epsilon, inference: inference}
	k.coef = k.reserve(3 * c.C)
	k.masked = newMaskBlock(&k.Scratch, p.Threads(), c.C)
	k.loop = newPhase(p, k.rows.parts, k.part)
	return k, nil
}

// Run computes dx. y is the result after the ReLU, nil when none followed. masked, of the size of dy, receives dy with
// the ReLU's zeros, which is the gradient of a residual that was added before the ReLU; nil when it is not wanted. dx
// and masked may be the memory of dy or y, dx also that of x.
func (k *BatchNormGradInput[T]) Run(dx, masked, x, gamma, mean, variance, dy, dgamma, dbeta, y []T) {
	n, c := k.rows.Len(), k.rows.C
	k.dx, k.mask, k.x, k.mean, k.dy, k.y = dx[:n], masked, x, mean, dy[:n], y
	coef := k.coef.of(&k.Scratch)
	k.a, k.b, k.d = coef[:c], coef[c:2*c], coef[2*c:]
	m := float64(k.rows.Rows())
	for i := range c {
		r := rstd(variance[i], k.epsilon)
		a := float64(gamma[i]) * r
		k.a[i], k.b[i], k.d[i] = T(a), 0, 0
		if !k.inference {
			k.b[i] = T(-a * r * float64(dgamma[i]) / m)
			k.d[i] = T(-a * float64(dbeta[i]) / m)
		}
	}
	k.loop.run()
}

func (k *BatchNormGradInput[T]) part(worker, part int) {
	lo, hi := k.rows.bounds(part)
	if k.rows.Inner > 1 {
		for r := lo; r < hi; r++ {
			k.run1(r)
		}
		return
	}
	c := k.rows.C
	step := (hi - lo) * c
	if k.y != nil && k.mask == nil {
		step = k.masked.rows * c
	}
	for lo, hi := lo*c, hi*c; lo < hi; lo += step {
		end := min(lo+step, hi)
		dy := k.dy[lo:end]
		switch {
		case k.y != nil && k.mask != nil:
			reluGrad(k.mask[lo:end], k.y[lo:end], dy)
			dy = k.mask[lo:end]
		case k.y != nil:
			dy = k.masked.apply(&k.Scratch, worker, k.y[lo:end], dy)
		case k.mask != nil:
			copy(k.mask[lo:end], dy)
		}
		if k.inference {
			scaleShiftRows(k.dx[lo:end], dy, nil, k.d, k.a, k.d, false)
		} else {
			normGradRows(k.dx[lo:end], dy, k.x[lo:end], k.a, k.mean, k.b, k.d)
		}
	}
}

// run1 computes the run of elements of one channel when the channels are not last.
func (k *BatchNormGradInput[T]) run1(r int) {
	ch := r % k.rows.C
	dx, dy := rowOf(&k.rows, k.dx, r), rowOf(&k.rows, k.dy, r)
	a, b, d := k.a[ch], k.b[ch], k.d[ch]
	x, mean := dy, T(0)
	if !k.inference {
		x, mean = rowOf(&k.rows, k.x, r), k.mean[ch]
	}
	for i, g := range dy {
		at := r*k.rows.Inner + i
		if k.y != nil && !(k.y[at] > 0) {
			g = 0
		}
		v := a * g
		if !k.inference {
			v += b*(x[i]-mean) + d
		}
		if k.mask != nil {
			k.mask[at] = g
		}
		dx[i] = v
	}
}

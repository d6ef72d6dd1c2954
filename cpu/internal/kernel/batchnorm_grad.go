package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// BatchNormSums computes both channel sums of a batch norm's backward pass in one sweep:
//
//	dβ = Σ dy,  dγ = Σ dy·(x−mean)/√(variance+ε)
//
// where dy counts as 0 wherever y ≤ 0 if a ReLU followed.
type BatchNormSums struct {
	Scratch
	c             Channels
	epsilon       float64
	work          split
	loop          phase
	partial       area // gradRows rows of C elements a part: Σdy, Σdy·(x−mean), and the block sums of both
	x, mean, dy   []float32
	y             []float32
	dgamma, dbeta []float32
}

const gradRows = 4

// NewBatchNormSums prepares the sums over the channels of c.
func NewBatchNormSums(p *pool.Pool, c Channels, epsilon float64) (*BatchNormSums, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNormSums{c: c, epsilon: epsilon}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(k.work.parts * gradRows * c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// Run computes dgamma and dbeta (C elements each). y is the result after the ReLU, nil when none followed.
func (k *BatchNormSums) Run(dgamma, dbeta, x, mean, variance, dy, y []float32) {
	n, c := k.c.Len(), k.c.C
	k.dgamma, k.dbeta, k.x, k.mean, k.dy, k.y = dgamma[:c], dbeta[:c], x[:n], mean[:c], dy[:n], y
	k.loop.run()
	if k.c.Inner == 1 {
		k.join()
	}
	for i := range k.dgamma {
		k.dgamma[i] = float32(float64(k.dgamma[i]) * rstd(variance[i], k.epsilon))
	}
}

func (k *BatchNormSums) rowsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	c := k.c.C
	m := k.partial.of(&k.Scratch)[part*gradRows*c:][:gradRows*c]
	s, q, blockS, blockQ := m[:c], m[c:2*c], m[2*c:3*c], m[3*c:]
	clear(s)
	clear(q)
	for r := lo; r < hi; r += sumRun {
		end := min(r+sumRun, hi)
		var y []float32
		if k.y != nil {
			y = k.y[r*c : end*c]
		}
		clear(blockS)
		clear(blockQ)
		gradSums(blockS, blockQ, k.x[r*c:end*c], k.dy[r*c:end*c], y, k.mean)
		add(s, s, blockS)
		add(q, q, blockQ)
	}
}

func (k *BatchNormSums) join() {
	c, m := k.c.C, k.partial.of(&k.Scratch)
	for ch := range c {
		var s, q float64
		for p := range k.work.parts {
			s += float64(m[p*gradRows*c+ch])
			q += float64(m[p*gradRows*c+c+ch])
		}
		k.dbeta[ch], k.dgamma[ch] = float32(s), float32(q)
	}
}

func (k *BatchNormSums) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var s, q float64
		mean := k.mean[ch]
		for o := range k.c.Outer {
			at := (o*k.c.C + ch) * k.c.Inner
			x, dy := k.x[at:at+k.c.Inner], k.dy[at:at+k.c.Inner]
			var y []float32
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
		k.dbeta[ch], k.dgamma[ch] = float32(s), float32(q)
	}
}

// BatchNormGradInput is the gradient of a batch norm with respect to x:
//
//	dx = γ/√(variance+ε)·(dy − dβ/M − (x−mean)/√(variance+ε)·dγ/M)
//
// with M elements a channel, and dy counting as 0 wherever y ≤ 0 if a ReLU followed. In inference, where the statistics
// do not depend on x, only the first term remains: see [NewBatchNormInferenceGradInput].
type BatchNormGradInput struct {
	Scratch
	rows      channelRows
	epsilon   float64
	inference bool
	coef      area
	a, b, d   []float32 // dx = a·dy + b·(x−mean) + d
	mean      []float32
	loop      phase
	dx, mask  []float32
	x, dy, y  []float32
}

// NewBatchNormGradInput prepares the gradient in training.
func NewBatchNormGradInput(p *pool.Pool, c Channels, epsilon float64) (*BatchNormGradInput, error) {
	return newBatchNormGradInput(p, c, epsilon, false)
}

// NewBatchNormInferenceGradInput prepares dx = γ/√(variance+ε)·dy, with the same masking by y. Its Run ignores x, mean,
// dgamma and dbeta.
func NewBatchNormInferenceGradInput(p *pool.Pool, c Channels, epsilon float64) (*BatchNormGradInput, error) {
	return newBatchNormGradInput(p, c, epsilon, true)
}

func newBatchNormGradInput(p *pool.Pool, c Channels, epsilon float64, inference bool) (*BatchNormGradInput, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BatchNormGradInput{rows: channelRowsOf(c), epsilon: epsilon, inference: inference}
	k.coef = k.reserve(3 * c.C)
	k.loop = newPhase(p, k.rows.parts, k.part)
	return k, nil
}

// Run computes dx. y is the result after the ReLU, nil when none followed. masked, of the size of dy, receives dy with
// the ReLU's zeros, which is the gradient of a residual that was added before the ReLU; nil when it is not wanted. dx
// and masked may be the memory of x, dy or y.
func (k *BatchNormGradInput) Run(dx, masked, x, gamma, mean, variance, dy, dgamma, dbeta, y []float32) {
	n, c := k.rows.Len(), k.rows.C
	k.dx, k.mask, k.x, k.dy, k.y, k.mean = dx[:n], masked, x, dy[:n], y, mean
	coef := k.coef.of(&k.Scratch)
	k.a, k.b, k.d = coef[:c], coef[c:2*c], coef[2*c:]
	m := float64(k.rows.Rows())
	for i := range c {
		r := rstd(variance[i], k.epsilon)
		a := float64(gamma[i]) * r
		k.a[i] = float32(a)
		if !k.inference {
			k.b[i] = float32(-a * r * float64(dgamma[i]) / m)
			k.d[i] = float32(-a * float64(dbeta[i]) / m)
		}
	}
	k.loop.run()
}

func (k *BatchNormGradInput) part(_, part int) {
	lo, hi := k.rows.bounds(part)
	if k.rows.Inner > 1 {
		for r := lo; r < hi; r++ {
			k.run1(r)
		}
		return
	}
	c := k.rows.C
	dx, dy := k.dx[lo*c:hi*c], k.dy[lo*c:hi*c]
	if k.y != nil { // mask once, into masked where it is wanted, else into dx
		to := dx
		if k.mask != nil {
			to = k.mask[lo*c : hi*c]
		}
		_ = to
	}
	var y, mask []float32
	if k.y != nil {
		y = k.y[lo*c : hi*c]
	}
	if k.mask != nil {
		mask = k.mask[lo*c : hi*c]
	}
	if k.inference {
		gradScaleRows(dx, mask, dy, y, k.a)
		return
	}
	gradInputRows(dx, mask, k.x[lo*c:hi*c], dy, y, k.mean, k.a, k.b, k.d)
}

// run1 computes the run of elements of one channel when the channels are not last.
func (k *BatchNormGradInput) run1(r int) {
	ch := r % k.rows.C
	dx, dy := k.rows.row(k.dx, r), k.rows.row(k.dy, r)
	a, b, d, mean := k.a[ch], float32(0), float32(0), float32(0)
	x := dy
	if !k.inference {
		b, d, mean, x = k.b[ch], k.d[ch], k.mean[ch], k.rows.row(k.x, r)
	}
	for i, g := range dy {
		if k.y != nil && !(k.y[r*k.rows.Inner+i] > 0) {
			g = 0
		}
		v := a * g
		if !k.inference {
			v += b*(x[i]-mean) + d
		}
		if k.mask != nil {
			k.mask[r*k.rows.Inner+i] = g
		}
		dx[i] = v
	}
}

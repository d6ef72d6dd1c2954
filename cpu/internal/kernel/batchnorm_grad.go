package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// BatchNormGradInput is the gradient of a batch norm with respect to x:
//
//	dx = γ/√(variance+ε)·(dy − dβ/M − (x−mean)/√(variance+ε)·dγ/M)
//
// with M elements a channel, and dy counting as 0 wherever a ReLU that followed gave 0. In inference, where the statistics
// do not depend on x, only the first term remains: see [NewBatchNormInferenceGradInput].
type BatchNormGradInput[T Float] struct {
	Scratch[T]
	rows      channelRows
	epsilon   float64
	inference bool
	coef      area[T]
	a, b, d   []T // dx = a·dy + b·(x−mean) + d; in inference b and d are 0
	masked    maskBlock[T]
	mode      maskMode
	loop      phase
	dx        []T
	x, mean   []T
	dy, y     []T
	shift     []T // β, for maskNorm and maskBound, whose scale is a
	most      T   // for maskBound
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

// Run computes dx. y is the result after the ReLU, nil when none followed. dx may be the memory of x, dy or y.
func (k *BatchNormGradInput[T]) Run(dx, x, gamma, mean, variance, dy, dgamma, dbeta, y []T) {
	k.mode, k.y = maskNone, y
	if y != nil {
		k.mode = maskY
	}
	k.run(dx, x, gamma, mean, variance, dy, dgamma, dbeta)
}

// RunReLU is Run where a ReLU followed the batch norm and nothing in between: its zeros are found from x.
func (k *BatchNormGradInput[T]) RunReLU(dx, x, gamma, beta, mean, variance, dy, dgamma, dbeta []T) {
	k.mode, k.shift = maskNorm, beta[:k.rows.C]
	k.run(dx, x, gamma, mean, variance, dy, dgamma, dbeta)
}

// RunBound is RunReLU where the ReLU's result was bounded by most: dy counts as 0 where it was most or more, too.
func (k *BatchNormGradInput[T]) RunBound(dx, x, gamma, beta, mean, variance, dy, dgamma, dbeta []T, most T) {
	k.mode, k.most, k.shift = maskBound, most, beta[:k.rows.C]
	k.run(dx, x, gamma, mean, variance, dy, dgamma, dbeta)
}

func (k *BatchNormGradInput[T]) run(dx, x, gamma, mean, variance, dy, dgamma, dbeta []T) {
	n, c := k.rows.Len(), k.rows.C
	k.dx, k.x, k.mean, k.dy = dx[:n], x, mean, dy[:n]
	coef := k.coef.of(&k.Scratch)
	k.a, k.b, k.d = coef[:c], coef[c:2*c], coef[2*c:]
	normScale(k.a, gamma, variance, k.epsilon)
	clear(k.b)
	clear(k.d)
	if !k.inference {
		m := float64(k.rows.Rows())
		for i := range c {
			r := rstd(variance[i], k.epsilon)
			a := float64(gamma[i]) * r
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
	switch k.mode {
	case maskNone:
		k.block(k.dy[lo*c:hi*c], lo*c)
	case maskNorm:
		lo, hi := lo*c, hi*c
		ops[T]().NormGradReLU(k.dx[lo:hi], k.dy[lo:hi], k.x[lo:hi], k.a, k.mean, k.b, k.d, k.shift, (hi-lo)/c)
	case maskBound:
		lo, hi := lo*c, hi*c
		ops[T]().NormGradBound(k.dx[lo:hi], k.dy[lo:hi], k.x[lo:hi], k.a, k.mean, k.b, k.d, k.shift, (hi-lo)/c, k.most)
	case maskY:
		step := k.masked.rows * c
		for lo, hi := lo*c, hi*c; lo < hi; lo += step {
			end := min(lo+step, hi)
			k.block(k.masked.apply(&k.Scratch, worker, k.y[lo:end], k.dy[lo:end]), lo)
		}
	}
}

// block computes the elements from lo on from dy as it is to count.
func (k *BatchNormGradInput[T]) block(dy []T, lo int) {
	dx := k.dx[lo : lo+len(dy)]
	if k.inference {
		scaleShiftRows(dx, dy, nil, k.d, k.a, k.d, false)
	} else {
		ops[T]().NormGrad(dx, dy, k.x[lo:lo+len(dy)], k.a, k.mean, k.b, k.d, len(dy)/k.rows.C)
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
		v := x[i] - mean
		switch {
		case k.mode == maskY && !(k.y[r*k.rows.Inner+i] > 0), k.mode == maskNorm && !(v*a+k.shift[ch] > 0):
			g = 0
		case k.mode == maskBound:
			if y := v*a + k.shift[ch]; !(y > 0 && y < k.most) {
				g = 0
			}
		}
		if k.inference {
			dx[i] = a * g
		} else {
			dx[i] = a*g + (b*v + d)
		}
	}
}

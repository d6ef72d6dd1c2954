package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
)

// BatchNorm is y = γ·(x−mean)/√(variance+ε) + β, then optionally + residual, then optionally ReLU: batch
// normalization with given statistics, in training (those of [BatchStats]) and in inference (the running ones).
type BatchNorm[T Float] struct {
	Scratch[T]
	rows        channelRows
	epsilon     float64
	relu        bool
	most        []T // the ReLU's bound, as often as a vector has it; nil for none
	lowest      vmath.F2[T]
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

// Bound lets the ReLU's result be most at the most.
func (k *BatchNorm[T]) Bound(most float64) {
	k.most, k.lowest = make([]T, vmath.Lanes), vmath.For[T](ops[T]().Level()).Min
	for i := range k.most {
		k.most[i] = T(most)
	}
}

// clip applies the bound to a piece of y.
func (k *BatchNorm[T]) clip(y []T) { k.lowest(&y[0], &y[0], &k.most[0], uintptr(len(y)), 1, 0) }

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
		if k.most == nil {
			scaleShiftRows(k.y[lo*c:hi*c], k.x[lo*c:hi*c], z, k.mean, k.scale, k.shift, k.relu)
			return
		}
		const near = 4096 // elements that the first-level cache still has
		step := max(near/c, 1)
		for r := lo; r < hi; r += step {
			from, to := r*c, min(r+step, hi)*c
			if z != nil {
				z = k.z[from:to]
			}
			scaleShiftRows(k.y[from:to], k.x[from:to], z, k.mean, k.scale, k.shift, k.relu)
			k.clip(k.y[from:to])
		}
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
		if k.most != nil {
			k.clip(y)
		}
	}
}

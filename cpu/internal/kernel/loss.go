package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// SoftmaxCrossEntropy is [op.SoftmaxCrossEntropy] and its gradient, both from one evaluation of the exponentials when
// both are asked for. A row whose label is out of range gives NaN.
type SoftmaxCrossEntropy[T Float] struct {
	rowLoop[T]
	loss, dlogits, logits, dloss []T
	labels                       []int
}

// NewSoftmaxCrossEntropy prepares losses and gradients of n rows with c classes.
func NewSoftmaxCrossEntropy[T Float](p *pool.Pool, n, c int) (*SoftmaxCrossEntropy[T], error) {
	k := &SoftmaxCrossEntropy[T]{}
	return k, k.prepare(p, "SoftmaxCrossEntropy", n, c, k.one)
}

// Run computes loss (n) and dlogits (n, c) from logits (n, c), labels (n) and dloss (n), the gradient of the losses.
// loss or dlogits may be nil when it is not wanted; without dlogits, dloss is not read. dlogits may be the memory of
// logits.
func (k *SoftmaxCrossEntropy[T]) Run(loss, dlogits, logits []T, labels []int, dloss []T) {
	k.loss, k.dlogits, k.logits, k.labels, k.dloss = loss, dlogits, logits, labels, dloss
	k.loop.run()
}

func (k *SoftmaxCrossEntropy[T]) one(worker, r int) {
	x, label := k.row(k.logits, r), k.labels[r]
	top, score := maximum(x), math.NaN()
	if label >= 0 && label < k.c {
		score = float64(x[label])
	} else {
		label = -1
	}
	var own, others float64 // exp(x−top) of the label, and the sum of the others: 1 − p of the label without cancellation
	if k.dlogits == nil {
		own, others = k.sumExps(worker, x, top, label)
	} else {
		dx := k.row(k.dlogits, r)
		k.exps(dx, x, top)
		own, others = sumApart(dx, label)
		k.gradient(dx, label, own+others, others, float64(k.dloss[r]))
	}
	if k.loss != nil {
		k.loss[r] = T(math.Log(own+others) - (score - top))
	}
}

// gradient makes the gradient of a row of its exponentials.
func (k *SoftmaxCrossEntropy[T]) gradient(dx []T, label int, total, others, dloss float64) {
	if label < 0 {
		dloss = math.NaN()
	}
	scale(dx, dx, T(dloss/total))
	if label >= 0 {
		dx[label] = T(-others / total * dloss)
	}
}

// CrossEntropy is [op.CrossEntropy]: −log of the label's probability, clipped to [1e-7, 1−1e-7] as in Keras. A row whose
// label is out of range gives NaN.
type CrossEntropy[T Float] struct {
	rowLoop[T]
	loss, probs []T
	labels      []int
}

// NewCrossEntropy prepares losses of n rows with c classes.
func NewCrossEntropy[T Float](p *pool.Pool, n, c int) (*CrossEntropy[T], error) {
	k := &CrossEntropy[T]{}
	return k, k.prepare(p, "CrossEntropy", n, c, k.one)
}

// Run computes loss (n) from probs (n, c) and labels (n).
func (k *CrossEntropy[T]) Run(loss, probs []T, labels []int) {
	k.loss, k.probs, k.labels = loss, probs, labels
	k.loop.run()
}

// clipAt is how near a probability of [CrossEntropy] may come to 0 and 1: keras.config.epsilon().
const clipAt = 1e-7

func (k *CrossEntropy[T]) one(_, r int) {
	p := math.NaN()
	if label := k.labels[r]; label >= 0 && label < k.c {
		p = float64(k.row(k.probs, r)[label])
	}
	k.loss[r] = T(-math.Log(min(max(p, clipAt), 1-clipAt))) // min and max hand NaN on
}

// CrossEntropyGrad is [op.CrossEntropyGrad]: −dloss/p at the label where p was not clipped, 0 elsewhere.
type CrossEntropyGrad[T Float] struct {
	rowLoop[T]
	dprobs, probs, dloss []T
	labels               []int
}

// NewCrossEntropyGrad prepares gradients of n rows with c classes.
func NewCrossEntropyGrad[T Float](p *pool.Pool, n, c int) (*CrossEntropyGrad[T], error) {
	k := &CrossEntropyGrad[T]{}
	return k, k.prepare(p, "CrossEntropyGrad", n, c, k.one)
}

// Run computes dprobs (n, c) from probs (n, c), labels (n) and dloss (n).
func (k *CrossEntropyGrad[T]) Run(dprobs, probs []T, labels []int, dloss []T) {
	k.dprobs, k.probs, k.labels, k.dloss = dprobs, probs, labels, dloss
	k.loop.run()
}

func (k *CrossEntropyGrad[T]) one(_, r int) {
	d, label := k.row(k.dprobs, r), k.labels[r]
	if label < 0 || label >= k.c {
		for i := range d {
			d[i] = T(math.NaN())
		}
		return
	}
	p := float64(k.row(k.probs, r)[label])
	clear(d)
	if p < clipAt || p > 1-clipAt { // false for NaN, which is handed on
		return
	}
	d[label] = T(-float64(k.dloss[r]) / p)
}

// TopKCorrect counts the rows whose label is among the k best scores, [op.TopKCorrect]: fewer than k scores are
// strictly greater, and the label's own is not NaN. A label out of range is not among them.
type TopKCorrect[T Float] struct{ n, c, k int }

// NewTopKCorrect prepares the count over n rows with c classes.
func NewTopKCorrect[T Float](n, c, k int) (*TopKCorrect[T], error) {
	if n < 1 || c < 1 || k < 1 {
		return nil, fmt.Errorf("kernel: TopKCorrect of %d rows with %d classes and k %d; each must be at least 1", n, c, k)
	}
	return &TopKCorrect[T]{n, c, k}, nil
}

// Run returns the count for scores (n, c) and labels (n).
func (k *TopKCorrect[T]) Run(scores []T, labels []int) T {
	correct := 0
	for r := range k.n {
		row, label := scores[r*k.c:(r+1)*k.c], labels[r]
		if label < 0 || label >= k.c {
			continue
		}
		score, better := row[label], 0
		for _, v := range row {
			if v > score {
				better++
			}
		}
		if score == score && better < k.k { // score ≠ score for NaN
			correct++
		}
	}
	return T(correct)
}

package nn

import (
	"cmp"

	"github.com/stheno-ml/stheno/graph/op"
)

// BinaryFocalCrossentropy is Keras's BinaryFocalCrossentropy: the mean along an axis of (1−pₜ)^gamma times the binary
// cross-entropy, where pₜ is the probability given to the truth (Lin et al., "Focal Loss for Dense Object Detection", 2017). From logits, and where
// predicted is the output of a sigmoid, it is stable for scores of any size; Keras clips there, too.
type BinaryFocalCrossentropy struct {
	ApplyClassBalancing bool      // apply_class_balancing: times alpha where the target is 1, 1−alpha where it is 0
	Alpha               float64   // alpha, up to 1; 0 means 0.25
	Gamma               float64   // gamma, positive; 0 means 2
	FromLogits          bool      // from_logits: predicted are scores before the sigmoid
	LabelSmoothing      float64   // label_smoothing, 0 to 1: the target becomes (1−s)·target + s/2
	Axis                int       // axis of the mean, negative from the end; 0 means −1
	Reduction           Reduction // sum_over_batch_size by default
}

func (l BinaryFocalCrossentropy) rule() lossRule {
	alpha, gamma, one := cmp.Or(l.Alpha, 0.25), cmp.Or(l.Gamma, 2), op.Number(1)
	return lossRule{class: "BinaryFocalCrossentropy", reduction: l.Reduction, arguments: focal(alpha, gamma, l.LabelSmoothing), values: along(l.Axis, func(p, t op.Expr) op.Expr {
		t = smoothBinary(t, l.LabelSmoothing)
		v, yes, no := binaryLosses(p, t, l.FromLogits)
		wrong := t.Mul(no).Add(one.Sub(t).Mul(yes))
		v = power(wrong, gamma).Mul(v)
		if l.ApplyClassBalancing {
			v = t.Mul(op.Number(alpha)).Add(one.Sub(t).Mul(op.Number(1 - alpha))).Mul(v)
		}
		return v.Mean(-1)
	})}
}

// CategoricalFocalCrossentropy is Keras's CategoricalFocalCrossentropy: −Σ alpha·(1−predicted)^gamma·target·log(predicted) over the
// classes (Lin et al. 2017), of targets that are distributions. Probabilities are divided by their sum and clipped; from logits, and where predicted
// is the output of a softmax along the last axis, it is stable for scores of any size; Keras clips there, too.
type CategoricalFocalCrossentropy struct {
	Alpha          float64   // alpha, up to 1; 0 means 0.25. Keras takes a list for the classes, too
	Gamma          float64   // gamma, positive; 0 means 2
	FromLogits     bool      // from_logits: predicted are scores before the softmax
	LabelSmoothing float64   // label_smoothing: that of CategoricalCrossentropy
	Axis           int       // axis of the classes, negative from the end; 0 means −1
	Reduction      Reduction // sum_over_batch_size by default
}

func (l CategoricalFocalCrossentropy) rule() lossRule {
	alpha, gamma := cmp.Or(l.Alpha, 0.25), cmp.Or(l.Gamma, 2)
	return lossRule{class: "CategoricalFocalCrossentropy", reduction: l.Reduction, arguments: focal(alpha, gamma, l.LabelSmoothing), values: along(l.Axis, func(p, t op.Expr) op.Expr {
		logs := logProbabilities(p, l.FromLogits)
		v := smoothTarget(t, l.LabelSmoothing).Mul(logs).Mul(power(logs.Expm1().Neg(), gamma))
		return v.Sum(-1).Mul(op.Number(-alpha))
	})}
}

// SparseCategoricalFocalCrossentropy is [CategoricalFocalCrossentropy] on one-hot vectors of labels: predicted is (…, classes), the
// target (…) class numbers, Ints from 0. Keras has no such class.
type SparseCategoricalFocalCrossentropy struct {
	Alpha          float64   // up to 1; 0 means 0.25
	Gamma          float64   // positive; 0 means 2
	FromLogits     bool      // predicted are scores before the softmax
	LabelSmoothing float64   // that of CategoricalCrossentropy
	Reduction      Reduction // sum_over_batch_size by default
}

func (l SparseCategoricalFocalCrossentropy) rule() lossRule {
	alpha, gamma := cmp.Or(l.Alpha, 0.25), cmp.Or(l.Gamma, 2)
	return lossRule{class: "SparseCategoricalFocalCrossentropy", reduction: l.Reduction, sparse: true, arguments: focal(alpha, gamma, l.LabelSmoothing), values: func(p, t op.Expr) op.Expr {
		s := p.Shape()
		classes := s[len(s)-1]
		x := scores(p, l.FromLogits).Reshape(op.Len(s)/classes, classes)
		each := func(losses op.Expr) op.Expr { return power(losses.Neg().Expm1().Neg(), gamma).Mul(losses) } // of −log p
		v := each(x.Apply(&op.SoftmaxCrossEntropy{}, flat(t)))
		if s := l.LabelSmoothing; s > 0 {
			all := each(x.Apply(&op.LogSoftmax{}).Neg()).Mean(-1)
			v = v.Mul(op.Number(1 - s)).Add(all.Mul(op.Number(s)))
		}
		return v.Mul(op.Number(alpha)).Reshape(s[:len(s)-1]...)
	}}
}

// power is x^gamma of numbers from 0, where its derivative is a number even for gamma below 1: it is multiplied by a loss of 0.
func power(x op.Expr, gamma float64) op.Expr {
	switch {
	case gamma == 1:
		return x
	case gamma == 2:
		return x.Square()
	case gamma < 1:
		x = x.Maximum(op.Number(1e-30))
	}
	return x.Pow(op.Number(gamma))
}

func focal(alpha, gamma, s float64) []error {
	return []error{inRange("Alpha", alpha, alpha > 0 && alpha <= 1, "above 0 and at most 1"), inRange("Gamma", gamma, gamma > 0, "above 0"), smoothing(s)}
}

package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// CategoricalCrossentropy is Keras's CategoricalCrossentropy: −Σ target·log(predicted) over the classes, of targets that are
// distributions, such as one-hot vectors. Probabilities are divided by their sum and clipped to 1e-7 … 1−1e-7; where predicted is the output
// of a softmax along the last axis, the loss is computed from its input, stable for scores of any size, and so it is from logits.
type CategoricalCrossentropy struct {
	FromLogits     bool      // from_logits: predicted are scores before the softmax
	LabelSmoothing float64   // label_smoothing, 0 to 1: the target becomes (1−s)·target + s/classes (Szegedy et al. 2016)
	Axis           int       // axis of the classes, negative from the end; 0 means −1. Keras takes the classes of label_smoothing from the last axis whatever axis is
	Reduction      Reduction // sum_over_batch_size by default
}

func (l CategoricalCrossentropy) rule() lossRule {
	return lossRule{class: "CategoricalCrossentropy", reduction: l.Reduction, arguments: []error{smoothing(l.LabelSmoothing)}, values: along(l.Axis, func(p, t op.Expr) op.Expr {
		return smoothTarget(t, l.LabelSmoothing).Mul(logProbabilities(p, l.FromLogits)).Sum(-1).Neg()
	})}
}

// SparseCategoricalCrossentropyLoss is Keras's SparseCategoricalCrossentropy: −log of the probability of each sample's label. predicted is
// (…, classes), the target (…) class numbers, Ints from 0; a label out of range is an error of the run. Probabilities are clipped to
// 1e-7 … 1−1e-7 and then divided by their sum; the function [SparseCategoricalCrossentropy] does not divide. Where predicted is the output of
// a softmax along the last axis, the loss is computed from its input, by the operation of that function, and so it is from logits. Keras's ignore_class
// is not there: give such samples the weight 0.
type SparseCategoricalCrossentropyLoss struct {
	FromLogits bool // from_logits: predicted are scores before the softmax
	// LabelSmoothing is that of [CategoricalCrossentropy] on one-hot vectors of the labels; Keras has it there only, PyTorch in
	// CrossEntropyLoss(label_smoothing) too.
	LabelSmoothing float64
	Reduction      Reduction // sum_over_batch_size by default
}

func (l SparseCategoricalCrossentropyLoss) rule() lossRule {
	return lossRule{class: "SparseCategoricalCrossentropy", reduction: l.Reduction, sparse: true, arguments: []error{smoothing(l.LabelSmoothing)}, values: func(p, t op.Expr) op.Expr {
		s := p.Shape()
		classes := s[len(s)-1]
		x := scores(p, l.FromLogits).Reshape(op.Len(s)/classes, classes)
		v := x.Apply(&op.SoftmaxCrossEntropy{}, flat(t)) // which engines have kernels for
		if s := l.LabelSmoothing; s > 0 {
			v = v.Mul(op.Number(1 - s)).Sub(x.Apply(&op.LogSoftmax{}).Mean(-1).Mul(op.Number(s)))
		}
		return v.Reshape(s[:len(s)-1]...)
	}}
}

// scores are what the probabilities are the softmax of.
func scores(p op.Expr, fromLogits bool) op.Expr {
	x, ok := softmaxLogits(p)
	if ok || fromLogits {
		return x
	}
	return p.Clip(epsilon, 1-epsilon).Log()
}

// flat is a vector of class numbers; Gorgonia's reshape takes integers.
func flat(labels op.Expr) op.Expr {
	n, err := labels.Node()
	if err != nil || n.Dims() == 1 {
		return labels
	}
	return op.Try(gorgonia.Reshape(n, tensor.Shape{op.Len(n.Shape())}))
}

// BinaryCrossentropy is Keras's BinaryCrossentropy: the mean along an axis of −target·log(predicted) − (1−target)·log(1−predicted).
// Probabilities are clipped to 1e-7 … 1−1e-7; where predicted is the output of a sigmoid, the loss is computed from its input, stable for
// scores of any size, and so it is from logits.
type BinaryCrossentropy struct {
	FromLogits     bool      // from_logits: predicted are scores before the sigmoid
	LabelSmoothing float64   // label_smoothing, 0 to 1: the target becomes (1−s)·target + s/2
	Axis           int       // axis of the mean, negative from the end; 0 means −1
	Reduction      Reduction // sum_over_batch_size by default
}

func (l BinaryCrossentropy) rule() lossRule {
	return lossRule{class: "BinaryCrossentropy", reduction: l.Reduction, arguments: []error{smoothing(l.LabelSmoothing)}, values: along(l.Axis, func(p, t op.Expr) op.Expr {
		v, _, _ := binaryLosses(p, smoothBinary(t, l.LabelSmoothing), l.FromLogits)
		return v.Mean(-1)
	})}
}

// binaryLosses is the binary cross-entropy of every element, with the probabilities of yes and of no, each exact where it is small.
func binaryLosses(p, t op.Expr, fromLogits bool) (loss, yes, no op.Expr) {
	one := op.Number(1)
	if x, ok := sigmoidLogits(p); ok {
		p, fromLogits = x, true
	}
	if fromLogits {
		return p.Softplus().Sub(p.Mul(t)), p.Sigmoid(), p.Neg().Sigmoid()
	}
	q := p.Clip(epsilon, 1-epsilon)
	loss = t.Mul(q.Log()).Add(one.Sub(t).Mul(one.Sub(q).Log())).Neg()
	return loss, p, one.Sub(p)
}

// smoothing refuses what is no fraction.
func smoothing(s float64) error { return inRange("LabelSmoothing", s, s >= 0 && s <= 1, "from 0 to 1") }

// smoothTarget is (1−s)·t + s/classes, whose last axis has the classes.
func smoothTarget(t op.Expr, s float64) op.Expr {
	if s == 0 {
		return t
	}
	d := t.Shape()
	return t.Mul(op.Number(1 - s)).Add(op.Number(s / float64(d[len(d)-1])))
}

func smoothBinary(t op.Expr, s float64) op.Expr {
	if s == 0 {
		return t
	}
	return t.Mul(op.Number(1 - s)).Add(op.Number(s / 2))
}

// logProbabilities are those of classes along the last axis.
func logProbabilities(p op.Expr, fromLogits bool) op.Expr {
	if x, ok := softmaxLogits(p); ok {
		p, fromLogits = x, true
	}
	if !fromLogits {
		return normalized(p).Log()
	}
	s := p.Shape()
	classes := s[len(s)-1]
	return p.Reshape(op.Len(s)/classes, classes).Apply(&op.LogSoftmax{}).Reshape(s...)
}

// normalized are probabilities along the last axis that sum to one, within Keras's bounds.
func normalized(p op.Expr) op.Expr { return p.Div(p.SumKeep(-1)).Clip(epsilon, 1-epsilon) }

// softmaxLogits is the input of the softmax along the last axis whose output p is.
func softmaxLogits(p op.Expr) (op.Expr, bool) {
	n, err := p.Node()
	if err != nil {
		return p, false
	}
	s := n.Shape()
	if _, ok := n.Op().(*op.Reshape); ok { // of more axes than the operation takes: Context.rows
		inner := op.Children(n)[0]
		if d := inner.Shape(); len(s) > 0 && len(d) == 2 && d[1] == s[len(s)-1] {
			n = inner
		}
	}
	x := softmaxInput(n)
	if x == nil {
		return p, false
	}
	return op.Of(x).Reshape(s...), true
}

// sigmoidLogits is the input of the sigmoid whose output p is.
func sigmoidLogits(p op.Expr) (op.Expr, bool) {
	n, err := p.Node()
	if err != nil {
		return p, false
	}
	if u, ok := n.Op().(*op.Unary); ok && u.Fn == op.FnSigmoid {
		return op.Of(op.Children(n)[0]), true
	}
	return p, false
}

// along makes the axis that f looks along the last one.
func along(axis int, f lossFormula) lossFormula {
	return func(p, t op.Expr) op.Expr {
		at, err := axisOf(p.Shape(), axis)
		if err != nil {
			return op.Try(nil, err)
		}
		return f(last(p, at), last(t, at))
	}
}

// elementwise is the mean along the last axis of losses of elements.
func elementwise(f lossFormula) lossFormula {
	return func(p, t op.Expr) op.Expr { return f(p, t).Mean(-1) }
}

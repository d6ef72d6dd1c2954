package nn

import (
	"cmp"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// MeanSquaredError is Keras's MeanSquaredError: the mean of (target − predicted)² along the last axis.
type MeanSquaredError struct{ Reduction Reduction }

func (l MeanSquaredError) rule() lossRule {
	return lossRule{class: "MeanSquaredError", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr { return t.Sub(p).Square() })}
}

// MeanAbsoluteError is Keras's MeanAbsoluteError: the mean of |target − predicted| along the last axis. Where they are equal the
// gradient is 0.
type MeanAbsoluteError struct{ Reduction Reduction }

func (l MeanAbsoluteError) rule() lossRule {
	return lossRule{class: "MeanAbsoluteError", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr { return t.Sub(p).Abs() })}
}

// MeanAbsolutePercentageError is Keras's MeanAbsolutePercentageError: 100 times the mean of |target − predicted|/max(|target|, 1e-7)
// along the last axis.
type MeanAbsolutePercentageError struct{ Reduction Reduction }

func (l MeanAbsolutePercentageError) rule() lossRule {
	return lossRule{class: "MeanAbsolutePercentageError", reduction: l.Reduction, values: func(p, t op.Expr) op.Expr {
		return t.Sub(p).Div(t.Abs().Maximum(op.Number(epsilon))).Abs().Mean(-1).Mul(op.Number(100))
	}}
}

// MeanSquaredLogarithmicError is Keras's MeanSquaredLogarithmicError: the mean of (log(1+target) − log(1+predicted))² along the last
// axis, both at least 1e-7.
type MeanSquaredLogarithmicError struct{ Reduction Reduction }

func (l MeanSquaredLogarithmicError) rule() lossRule {
	logs := func(x op.Expr) op.Expr { return x.Maximum(op.Number(epsilon)).Log1p() }
	return lossRule{class: "MeanSquaredLogarithmicError", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr {
		return logs(p).Sub(logs(t)).Square()
	})}
}

// Huber is Keras's Huber: the mean along the last axis of e²/2 where the error |e| is at most delta, else of delta·|e| − delta²/2 (Huber
// 1964).
type Huber struct {
	Delta     float64   // delta, positive; 0 means 1
	Reduction Reduction // sum_over_batch_size by default
}

func (l Huber) rule() lossRule {
	delta := cmp.Or(l.Delta, 1)
	return lossRule{class: "Huber", reduction: l.Reduction, arguments: []error{inRange("Delta", delta, delta > 0, "above 0")}, values: elementwise(func(p, t op.Expr) op.Expr {
		// With s the part of |e| up to delta, both pieces are s·(|e| − s/2).
		e := p.Sub(t).Abs()
		s := e.Minimum(op.Number(delta))
		return s.Mul(e.Sub(s.Mul(op.Number(0.5))))
	})}
}

// LogCosh is Keras's LogCosh: the mean of log(cosh(predicted − target)) along the last axis, without overflow.
type LogCosh struct{ Reduction Reduction }

func (l LogCosh) rule() lossRule {
	return lossRule{class: "LogCosh", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr {
		e := p.Sub(t)
		return e.Add(e.Mul(op.Number(-2)).Softplus()).Sub(op.Number(math.Ln2))
	})}
}

// Poisson is Keras's Poisson: the mean of predicted − target·log(predicted + 1e-7) along the last axis.
type Poisson struct{ Reduction Reduction }

func (l Poisson) rule() lossRule {
	return lossRule{class: "Poisson", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr {
		return p.Sub(t.Mul(p.Add(op.Number(epsilon)).Log()))
	})}
}

// KLDivergence is Keras's KLDivergence: Σ target·log(target/predicted) along the last axis, both clipped to 1e-7 … 1 (Kullback and
// Leibler 1951).
type KLDivergence struct{ Reduction Reduction }

func (l KLDivergence) rule() lossRule {
	return lossRule{class: "KLDivergence", reduction: l.Reduction, values: func(p, t op.Expr) op.Expr {
		p, t = p.Clip(epsilon, 1), t.Clip(epsilon, 1)
		return t.Mul(t.Div(p).Log()).Sum(-1)
	}}
}

// CosineSimilarity is Keras's CosineSimilarity: minus the cosine of the angle between target and predicted, vectors along an axis; −1 is the
// same direction. A vector shorter than 1e-7 counts as one of that length.
type CosineSimilarity struct {
	Axis      int       // axis of the vectors, negative from the end; 0 means −1
	Reduction Reduction // sum_over_batch_size by default
}

func (l CosineSimilarity) rule() lossRule {
	unit := func(x op.Expr) op.Expr {
		return x.Mul(x.Square().SumKeep(-1).Maximum(op.Number(epsilon * epsilon)).InverseSqrt())
	}
	return lossRule{class: "CosineSimilarity", reduction: l.Reduction, values: along(l.Axis, func(p, t op.Expr) op.Expr {
		return unit(t).Mul(unit(p)).Sum(-1).Neg()
	})}
}

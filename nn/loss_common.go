package nn

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Loss compares what a model gives with what it should give, as a loss of Keras 3 does. The losses of this package are
// config structs with Keras's arguments, whose zero values are Keras's defaults.
//
// predicted is the output of a model, float32 or float64, target what is wanted, of the same shape and type, or for
// [SparseCategoricalCrossentropyLoss] class numbers. Mistakes are *[Error].
type Loss interface {
	// Identity returns Keras's class and default name, such as "Huber" and "huber_loss".
	Identity() (class, name string)
	// Values returns the loss of each sample: predicted's shape without the axis that a loss looks along, the last one by default.
	Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error)
	// Reduced returns the values times weights, reduced: a scalar, or with [ReductionNone] a tensor of the values' shape. weights is Keras's
	// sample_weight: nil, or of the values' shape, or with fewer axes, of size 1 or as long as the values' first ones.
	Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error)
}

// Reduction is how the losses of samples become one number: Keras's argument reduction. The zero value is
// ReductionSumOverBatchSize.
type Reduction string

const (
	// ReductionSumOverBatchSize is the sum over all values divided by how many they are, whatever they weigh.
	ReductionSumOverBatchSize Reduction = "sum_over_batch_size"
	// ReductionMean is another name of ReductionSumOverBatchSize.
	ReductionMean Reduction = "mean"
	// ReductionMeanWithSampleWeight is the sum divided by the sum of the weights, and 0 where that is 0; without weights, ReductionMean.
	ReductionMeanWithSampleWeight Reduction = "mean_with_sample_weight"
	// ReductionSum is the sum.
	ReductionSum Reduction = "sum"
	// ReductionNone leaves the values, times their weights.
	ReductionNone Reduction = "none"
)

// epsilon is keras.config.epsilon().
const epsilon = 1e-7

// lossRule is what a loss's class is made of.
type lossRule struct {
	class     string
	reduction Reduction
	sparse    bool        // the target has class numbers
	arguments []error     // what is wrong with the arguments, or nils
	values    lossFormula // of samples
}

// lossFormula computes the losses of samples; the operands are checked.
type lossFormula func(predicted, target op.Expr) op.Expr

func (r lossRule) fail(err error) error {
	if e, ok := err.(*Error); ok {
		e.Class = r.class
		return e
	}
	return &Error{Kind: ErrShape, Class: r.class, Problem: err.Error(), Cause: err}
}

// compute is the losses of samples.
func (r lossRule) compute(predicted, target *gorgonia.Node) (op.Expr, error) {
	err := r.check(predicted, target)
	for _, e := range r.arguments {
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return op.Expr{}, r.fail(err)
	}
	v := r.values(op.Of(predicted), op.Of(target))
	if err := v.Err(); err != nil {
		return v, r.fail(err)
	}
	return v, nil
}

// check refuses operands that do not go together.
func (r lossRule) check(predicted, target *gorgonia.Node) error {
	if predicted == nil || target == nil {
		return &Error{Kind: ErrNilTensor, Problem: "a loss compares two tensors, got a nil node", Remedy: "look at the error of the call that made it"}
	}
	p, t := predicted.Shape(), target.Shape()
	if len(p) == 0 {
		return badShape("give a tensor of samples, such as (batch, 1)", "wants at least one axis, predicted is a scalar")
	}
	if d := dtypeOf(predicted); d != tensor.Float32 && d != tensor.Float64 {
		return badArgument("convert it", "predicted must be float32 or float64, is %v", predicted.Type())
	}
	if r.sparse {
		if len(p) < 2 || !shape.Equal(p[:len(p)-1], t) {
			return badShape("give one class number a sample, not one-hot vectors", "predicted is %s, so labels must be %s, are %s", shape.Format(p), shape.Format(p[:len(p)-1]), shape.Format(t))
		}
		if d := dtypeOf(target); d != tensor.Int {
			return badArgument("give a tensor of int", "labels must be int, are %v", target.Type())
		}
		return nil
	}
	if !shape.Equal(p, t) {
		return badShape("give both the same shape, e.g. with a Reshape; nothing is stretched", "predicted is %s, target is %s", shape.Format(p), shape.Format(t))
	}
	if dtypeOf(predicted) != dtypeOf(target) {
		return badArgument("convert the target", "predicted is %v, target is %v", predicted.Type(), target.Type())
	}
	return nil
}

func (r lossRule) valuesOf(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	v, err := r.compute(predicted, target)
	if err != nil {
		return nil, err
	}
	return v.Node()
}

func (r lossRule) reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	v, err := r.compute(predicted, target)
	if err != nil {
		return nil, err
	}
	if v, err = r.reduce(v, weights); err != nil {
		return nil, err
	}
	n, err := v.Node()
	if err != nil {
		return nil, r.fail(err)
	}
	return n, nil
}

// reduce is Keras's reduce_weighted_values.
func (r lossRule) reduce(v op.Expr, weights *gorgonia.Node) (op.Expr, error) {
	switch r.reduction {
	case "", ReductionSumOverBatchSize, ReductionMean, ReductionMeanWithSampleWeight, ReductionSum, ReductionNone:
	default:
		return v, r.fail(badArgument(`use "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or "none"`, "there is no reduction %q", string(r.reduction)))
	}
	if weights != nil {
		w, err := r.weights(v.Shape(), weights)
		if err != nil {
			return v, err
		}
		v = v.Mul(w)
		if r.reduction == ReductionMeanWithSampleWeight && len(v.Shape()) > 0 {
			all := total(w) // where nothing weighs, the loss is 0
			return all.NotEqual(op.Number(0)).When(all.Inverse()).Mul(total(v)), nil
		}
	}
	switch {
	case r.reduction == ReductionNone:
		return v, nil
	case r.reduction == ReductionSum:
		return total(v), nil
	case len(v.Shape()) == 1:
		return v.Apply(&op.Mean{}), nil // as the losses of classification always were
	case len(v.Shape()) > 1:
		return v.Mean(), nil
	}
	return v, nil
}

// total is the sum of all elements.
func total(x op.Expr) op.Expr {
	if len(x.Shape()) == 0 {
		return x
	}
	return x.Sum()
}

// weights gives them the axes that the values have and they have not: behind theirs.
func (r lossRule) weights(values tensor.Shape, weights *gorgonia.Node) (op.Expr, error) {
	w := weights.Shape()
	if n := len(values); len(w) == n+1 && w[n] == 1 { // (batch, 1)
		w = w[:n]
	}
	fits := len(w) <= len(values)
	for i := range min(len(w), len(values)) {
		fits = fits && (w[i] == values[i] || w[i] == 1)
	}
	if !fits {
		return op.Expr{}, r.fail(badShape("give one weight for each sample, or for each of its losses", "the losses are %s, the sample weights are %s",
			shape.Format(values), shape.Format(w)))
	}
	x := op.Of(weights)
	if len(w) == 0 {
		return x, nil
	}
	to := append([]int{}, w...)
	for range len(values) - len(w) {
		to = append(to, 1)
	}
	return x.Reshape(to...), nil
}

// inRange refuses numbers that an argument cannot be.
func inRange(field string, v float64, ok bool, want string) error {
	if ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return nil
	}
	return badArgument(fmt.Sprintf("set %s to %s", field, want), "%s must be %s, is %v", field, want, v)
}

// axisOf is an axis of a shape, which may count from the end; 0 stands for the last one, as that of samples is none to look along.
func axisOf(s tensor.Shape, axis int) (int, error) {
	at := axis
	if axis <= 0 {
		at = len(s) + min(axis, 0)
		if axis == 0 {
			at = len(s) - 1
		}
	}
	if at < 1 && len(s) > 1 || at < 0 || at >= len(s) {
		return 0, badShape("count the axes from 0, which holds the samples, or from −1 for the last one backwards", "there is no Axis %d to look along in %s", axis, shape.Format(s))
	}
	return at, nil
}

// last makes an axis the last one.
func last(x op.Expr, axis int) op.Expr {
	n := len(x.Shape())
	if axis == n-1 || n == 0 {
		return x
	}
	var order []int
	for i := range n {
		if i != axis {
			order = append(order, i)
		}
	}
	return x.Permute(append(order, axis)...)
}

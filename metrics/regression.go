package metrics

import (
	"fmt"
	"math"
)

// ValueMetric is a measure of numbers against numbers that is fed batch by batch: of regressions, and of labels of which an example may have
// several.
type ValueMetric interface {
	// Update takes a batch: what was predicted and what is true, (n, outputs) row-major, and the weights (n,) of the examples or nil. After an
	// error nothing of it has been taken. Of several outputs give all batches weights, or none: without weights each output of an example may count
	// as one of its own.
	Update(predicted, targets, weights []float32) error
	// Result is the measure of all batches since the beginning or the last Reset; 0 before the first.
	Result() float64
	// Reset begins anew.
	Reset()
}

// checkValues checks the sizes of a batch and returns the number of examples, of so many outputs each, or where outputs is 0 of as many as
// there are for each weight, and without weights of one.
func checkValues(metric string, predicted, targets, weights []float32, outputs int) (n int, err error) {
	fail := func(format string, args ...any) (int, error) {
		return 0, &Error{metric, fmt.Sprintf(format, args...)}
	}
	if len(predicted) != len(targets) {
		return fail("got %d predictions and %d targets, expected as many of each", len(predicted), len(targets))
	}
	if outputs > 0 && len(targets)%outputs != 0 {
		return fail("got %d targets, expected %d for each example", len(targets), outputs)
	}
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return fail("weight %d is %v; it must be a number of at least 0", i, w)
		}
	}
	switch {
	case outputs > 0:
		n = len(targets) / outputs
	case weights != nil:
		n = len(weights)
	default:
		n = len(targets)
	}
	if weights != nil && (len(weights) != n || n == 0 && len(targets) > 0 || n > 0 && (len(targets) == 0 || len(targets)%n != 0)) {
		return fail("got %d weights for %d targets; give each example a weight, or none", len(weights), len(targets))
	}
	return n, nil
}

// errorMean is the mean of some error of every output over examples: first over the outputs of each, which weigh the same.
type errorMean struct{ m mean }

func (e *errorMean) update(metric string, of func(predicted, target float64) float64, predicted, targets, weights []float32) error {
	n, err := checkValues(metric, predicted, targets, weights, 0)
	if err != nil || n == 0 {
		return err
	}
	outputs := len(targets) / n
	for i := range n {
		sum := 0.0
		for j := i * outputs; j < (i+1)*outputs; j++ {
			sum += of(float64(predicted[j]), float64(targets[j]))
		}
		e.m.add(sum/float64(outputs), weight(weights, i))
	}
	return nil
}

// Result implements ValueMetric.
func (e *errorMean) Result() float64 { return e.m.result() }

// Reset implements ValueMetric.
func (e *errorMean) Reset() { e.m = mean{} }

// MeanAbsoluteError is the mean of |predicted − target|. Keras: MeanAbsoluteError.
type MeanAbsoluteError struct{ errorMean }

// Update implements ValueMetric.
func (m *MeanAbsoluteError) Update(predicted, targets, weights []float32) error {
	return m.update("MeanAbsoluteError", func(p, t float64) float64 { return math.Abs(p - t) }, predicted, targets, weights)
}

func squared(p, t float64) float64 { return (p - t) * (p - t) }

// MeanSquaredError is the mean of (predicted − target)². Keras: MeanSquaredError.
type MeanSquaredError struct{ errorMean }

// Update implements ValueMetric.
func (m *MeanSquaredError) Update(predicted, targets, weights []float32) error {
	return m.update("MeanSquaredError", squared, predicted, targets, weights)
}

// RootMeanSquaredError is the root of MeanSquaredError, over all batches. Keras: RootMeanSquaredError.
type RootMeanSquaredError struct{ errorMean }

// Update implements ValueMetric.
func (m *RootMeanSquaredError) Update(predicted, targets, weights []float32) error {
	return m.update("RootMeanSquaredError", squared, predicted, targets, weights)
}

// Result implements ValueMetric.
func (m *RootMeanSquaredError) Result() float64 { return math.Sqrt(m.m.result()) }

// tiny is what Keras has instead of smaller numbers where it divides by them or takes their logarithm.
const tiny = 1e-7

// MeanAbsolutePercentageError is the mean of 100·|predicted − target|/|target|, targets of less than 1e-7 counting as that. Keras:
// MeanAbsolutePercentageError.
type MeanAbsolutePercentageError struct{ errorMean }

// Update implements ValueMetric.
func (m *MeanAbsolutePercentageError) Update(predicted, targets, weights []float32) error {
	return m.update("MeanAbsolutePercentageError", func(p, t float64) float64 { return 100 * math.Abs(p-t) / max(math.Abs(t), tiny) }, predicted, targets, weights)
}

// MeanSquaredLogarithmicError is the mean of (log(1+predicted) − log(1+target))², numbers below 1e-7 counting as that. Keras:
// MeanSquaredLogarithmicError.
type MeanSquaredLogarithmicError struct{ errorMean }

// Update implements ValueMetric.
func (m *MeanSquaredLogarithmicError) Update(predicted, targets, weights []float32) error {
	return m.update("MeanSquaredLogarithmicError", func(p, t float64) float64 { return squared(math.Log1p(max(p, tiny)), math.Log1p(max(t, tiny))) }, predicted, targets, weights)
}

// LogCoshError is the mean of log(cosh(predicted − target)): squared where it is small, absolute where it is large. Keras: LogCoshError.
type LogCoshError struct{ errorMean }

// Update implements ValueMetric.
func (m *LogCoshError) Update(predicted, targets, weights []float32) error {
	return m.update("LogCoshError", func(p, t float64) float64 {
		x := math.Abs(p - t) // log(cosh x) = x + log((1+e⁻²ˣ)/2), which does not overflow
		return x + math.Log1p(math.Exp(-2*x)) - math.Ln2
	}, predicted, targets, weights)
}

// CosineSimilarity is the mean of the cosines of the angles between predictions and targets, vectors of Outputs numbers: 1 where they point the
// same way, −1 where they are opposite, 0 where one is zero. Keras: CosineSimilarity.
type CosineSimilarity struct {
	Outputs int // numbers of an example
	m       mean
}

// Update implements ValueMetric.
func (c *CosineSimilarity) Update(predicted, targets, weights []float32) error {
	if c.Outputs < 1 {
		return &Error{"CosineSimilarity", fmt.Sprintf("Outputs is %d, expected how many numbers an example has", c.Outputs)}
	}
	n, err := checkValues("CosineSimilarity", predicted, targets, weights, c.Outputs)
	if err != nil {
		return err
	}
	for i := range n {
		var both, p2, t2 float64
		for j := i * c.Outputs; j < (i+1)*c.Outputs; j++ {
			p, t := float64(predicted[j]), float64(targets[j])
			both, p2, t2 = both+p*t, p2+p*p, t2+t*t
		}
		c.m.add(ratio(both, math.Sqrt(p2)*math.Sqrt(t2)), weight(weights, i))
	}
	return nil
}

// Result implements ValueMetric: −1…1.
func (c *CosineSimilarity) Result() float64 { return c.m.result() }

// Reset implements ValueMetric.
func (c *CosineSimilarity) Reset() { c.m = mean{} }

// R2Score is the coefficient of determination of every output, 1 − Σ(target − predicted)²/Σ(target − mean target)², averaged over outputs: 1 where
// predictions are right, 0 where they are no better than the mean. An output whose targets are all the same has 0. Keras: R2Score, which
// has NaN there if the predictions are right.
type R2Score struct {
	Outputs int // numbers of an example; 0 means 1
	// ByVariance has every output weigh as much as its targets vary; else all weigh the same. Keras: class_aggregation
	// "variance_weighted_average" and "uniform_average".
	ByVariance bool
	// Regressors, if above 0, is how many variables the predictions are made of, and has the score adjusted: 1 − (1−R²)·(n−1)/(n−Regressors−1),
	// n being the number of targets, all outputs taken together as in Keras. With fewer targets than that takes, it is not adjusted. Keras:
	// num_regressors.
	Regressors int

	of      []output
	targets int
}

// output is what is known of one: the weight, the mean and the squared deviations from it of the targets, as Welford sums them up, and the squared
// errors.
type output struct{ weight, mean, variation, residual float64 }

func (o *output) add(predicted, target, weight float64) {
	if weight == 0 {
		return
	}
	o.weight += weight
	off := target - o.mean
	o.mean += off * weight / o.weight
	o.variation += weight * off * (target - o.mean)
	o.residual += weight * squared(predicted, target)
}

func (r *R2Score) outputs() int { return max(r.Outputs, 1) }

// Update implements ValueMetric.
func (r *R2Score) Update(predicted, targets, weights []float32) error {
	if r.Outputs < 0 || r.Regressors < 0 {
		return &Error{"R2Score", fmt.Sprintf("Outputs is %d and Regressors %d, expected at least 0", r.Outputs, r.Regressors)}
	}
	n, err := checkValues("R2Score", predicted, targets, weights, r.outputs())
	switch {
	case err != nil:
		return err
	case r.of == nil:
		r.of = make([]output, r.outputs())
	case len(r.of) != r.outputs():
		return &Error{"R2Score", fmt.Sprintf("Outputs is %d, and was %d in the batches before; Reset it first", r.Outputs, len(r.of))}
	}
	for i := range n {
		for o := range r.of {
			j := i*len(r.of) + o
			r.of[o].add(float64(predicted[j]), float64(targets[j]), weight(weights, i))
		}
	}
	r.targets += len(targets)
	return nil
}

// Result implements ValueMetric: at most 1.
func (r *R2Score) Result() float64 {
	var m mean
	for o := range r.of {
		w := 1.0
		if r.ByVariance {
			w = r.of[o].variation
		}
		m.add(r.Output(o), w)
	}
	score, n, p := m.result(), float64(r.targets), float64(r.Regressors)
	if r.Regressors > 0 && n > p+1 {
		score = 1 - (1-score)*(n-1)/(n-p-1)
	}
	return score
}

// Output is the score of one output, not adjusted. Keras: R2Score(class_aggregation=None).
func (r *R2Score) Output(o int) float64 {
	if o < 0 || o >= len(r.of) || r.of[o].variation == 0 {
		return 0
	}
	return 1 - r.of[o].residual/r.of[o].variation
}

// Reset implements ValueMetric.
func (r *R2Score) Reset() { r.of, r.targets = nil, 0 }

package train

import (
	"context"
	"errors"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// run computes a batch and returns its loss.
func (s *fitStep) run(a Arrays, weights []float32, samples []int) (float64, error) {
	if err := errors.Join(s.inputs.fits("Arrays.Inputs", a.Inputs), s.targets.fits("Arrays.Targets", a.Targets)); err != nil {
		return 0, err
	}
	if weights != nil && s.weights == nil {
		return 0, &ArgumentError{"Arrays.Weights", "is set, and FitGraph.Weights is nil", "have Build return the node that weighs samples in the loss"}
	}
	if a.TargetWeights != nil && s.targetWeights == nil {
		return 0, &ArgumentError{"Arrays.TargetWeights", "is set, and the network has one loss, or FitGraph.TargetWeights is nil", "use Weights, or have Build return the nodes that weigh samples in each loss"}
	}
	s.inputs.feed(a.Inputs, samples)
	s.targets.feed(a.Targets, samples)
	choose(s.weights, weights, samples)
	for i, to := range s.targetWeights {
		from := weights
		if a.TargetWeights != nil {
			from = a.TargetWeights[i]
		}
		choose(to, from, samples)
	}
	if err := s.machine.RunAll(); err != nil {
		return 0, err
	}
	return float64(*s.loss), nil
}

// choose takes what samples weigh, 1 where from is nil.
func choose(to, from []float32, samples []int) {
	for i := range to {
		if to[i] = 1; from != nil {
			to[i] = from[samples[i]]
		}
	}
}

// fitMetrics are means over samples.
type fitMetrics struct {
	loss   Metrics
	losses []Metrics
}

func (m *fitMetrics) add(n int, loss float64, losses []*gorgonia.F32) {
	m.loss.Add(n, loss, 0, 0)
	if m.losses == nil {
		m.losses = make([]Metrics, len(losses))
	}
	for i, l := range losses {
		m.losses[i].Add(n, float64(*l), 0, 0)
	}
}

// means are those of the losses, nil where there are none.
func (m *fitMetrics) means() (out []float64) {
	for i := range m.losses {
		out = append(out, m.losses[i].Loss())
	}
	return out
}

// Evaluate returns the mean loss over the samples of a, penalties included, with the weights as they are. Keras: model.evaluate.
func (f *Fitter) Evaluate(ctx context.Context, a Arrays) (float64, error) {
	loss, _, err := f.EvaluateLosses(ctx, a)
	return loss, err
}

// EvaluateLosses is Evaluate with the means of several losses, as FitEpoch.Losses has them.
func (f *Fitter) EvaluateLosses(ctx context.Context, a Arrays) (loss float64, losses []float64, err error) {
	if err := errors.Join(f.check(false), a.check("the set"), f.refresh()); err != nil {
		return 0, nil, err
	}
	var m fitMetrics
	err = f.evaluate(ctx, a, &m)
	return m.loss.Loss(), m.means(), err
}

func (f *Fitter) evaluate(ctx context.Context, a Arrays, m *fitMetrics) error {
	for first := 0; first < a.Len(); first += f.batch() {
		samples := upTo(first, min(first+f.batch(), a.Len()))
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := f.step(fitKey{len(samples), false})
		if err != nil {
			return err
		}
		loss, err := s.run(a, a.Weights, samples)
		if err != nil {
			return err
		}
		m.add(len(samples), loss, s.losses)
		if f.Observe != nil {
			batch := Arrays{Inputs: s.inputs.memory, Targets: s.targets.memory, Weights: s.weights}
			if a.TargetWeights != nil {
				batch.Weights, batch.TargetWeights = nil, s.targetWeights
			}
			if err := f.Observe(s.outputs, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// Predict returns the outputs for inputs as of Arrays, one tensor for each of the network's, (samples, …). The last batch is filled up with
// zeros: in inference no sample may depend on others. Keras: model.predict.
func (f *Fitter) Predict(ctx context.Context, inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	a := Arrays{Inputs: inputs}
	if err := errors.Join(f.check(false), a.check("the set"), f.refresh()); err != nil {
		return nil, err
	}
	s, err := f.step(fitKey{min(f.batch(), a.Len()), false})
	if err != nil {
		return nil, err
	}
	if err := s.inputs.fits("inputs", inputs); err != nil {
		return nil, err
	}
	var all []*tensor.Dense
	for _, o := range s.outputs {
		all = append(all, tensor.New(tensor.WithShape(append(tensor.Shape{a.Len()}, o.Shape()[1:]...)...), tensor.Of(tensor.Float32)))
	}
	for first := 0; first < a.Len(); first += f.batch() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		samples := upTo(first, min(first+f.batch(), a.Len()))
		s.inputs.feed(inputs, samples)
		if err := s.machine.RunAll(); err != nil {
			return nil, err
		}
		for i, o := range s.outputs {
			row := o.Shape().TotalSize() / o.Shape()[0]
			copy(all[i].Data().([]float32)[first*row:], o.Data().([]float32)[:len(samples)*row])
		}
	}
	return all, nil
}

// upTo are the numbers from first to below end.
func upTo(first, end int) []int {
	n := make([]int, end-first)
	for i := range n {
		n[i] = first + i
	}
	return n
}

package bench

import (
	"context"
	"errors"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// cpuTruth is the truth of raw batches of so many different images as the CPU engine computes it in float32, with all cores. It shares no
// kernel with another device's engine, and needs a fraction of the time of the reference in float64, with which it is compared itself
// when cases of the CPU are verified.
func cpuTruth(ctx context.Context, c Case, distinct int) (t *truth, err error) {
	c.Device, c.Precision, c.Batch = "cpu", train.FP32, distinct
	e, err := cpu.New(cpu.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	b := c.raw(distinct, distinct)
	t, averages, err := cpuTraining(e, c, b)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil || c.Mode == Train {
		return t, err
	}
	// As in inferenceTruth, running averages are those of these images.
	t = &truth{by: t.by, stats: statistics{}}
	for name, a := range averages {
		t.stats[name] = a.batch
	}
	p, err := newPredictor(e, c, b, t.begin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Run(); err != nil {
		return nil, err
	}
	t.scores = make([]float64, len(p.probabilities))
	for i, v := range p.probabilities {
		t.scores[i] = math.Log(float64(v)) // but for a number that is the same for all classes
	}
	return t, nil
}

// cpuTraining is a training step's truth.
func cpuTraining(e graph.Engine, c Case, b *batch) (t *truth, averages map[string]moved, err error) {
	s, err := newTrainer(e, c, b, begin)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	t = &truth{by: "the CPU engine in float32", grads: map[string][]float64{}, before: map[string][]float64{}, moved: map[string]moved{}}
	all := s.model.Weights()
	for _, w := range all {
		t.before[w.Name] = wide(w)
	}
	r, err := s.step(halved)
	if err != nil {
		return nil, nil, err
	}
	t.loss = r.Loss
	for _, w := range all {
		if v := s.slots["momentum/"+w.Name]; v != nil {
			g := make([]float64, w.Shape.TotalSize())
			for i, x := range v.Data().([]float32) {
				g[i] = float64(x) / -halved
			}
			t.grads[w.Name] = g
		}
	}
	net, err := s.model.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: c.Batch, Dtype: tensor.Float32, Training: true, ShapesOnly: true})
	if err != nil {
		return nil, nil, err
	}
	for _, a := range averagesOf(net) {
		m := moved{a.momentum, t.before[a.weight.Name], wide(a.weight)}
		for i, now := range m.batch {
			m.batch[i] = (now - a.momentum*m.before[i]) / ((1 - a.momentum) * a.factor)
		}
		t.moved[a.weight.Name] = m
	}
	return t, t.moved, nil
}

// wide are a weight's values.
func wide(w *nn.Weight) []float64 {
	values := w.Value.Data().([]float32)
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// bytes is the memory of t, nil included.
func (t *truth) bytes() (n int64) {
	if t == nil {
		return 0
	}
	n = int64(len(t.scores))
	for _, of := range []map[string][]float64{t.stats, t.grads, t.before} {
		for _, v := range of {
			n += int64(len(v))
		}
	}
	for _, m := range t.moved {
		n += int64(len(m.batch)) // before is that of t.before
	}
	return 8 * n
}

package train

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Evaluator measures a model on a data set: loss, top-1, top-5. It compiles the model once for every batch size that
// occurs and sees the weights as they are at each Run. Close it before its engine.
type Evaluator struct {
	Model  *nn.Model    // with values; the caller's
	Engine graph.Engine // the caller's

	steps map[int]*Step // by batch size
}

// Run evaluates all images that l hands out; observe, if not nil, is called after every batch. When ctx ends first, the
// error is ctx's and the metrics are those of the batches so far.
func (e *Evaluator) Run(ctx context.Context, l *data.Loader, observe func(Progress)) (Metrics, error) {
	var m Metrics
	var meter Meter
	it := l.Epoch(0, 0)
	defer it.Close()
	for _, s := range e.steps { // the weights may have been changed since
		if err := s.Refresh(); err != nil {
			return m, err
		}
	}
	begin := time.Now()
	done := 0
	for it.Next(ctx) {
		b := it.Batch()
		s, err := e.step(b.N)
		if err != nil {
			return m, err
		}
		r, err := s.Run(b.Images, b.Labels, 0, 0)
		if err != nil {
			return m, err
		}
		m.Add(b.N, r.Loss, r.Top1, r.Top5)
		done++
		now := time.Now()
		meter.Add(b.N, now.Sub(begin))
		begin = now
		if observe != nil {
			p := progress(&m, &meter, l)
			p.Batch, p.Validating, p.LearningRate = done, true, math.NaN()
			observe(p)
		}
	}
	if err := it.Err(); err != nil {
		return m, err
	}
	return m, ctx.Err()
}

// progress is what training and evaluation have in common: means and speed of m's images, of all that l hands out.
func progress(m *Metrics, meter *Meter, l *data.Loader) Progress {
	remaining, _ := meter.Remaining(int64(l.Len()) - m.Examples())
	return Progress{Batches: l.Batches(), Loss: m.Loss(), Top1: m.Top1(), Top5: m.Top5(), ImagesPerSecond: meter.Recent(), Remaining: remaining}
}

// step is the compiled evaluation of n images.
func (e *Evaluator) step(n int) (*Step, error) {
	if e.steps == nil {
		e.steps = map[int]*Step{}
	}
	if s := e.steps[n]; s != nil {
		return s, nil
	}
	s, err := NewEvalStep(e.Engine, e.Model, n)
	if err == nil {
		e.steps[n] = s
	}
	return s, err
}

// Close frees the compiled steps. The evaluator can be used again.
func (e *Evaluator) Close() error {
	var errs []error
	for _, s := range e.steps {
		errs = append(errs, s.Close())
	}
	e.steps = nil
	return errors.Join(errs...)
}

package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Evaluator measures a model on a data set: loss, top-1, top-5. It compiles the model once for every batch size that
// occurs, for floats and for raw batches, and sees the weights as they are at each Run. Close it before its engine.
type Evaluator struct {
	Model  *nn.Model    // with values; the caller's
	Engine graph.Engine // the caller's
	// Loss is measured; nil is the mean of the sparse categorical crossentropy. Set it before the first Run.
	Loss nn.Loss
	// Scores, if not nil, is called with the outputs of the model for every batch, (n, classes), and the labels (n,), such as to
	// Update metrics of package metrics. Both are overwritten afterwards. Set it before the first Run.
	Scores func(scores []float32, labels []int) error

	steps map[evalKey]*Step
}

// evalKey is what steps of an evaluator differ in.
type evalKey struct {
	images int
	raw    string // what makes them of raw batches
	set    *byte  // of which the device has so many images
	of     int
	scored bool
}

// Run evaluates all images that l hands out; observe, if not nil, is called after every batch. When ctx ends first, the
// error is ctx's and the metrics are those of the batches so far.
func (e *Evaluator) Run(ctx context.Context, l *data.Loader, observe func(Progress)) (Metrics, error) {
	var m Metrics
	var meter Meter
	if l == nil {
		return m, errNoLoader
	}
	if err := checkOne(e.Model); err != nil {
		return m, err
	}
	it := l.Epoch(0, 0)
	defer it.Close()
	for _, s := range e.steps { // the weights may have been changed since
		if err := s.Refresh(); err != nil {
			return m, err
		}
	}
	from := sourceOf(l)
	begin := time.Now()
	done := 0
	var under []evaluated // not waited for
	defer func() {
		for _, b := range under { // where something failed
			b.step.Wait()
		}
	}()
	finish := func() error {
		now := under[0]
		under = append(under[:0], under[1:]...)
		r, err := now.step.Wait()
		if err != nil {
			return err
		}
		m.Add(now.n, r.Loss, r.Top1, r.Top5)
		if e.Scores != nil {
			if err := e.Scores(now.step.scores, now.labels); err != nil {
				return err
			}
		}
		done++
		end := time.Now()
		meter.Add(now.n, end.Sub(begin))
		begin = end
		if observe != nil {
			p := progress(&m, &meter, l)
			p.Batch, p.Validating, p.LearningRate = done, true, math.NaN()
			observe(p)
		}
		return nil
	}
	for it.Next(ctx) {
		b := it.Batch()
		s, err := e.step(b.N, from)
		if err != nil {
			return m, err
		}
		if len(under) == 2 || len(under) == 1 && !s.Queues() { // a device with a queue has the next batch before it is done with this one
			if err := finish(); err != nil {
				return m, err
			}
		}
		if err := s.FeedBatch(b, 0, 0); err != nil {
			return m, err
		}
		if err := s.StartNext(); err != nil {
			return m, err
		}
		now := evaluated{step: s, n: b.N}
		if e.Scores != nil {
			now.labels = slices.Clone(b.Labels)
		}
		under = append(under, now)
	}
	for len(under) > 0 {
		if err := finish(); err != nil {
			return m, err
		}
	}
	if err := it.Err(); err != nil {
		return m, err
	}
	return m, ctx.Err()
}

// evaluated is a batch under way.
type evaluated struct {
	step   *Step
	n      int
	labels []int // for scores
}

// progress is what training and evaluation have in common: means and speed of m's images, of all that l hands out.
func progress(m *Metrics, meter *Meter, l *data.Loader) Progress {
	remaining, _ := meter.Remaining(int64(l.Len()) - m.Examples())
	return Progress{Batches: l.Batches(), Loss: m.Loss(), Top1: m.Top1(), Top5: m.Top5(), ImagesPerSecond: meter.Recent(), Remaining: remaining}
}

// step is the compiled evaluation of n images.
func (e *Evaluator) step(n int, from source) (*Step, error) {
	if e.steps == nil {
		e.steps = map[evalKey]*Step{}
	}
	key := evalKey{images: n, scored: e.Scores != nil}
	if from.raw != nil {
		key.raw = from.raw.String()
	}
	if from.crop != nil {
		key.raw = fmt.Sprint(&from.crop.op, from.crop.pixels)
	}
	if from.set != nil {
		key.set = unsafe.SliceData(from.set.Images)
		key.of = from.set.Len()
	}
	if s := e.steps[key]; s != nil {
		return s, nil
	}
	s, err := newEvalStep(e.Engine, e.Model, e.Loss, from, n, key.scored)
	if err == nil {
		e.steps[key] = s
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

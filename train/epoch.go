package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/stheno-ml/stheno/data"
)

// epoch trains the rest of the current epoch, validates and saves.
func (t *Trainer) epoch(ctx context.Context) error {
	var meter Meter
	it := t.loader.Epoch(t.state.Epoch, t.state.Batch)
	defer it.Close()
	begin := time.Now()
	next, more, err := t.next(it, 0)
	if err != nil {
		return err
	}
	for ; more; begin = time.Now() {
		now := next
		if err := now.step.Start(); err != nil {
			return err
		}
		if next, more, err = t.next(it, 1); err != nil { // while the device computes
			return err
		}
		if err := t.finish(&now); err != nil {
			return err
		}
		meter.Add(now.n, time.Since(begin))
		t.observer.Step(t.progress(&meter))
		if ctx.Err() != nil {
			return t.interrupted()
		}
		if t.cfg.SaveEvery > 0 && now.last && t.state.Step%t.cfg.SaveEvery == 0 && t.state.Batch < t.loader.Batches() {
			if err := t.save(math.NaN()); err != nil {
				return err
			}
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	if err := t.finishEpoch(ctx, meter.Mean()); err != nil {
		return err
	}
	if ctx.Err() != nil && t.state.Epoch < t.cfg.Epochs {
		return ErrInterrupted
	}
	return nil
}

// fedBatch is a batch that is on the device, for its step to start.
type fedBatch struct {
	step *Step
	n    int
	last bool // of its update
}

// next brings the next batch to the device; ahead is the number of steps that are started and not finished. It says whether there
// is one.
func (t *Trainer) next(it *data.Iterator, ahead int) (fed fedBatch, more bool, err error) {
	if !it.Next(context.Background()) { // a context ends a run between steps, where it can be saved
		return fed, false, nil
	}
	b := it.Batch()
	i := t.state.Batch + ahead
	p := t.place(i)
	if p.key.images != b.N {
		return fed, false, fmt.Errorf("train: batch %d of the epoch has %d images, expected %d", i, b.N, p.key.images)
	}
	s, err := t.trainStep(p.key)
	if err != nil {
		return fed, false, err
	}
	k := max(t.cfg.Accumulate, 1)
	step := t.state.Step + i/k - t.state.Batch/k
	s.weighClasses(b.Labels, t.cfg.ClassWeights)
	s.Share(p.part, p.first, t.batches()+ahead)
	return fedBatch{s, b.N, p.last}, true, s.FeedBatch(b, t.schedule.At(step), step)
}

// batches is the number of batches that the run has done.
func (t *Trainer) batches() int { return t.state.Epoch*t.loader.Batches() + t.state.Batch }

// finish waits for a batch and counts it.
func (t *Trainer) finish(b *fedBatch) error {
	r, err := b.step.Wait()
	if err != nil {
		return err
	}
	t.state.Batch++
	if b.last {
		t.state.Step++
	}
	if !finite(r.Loss) {
		return t.diverged("the loss", r.Loss)
	}
	t.state.Metrics.Add(b.n, r.Loss, r.Top1, r.Top5)
	t.profiled()
	if b.last {
		return t.reportNorms(b.step)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// diverged is the error for a number of the latest step that is not finite.
func (t *Trainer) diverged(what string, value float64) error {
	return &DivergedError{Epoch: t.state.Epoch + 1, Step: t.state.Step, What: what, Value: value, LearningRate: t.learningRate(), Checkpoint: t.last}
}

// learningRate is that of the latest step.
func (t *Trainer) learningRate() float64 { return t.schedule.At(max(t.state.Step-1, 0)) }

// finishEpoch validates, writes the history and saves.
func (t *Trainer) finishEpoch(ctx context.Context, imagesPerSecond float64) error {
	if err := t.averageEpoch(); err != nil {
		return err
	}
	val, err := t.Validate(ctx)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return t.interrupted() // the epoch's steps are done; a resumed run begins with its validation
		}
		return err
	}
	if !finite(val.Loss()) {
		return t.diverged("the validation loss", val.Loss())
	}
	m := t.state.Metrics
	row := HistoryRow{Epoch: t.state.Epoch + 1, Step: int64(t.state.Step), Loss: m.Loss(), Top1: m.Top1(), Top5: m.Top5(),
		ValLoss: val.Loss(), ValTop1: val.Top1(), ValTop5: val.Top5(), ImagesPerSecond: imagesPerSecond,
		LearningRate: t.learningRate()}
	if err := t.history.Append(row); err != nil {
		return err
	}
	t.state = State{Epoch: t.state.Epoch + 1, Step: t.state.Step, Plateau: t.state.Plateau, Averaged: t.state.Averaged}
	t.observe(row)
	if err := t.save(val.Top1()); err != nil {
		return err
	}
	t.observer.Epoch(row)
	return nil
}

// observe shows an epoch to a schedule that depends on what happens.
func (t *Trainer) observe(row HistoryRow) {
	p, ok := t.schedule.(*PlateauSchedule)
	if !ok {
		return
	}
	if value := row.column(t.spec.Monitor); p.Observe(value) {
		t.observer.Note(fmt.Sprintf("%s is %.4g and was not better for %d epochs; the learning rate is %.3g now",
			t.spec.Monitor, value, t.spec.Patience, p.At(t.state.Step)))
	}
}

// Validate evaluates the model, or the averages of its weights, on the test images.
func (t *Trainer) Validate(ctx context.Context) (Metrics, error) {
	return t.eval.Run(ctx, t.tests, func(p Progress) {
		p.Epoch, p.Epochs, p.LearningRate = t.state.Epoch+1, t.cfg.Epochs, t.learningRate()
		t.observer.Step(p)
	})
}

func (t *Trainer) progress(meter *Meter) Progress {
	p := progress(&t.state.Metrics, meter, t.loader)
	p.Epoch, p.Epochs, p.Batch, p.LearningRate = t.state.Epoch+1, t.cfg.Epochs, t.state.Batch, t.learningRate()
	return p
}

// interrupted saves, unless this very batch is saved already, and ends the run.
func (t *Trainer) interrupted() error {
	if t.saved != t.batches() {
		if err := t.save(math.NaN()); err != nil {
			return err
		}
	}
	return ErrInterrupted
}

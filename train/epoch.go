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
	if err := t.unfreeze(); err != nil {
		return err
	}
	var meter Meter
	it := t.loader.Epoch(t.state.Epoch, t.state.Batch)
	defer it.Close()
	begin := time.Now()
	var next *fedBatch    // on the device, not started
	var under []*fedBatch // started, not waited for
	defer func() {
		for _, b := range under { // where something failed
			b.step.Wait()
		}
	}()
	more, err := t.next(it, 0, &next)
	if err != nil {
		return err
	}
	for more || len(under) > 0 {
		if more && (len(under) == 0 || t.followed(ctx, under[0], next)) {
			if err := next.step.StartNext(); err != nil {
				return err
			}
			under = append(under, next)
			if more, err = t.next(it, len(under), &next); err != nil { // while the device computes
				return err
			}
			if len(under) == 1 && more {
				continue // so that the device has the next step before it has done this one
			}
		}
		now := under[0]
		under = append(under[:0], under[1:]...)
		if err := t.finish(now); err != nil {
			return err
		}
		meter.Add(now.n, time.Since(begin))
		begin = time.Now()
		t.observer.Step(t.progress(&meter))
		if len(under) > 0 { // the weights are those of a later step already
			continue
		}
		if ctx.Err() != nil {
			return t.interrupted()
		}
		if t.savesAfter(t.state.Batch, t.state.Step, now.last) {
			if err := t.save(math.NaN()); err != nil {
				return err
			}
			begin = time.Now()
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	if err := t.finishEpoch(ctx, meter.Mean()); err != nil {
		return err
	}
	if ctx.Err() != nil && t.more() {
		return ErrInterrupted
	}
	return nil
}

// savesAfter says whether the run is saved in the middle of an epoch after its batch of this number, which is the last of its update
// or not, and so many updates of the run.
func (t *Trainer) savesAfter(batch, step int, last bool) bool {
	return t.cfg.SaveEvery > 0 && last && step%t.cfg.SaveEvery == 0 && batch < t.loader.Batches()
}

// followed says whether the next step may be started before the one under way is done, on a device that takes both: unless the run is
// to be looked at, as it is then, in between.
func (t *Trainer) followed(ctx context.Context, now, next *fedBatch) bool {
	if ctx.Err() != nil || !now.step.Queues() || !next.step.Queues() {
		return false
	}
	batch, step := t.state.Batch+1, t.state.Step
	if now.last {
		step++
	}
	return !t.savesAfter(batch, step, now.last)
}

// fedBatch is a batch that is on the device, for its step to start.
type fedBatch struct {
	step *Step
	n    int
	last bool // of its update
}

// next brings the next batch to the device; ahead is the number of steps that are started and not finished. It says whether there
// is one.
func (t *Trainer) next(it *data.Iterator, ahead int, to **fedBatch) (bool, error) {
	more := it.Next(context.Background()) // a context ends a run between steps, where it can be saved
	t.noteDamaged()
	if !more {
		return false, nil
	}
	b := it.Batch()
	i := t.state.Batch + ahead
	p := t.place(i)
	if p.key.images != b.N {
		return false, fmt.Errorf("train: batch %d of the epoch has %d images, expected %d", i, b.N, p.key.images)
	}
	s, err := t.trainStep(p.key)
	if err != nil {
		return false, err
	}
	k := max(t.cfg.Accumulate, 1)
	step := t.state.Step + i/k - t.state.Batch/k
	s.weighClasses(b.Labels, t.cfg.ClassWeights)
	s.Share(p.part, p.first, t.batches()+ahead)
	*to = &fedBatch{s, b.N, p.last}
	return true, s.FeedBatch(b, t.schedule.At(step), step)
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
	if err := t.boardBatch(); err != nil {
		return err
	}
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
	if err := t.boardEpoch(row); err != nil { // before saving, too: see History.Append
		return err
	}
	t.state = State{Epoch: t.state.Epoch + 1, Step: t.state.Step, Plateau: t.state.Plateau, Averaged: t.state.Averaged, Unfrozen: t.state.Unfrozen}
	t.observe(row)
	best := t.stop.see(row)
	if err := t.save(t.stop.metric(row, best)); err != nil {
		return err
	}
	t.observer.Epoch(row)
	if t.stop.done() {
		t.observer.Note(fmt.Sprintf("stopped early after epoch %d: %s", row.Epoch, t.stop.why()))
	}
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
	defer t.noteDamaged()
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

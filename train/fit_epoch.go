package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Fit trains on a until Epochs are done, EarlyStop or OnEpoch ends it, or ctx does, whose error it then returns. Called again, after a
// Load too, it goes on where it stands: with as many epochs as are left. An epoch that ctx ended begins again, with the weights as they have become. A
// loss that is no number is a *[DivergedError], what does not go together an *[ArgumentError]. It returns the epochs of this call.
func (f *Fitter) Fit(ctx context.Context, a Arrays) (epochs []FitEpoch, err error) {
	if err := errors.Join(f.check(true), a.check("the training set")); err != nil {
		return nil, err
	}
	if f.Validation.Len() > 0 || len(f.Validation.Inputs) > 0 {
		if err := f.Validation.check("Fitter.Validation"); err != nil {
			return nil, err
		}
	}
	weights, err := f.weigh(a)
	if err != nil {
		return nil, err
	}
	if err := f.refresh(); err != nil {
		return nil, err
	}
	if p := plateau(f.Schedule); p != nil {
		if f.state.Plateau != nil {
			p.State = f.state.Plateau
		}
		f.state.Plateau = p.state()
	}
	defer func() { err = errors.Join(err, f.finish(err)) }()
	for f.state.Epoch < max(f.Epochs, 1) && !f.EarlyStop.ended(f.state.earlyStopState) {
		e, err := f.epoch(ctx, a, weights)
		if err != nil {
			return epochs, err
		}
		epochs = append(epochs, e)
		if f.OnEpoch == nil {
			continue
		}
		if err := f.sync(); err != nil {
			return epochs, err
		}
		if err := f.OnEpoch(e); errors.Is(err, ErrStop) {
			return epochs, nil
		} else if err != nil {
			return epochs, err
		}
		if err := f.refresh(); err != nil { // it may have changed weights
			return epochs, err
		}
	}
	return epochs, nil
}

// plateau is the schedule that looks at the losses of epochs, nil where there is none.
func plateau(s Schedule) *PlateauSchedule {
	switch s := s.(type) {
	case *PlateauSchedule:
		return s
	case WarmupSchedule:
		return plateau(s.Schedule)
	case *WarmupSchedule:
		if s != nil {
			return plateau(s.Schedule)
		}
	}
	return nil
}

// weigh is what the samples weigh in training, nil where all weigh 1.
func (f *Fitter) weigh(a Arrays) ([]float32, error) {
	if f.ClassWeights == nil {
		return a.Weights, nil
	}
	wrong := func(problem string) error {
		return &ArgumentError{"Fitter.ClassWeights", problem, "give a number for each class, or weigh samples with Arrays.Weights"}
	}
	if a.TargetWeights != nil {
		return nil, wrong("are set beside Arrays.TargetWeights")
	}
	if len(a.Targets) != 1 || a.Targets[0].Dtype() != tensor.Int || a.Targets[0].Dims() != 1 {
		return nil, wrong("want one target of class numbers, (samples,)")
	}
	weights := make([]float32, a.Len())
	for i, class := range a.Targets[0].Data().([]int) {
		if class < 0 || class >= len(f.ClassWeights) {
			return nil, wrong(fmt.Sprintf("has %d classes, sample %d is of class %d", len(f.ClassWeights), i, class))
		}
		if weights[i] = f.ClassWeights[class]; a.Weights != nil {
			weights[i] *= a.Weights[i]
		}
	}
	return weights, nil
}

// epoch trains on every sample once, and validates.
func (f *Fitter) epoch(ctx context.Context, a Arrays, weights []float32) (FitEpoch, error) {
	order := make([]int, a.Len())
	for i := range order {
		order[i] = i
	}
	if !f.InOrder {
		rand.New(rand.NewPCG(f.Seed, uint64(f.state.Epoch))).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var m fitMetrics
	rate := 0.0
	step := f.state.Step // that of the state is the last epoch's: one that ends early begins again
	for samples := range slices.Chunk(order, f.batch()) {
		if err := ctx.Err(); err != nil {
			return FitEpoch{}, err
		}
		s, err := f.step(fitKey{len(samples), true})
		if err != nil {
			return FitEpoch{}, err
		}
		rate = 1e-3
		if !isNil(f.Schedule) {
			rate = f.Schedule.At(step)
		}
		s.scalars.Set(rate, step+1)
		for _, number := range s.steps {
			*number = gorgonia.I(step)
		}
		loss, err := s.run(a, weights, samples)
		if err != nil {
			return FitEpoch{}, err
		}
		if step++; !finite(loss) {
			return FitEpoch{}, &DivergedError{Epoch: f.state.Epoch + 1, Step: step, What: "the loss", Value: loss, LearningRate: rate}
		}
		m.add(len(samples), loss, s.losses)
	}
	e := FitEpoch{Epoch: f.state.Epoch + 1, Step: step, Loss: m.loss.Loss(), Losses: m.means(), ValLoss: math.NaN(), LearningRate: rate}
	judged := e.Loss
	if f.Validation.Len() > 0 {
		var err error
		if e.ValLoss, e.ValLosses, err = f.EvaluateLosses(ctx, f.Validation); err != nil {
			return e, err
		}
		if judged = e.ValLoss; !finite(judged) {
			return e, &DivergedError{Epoch: e.Epoch, Step: step, What: "the validation loss", Value: judged, LearningRate: rate}
		}
	}
	f.state.Epoch, f.state.Step = e.Epoch, step
	if p := plateau(f.Schedule); p != nil {
		p.Observe(judged)
	}
	var err error
	e.Best, err = f.judge(judged)
	return e, err
}

// judge says whether an epoch is the best, counts those that are not, and keeps the weights of the best.
func (f *Fitter) judge(loss float64) (best bool, err error) {
	stop := cmp.Or(f.EarlyStop, &EarlyStop{})
	if !stop.observe(&f.state.earlyStopState, f.state.Epoch, loss) {
		return false, nil
	}
	if !stop.Restore {
		return true, nil
	}
	if err := f.sync(); err != nil {
		return true, err
	}
	f.keepWeights()
	return true, nil
}

// keepWeights makes those of the best epoch the present ones.
func (f *Fitter) keepWeights() {
	f.state.weights = Slots{}
	for _, m := range f.models() {
		for _, w := range m.Weights() {
			f.state.weights[w.Name] = w.Value.Clone().(*tensor.Dense)
		}
	}
}

// finish brings the weights to their tensors after a fit that ended with err, and those of the best epoch if they are wanted.
func (f *Fitter) finish(ended error) error {
	if err := f.sync(); err != nil || f.EarlyStop == nil || !f.EarlyStop.Restore {
		return err
	}
	var diverged *DivergedError
	if ended != nil && !errors.As(ended, &diverged) {
		return nil
	}
	for _, m := range f.models() {
		for _, w := range m.Weights() {
			if best := f.state.weights[w.Name]; best != nil {
				if err := w.Set(best); err != nil {
					return err
				}
			}
		}
	}
	return f.refresh()
}

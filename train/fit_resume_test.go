package train_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
)

// noisy is a fitter with all that has state: dropout, batch normalization, a plateau, the best weights.
func noisy(t *testing.T, epochs int) (*train.Fitter, train.Arrays) {
	m := chain(t, nn.Input{Shape: nn.Shape{3}}, nn.Dense{Units: 8, Activation: nn.ReLU, Name: "hidden"}, nn.BatchNormalization{Name: "norm"}, nn.Dropout{Rate: 0.3},
		nn.Dense{Units: 1, Name: "out"})
	v, err := m.Weight("norm/moving_variance")
	require.NoError(t, err)
	require.NoError(t, v.Value.Memset(float32(1)))
	return &train.Fitter{Engine: engine(t, 2), Optimizer: train.Adam{}, Model: m, Loss: nn.MeanSquaredError{}, Batch: 8, Epochs: epochs, Seed: 5,
			Schedule: train.WarmupSchedule{Schedule: &train.PlateauSchedule{Base: 0.02, Patience: 1, Factor: 0.5}, Steps: 2}, EarlyStop: &train.EarlyStop{Patience: 100, Restore: true},
			Validation: train.Arrays{Inputs: dense{floats("vx", 10, 3)}, Targets: dense{floats("vy", 10, 1)}}},
		train.Arrays{Inputs: dense{floats("x", 21, 3)}, Targets: dense{floats("y", 21, 1)}}
}

// TestFitGoesOn: a fit that was saved and loaded ends with the bits of one that was never interrupted.
func TestFitGoesOn(t *testing.T) {
	whole, data := noisy(t, 9)
	want, err := whole.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Len(t, want, 9)
	require.Less(t, want[8].LearningRate, want[0].LearningRate)
	require.NoError(t, whole.Close())

	path := filepath.Join(t.TempDir(), "fit.safetensors")
	first, _ := noisy(t, 9)
	first.OnEpoch = func(e train.FitEpoch) error {
		if e.Epoch < 4 {
			return nil
		}
		require.NoError(t, first.Save(path))
		return train.ErrStop
	}
	got, err := first.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Len(t, got, 4)
	require.NoError(t, first.Close())

	second, _ := noisy(t, 9)
	require.NoError(t, second.Load(path))
	rest, err := second.Fit(t.Context(), data)
	require.NoError(t, err)
	require.NoError(t, second.Close())
	require.Equal(t, want, append(got, rest...))
	for i, w := range whole.Model.Weights() {
		require.Equal(t, w.Value.Data(), second.Model.Weights()[i].Value.Data(), w.Name)
	}
	for name, s := range whole.Slots {
		require.Equal(t, s.Data(), second.Slots[name].Data(), name)
	}
	more, err := second.Fit(t.Context(), data) // nothing is left to do
	require.NoError(t, err)
	require.Empty(t, more)

	// The checkpoint is one of weights, too; of other models and of other files Load says so and changes nothing.
	other, _ := noisy(t, 1)
	require.NoError(t, convert.Load(path, other.Model, convert.Options{}))
	wrong := &train.Fitter{Engine: engine(t, 1), Optimizer: train.Adam{}, Model: regressor(t, 1, nil), Loss: nn.MeanSquaredError{}}
	before := wrong.Model.Weights()[0].Value.Clone().(*tensor.Dense).Data()
	var mismatch *weights.MismatchError
	require.ErrorAs(t, wrong.Load(path), &mismatch)
	require.Equal(t, before, wrong.Model.Weights()[0].Value.Data())
	fresh, err := wrong.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, 1, fresh[0].Epoch)
	require.NoError(t, wrong.Close())
}

// TestFitInterrupted: the context's end is the error; the weights are those that were trained, not yet the best ones, and Fit goes on with the
// bits of one that was never interrupted.
func TestFitInterrupted(t *testing.T) {
	whole, data := noisy(t, 7)
	want, err := whole.Fit(t.Context(), data)
	require.NoError(t, err)
	require.NoError(t, whole.Close())
	ctx, cancel := context.WithCancel(t.Context())
	f, _ := noisy(t, 7)
	var trained []*tensor.Dense
	at := 0
	for i, e := range want { // an epoch that is not the best, so that both differ
		if !e.Best && i > 0 && i < 6 {
			at = e.Epoch
		}
	}
	require.NotZero(t, at)
	f.OnEpoch = func(e train.FitEpoch) error {
		if e.Epoch == at {
			for _, w := range f.Model.Weights() {
				trained = append(trained, w.Value.Clone().(*tensor.Dense))
			}
			cancel()
		}
		return nil
	}
	epochs, err := f.Fit(ctx, data)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, epochs, at)
	for i, w := range f.Model.Weights() {
		require.Equal(t, trained[i].Data(), w.Value.Data(), w.Name)
	}
	rest, err := f.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, want, append(epochs, rest...))
	for i, w := range whole.Model.Weights() {
		require.Equal(t, w.Value.Data(), f.Model.Weights()[i].Value.Data(), w.Name)
	}
	require.NoError(t, f.Close())
}

// TestFitStaysStopped: a fit that EarlyStop has ended has nothing left to do, also after a Load, which ends with the best weights, too. So does
// one whose loss is no number.
func TestFitStaysStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fit.safetensors")
	stopping := func() (*train.Fitter, train.Arrays) {
		f, data := noisy(t, 100)
		f.EarlyStop.Patience = 2
		f.OnEpoch = func(train.FitEpoch) error { return f.Save(path) }
		return f, data
	}
	f, data := stopping()
	epochs, err := f.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Less(t, len(epochs), 100)
	again, err := f.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Empty(t, again)
	loaded, _ := stopping()
	require.NoError(t, loaded.Load(path))
	require.NotEqual(t, f.Model.Weights()[0].Value.Data(), loaded.Model.Weights()[0].Value.Data()) // those of the last epoch
	again, err = loaded.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Empty(t, again)
	for i, w := range f.Model.Weights() {
		require.Equal(t, w.Value.Data(), loaded.Model.Weights()[i].Value.Data(), w.Name)
	}
	require.NoError(t, loaded.Close())
	require.NoError(t, f.Close())

	f, data = noisy(t, 100)
	var best *tensor.Dense
	f.OnEpoch = func(e train.FitEpoch) error {
		if best == nil {
			best = f.Model.Weights()[0].Value.Clone().(*tensor.Dense)
			data.Inputs[0].Data().([]float32)[3] = float32(math.Inf(1))
		}
		return nil
	}
	_, err = f.Fit(t.Context(), data)
	var diverged *train.DivergedError
	require.ErrorAs(t, err, &diverged)
	require.Equal(t, best.Data(), f.Model.Weights()[0].Value.Data())
	require.NoError(t, f.Close())
}

// TestFitDiverges: a number in the data that is none ends training with an error that says where, and what was saved before stays.
func TestFitDiverges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fit.safetensors")
	f := &train.Fitter{Engine: engine(t, 1), Optimizer: train.SGD{}, Model: regressor(t, 1, nil), Loss: nn.MeanSquaredError{}, Batch: 4, InOrder: true}
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Save(path))
	x := floats("x", 10, 3)
	x.Data().([]float32)[5*3] = float32(math.NaN())
	_, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{x}, Targets: dense{floats("y", 10, 1)}})
	var diverged *train.DivergedError
	require.ErrorAs(t, err, &diverged)
	require.Equal(t, 2, diverged.Step)
	require.ErrorContains(t, err, "look for numbers that are not finite in the data")
	require.ErrorAs(t, f.Save(path), &diverged)
	require.NoError(t, f.Load(path))
	_, err = f.Fit(t.Context(), train.Arrays{Inputs: dense{floats("x", 10, 3)}, Targets: dense{floats("y", 10, 1)}})
	require.NoError(t, err)
}

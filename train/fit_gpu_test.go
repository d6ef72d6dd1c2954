//go:build gpu && cgo && linux

package train_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// TestGPUFit: on a device with memory of its own a fitter sees what the host changes, and the host what was trained: validation and the best
// weights in between, a checkpoint, and going on.
func TestGPUFit(t *testing.T) {
	on, data := noisy(t, 6)
	on.Engine = gpu(t, cuda.Config{})
	path := filepath.Join(t.TempDir(), "fit.safetensors")
	// OnEpoch changes weights after epoch 2, and after 4 has so many graphs compiled that those of training are forgotten.
	change := func(f *train.Fitter, e train.FitEpoch) error {
		if e.Epoch == 2 {
			f.Model.Weights()[0].Value.Data().([]float32)[0] += 2
		}
		for n := 1; e.Epoch == 4 && n <= 8; n++ {
			if _, err := f.Predict(t.Context(), floats("x", n, 3)); err != nil {
				return err
			}
		}
		return nil
	}
	on.OnEpoch = func(e train.FitEpoch) error {
		if e.Epoch == 3 {
			return on.Save(path)
		}
		return change(on, e)
	}
	got, err := on.Fit(t.Context(), data)
	require.NoError(t, err)
	at, _ := noisy(t, 6)
	at.OnEpoch = func(e train.FitEpoch) error { return change(at, e) }
	want, err := at.Fit(t.Context(), data)
	require.NoError(t, err)
	for i := range want {
		require.InDelta(t, want[i].Loss, got[i].Loss, 1e-3)
		require.InDelta(t, want[i].ValLoss, got[i].ValLoss, 1e-3)
		require.Equal(t, want[i].Best, got[i].Best)
	}
	for i, w := range at.Model.Weights() { // those of the best epoch
		require.InDeltaSlice(t, w.Value.Data(), on.Model.Weights()[i].Value.Data(), 1e-3, w.Name)
	}
	outputs := func(f *train.Fitter) []float32 {
		p, err := f.Predict(t.Context(), data.Inputs[0])
		require.NoError(t, err)
		return p[0].Data().([]float32)
	}
	before := outputs(on)
	require.InDeltaSlice(t, outputs(at), before, 1e-3)
	on.Model.Weights()[0].Value.Data().([]float32)[0] += 1
	require.NotEqual(t, before, outputs(on))

	var last *tensor.Dense
	require.NoError(t, on.Load(path))
	on.OnEpoch = func(train.FitEpoch) error {
		last = on.Model.Weights()[0].Value.Clone().(*tensor.Dense) // OnEpoch finds what was trained
		return nil
	}
	rest, err := on.Fit(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, got[3:], rest)
	require.NotNil(t, last)
	require.NoError(t, on.Close())
	require.NoError(t, at.Close())
}

// TestGPUFitFunctional: a model of several inputs and outputs learns on a device what it learns on the host, with the losses of each output.
func TestGPUFitFunctional(t *testing.T) {
	var epochs [2][]train.FitEpoch
	var outputs [2][]*tensor.Dense
	for i, e := range []graph.Engine{gpu(t, cuda.Config{}), engine(t, 1)} {
		f, a := ticketFitter(t, e), tickets(22)
		a.Weights = sampleWeights("weight", 22)
		var err error
		epochs[i], err = f.Fit(t.Context(), a)
		require.NoError(t, err)
		outputs[i], err = f.Predict(t.Context(), a.Inputs...)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	for i, want := range epochs[1] {
		require.InDelta(t, want.Loss, epochs[0][i].Loss, 1e-3)
		require.InDeltaSlice(t, want.Losses, epochs[0][i].Losses, 1e-3)
		require.InDeltaSlice(t, want.ValLosses, epochs[0][i].ValLosses, 1e-3)
	}
	require.Len(t, outputs[0], 4)
	for i, want := range outputs[1] {
		require.InDeltaSlice(t, want.Data(), outputs[0][i].Data(), 1e-3)
	}
}

// TestGPUFitShared: weights that several places share, and averages that one place takes over from another, on the device.
func TestGPUFitShared(t *testing.T) {
	e := gpu(t, cuda.Config{})
	for name, m := range sharing(t) {
		t.Run(name, func(t *testing.T) { fitShared(t, e, m) })
	}
}

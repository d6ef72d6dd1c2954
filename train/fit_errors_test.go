package train_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// TestFitErrors: what does not go together is a typed error that names it.
func TestFitErrors(t *testing.T) {
	e, m := engine(t, 1), regressor(t, 2, nil)
	x, y := floats("x", 6, 3), floats("y", 6, 2)
	good := train.Arrays{Inputs: dense{x}, Targets: dense{y}}
	double := tensor.New(tensor.WithShape(6, 3), tensor.Of(tensor.Float64))
	turned := tensor.New(tensor.WithShape(3, 6), tensor.Of(tensor.Float32))
	require.NoError(t, turned.T())
	zero := tensor.New(tensor.WithShape(6), tensor.WithBacking([]int{0, 0, 1, 2, 0, 1}))
	for text, c := range map[string]struct {
		change func(*train.Fitter)
		data   train.Arrays
	}{
		"Fitter.Engine is nil":                      {func(f *train.Fitter) { f.Engine = nil }, good},
		"Fitter.Model is nil":                       {func(f *train.Fitter) { f.Model = nil }, good},
		"Fitter.Model is set beside":                {func(f *train.Fitter) { f.Models = []*nn.Model{m} }, good},
		"the optimizer is nil":                      {func(f *train.Fitter) { f.Optimizer = nil }, good},
		"accumulates gradients":                     {func(f *train.Fitter) { f.Optimizer = train.Base{Optimizer: train.Adam{}, Accumulate: true} }, good},
		"Fitter.Batch is -1":                        {func(f *train.Fitter) { f.Batch = -1 }, good},
		"Fitter.Epochs is -1":                       {func(f *train.Fitter) { f.Epochs = -1 }, good},
		"has NaN for class 1":                       {func(f *train.Fitter) { f.ClassWeights = []float32{1, float32(math.NaN())} }, good},
		"want one target of class numbers":          {func(f *train.Fitter) { f.ClassWeights = []float32{1, 1} }, good},
		"the training set has no inputs":            {nil, train.Arrays{}},
		"Arrays.Targets has 0 tensors":              {nil, train.Arrays{Inputs: dense{x}}},
		`Fitter.EarlyStop monitors "val_top1", and`: {func(f *train.Fitter) { f.EarlyStop = &train.EarlyStop{Monitor: "val_top1"} }, good},
		"Fitter.Schedule waits for a metric to":     {func(f *train.Fitter) { f.Schedule = &train.PlateauSchedule{Base: 1, Larger: true} }, good},
		"the training set.Inputs[0] is nil":         {nil, train.Arrays{Inputs: dense{nil}, Targets: dense{y}}},
		"the training set.Targets[0] has 5 sampl":   {nil, train.Arrays{Inputs: dense{x}, Targets: dense{floats("y", 5, 2)}}},
		"is of float64, expected float32":           {nil, train.Arrays{Inputs: dense{double}, Targets: dense{y}}},
		"is a view or not in row-major":             {nil, train.Arrays{Inputs: dense{turned}, Targets: dense{y}}},
		"has 2 numbers for 6 samples":               {nil, train.Arrays{Inputs: dense{x}, Targets: dense{y}, Weights: []float32{1, 2}}},
		"has -1 for sample 1":                       {nil, train.Arrays{Inputs: dense{x}, Targets: dense{y}, Weights: []float32{1, -1, 1, 1, 1, 1}}},
		"Arrays.Inputs[0] has samples of":           {nil, train.Arrays{Inputs: dense{floats("x", 6, 4)}, Targets: dense{y}}},
		"Arrays.Targets[0] has samples of int []":   {nil, train.Arrays{Inputs: dense{x}, Targets: dense{zero}}},
		"Arrays.Inputs has 2 tensors, the network":  {nil, train.Arrays{Inputs: dense{x, x}, Targets: dense{y}}},
		"Fitter.Validation.Inputs[0] is of":         {func(f *train.Fitter) { f.Validation.Inputs, f.Validation.Targets = dense{double}, dense{y} }, good},
		"has no Nets": {func(f *train.Fitter) {
			f.Model, f.Models = nil, []*nn.Model{m}
			f.Build = func(*gorgonia.ExprGraph, int, bool) (*train.FitGraph, error) { return &train.FitGraph{}, nil }
		}, good},
		"lacks the model of the weight": {func(f *train.Fitter) {
			other := regressor(t, 2, nil)
			f.Model, f.Models = nil, []*nn.Model{m}
			f.Build = func(g *gorgonia.ExprGraph, n int, _ bool) (*train.FitGraph, error) {
				net, err := other.Build(g, nn.BuildConfig{Batch: n})
				if err != nil {
					return nil, err
				}
				loss, err := op.Of(net.Output).Sum().Node()
				return &train.FitGraph{Inputs: gorgonia.Nodes{net.Input}, Nets: []*nn.Net{net}, Loss: loss}, err
			}
		}, good},
		`have two weights called "hidden/kernel"`: {func(f *train.Fitter) {
			f.Model, f.Models = nil, []*nn.Model{m, regressor(t, 2, nil)}
			f.Build = func(*gorgonia.ExprGraph, int, bool) (*train.FitGraph, error) { return nil, nil }
		}, good},
	} {
		f := &train.Fitter{Engine: e, Optimizer: train.SGD{}, Model: m, Loss: nn.MeanSquaredError{}}
		if c.change != nil {
			c.change(f)
		}
		_, err := f.Fit(t.Context(), c.data)
		require.ErrorContains(t, err, text)
		var argument *train.ArgumentError
		require.ErrorAs(t, err, &argument, text)
		require.NoError(t, f.Close())
	}
	var none *train.PlateauSchedule
	f := &train.Fitter{Engine: e, Optimizer: train.SGD{}, Model: m, Loss: &nn.LossFunc{Func: func(p, y op.Expr) op.Expr { // a pointer to a loss is one, too
		return p.Apply(&op.CrossEntropy{}, y)
	}, Sparse: true}, Batch: 100, Schedule: none} // larger than the set, and the rate is that of no schedule
	_, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{x}, Targets: dense{tensor.New(tensor.WithShape(6), tensor.WithBacking([]int{0, 0, 1, 1, 0, 1}))}})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.ErrorContains(t, f.Load(filepath.Join(t.TempDir(), "none")), "no such file")

	momentum := &train.Fitter{Engine: e, Optimizer: train.SGD{Momentum: 0.9}, Model: m, Loss: nn.MeanSquaredError{}, Slots: train.NewSlots(m, train.SGD{Momentum: 0.9})}
	for name, slot := range momentum.Slots {
		momentum.Slots[name] = tensor.New(tensor.WithShape(slot.Shape()...), tensor.Of(tensor.Float64))
	}
	require.ErrorContains(t, momentum.Save(filepath.Join(t.TempDir(), "none")), "is of float64, expected float32")

	mean := &train.Fitter{Engine: e, Models: []*nn.Model{m}, Batch: 4, Build: func(g *gorgonia.ExprGraph, batch int, training bool) (*train.FitGraph, error) {
		net, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: training})
		if err != nil {
			return nil, err
		}
		out, err := op.Of(net.Output).Mean(0).Node() // is none of samples
		if err != nil {
			return nil, err
		}
		loss, err := op.Of(out).Square().Mean().Node()
		return &train.FitGraph{Inputs: gorgonia.Nodes{net.Input}, Nets: []*nn.Net{net}, Loss: loss, Outputs: gorgonia.Nodes{out}}, err
	}}
	_, err = mean.Predict(t.Context(), x)
	require.ErrorContains(t, err, "FitGraph.Outputs[0] has shape (2), expected a batch of 4 in front")

	// A damaged checkpoint, and one of something else.
	path := filepath.Join(t.TempDir(), "fit.safetensors")
	require.NoError(t, f.Save(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before := m.Weights()[0].Value.Clone().(*tensor.Dense).Data()
	text[len(text)-5] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o644))
	var corrupt *weights.CorruptError
	require.ErrorAs(t, f.Load(path), &corrupt)
	require.NoError(t, weights.SaveCheckpoint(path, &weights.Checkpoint{Arch: "resnet18"}))
	require.ErrorContains(t, f.Load(path), `is a checkpoint of "resnet18", not of a Fitter`)
	require.Equal(t, before, m.Weights()[0].Value.Data())
}

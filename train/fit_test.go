package train_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

const fitSeed = 11

// floats are those of make_fit.py.
func floats(name string, shape ...int) *tensor.Dense {
	x := make([]float32, tensor.Shape(shape).TotalSize())
	numtest.FillUniform(name, fitSeed, 1, x)
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

func classes(name string, of int, shape ...int) *tensor.Dense {
	x := make([]int, tensor.Shape(shape).TotalSize())
	numtest.FillLabels(name, fitSeed, of, x)
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// sampleWeights are from 0 to 2.
func sampleWeights(name string, n int) []float32 {
	w := floats(name, n).Data().([]float32)
	for i := range w {
		w[i]++
	}
	return w
}

// chain is a model of layers, one after the other, with the weights of make_fit.py.
func chain(t testing.TB, in nn.Layer, layers ...nn.Layer) *nn.Model {
	t.Helper()
	b := nn.NewBuilder("chain")
	x := b.Add(in)
	y := x
	for _, l := range layers {
		y = b.Add(l, y)
	}
	m, err := b.Model(x, y)
	require.NoError(t, err)
	require.NoError(t, m.Allocate(tensor.Float32))
	for _, w := range m.Weights() {
		numtest.FillUniform("w0/"+w.Name, fitSeed, 0.5, w.Value.Data().([]float32))
	}
	return m
}

func regressor(t testing.TB, units int, penalty nn.Regularizer) *nn.Model {
	return chain(t, nn.Input{Shape: nn.Shape{3}}, nn.Dense{Units: 6, Activation: nn.Tanh, Name: "hidden", KernelRegularizer: penalty}, nn.Dense{Units: units, Name: "out"})
}

// twoByTwo is the network of two inputs and two outputs.
func twoByTwo(t testing.TB, opt train.Optimizer) *train.Fitter {
	image := chain(t, nn.Input{Shape: nn.Shape{6, 6, 1}}, nn.Conv2D{Filters: 3, Kernel: nn.K(3), Activation: nn.Tanh, Name: "conv"}, nn.GlobalAveragePooling2D{})
	table := chain(t, nn.Input{Shape: nn.Shape{5}}, nn.Dense{Units: 4, Activation: nn.Tanh, Name: "table"})
	class := chain(t, nn.Input{Shape: nn.Shape{7}}, nn.Dense{Units: 3, Activation: nn.Softmax, Name: "class"})
	value := chain(t, nn.Input{Shape: nn.Shape{7}}, nn.Dense{Units: 1, Name: "value"})
	return &train.Fitter{Optimizer: opt, Models: []*nn.Model{image, table, class, value}, Build: func(g *gorgonia.ExprGraph, batch int, training bool) (*train.FitGraph, error) {
		var nets [4]*nn.Net
		var joined *gorgonia.Node
		for i, m := range []*nn.Model{image, table, class, value} {
			var err error
			if nets[i], err = m.Build(g, nn.BuildConfig{Batch: batch, Training: training, Input: joined}); err != nil {
				return nil, err
			}
			if i == 1 {
				if joined, err = op.Join(1, op.Of(nets[0].Output), op.Of(nets[1].Output)).Node(); err != nil {
					return nil, err
				}
			}
		}
		label := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("label"))
		number := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, 1), gorgonia.WithName("number"))
		loss, err := op.Try(nn.SparseCategoricalCrossentropyLoss{}.Reduced(nets[2].Output, label, nil)).
			Add(op.Try(nn.Huber{}.Reduced(nets[3].Output, number, nil)).Mul(op.Number(0.5))).Node()
		return &train.FitGraph{Inputs: gorgonia.Nodes{nets[0].Input, nets[1].Input}, Targets: gorgonia.Nodes{label, number}, Nets: nets[:], Loss: loss,
			Outputs: gorgonia.Nodes{nets[2].Output, nets[3].Output}}, err
	}}
}

type dense = []*tensor.Dense

// TestFitIsKeras: losses of every epoch, of validation, of evaluate, and the predictions of the trained models are Keras's.
func TestFitIsKeras(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/fit.json")
	e := engine(t, 2)
	conv := chain(t, nn.Input{Shape: nn.Shape{7}, Dtype: tensor.Int}, nn.Embedding{InputDim: 12, OutputDim: 4, Name: "embedding"},
		nn.Conv1D{Filters: 5, Kernel: 3, Activation: nn.ReLU, Name: "conv"}, nn.GlobalMaxPooling1D{}, nn.Dense{Units: 3, Activation: nn.Softmax, Name: "out"})
	letters, kinds := classes("x", 12, 19, 7), classes("y", 3, 19)
	several := classes("y", 2, 21, 3)
	for name, c := range map[string]struct {
		fitter *train.Fitter
		rate   float64
		data   train.Arrays
		last   *train.Arrays // that are evaluated at the end, nil: data without weights
	}{
		"regression": {&train.Fitter{Model: regressor(t, 2, nn.L2(0.01)), Loss: nn.MeanSquaredError{}, Optimizer: train.SGD{Momentum: 0.9},
			Validation: train.Arrays{Inputs: dense{floats("vx", 11, 3)}, Targets: dense{floats("vy", 11, 2)}, Weights: sampleWeights("vweight", 11)}}, 0.1,
			train.Arrays{Inputs: dense{floats("x", 20, 3)}, Targets: dense{floats("y", 20, 2)}, Weights: sampleWeights("weight", 20)}, nil},
		"multilabel": {&train.Fitter{Model: chain(t, nn.Input{Shape: nn.Shape{4}}, nn.Dense{Units: 5, Activation: nn.ReLU, Name: "hidden"},
			nn.Dense{Units: 3, Activation: nn.Sigmoid, Name: "out"}), Loss: nn.BinaryCrossentropy{}, Optimizer: train.Adam{}}, 0.05,
			train.Arrays{Inputs: dense{floats("x", 21, 4)}, Targets: dense{asFloats(several)}}, nil},
		"tokens": {&train.Fitter{Model: conv, Optimizer: train.Adam{}, ClassWeights: []float32{1, 0.25, 3},
			Validation: train.Arrays{Inputs: dense{head(letters, 9)}, Targets: dense{head(kinds, 9)}}}, 0.02, train.Arrays{Inputs: dense{letters}, Targets: dense{kinds}}, nil},
		"two": {twoByTwo(t, train.Adam{}), 0.03, train.Arrays{Inputs: dense{floats("image", 18, 6, 6, 1), floats("table", 18, 5)},
			Targets: dense{classes("class", 3, 18), floats("value", 18, 1)}}, nil},
		"stopping": {&train.Fitter{Model: regressor(t, 1, nil), Loss: nn.MeanAbsoluteError{}, Optimizer: train.Adam{}, Epochs: 40,
			EarlyStop:  &train.EarlyStop{Patience: 2, MinDelta: 1e-3, Restore: true},
			Validation: train.Arrays{Inputs: dense{floats("vx", 10, 3)}, Targets: dense{floats("vy", 10, 1)}}}, 0.2,
			train.Arrays{Inputs: dense{floats("x", 24, 3)}, Targets: dense{floats("y", 24, 1)}},
			&train.Arrays{Inputs: dense{floats("vx", 10, 3)}, Targets: dense{floats("vy", 10, 1)}}},
	} {
		t.Run(name, func(t *testing.T) {
			want, f := golden.Case(t, name), c.fitter
			f.Engine, f.Batch, f.InOrder, f.Schedule = e, 8, true, train.ConstantSchedule{Base: c.rate}
			if f.Epochs == 0 {
				f.Epochs = 3
			}
			epochs, err := f.Fit(t.Context(), c.data)
			require.NoError(t, err)
			defer func() { require.NoError(t, f.Close()) }()
			var loss, val []float64
			for i, e := range epochs {
				require.Equal(t, i+1, e.Epoch)
				loss, val = append(loss, e.Loss), append(val, e.ValLoss)
			}
			// Float32 over a few epochs against float64: some units in the sixth place.
			tol := numtest.Tolerance{Rel: 2e-5, Abs: 2e-6}
			numtest.AssertClose(t, want.Tensor("loss").Float32(), narrow(loss), tol, "loss")
			if want.Has("val_loss") {
				numtest.AssertClose(t, want.Tensor("val_loss").Float32(), narrow(val), tol, "validation loss")
			} else {
				require.True(t, math.IsNaN(val[0]))
			}
			last := train.Arrays{Inputs: c.data.Inputs, Targets: c.data.Targets}
			if c.last != nil {
				last = *c.last
			}
			evaluated, err := f.Evaluate(t.Context(), last)
			require.NoError(t, err)
			numtest.AssertClose(t, want.Tensor("evaluated").Float32(), []float32{float32(evaluated)}, tol, "evaluated")
			out, err := f.Predict(t.Context(), c.data.Inputs...)
			require.NoError(t, err)
			for i, o := range out {
				w := want.Tensor("predicted/" + string(rune('0'+i)))
				require.Equal(t, []int(w.Shape), []int(o.Shape()))
				numtest.AssertClose(t, w.Float32(), o.Data(), numtest.Tolerance{Rel: 1e-4, Abs: 1e-5}, "predictions")
			}
		})
	}
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func asFloats(x *tensor.Dense) *tensor.Dense {
	var out []float32
	for _, v := range x.Data().([]int) {
		out = append(out, float32(v))
	}
	return tensor.New(tensor.WithShape(x.Shape()...), tensor.WithBacking(out))
}

// head is a copy of the first samples.
func head(x *tensor.Dense, n int) *tensor.Dense {
	s := x.Shape().Clone()
	row := s.TotalSize() / s[0]
	s[0] = n
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(append([]int(nil), x.Data().([]int)[:n*row]...)))
}

// TestFitOrder: each epoch takes all samples once, in another order unless InOrder, and the same again for one seed.
func TestFitOrder(t *testing.T) {
	run := func(seed uint64, inOrder bool) float64 {
		f := &train.Fitter{Engine: engine(t, 1), Optimizer: train.SGD{}, Model: regressor(t, 1, nil), Loss: nn.MeanSquaredError{}, Batch: 50, Epochs: 1, Seed: seed, InOrder: inOrder}
		_, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{floats("x", 50, 3)}, Targets: dense{floats("y", 50, 1)}})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		f.Batch, f.Epochs = 7, 2
		epochs, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{floats("x", 50, 3)}, Targets: dense{floats("y", 50, 1)}})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, 2, epochs[0].Epoch)
		require.Equal(t, 1+8, epochs[0].Step) // the last batch has one sample
		return epochs[0].Loss
	}
	require.Equal(t, run(1, false), run(1, false))
	require.NotEqual(t, run(1, false), run(2, false))
	require.NotEqual(t, run(1, false), run(1, true))
	require.Equal(t, run(1, true), run(2, true))
}

// TestFitObserve: metrics of one's own see every sample of validation, with outputs that are the predictions.
func TestFitObserve(t *testing.T) {
	f := &train.Fitter{Engine: engine(t, 1), Model: regressor(t, 2, nil), Loss: nn.MeanSquaredError{}, Batch: 4}
	defer func() { require.NoError(t, f.Close()) }()
	x, y := floats("x", 10, 3), floats("y", 10, 2)
	want, err := f.Predict(t.Context(), x)
	require.NoError(t, err)
	var outputs, targets []float32
	f.Observe = func(out []*tensor.Dense, batch train.Arrays) error {
		outputs, targets = append(outputs, out[0].Data().([]float32)...), append(targets, batch.Targets[0].Data().([]float32)...)
		return nil
	}
	loss, err := f.Evaluate(t.Context(), train.Arrays{Inputs: dense{x}, Targets: dense{y}})
	require.NoError(t, err)
	require.InDeltaSlice(t, want[0].Data(), outputs, 1e-6)
	require.Equal(t, y.Data(), targets)
	sum := 0.0
	for i := range outputs {
		sum += math.Pow(float64(outputs[i]-targets[i]), 2) / 20
	}
	require.InDelta(t, sum, loss, 1e-6)
	f.Model.Weights()[0].Value.Data().([]float32)[0] += 1 // weights that the caller changes count at once
	again, err := f.Predict(t.Context(), x)
	require.NoError(t, err)
	require.NotEqual(t, want[0].Data(), again[0].Data())
}

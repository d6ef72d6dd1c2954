package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestFitKeepsFewGraphs: of many sizes of batches those that were used last stay compiled, and what is compiled anew computes the same.
func TestFitKeepsFewGraphs(t *testing.T) {
	m, built := regressor(t, 1, nil), 0
	f := &train.Fitter{Engine: engine(t, 1), Models: []*nn.Model{m}, Optimizer: train.SGD{}, Batch: 20, Build: func(g *gorgonia.ExprGraph, batch int, training bool) (*train.FitGraph, error) {
		built++
		net, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: training})
		if err != nil {
			return nil, err
		}
		loss, err := op.Of(net.Output).Square().Mean().Node() // without targets
		return &train.FitGraph{Inputs: gorgonia.Nodes{net.Input}, Nets: []*nn.Net{net}, Loss: loss, Outputs: gorgonia.Nodes{net.Output}}, err
	}}
	defer func() { require.NoError(t, f.Close()) }()
	predict := func(n int) any {
		out, err := f.Predict(t.Context(), floats("x", n, 3))
		require.NoError(t, err)
		return out[0].Data()
	}
	_, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{floats("x", 30, 3)}})
	require.NoError(t, err)
	require.Equal(t, 2, built) // for 20 and for 10
	first := predict(1)
	for n := 2; n <= 7; n++ {
		predict(n)
		predict(1)
	}
	require.Equal(t, 9, built)
	require.Equal(t, first, predict(1)) // is there still
	require.Equal(t, 9, built)
	_, err = f.Fit(t.Context(), train.Arrays{Inputs: dense{floats("x", 30, 3)}}) // has no epoch left
	require.NoError(t, err)
	for n := 8; n <= 14; n++ {
		predict(n)
	}
	require.Equal(t, 16, built)
	require.Equal(t, first, predict(1))
	require.Equal(t, 16, built)
	for n := 13; n <= 20; n++ {
		predict(n)
	}
	require.Equal(t, 22, built)
	require.Equal(t, first, predict(1)) // was forgotten
	require.Equal(t, 23, built)
}

// TestFitModelTwice: a model that a network has twice is trained by what both learn, and its penalty counts once, as in Keras.
func TestFitModelTwice(t *testing.T) {
	const penalty, rate = 0.5, 0.1
	m := chain(t, nn.Input{Shape: nn.Shape{1}}, nn.Dense{Units: 1, NoBias: true, Name: "factor", KernelRegularizer: nn.L2(penalty)})
	w := m.Weights()[0].Value.Data().([]float32)
	w[0] = 3
	f := &train.Fitter{Engine: engine(t, 1), Models: []*nn.Model{m}, Optimizer: train.SGD{}, Schedule: train.ConstantSchedule{Base: rate},
		Build: func(g *gorgonia.ExprGraph, batch int, training bool) (*train.FitGraph, error) {
			left, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: training})
			if err != nil {
				return nil, err
			}
			right, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: training})
			if err != nil {
				return nil, err
			}
			loss, err := op.Of(left.Output).Mul(op.Of(right.Output)).Mean().Node()
			return &train.FitGraph{Inputs: gorgonia.Nodes{left.Input, right.Input}, Nets: []*nn.Net{left, right}, Loss: loss}, err
		}}
	defer func() { require.NoError(t, f.Close()) }()
	one := func(v float32) *tensor.Dense {
		return tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{v}))
	}
	epochs, err := f.Fit(t.Context(), train.Arrays{Inputs: dense{one(2), one(5)}})
	require.NoError(t, err)
	require.InDelta(t, 3*2*3*5+penalty*3*3, epochs[0].Loss, 1e-4)
	require.InDelta(t, 3-rate*(2*3*2*5+2*penalty*3), w[0], 1e-4)
}

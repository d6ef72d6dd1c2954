package onnx

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// shared is a model that applies layers, and a model, in several places.
func shared() (*nn.Model, error) {
	b := nn.NewBuilder("tower")
	i := b.Input(nn.Shape{4})
	tower, err := b.Model(i, b.Add(nn.Dense{Units: 4, Activation: nn.Tanh, Name: "inner"}, i))
	if err != nil {
		return nil, err
	}
	b = nn.NewBuilder("shared")
	x, y := b.Add(nn.Input{Shape: nn.Shape{6, 6, 2}, Name: "x"}), b.Add(nn.Input{Shape: nn.Shape{4, 4, 2}, Name: "y"})
	words := b.Add(nn.Input{Shape: nn.Shape{3}, Dtype: tensor.Int, Name: "words"})
	conv, norm := b.Share(nn.Conv2D{Filters: 2, Kernel: nn.K(3), Padding: nn.Same, Name: "conv"}), b.Share(nn.BatchNormalization{Name: "norm"})
	gap, dense := b.Share(nn.GlobalAveragePooling2D{}), b.Share(nn.Dense{Units: 4, Name: "dense"})
	table, prelu := b.Share(nn.Embedding{InputDim: 9, OutputDim: 2, Name: "table"}), b.Share(nn.PReLU{SharedAxes: []int{1, 2}, Name: "prelu"})
	far := b.Add(dense, b.Add(gap, b.Add(norm, b.Add(conv, b.Add(prelu, b.Add(norm, b.Add(conv, x)))))))
	near := b.Add(dense, b.Add(gap, b.Add(norm, b.Add(conv, b.Add(prelu, y)))))
	proj := b.Share(nn.Dense{Units: 2, NoBias: true, Name: "proj"}) // of sequences, which ONNX multiplies as matrices
	said := b.Add(nn.Concatenate{}, b.Add(nn.Flatten{}, b.Add(table, words)), b.Add(nn.GlobalAveragePooling1D{}, b.Add(proj, b.Add(proj, b.Add(table, words)))))
	all := b.Add(nn.Concatenate{}, b.Add(tower, far), b.Add(tower, b.Add(tower, near)), said)
	return b.Functional([]*nn.Tensor{x, y, words}, []*nn.Tensor{b.Add(nn.Dense{Units: 3, Activation: nn.Softmax, Name: "class"}, all), far})
}

// TestSharedReadBack: weights that several places use are written once, and what is read computes the same.
func TestSharedReadBack(t *testing.T) {
	m, err := shared()
	require.NoError(t, err)
	randomize(t, m)
	var inputs []*tensor.Dense
	for _, p := range m.Inputs() {
		s := append([]int{3}, p.Shape...)
		if p.Dtype == tensor.Int {
			v := make([]int, size(s))
			numtest.FillLabels(p.Name, 7, 9, v)
			inputs = append(inputs, tensor.New(tensor.WithShape(s...), tensor.WithBacking(v)))
			continue
		}
		v := make([]float32, size(s))
		numtest.FillUniform(p.Name, 7, 1, v)
		inputs = append(inputs, tensor.New(tensor.WithShape(s...), tensor.WithBacking(v)))
	}
	want := compute(t, m, false, inputs)
	var file bytes.Buffer
	require.NoError(t, Encode(&file, m, WriteConfig{}))
	g, err := Decode(file.Bytes())
	require.NoError(t, err)
	net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 3})
	require.NoError(t, err)
	for i, x := range inputs {
		require.NoError(t, gorgonia.Let(net.Inputs[i], x))
	}
	nearAll(t, want, runAll(t, net.Outputs))
	elements := 0
	for _, p := range net.Params {
		elements += p.Weight.Shape.TotalSize()
	}
	total, _, _ := m.CountParams()
	require.Equal(t, total, elements, "each weight is there once")
	for _, w := range m.Weights() {
		require.NotContains(t, file.String(), w.Name+"_1")
	}
	for _, c := range []ModelConfig{{}, {Images: true}} {
		again, err := g.Model(c)
		require.NoError(t, err)
		nearAll(t, want, compute(t, again, false, inputs))
		read, _, _ := again.CountParams()
		require.Equal(t, total+2, read, "they are shared again, but for prelu's, which are read in two orders of axes")
	}
}

package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

func branched(t *testing.T) *Model {
	b := NewBuilder("branched")
	in := b.Input(Shape{4})
	x := b.Add(Dense{Units: 3, Name: "stem"}, in)
	left, right := b.Add(Dense{Units: 2, Name: "left"}, x), b.Add(Dense{Units: 2, Name: "right"}, x)
	out := b.Add(Dense{Units: 5, Name: "head"}, b.Add(Add{Name: "sum"}, left, right))
	m, err := b.Model(in, out)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	return m
}

// compute runs a model's inference on one sample.
func compute(t *testing.T, m *Model, x []float32) []float32 {
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, tensor.New(tensor.WithShape(1, len(x)), tensor.WithBacking(x))))
	machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Output))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	return append([]float32(nil), net.Output.Value().Data().([]float32)...)
}

// TestUntil: the part has the layers that lead to its end, computes what is there in the whole, and shares the weights.
func TestUntil(t *testing.T) {
	m := branched(t)
	part, err := m.Until("sum")
	require.NoError(t, err)
	require.Equal(t, Shape{2}, part.OutputShape())
	require.Len(t, part.Weights(), 6)
	left, err := m.Until("left")
	require.NoError(t, err)
	var names []string
	for _, w := range left.Weights() {
		names = append(names, w.Name)
	}
	require.Equal(t, []string{"stem/kernel", "stem/bias", "left/kernel", "left/bias"}, names)

	b := NewBuilder("again") // the whole once more, of the part and the head
	in := b.Input(m.InputShape())
	whole, err := b.Model(in, b.Add(Dense{Units: 5, Name: "head"}, b.Add(part, in)))
	require.NoError(t, err)
	require.NoError(t, whole.InitializeRest(2, tensor.Float32))
	for _, name := range []string{"head/kernel", "head/bias"} {
		from, err := m.Weight(name)
		require.NoError(t, err)
		to, err := whole.Weight(name)
		require.NoError(t, err)
		require.NotSame(t, from, to)
		require.NoError(t, to.Set(from.Value))
	}
	x := []float32{1, -2, 3, 0.5}
	require.Equal(t, compute(t, m, x), compute(t, whole, x))

	stem, err := m.Weight("stem/kernel")
	require.NoError(t, err)
	stem.Value.Data().([]float32)[0] += 1
	require.Equal(t, compute(t, m, x), compute(t, whole, x))
	require.NoError(t, part.SetTrainable(false))
	require.False(t, stem.Trainable)
}

func TestUntilErrors(t *testing.T) {
	m := branched(t)
	_, err := m.Until("lefd")
	require.ErrorIs(t, err, ErrArgument)
	require.ErrorContains(t, err, `no layer is called "lefd"; did you mean "left"?`)
	_, err = m.Until(m.Layers()[0].Name)
	require.ErrorIs(t, err, ErrArgument)
	_, err = (*Model)(nil).Until("x")
	require.ErrorIs(t, err, ErrNilTensor)
}

// TestNoModel: what an error that nobody looked at leaves behind is an error, not a panic.
func TestNoModel(t *testing.T) {
	for _, m := range []*Model{nil, {}} {
		_, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
		require.ErrorIs(t, err, ErrNilTensor)
		_, err = m.Clone(tensor.Float32)
		require.ErrorIs(t, err, ErrNilTensor)
		require.Empty(t, m.InputShape())
		require.Empty(t, m.OutputShape())
		require.Zero(t, m.Batch())
	}
	b := NewBuilder("")
	b.Add(&Model{}, b.Input(Shape{3}))
	require.ErrorIs(t, b.Err(), ErrNilTensor)
	var zero Builder
	in := zero.Input(Shape{3})
	m, err := zero.Model(in, zero.Add(Dense{Units: 1}, in))
	require.NoError(t, err)
	require.Equal(t, "model", m.Name())
}

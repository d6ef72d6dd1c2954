package nn_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// A new head on a model that has values leaves these alone, and begins as it would with Initialize.
func TestInitializeRest(t *testing.T) {
	build := func(base *nn.Model) *nn.Model {
		b := nn.NewBuilder("whole")
		in := b.Input(nn.Shape{4})
		m, err := b.Model(in, b.Add(nn.Dense{Units: 2, Name: "head"}, b.Add(base, in)))
		require.NoError(t, err)
		return m
	}
	b := nn.NewBuilder("base")
	in := b.Input(nn.Shape{4})
	base, err := b.Model(in, b.Add(nn.Dense{Units: 3}, in))
	require.NoError(t, err)
	require.NoError(t, base.Initialize(1, tensor.Float32))
	kernel := base.Weights()[0].Value
	pretrained := append([]float32(nil), kernel.Data().([]float32)...)

	m := build(base)
	require.NoError(t, m.InitializeRest(2, tensor.Float32))
	require.Same(t, kernel, m.Weights()[0].Value)
	require.Equal(t, pretrained, kernel.Data())
	head, err := m.Weight("head/kernel")
	require.NoError(t, err)
	fresh := append([]float32(nil), head.Value.Data().([]float32)...)
	require.NoError(t, m.InitializeRest(3, tensor.Float32))
	require.Equal(t, fresh, head.Value.Data(), "all have values")
	require.NoError(t, m.Initialize(2, tensor.Float32))
	require.Equal(t, fresh, head.Value.Data())
	require.NotEqual(t, pretrained, kernel.Data())
	require.ErrorIs(t, build(base).InitializeRest(1, tensor.Float64), nn.ErrArgument)
}

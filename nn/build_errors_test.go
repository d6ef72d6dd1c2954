package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

func TestBuildErrors(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	g := gorgonia.NewGraph()
	node := func(g *gorgonia.ExprGraph, dt tensor.Dtype, s ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, dt, len(s), gorgonia.WithShape(s...), gorgonia.WithName("x"))
	}
	_, err := m.Build(g, BuildConfig{Batch: 2})
	require.ErrorIs(t, err, ErrUninitialized)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	for _, c := range []struct {
		g    *gorgonia.ExprGraph
		cfg  BuildConfig
		kind error
		want string
	}{
		{nil, BuildConfig{Batch: 2}, ErrNilTensor, "Build got no graph"},
		{g, BuildConfig{}, ErrArgument, "wants a batch size of at least 1, got 0"},
		{g, BuildConfig{Batch: -1}, ErrArgument, "got -1"},
		{g, BuildConfig{Batch: 2, Dtype: tensor.Float64}, ErrArgument, "build model.Clone(tensor.Float64)"},
		{g, BuildConfig{Batch: 2, Dtype: tensor.Int}, ErrArgument, "Dtype int is not supported"},
		{g, BuildConfig{Input: node(gorgonia.NewGraph(), tensor.Float32, 2, 7, 6, 2)}, ErrForeignTensor, "in another graph"},
		{g, BuildConfig{Input: node(g, tensor.Float32, 2, 6, 7, 2)}, ErrShape, "wants an input of shape (2, 7, 6, 2), got (2, 6, 7, 2)"},
		{g, BuildConfig{Input: node(g, tensor.Float32, 2, 7, 6, 2), Batch: 3}, ErrShape, "wants an input of shape (3, 7, 6, 2)"},
		{g, BuildConfig{Input: node(g, tensor.Float64, 2, 7, 6, 2)}, ErrArgument, "wants an input of float32"},
		{g, BuildConfig{Batch: 2, Step: node(g, tensor.Int, 3)}, ErrArgument, "must be an Int scalar"},
		{g, BuildConfig{Batch: 2, Step: gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("s"))}, ErrArgument, "must be an Int scalar"},
	} {
		_, err := m.Build(c.g, c.cfg)
		require.ErrorIs(t, err, c.kind, "%s", c.want)
		require.ErrorContains(t, err, c.want)
	}
	m.Weights()[1].Value = nil
	_, err = m.Build(g, BuildConfig{Batch: 2})
	require.ErrorIs(t, err, ErrUninitialized)
	m.Weights()[1].Value = random(tensor.Float32, 1, 5)
	_, err = m.Build(g, BuildConfig{Batch: 2})
	require.ErrorContains(t, err, `wants weight "conv2d/bias" as float32 of shape (4), it is float32 of shape (5)`)

	var updates Net
	updates.Updates = []op.Update{{Target: node(g, tensor.Float32, 3), New: node(g, tensor.Float32, 3)}}
	require.ErrorContains(t, updates.ApplyUpdates(), "no value")
}

// lying promises another shape than it makes; idle makes nothing.
type lying struct{ failing }

func (lying) Infer(s *Spec) (Shape, error)    { return Shape{77}, nil }
func (lying) Apply(c *Context) *gorgonia.Node { return c.Inputs[0] }

type idle struct{ failing }

func (idle) Infer(s *Spec) (Shape, error) { return s.Inputs[0], nil }

type needy struct{ idle }

func (needy) Apply(c *Context) *gorgonia.Node { return c.Op(&op.ReLU{}, c.Weight("kernel")) }

func TestOwnLayersMistakes(t *testing.T) {
	for want, l := range map[string]Layer{
		`Infer promised (2, 77), Apply made (2, 3)`: lying{}, "Apply returned no node": idle{}, `has no weight "kernel"`: needy{},
	} {
		b := NewBuilder("m")
		in := b.Input(Shape{3})
		m, err := b.Model(in, b.Add(l, in))
		require.NoError(t, err)
		_, err = m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, `input (2, 3) from "input_1"`)
		require.ErrorContains(t, err, "at nn/build_errors_test.go:")
	}
}

package graph_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// TestLetErrors: a value that an input cannot take is a FeedError with the input's name, as it is where a run finds it.
func TestLetErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithShape(2, 4))
	y, err := op.Apply(&op.ReLU{}, x)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithOutputs(y))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	for text, v := range map[string]any{
		`input "x" wants float32 of shape (2, 4), got float32 of shape (3, 4)`: tensor.New(tensor.WithShape(3, 4), tensor.Of(tensor.Float32)),
		`input "x" wants float32 of shape (2, 4), got float64 of shape (2, 4)`: tensor.New(tensor.WithShape(2, 4), tensor.Of(tensor.Float64)),
		`input "x" wants float32 of shape (2, 4), got a string`:                "four",
		`input "x" wants float32 of shape (2, 4), got a <nil>`:                 nil,
	} {
		err := m.Let(x, v)
		var feed *graph.FeedError
		require.ErrorAs(t, err, &feed)
		require.ErrorContains(t, err, text)
		require.Error(t, errors.Unwrap(err))
	}
	require.NoError(t, m.Let(x, tensor.New(tensor.WithShape(2, 4), tensor.Of(tensor.Float32))))
	require.NoError(t, m.RunAll())
}

// TestOpenErrors: an engine that cannot be opened is nil, not a nil pointer in an Engine, so that it can be asked for.
func TestOpenErrors(t *testing.T) {
	e, err := graph.Open("cpu", graph.Config{Threads: -1})
	require.Error(t, err)
	require.True(t, e == nil)
}

func TestApplyNothing(t *testing.T) {
	_, err := op.Apply(nil)
	require.ErrorContains(t, err, "got no operation")
}

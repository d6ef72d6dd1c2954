package graph_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// confined is an engine that notes what is asked of its buffers, and whether that is in Together.
type confined struct {
	enginetest.Reference
	log    []string
	inside bool
	fails  error
}

func (c *confined) Together(do func() error) error {
	if c.fails != nil {
		return c.fails
	}
	c.log, c.inside = append(c.log, "together"), true
	defer func() { c.inside = false }()
	return do()
}

func (c *confined) Wrap(data op.Array) (graph.Buffer, error) {
	b, err := c.Reference.Wrap(data)
	return &noted{b, c}, err
}

func (c *confined) Build(p *graph.Plan) (graph.Program, error) {
	prog, err := c.Reference.Build(p)
	return unwrapping{prog}, err
}

type noted struct {
	graph.Buffer
	of *confined
}

func (b *noted) note(what string) {
	if !b.of.inside {
		what += " alone"
	}
	b.of.log = append(b.of.log, what)
}

func (b *noted) Upload(a op.Array) error {
	b.note(fmt.Sprint("up ", a.Data))
	return b.Buffer.Upload(a)
}

func (b *noted) Download(a op.Array) error {
	b.note("down")
	return b.Buffer.Download(a)
}

type unwrapping struct{ graph.Program }

func (p unwrapping) Bind(v *graph.Value, b graph.Buffer) error {
	return p.Program.Bind(v, b.(*noted).Buffer)
}

// A run looks at all inputs, then brings them in one call, and all outputs in another.
func TestBuffersAreBroughtTogether(t *testing.T) {
	e := &confined{}
	g := gorgonia.NewGraph()
	a := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("a"), gorgonia.WithShape(1))
	b := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("b"), gorgonia.WithShape(1))
	sum, difference := gorgonia.Must(gorgonia.Add(a, b)), gorgonia.Must(gorgonia.Sub(a, b))
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(sum, difference))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	of := func(n *gorgonia.Node, v float32) {
		require.NoError(t, gorgonia.Let(n, tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{v}))))
	}
	of(a, 1)
	of(b, 10)
	require.NoError(t, m.RunAll())
	whole := []string{"together", "up [1]", "up [10]", "together", "down", "down"}
	for range 2 {
		e.log = nil
		require.NoError(t, m.RunAll())
		require.Equal(t, whole, e.log)
		require.Equal(t, []float32{11}, sum.Value().Data())
		require.Equal(t, []float32{-9}, difference.Value().Data())
	}
	e.log = nil
	require.NoError(t, m.Feed())
	require.NoError(t, m.Start())
	require.NoError(t, m.Wait())
	require.Equal(t, whole, e.log)

	// Of inputs one of which will not do, none is brought.
	e.log = nil
	wide := tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{1}))
	require.NoError(t, gorgonia.Let(b, wide))
	require.NoError(t, wide.Reshape(1, 1))
	var wrong *graph.FeedError
	require.ErrorAs(t, m.RunAll(), &wrong)
	require.Empty(t, e.log)

	// Inputs that could not be brought are brought by the next run.
	of(b, 20)
	e.fails = errors.New("no device")
	require.ErrorIs(t, m.RunAll(), e.fails)
	e.fails = nil
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{21}, sum.Value().Data())
}

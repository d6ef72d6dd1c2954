package cpu_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// recorder writes down what it is told.
type recorder struct {
	begun  []int
	values [][]float32
	fails  int // the step after which it ends the run; -1 for none
	err    error
}

func (r *recorder) Before(i int) { r.begun = append(r.begun, i) }

func (r *recorder) After(i int, out []op.Array) error {
	for _, a := range out {
		r.values = append(r.values, slices.Clone(a.Data.([]float32)))
	}
	if i == r.fails {
		return r.err
	}
	return nil
}

func TestRunObserved(t *testing.T) {
	e := open(t, 1)
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 1, 2)
	h := b.Apply(&op.Scale{Factor: 2}, x)
	b.Want("y", 0, b.Apply(&op.MatMul{TransB: true}, h, x))
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer prog.Close()
	y := make([]float32, 1)
	for v, data := range map[*graph.Value][]float32{p.Inputs[0]: {1, 3}, p.Outputs[0]: y} {
		buf, err := e.Wrap(op.Array{Shape: v.Shape, Data: data})
		require.NoError(t, err)
		require.NoError(t, prog.Bind(v, buf))
	}
	observed := prog.(graph.Observable)

	r := &recorder{fails: -1}
	require.NoError(t, observed.RunObserved(r))
	require.Equal(t, []int{0, 1}, r.begun)
	require.Equal(t, [][]float32{{2, 6}, {20}}, r.values)

	y[0] = 0
	r = &recorder{fails: 0, err: errors.New("seen enough")}
	require.Same(t, r.err, observed.RunObserved(r), "the observer's error comes back as it is")
	require.Equal(t, []int{0}, r.begun)
	require.Equal(t, []float32{0}, y, "the run ended after step 0")

	quiet := quiet{}
	require.Zero(t, testing.AllocsPerRun(20, func() { err = errors.Join(err, observed.RunObserved(quiet)) }))
	require.NoError(t, err)
}

type quiet struct{}

func (quiet) Before(int)                  {}
func (quiet) After(int, []op.Array) error { return nil }

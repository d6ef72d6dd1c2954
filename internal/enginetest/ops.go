package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// OpCase is one operation of package graph/ir by itself: a plan of one step.
type OpCase struct {
	Name string
	Op   ir.Op
	In   []OpInput
	Kind numtest.Kind
}

// OpInput is an operand of a case.
type OpInput struct {
	Shape tensor.Shape
	Below int          // not 0: of int, from 0 to this
	Dtype tensor.Dtype // not zero: of this element type, not of the case's
	NaN   []int        // elements that are NaN
	Plus  float32      // is added to all elements
}

// floatsOf is an operand of normal numbers.
func floatsOf(dims ...int) OpInput { return OpInput{Shape: tensor.Shape(dims)} }

// intsOf is an operand of n numbers below a bound.
func intsOf(below int, dims ...int) OpInput { return OpInput{Shape: tensor.Shape(dims), Below: below} }

// RunOps runs the cases of [OpCases] on an engine in each element type, in dirty memory, and compares with the
// references in float64.
func RunOps(t *testing.T, e graph.Engine, dtypes ...tensor.Dtype) {
	for _, dt := range dtypes {
		for _, c := range share(t, OpCases(dt)) {
			t.Run(c.Name+" "+dt.String(), func(t *testing.T) {
				in := c.operands(t, dt)
				got := c.Run(t, e, dt, in)
				numtest.AssertClose(t, c.reference(t, in), got.Data, numtest.Tol(dt, c.Kind), c.Op.String())
			})
		}
	}
}

// Plan is the plan of the case's one step on elements of type dt.
func (c OpCase) Plan(t testing.TB, dt tensor.Dtype) *graph.Plan {
	p, step := &graph.Plan{}, &graph.Step{Instr: c.Op}
	shapes := make([]tensor.Shape, len(c.In))
	for i, in := range c.In {
		shapes[i] = in.Shape
		v := &graph.Value{ID: i, Name: fmt.Sprintf("in%d", i), Shape: in.Shape, Dtype: in.dtype(dt), Input: true, Where: graph.External}
		step.In, p.Inputs = append(step.In, v), append(p.Inputs, v)
	}
	s, err := c.Op.Infer(shapes)
	require.NoError(t, err)
	out := &graph.Value{ID: len(c.In), Name: "out", Shape: s, Dtype: dt, Output: true, Where: graph.External}
	step.Out, p.Outputs = []*graph.Value{out}, []*graph.Value{out}
	p.Values = append(append(p.Values, p.Inputs...), out)
	p.Steps = []*graph.Step{step}
	return p
}

func (in OpInput) dtype(dt tensor.Dtype) tensor.Dtype {
	switch {
	case in.Below > 0:
		return tensor.Int
	case in.Dtype.Type != nil:
		return in.Dtype
	}
	return dt
}

// operands makes the inputs of the case: the same numbers, to float32, for every element type.
func (c OpCase) operands(t testing.TB, dt tensor.Dtype) []op.Array {
	arrays := make([]op.Array, len(c.In))
	for i, in := range c.In {
		a, err := op.NewArray(in.dtype(dt), in.Shape)
		require.NoError(t, err)
		seed := seedOf(fmt.Sprintf("%s %d", c.Name, i))
		if list, ok := a.Data.([]int); ok {
			numtest.FillLabels(c.Name, seed, in.Below, list)
		} else {
			numbers := make([]float32, op.Len(in.Shape))
			numtest.FillUniform(c.Name, seed, 3, numbers)
			for j := range numbers {
				numbers[j] += in.Plus
			}
			for _, n := range in.NaN {
				numbers[n] = float32(math.NaN())
			}
			switch x := a.Data.(type) {
			case []float32:
				copy(x, numbers)
			case []float64:
				for j, v := range numbers {
					x[j] = float64(v)
				}
			}
		}
		arrays[i] = a
	}
	return arrays
}

// reference computes the result in float64.
func (c OpCase) reference(t testing.TB, in []op.Array) []float64 {
	wide := make([]op.Array, len(in))
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		wide[i], shapes[i] = a, a.Shape
		if x, ok := a.Data.([]float32); ok {
			d := make([]float64, len(x))
			for j, v := range x {
				d[j] = float64(v)
			}
			wide[i].Data = d
		}
	}
	s, err := c.Op.Infer(shapes)
	require.NoError(t, err)
	y := make([]float64, op.Len(s))
	require.NoError(t, c.Op.Compute([]op.Array{{Shape: s, Data: y}}, wide))
	return y
}

// Run runs the case twice on different dirt, requires the same bits and that no input was changed, and returns the
// result. in are the inputs; nil makes them.
func (c OpCase) Run(t testing.TB, e graph.Engine, dt tensor.Dtype, in []op.Array) op.Array {
	if in == nil {
		in = c.operands(t, dt)
	}
	p := c.Plan(t, dt)
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	var before [][]byte
	for i, a := range in {
		before = append(before, bytesOf(a))
		bind(t, e, prog, p.Inputs[i], a)
	}
	results := make([]op.Array, 2)
	for i, dirt := range []float64{math.NaN(), 12345} {
		results[i], err = op.NewArray(dt, p.Outputs[0].Shape)
		require.NoError(t, err)
		soil(results[i], dirt)
		out := bind(t, e, prog, p.Outputs[0], results[i])
		require.NoError(t, prog.Run())
		require.NoError(t, out.Download(results[i]))
	}
	require.True(t, SameBits(results[0], results[1]), "%s: the result depends on what its memory held before", c.Name)
	for i, a := range in {
		require.True(t, bytes.Equal(before[i], bytesOf(a)), "%s: input %d was changed", c.Name, i)
	}
	return results[0]
}

// SameBits says whether two arrays hold the same numbers bit by bit.
func SameBits(a, b op.Array) bool { return bytes.Equal(bytesOf(a), bytesOf(b)) }

// Bound is a program of the case with its inputs and some memory for its result, to be run and closed.
func (c OpCase) Bound(t testing.TB, e graph.Engine, dt tensor.Dtype) graph.Program {
	p := c.Plan(t, dt)
	prog, err := e.Build(p)
	require.NoError(t, err)
	for i, a := range c.operands(t, dt) {
		bind(t, e, prog, p.Inputs[i], a)
	}
	out, err := op.NewArray(dt, p.Outputs[0].Shape)
	require.NoError(t, err)
	bind(t, e, prog, p.Outputs[0], out)
	return prog
}

func bind(t testing.TB, e graph.Engine, prog graph.Program, v *graph.Value, a op.Array) graph.Buffer {
	b, err := e.Wrap(a)
	require.NoError(t, err)
	require.NoError(t, b.Upload(a))
	require.NoError(t, prog.Bind(v, b))
	return b
}

// soil fills an array of floats.
func soil(a op.Array, v float64) {
	switch x := a.Data.(type) {
	case []float32:
		for i := range x {
			x[i] = float32(v)
		}
	case []float64:
		for i := range x {
			x[i] = v
		}
	}
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// stepOf is a plan of one step.
func stepOf(o ir.Op, out op.Array, in []op.Array) *graph.Plan {
	p, s := &graph.Plan{}, &graph.Step{Instr: o}
	for i, a := range in {
		v := &graph.Value{ID: i, Name: fmt.Sprint("in", i), Shape: a.Shape, Dtype: a.Dtype(), Input: true, Where: graph.External}
		s.In, p.Inputs = append(s.In, v), append(p.Inputs, v)
	}
	y := &graph.Value{ID: len(in), Name: "out", Shape: out.Shape, Dtype: out.Dtype(), Output: true, Where: graph.External}
	s.Out, p.Outputs = []*graph.Value{y}, []*graph.Value{y}
	p.Values, p.Steps = append(append(p.Values, p.Inputs...), y), []*graph.Step{s}
	return p
}

// compute runs a step on the GPU. Its error is that of the run.
func compute(t *testing.T, e *cuda.Engine, o ir.Op, dt tensor.Dtype, in ...op.Array) (op.Array, error) {
	t.Helper()
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	y, err := op.NewArray(dt, s)
	require.NoError(t, err)
	p := stepOf(o, y, in)
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	var out graph.Buffer
	for i, v := range append(p.Inputs, p.Outputs...) {
		a := y
		if i < len(in) {
			a = in[i]
		}
		out, err = e.Wrap(a)
		require.NoError(t, err)
		require.NoError(t, out.Upload(a))
		require.NoError(t, prog.Bind(v, out))
	}
	if err := prog.Run(); err != nil {
		return y, err
	}
	return y, out.Download(y)
}

// same computes a step on the GPU and requires what the reference computes: its results bit by bit, or for floats to rounding.
func same(t *testing.T, e *cuda.Engine, o ir.Op, dt tensor.Dtype, in ...op.Array) {
	t.Helper()
	got, err := compute(t, e, o, dt, in...)
	require.NoError(t, err, "%v to %v", o, dt)
	want, err := op.NewArray(dt, got.Shape)
	require.NoError(t, err)
	require.NoError(t, o.Compute([]op.Array{want}, in))
	switch dt {
	case tensor.Float32, tensor.Float64:
		numtest.AssertClose(t, want.Data, got.Data, numtest.Tol(dt, numtest.Elementwise), fmt.Sprintf("%v to %v", o, dt))
	default:
		require.Equal(t, want.Data, got.Data, "%v to %v", o, dt)
	}
}

// numbers are where functions are hard: special ones, the neighbourhoods of 0, 1, of multiples of π/2, and of over- and underflow,
// and a sweep over all sizes. rounded to float32 so that both types see the same.
func numbers() []float32 {
	inf, nan := math.Inf(1), math.NaN()
	x := []float64{0, math.Copysign(0, -1), inf, -inf, nan, 1e-45, -1e-45, 1e-40, 1.1754944e-38, math.MaxFloat32, -math.MaxFloat32, 0.5, 2, 3, -3, 1e4, 1e5, 1e8, -1e15}
	for _, c := range []float64{0, 1, -1, math.Pi / 2, math.Pi, 3 * math.Pi / 2, 100 * math.Pi, -2 * math.Pi, 8192 * math.Pi, 17, -17, 88, -88, 104, -104} {
		for _, d := range []float64{1e-7, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 0.4} {
			x = append(x, c, c+d, c-d)
		}
	}
	for v := 1e-38; v < 1e38; v *= 1.7 {
		x = append(x, v, -v)
	}
	narrow := make([]float32, len(x))
	for i, v := range x {
		narrow[i] = float32(v)
	}
	return narrow
}

// floatsAs is a vector of floats as elements of type dt.
func floatsAs(dt tensor.Dtype, x []float32) op.Array {
	if dt == tensor.Float32 {
		return op.Array{Shape: tensor.Shape{len(x)}, Data: x}
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return op.Array{Shape: tensor.Shape{len(x)}, Data: wide}
}

func TestUnaryFunctions(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, dt := range floatTypes {
		for fn := range ir.UnaryFns {
			same(t, e, &ir.Unary{Fn: fn}, dt, floatsAs(dt, numbers()))
		}
	}
}

// Every pair of special numbers, and pairs of ordinary ones.
func TestBinaryFunctions(t *testing.T) {
	e := open(t, cuda.Config{})
	x := numbers()[:19]
	x = append(x, -0.5, -2, 1.5, 0.75, 1, 10.5, -7) // no powers of what is nearly 1: Go's own err by 1e-10 there
	var a, b []float32
	for _, p := range x {
		for _, q := range x {
			a, b = append(a, p), append(b, q)
		}
	}
	for _, dt := range floatTypes {
		for fn := range ir.BinaryFns {
			same(t, e, &ir.Binary{Fn: fn}, dt, floatsAs(dt, a), floatsAs(dt, b))
			if fn.Compares() {
				same(t, e, &ir.Binary{Fn: fn}, tensor.Bool, floatsAs(dt, a), floatsAs(dt, b))
			}
		}
	}
}

func TestBinaryOfIntegers(t *testing.T) {
	e := open(t, cuda.Config{})
	a := op.Array{Shape: tensor.Shape{2, 3}, Data: []int{7, -7, math.MinInt, math.MaxInt, 0, 5}}
	for _, b := range []op.Array{{Shape: tensor.Shape{2, 3}, Data: []int{2, 2, -1, 3, -5, 5}}, {Shape: tensor.Shape{1, 3}, Data: []int{-3, 4, -1}}, {Data: []int{-2}}} {
		for fn := range ir.BinaryFns {
			if fn == ir.Pow || fn == ir.ReLUGrad {
				continue
			}
			same(t, e, &ir.Binary{Fn: fn}, tensor.Int, a, b)
			if fn.Compares() {
				same(t, e, &ir.Binary{Fn: fn}, tensor.Bool, a, b)
			}
		}
	}
	_, err := compute(t, e, &ir.Binary{Fn: ir.Div}, tensor.Int, a, op.Array{Shape: tensor.Shape{2, 3}, Data: []int{1, 1, 0, 1, 1, 1}})
	require.ErrorContains(t, err, "element 2 of the divisor is the integer 0")
}

// filled is an array of n small numbers of a type.
func filled(t *testing.T, dt tensor.Dtype, dims ...int) op.Array {
	a, err := op.NewArray(dt, dims)
	require.NoError(t, err)
	for i := range op.Len(dims) {
		v := i*37%101 - 50
		switch x := a.Data.(type) {
		case []float32:
			x[i] = float32(v) * 0.75
		case []float64:
			x[i] = float64(v) * 0.75
		case []int:
			x[i] = v << 33
		case []int32:
			x[i] = int32(v)
		case []int64:
			x[i] = int64(v) << 33
		case []uint8:
			x[i] = uint8(v)
		case []bool:
			x[i] = v%2 == 0
		}
	}
	return a
}

// Moves of the element types that references know.
func TestMovesOfAllTypes(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int, tensor.Bool} {
		x := filled(t, dt, 5, 6, 7)
		same(t, e, &ir.Slice{Axis: 1, Start: 1, End: 6, Step: 2}, dt, x)
		same(t, e, &ir.Concat{Axis: 1}, dt, x, filled(t, dt, 5, 2, 7), x)
		same(t, e, &ir.Concat{}, dt, x, filled(t, dt, 1, 6, 7))
		same(t, e, &ir.At{Coordinates: []int{4, 0, 3}}, dt, x)
		same(t, e, &ir.DiagFlat{}, dt, filled(t, dt, 9))
		same(t, e, &ir.Gather{Axis: 2}, dt, x, op.Array{Shape: tensor.Shape{4}, Data: []int{6, 0, 6, 3}})
	}
	_, err := compute(t, e, &ir.Gather{Axis: 2}, tensor.Int, filled(t, tensor.Int, 2, 3, 4), op.Array{Shape: tensor.Shape{2}, Data: []int{0, 4}})
	require.ErrorContains(t, err, "index 1 is 4, want 0 to 3")
}

func TestCasts(t *testing.T) {
	e := open(t, cuda.Config{})
	types := []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int}
	for _, from := range types {
		for _, to := range types {
			same(t, e, &ir.Cast{To: to}, to, filled(t, from, 11, 13))
		}
	}
}

// Sums of slices that one index takes are in the order of the indices: they repeat themselves, and err little where they are long.
func TestGatherGradOfOneIndex(t *testing.T) {
	e := open(t, cuda.Config{})
	const count = 5000
	indices, dy := make([]int, count), make([]float32, 3*count)
	for i := range indices {
		indices[i] = 2 + i%1500/1499 // hardly ever another
	}
	for i := range dy {
		dy[i] = float32(math.Sin(float64(i)) + 1)
	}
	o, in := &ir.GatherGrad{InputShape: tensor.Shape{7, 3}}, []op.Array{{Shape: tensor.Shape{count, 3}, Data: dy}, {Shape: tensor.Shape{count}, Data: indices}}
	got, err := compute(t, e, o, tensor.Float32, in...)
	require.NoError(t, err)
	again, err := compute(t, e, o, tensor.Float32, in...)
	require.NoError(t, err)
	require.Equal(t, got.Data, again.Data)
	want := make([]float32, 21)
	require.NoError(t, o.Compute([]op.Array{{Shape: o.InputShape, Data: want}}, in))
	numtest.AssertClose(t, want, got.Data, numtest.Tol(tensor.Float32, numtest.Reduction), "dx")
}

// As many slices as a block has threads, twice as many, and numbers close to these: the first and the last have indices.
func TestGatherGradOfManySlices(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, n := range []int{1, 1023, 1024, 1025, 2047, 2048, 2049} {
		const count = 1100
		dy, indices := make([]float64, count), make([]int, count)
		for k := range count {
			dy[k], indices[k] = float64(k+1), [...]int{0, n - 1, k % n}[k%3]
		}
		same(t, e, &ir.GatherGrad{InputShape: tensor.Shape{n}}, tensor.Float64, op.Array{Shape: tensor.Shape{count}, Data: dy},
			op.Array{Shape: tensor.Shape{count}, Data: indices})
	}
}

// A slice that moves between runs to where a kernel's packs do not begin is read all the same.
func TestSlicesMoveAnywhere(t *testing.T) {
	e := open(t, cuda.Config{})
	x, y := op.Array{Shape: tensor.Shape{2, 32}, Data: make([]float32, 64)}, op.Array{Shape: tensor.Shape{2, 16}, Data: make([]float32, 32)}
	numtest.FillUniform("x", 1, 1, x.Data.([]float32))
	o := &ir.Slice{Axis: 1, Start: 8, End: 24, Step: 1}
	p := stepOf(o, y, []op.Array{x})
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	from, err := e.Wrap(x)
	require.NoError(t, err)
	require.NoError(t, from.Upload(x))
	to, err := e.Wrap(y)
	require.NoError(t, err)
	require.NoError(t, prog.Bind(p.Inputs[0], from))
	require.NoError(t, prog.Bind(p.Outputs[0], to))
	for _, start := range []int{8, 3, 16, 5} {
		o.Start, o.End = start, start+16
		require.NoError(t, prog.Run())
		require.NoError(t, to.Download(y))
		want, err := op.NewArray(tensor.Float32, y.Shape)
		require.NoError(t, err)
		require.NoError(t, o.Compute([]op.Array{want}, []op.Array{x}))
		require.Equal(t, want.Data, y.Data, "from %d on", start)
	}
}

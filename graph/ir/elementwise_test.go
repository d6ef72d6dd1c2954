package ir

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

var (
	_   Op = (*Unary)(nil)
	_   Op = (*Binary)(nil)
	_   Op = (*Loop)(nil)
	inf    = math.Inf(1)
	nan    = math.NaN()
)

func vector[T any](x ...T) op.Array { return op.Array{Shape: tensor.Shape{len(x)}, Data: x} }

// same compares bit by bit, but for the payload of a NaN.
func same(t *testing.T, want, got float64, what ...any) {
	t.Helper()
	if want != want && got != got {
		return
	}
	require.Equal(t, math.Float64bits(want), math.Float64bits(got), append([]any{want, got}, what...)...)
}

func TestUnaryAtTheEdges(t *testing.T) {
	zero := math.Copysign(0, -1)
	for _, c := range []struct {
		f    UnaryFn
		x, y float64
	}{
		{Abs, zero, 0}, {Abs, -inf, inf}, {Sign, 0, 0}, {Sign, -3, -1}, {Sign, inf, 1}, {Sign, nan, nan}, {Ceil, 1.2, 2}, {Floor, -1.2, -2},
		{Exp, -inf, 0}, {Exp, inf, inf}, {Exp, 1000, inf}, {Log, 0, -inf}, {Log, -1, nan}, {Log2, 8, 3}, {Neg, 0, zero},
		{Square, -3, 9}, {Sqrt, -1, nan}, {Inverse, zero, -inf}, {InverseSqrt, 4, 0.5}, {InverseSqrt, inf, 0}, {Cube, -2, -8},
		{Tanh, inf, 1}, {Tanh, -inf, -1}, {Sigmoid, -inf, 0}, {Sigmoid, inf, 1}, {Sigmoid, 0, 0.5}, {Sigmoid, -700, math.Exp(-700)},
		{Log1p, -1, -inf}, {Log1p, 1e-300, 1e-300}, {Expm1, 1e-300, 1e-300}, {Expm1, -inf, -1}, {Softplus, 1000, 1000},
		{Softplus, -700, math.Exp(-700)}, {Softplus, inf, inf}, {Softplus, -inf, 0}, {Softplus, nan, nan},
	} {
		y := vector(1.0)
		require.NoError(t, (&Unary{Fn: c.f}).Compute([]op.Array{y}, []op.Array{vector(c.x)}))
		same(t, c.y, y.Data.([]float64)[0], c.f, c.x)
	}
	y := vector[float32](0)
	require.NoError(t, (&Unary{Fn: Exp}).Compute([]op.Array{y}, []op.Array{vector[float32](1)}))
	require.Equal(t, []float32{math.E}, y.Data)
	require.ErrorContains(t, (&Unary{Fn: Exp}).Compute([]op.Array{vector(0)}, []op.Array{vector(1)}), "float32 and float64")
}

func TestBinaryAtTheEdges(t *testing.T) {
	zero := math.Copysign(0, -1)
	for _, c := range []struct {
		f       BinaryFn
		a, b, y float64
	}{
		{Add, 1, 2, 3}, {Sub, inf, inf, nan}, {Mul, 0, inf, nan}, {Div, 1, zero, -inf}, {Pow, 2, 10, 1024}, {Lt, nan, 1, 0}, {Ne, nan, nan, 1},
		{Eq, 0, zero, 1}, {Gte, 2, 2, 1}, {Lte, 3, 2, 0}, {Gt, inf, 1, 1}, {Min, nan, 1, nan}, {Min, 1, nan, nan}, {Max, nan, 1, nan},
		{Max, 1, nan, nan}, {Max, zero, 0, zero}, {Max, -1, 0, 0}, {Min, zero, 0, zero}, {ReLUGrad, nan, 3, 0}, {ReLUGrad, 1, nan, nan},
		{ReLUGrad, 0, 3, 0},
	} {
		y := vector(7.0)
		require.NoError(t, (&Binary{Fn: c.f}).Compute([]op.Array{y}, []op.Array{vector(c.a), vector(c.b)}))
		same(t, c.y, y.Data.([]float64)[0], c.f, c.a, c.b)
	}
}

func TestBinaryOfIntegersAndBooleans(t *testing.T) {
	y := vector(0, 0)
	require.NoError(t, (&Binary{Fn: Div}).Compute([]op.Array{y}, []op.Array{vector(7, -7), vector(2)}))
	require.Equal(t, []int{3, -3}, y.Data)
	require.NoError(t, (&Binary{Fn: Gt}).Compute([]op.Array{y}, []op.Array{vector(7, -7), vector(2)}))
	require.Equal(t, []int{1, 0}, y.Data)
	require.ErrorContains(t, (&Binary{Fn: Div}).Compute([]op.Array{y}, []op.Array{vector(7, 7), vector(1, 0)}), "element 1 is divided")
	require.ErrorContains(t, (&Binary{Fn: Pow}).Compute([]op.Array{y}, []op.Array{vector(7, 7), vector(1, 0)}), "takes floats")
	b := vector(false, true)
	require.NoError(t, (&Binary{Fn: Lte}).Compute([]op.Array{b}, []op.Array{vector[float32](1, 2), vector[float32](1)}))
	require.Equal(t, []bool{true, false}, b.Data)
	require.NoError(t, (&Binary{Fn: Ne}).Compute([]op.Array{b}, []op.Array{vector(1, 2), vector(1)}))
	require.Equal(t, []bool{false, true}, b.Data)
	require.ErrorContains(t, (&Binary{Fn: Add}).Compute([]op.Array{b}, []op.Array{vector(1.0, 2), vector(1.0)}), "boolean")
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct{ a, b, want tensor.Shape }{
		{tensor.Shape{2, 3}, tensor.Shape{2, 3}, tensor.Shape{2, 3}},
		{tensor.Shape{2, 3}, nil, tensor.Shape{2, 3}},
		{tensor.Shape{1}, tensor.Shape{2, 3}, tensor.Shape{2, 3}},
		{tensor.Shape{1, 3}, tensor.Shape{2, 1}, tensor.Shape{2, 3}},
		{tensor.Shape{1}, nil, tensor.Shape{1}},
		{nil, tensor.Shape{1, 1}, tensor.Shape{1, 1}},
		{nil, nil, tensor.Shape{}},
		{tensor.Shape{2, 1, 4}, tensor.Shape{1, 3, 1}, tensor.Shape{2, 3, 4}},
		{tensor.Shape{2, 3}, tensor.Shape{3}, nil},
		{tensor.Shape{2, 3}, tensor.Shape{2, 2}, nil},
	} {
		got, err := (&Binary{}).Infer([]tensor.Shape{c.a, c.b})
		if c.want == nil {
			var se *shape.Error
			require.ErrorAs(t, err, &se)
			continue
		}
		require.NoError(t, err)
		require.True(t, shape.Equal(c.want, got), "%v and %v: %v", c.a, c.b, got)
	}
	_, err := (&Binary{}).Infer([]tensor.Shape{{2}})
	require.ErrorContains(t, err, "2 inputs")
}

func TestBinaryStretches(t *testing.T) {
	row := op.Array{Shape: tensor.Shape{1, 3}, Data: []float64{1, 2, 3}}
	column := op.Array{Shape: tensor.Shape{2, 1}, Data: []float64{10, 20}}
	y := op.Array{Shape: tensor.Shape{2, 3}, Data: make([]float64, 6)}
	require.NoError(t, (&Binary{Fn: Add}).Compute([]op.Array{y}, []op.Array{row, column}))
	require.Equal(t, []float64{11, 12, 13, 21, 22, 23}, y.Data)
	channel := op.Array{Shape: tensor.Shape{1, 2, 1}, Data: []float64{1, 2}}
	x := op.Array{Shape: tensor.Shape{2, 2, 2}, Data: []float64{1, 2, 3, 4, 5, 6, 7, 8}}
	z := op.Array{Shape: tensor.Shape{2, 2, 2}, Data: make([]float64, 8)}
	require.NoError(t, (&Binary{Fn: Mul}).Compute([]op.Array{z}, []op.Array{x, channel}))
	require.Equal(t, []float64{1, 2, 6, 8, 5, 6, 14, 16}, z.Data)
}

func TestLoop(t *testing.T) {
	l := &Loop{Inputs: 2, Results: []int{3, 4}, Steps: []LoopStep{
		Apply1(Exp, Register(0)), Apply2(Add, Register(2), Register(1)), Apply2(Max, Register(3), Number(0.1))}}
	require.Equal(t, "Loop", l.Kind())
	require.Equal(t, "Loop(r2 = exp r0; r3 = r2 + r1; r4 = max(r3, 0.1); out r3, r4)", l.String())
	s, err := l.Infer([]tensor.Shape{{2, 2}, {1, 2}})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 2}, s)
	in := []op.Array{{Shape: tensor.Shape{2, 2}, Data: []float32{0, 1, 2, 3}}, {Shape: tensor.Shape{1, 2}, Data: []float32{-5, 5}}}
	out := []op.Array{{Shape: s, Data: make([]float32, 4)}, {Shape: s, Data: make([]float32, 4)}}
	require.NoError(t, l.Compute(out, in))
	e := func(x float64) float32 { return float32(math.Exp(x)) }
	require.Equal(t, []float32{-4, e(1) + 5, e(2) - 5, e(3) + 5}, out[0].Data)
	require.Equal(t, []float32{0.1, e(1) + 5, e(2) - 5, e(3) + 5}, out[1].Data)

	shaped := &Loop{Inputs: 1, Shape: tensor.Shape{2, 3}, Steps: []LoopStep{Apply1(Neg, Register(0))}, Results: []int{1}}
	require.Equal(t, "Loop(shape (2, 3); r1 = neg r0; out r1)", shaped.String())
	s, err = shaped.Infer([]tensor.Shape{{1, 3}})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 3}, s)
	_, err = shaped.Infer([]tensor.Shape{{3}})
	require.ErrorContains(t, err, "stretch to (2, 3)")

	for _, bad := range []*Loop{
		{Inputs: 1, Steps: []LoopStep{Apply1(Neg, Register(1))}, Results: []int{1}},
		{Inputs: 1, Steps: []LoopStep{{}}, Results: []int{1}},
		{Inputs: 1, Results: []int{1}},
		{Steps: []LoopStep{Apply1(Neg, Number(1))}, Results: []int{0}},
	} {
		_, err := bad.Infer(make([]tensor.Shape, bad.Inputs))
		var se *shape.Error
		require.ErrorAs(t, err, &se, "%s", bad)
	}
}

package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// loopsBehind are loops of one input: a clip, one with registers, one that reads the input again after its result could be written, one
// that hands on the input, one of the exponential.
func loopsBehind() []*ir.Loop {
	r, n := ir.Register, ir.Number
	return []*ir.Loop{
		{Inputs: 1, Steps: []ir.LoopStep{ir.Apply2(ir.Min, r(0), n(0.75))}, Results: []int{1}},
		{Inputs: 1, Steps: []ir.LoopStep{ir.Apply1(ir.Erf, r(0)), ir.Apply2(ir.Add, r(1), n(1)), ir.Apply2(ir.Mul, r(0), n(0.5)), ir.Apply2(ir.Mul, r(3), r(2))}, Results: []int{4}},
		{Inputs: 1, Steps: []ir.LoopStep{ir.Apply1(ir.Square, r(0)), ir.Apply2(ir.Sub, r(1), r(0)), ir.Apply1(ir.Abs, r(0)), ir.Apply2(ir.Max, r(3), r(2))}, Results: []int{2}},
		{Inputs: 1, Results: []int{0}},
		{Inputs: 1, Steps: []ir.LoopStep{ir.Apply1(ir.Sigmoid, r(0)), ir.Apply2(ir.Mul, r(1), r(0))}, Results: []int{2}},
	}
}

// behind runs a loop on its own.
func behind[T Float](t *testing.T, e Env[T], l *ir.Loop, x []T) []T {
	s := tensor.Shape{len(x)}
	k, err := NewLoop[T](e.Pool, l, s, []tensor.Shape{s}, func(int, int) bool { return false })
	require.NoError(t, err)
	k.SetScratch(make([]T, k.Workspace()))
	y := make([]T, len(x))
	k.Run([][]T{y}, [][]T{x})
	return y
}

// marked is x with numbers in it that are none.
func marked[T Float](x []T) {
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
		if at := (i*i*37 + 11) % len(x); len(x) > 8 {
			x[at] = T(v)
		}
	}
}

// A loop behind a convolution gives what it gives as a kernel of its own, bit for bit, in all ways to compute the convolution, on
// any number of workers; NaN and infinities too.
func TestConv2DAfter(t *testing.T) {
	products(t, testConv2DAfter[float32], testConv2DAfter[float64])
}

func testConv2DAfter[T Float](t *testing.T) {
	for i, c := range convCases() {
		if !inTurn[T](i) {
			continue
		}
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			x, w, bias, residual := convInput[T](c, 1), convFilter[T](c, 2), normal[T](3, c.f), normal[T](4, g.Output()...)
			marked(x.Data.([]T))
			marked(residual.Data.([]T))
			in := inputs[T]{x, w, bias, residual}
			all := loopsBehind()
			o := ConvOptions{Bias: i%4 > 0, Add: i%3 == 0, ReLU: i%2 == 0, Frozen: i/2%2 == 0}
			withEnv(t, func(t *testing.T, e Env[T]) {
				run := func(o ConvOptions) []T {
					k, err := frozen[T](t, e, g, o, false)
					require.NoError(t, err)
					scratch, fine := guarded[T](k.scratch.Workspace())
					k.scratch.SetScratch(scratch)
					y, within := guarded[T](op.Len(g.Output()))
					k.run([][]T{y}, in)
					fine(t)
					within(t)
					return y
				}
				apart := run(o)
				after := o
				after.After = all[i%len(all)]
				require.True(t, sameBits(behind(t, e, after.After, apart), run(after)), "%v of %v on %d workers", after.After, o, e.Pool.Threads())
			})
		})
	}
}

// The same of a product.
func TestMatMulAfter(t *testing.T) { products(t, testMatMulAfter[float32], testMatMulAfter[float64]) }

func testMatMulAfter[T Float](t *testing.T) {
	all := loopsBehind()
	for i, s := range [][3]int{{1, 1, 1}, {1, 70, 33}, {7, 5, 3}, {33, 300, 20}, {300, 40, 70}, {250, 1500, 24}, {5, 3, 5000}, {64, 64, 64}} {
		for j, o := range []MatMulOptions{{}, {Bias: true, ReLU: true}, {TransB: true, Add: true}, {TransA: true}, {TransA: true, TransB: true, Bias: true}, {Bias: true, Frozen: true}} {
			if !inShare[T](i + j) {
				continue
			}
			m, n, k := s[0], s[1], s[2]
			a, b, bias, residual := normal[T](1, m, k).Data.([]T), normal[T](2, k, n).Data.([]T), normal[T](3, n).Data.([]T), normal[T](4, m, n).Data.([]T)
			marked(a)
			withEnv(t, func(t *testing.T, e Env[T]) {
				run := func(o MatMulOptions) []T {
					k, err := NewMatMul[T](e, m, n, k, o)
					require.NoError(t, err)
					k.SetScratch(make([]T, k.Workspace()))
					if o.Frozen {
						k.SetKept(make([]T, k.KeptLen()))
						k.Pack(b)
					}
					y := make([]T, m*n)
					k.Run(y, a, b, bias, residual)
					return y
				}
				apart := run(o)
				after := o
				after.After = all[(i+j)%len(all)]
				require.True(t, sameBits(behind(t, e, after.After, apart), run(after)), "%v of %v %+v on %d workers", after.After, s, o, e.Pool.Threads())
			})
		}
	}
}

func TestAfterRefuses(t *testing.T) {
	e := Env[float32]{}
	_, err := NewMatMul[float32](e, 1, 1, 1, MatMulOptions{After: &ir.Loop{Inputs: 2, Results: []int{0}}})
	require.ErrorContains(t, err, "a loop of 2 inputs and 1 results behind a product; want one of each")
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// smallDense has dense layers of any size read and write bfloat16, which those of few rows do not.
type smallDense struct{ *cuda.Engine }

func (e smallDense) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	mul, ok := s.Instr.(*op.MatMul)
	if f, fused := s.Instr.(*graph.FusedMatMul); fused {
		mul, ok = f.MatMul, true
	}
	if !ok {
		return e.Engine.Narrows(s)
	}
	return []bool{true, mul.TransA}, []bool{!mul.TransA}, true
}

// The three products of a dense layer with every choice of operands that lie in memory as bfloat16.
func TestNarrowDense(t *testing.T) {
	for name, libs := range without {
		e := smallDense{open(t, cuda.Config{Without: libs, Precision: "bf16"})}
		for _, c := range [][3]int{{5, 7, 9}, {40, 16, 24}, {200, 33, 8}, {1, 64, 100}} {
			x, w, y, bias := tensor.Shape{c[0], c[1]}, tensor.Shape{c[1], c[2]}, tensor.Shape{c[0], c[2]}, tensor.Shape{c[2]}
			in := func(s ...tensor.Shape) []tensor.Shape { return s }
			fused := func(bias, relu bool) *graph.FusedMatMul {
				return &graph.FusedMatMul{MatMul: &op.MatMul{}, Bias: bias, ReLU: relu}
			}
			for _, s := range []enginetest.NarrowStep{
				{Instr: &op.MatMul{}, In: in(x, w), Out: in(y)}, {Instr: fused(true, true), In: in(x, w, bias), Out: in(y)},
				{Instr: fused(true, false), In: in(x, w, bias), Out: in(y)}, {Instr: fused(false, true), In: in(x, w), Out: in(y)},
				{Instr: &op.MatMul{TransB: true}, In: in(y, w), Out: in(x)}, {Instr: &op.MatMul{TransA: true}, In: in(x, y), Out: in(w)},
			} {
				for mask := range 8 { // the first operand, the second, and the result
					s.Require(t, e, false, func(operand int) bool {
						if operand == len(s.In) {
							operand = 2
						}
						return operand < 3 && mask>>operand&1 > 0
					})
					require.False(t, t.Failed(), "%s, %v of %v, operands %b", name, s.Instr, c, mask)
				}
			}
		}
	}
}

// Training steps of a net with dense layers of many rows are as near to float32 as bfloat16 is. Weights change in every step, and their
// rounded copies with them.
func TestDenseLayersAreTrainedInBFloat16(t *testing.T) {
	const rows, width, classes = 200, 600, 10
	c := enginetest.Case{Name: "dense layers", Runs: 3, Build: func(b *enginetest.B) {
		y := b.Apply(&op.Scale{Factor: 0.5}, b.Input("x", rows, width)) // computed, so that it may be kept as bfloat16
		// Biases of both signs keep what comes to a ReLU away from 0, where rounding would switch units on and off.
		dense := func(name string, limit, bias float64, units int) (w, shift *gorgonia.Node) {
			data, shifts := make([]float32, width*units), make([]float32, units)
			numtest.FillUniform(name, 1, limit, data)
			for i := range shifts {
				shifts[i] = float32(bias) * float32(1-i%2*2)
			}
			w, shift = b.Filled(name, data, width, units), b.Filled(name+"/bias", shifts, units)
			y = b.Apply(&op.BiasAdd{Axis: 1}, b.Apply(&op.MatMul{}, y, w), shift)
			return w, shift
		}
		w1, b1 := dense("first", 0.1, 3, width)
		y = b.Apply(&op.Dropout{Rate: 0.2, Seed: 7}, b.Apply(&op.ReLU{}, y), b.Int("step", 3))
		w2, b2 := dense("second", 0.1, 20, width)
		y = b.Apply(&op.ReLU{}, y)
		w3, b3 := dense("last", 0.005, 0.1, classes)
		b.Want("scores", numtest.Reduction, y)
		loss := b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, y, b.Labels("labels", rows, classes))))
		weights, lr := []*gorgonia.Node{w1, b1, w2, b2, w3, b3}, b.Scalar("lr", 0.001)
		for i, g := range b.CostGrads(loss, weights...) {
			b.Update(weights[i], b.Apply(&op.Descend{}, weights[i], g, lr))
		}
	}}
	e := open(t, cuda.Config{Precision: "bf16"})
	b := enginetest.NewB(t, tensor.Float32)
	c.Build(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	for _, s := range p.Steps {
		switch f := s.Instr.(type) {
		case *graph.FusedMatMul:
			require.Equal(t, f.ReLU, s.Out[0].Narrow, "scores stay float32")
		case *op.MatMul:
			require.False(t, f.TransA && s.Out[0].Narrow, "so do gradients of weights")
			if s.In[1].Shape[1] == width {
				require.True(t, s.In[0].Narrow, "%s", s.Instr)
			}
		}
	}
	c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
}

package enginetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// RequireSumsOfRounded has an engine sum the channels, which are last, of gradients that it writes as bfloat16 on the way. The sums are of what it has
// written: whoever reads that again gets the same ones. Each gradient is 1 + 2⁻¹⁰, which is 1 as a bfloat16, so that they are the number of elements of
// a channel exactly, and x is 1 above the mean.
func RequireSumsOfRounded(t *testing.T, e graph.Engine, dims ...int) {
	const less = 1. / 1024
	x, c, axis := tensor.Shape(dims), tensor.Shape{dims[len(dims)-1]}, len(dims)-1
	count := float64(op.Len(x) / op.Len(c))
	for _, s := range []struct {
		NarrowStep
		in         []float32 // of each operand, all elements
		image, sum int       // results: the gradient, and its sums
	}{
		{NarrowStep{Instr: &graph.ReLUGradBias{Axis: axis}, In: []tensor.Shape{x, x}, Out: []tensor.Shape{x, c}}, []float32{1, 1 + less}, 0, 1},
		{NarrowStep{Instr: &graph.BatchNormJoinSums{Axis: axis}, In: []tensor.Shape{x, c, c, x, x, x}, Out: []tensor.Shape{c, c, x}}, []float32{2, 1, 1, 1, less, 1}, 2, 1},
		{NarrowStep{Instr: &graph.BatchNormBackward{Axis: axis, Mask: graph.NormJoin}, In: []tensor.Shape{x, c, c, c, x, x, x}, Out: []tensor.Shape{x, c, c, x}},
			[]float32{2, 1, 1, 1, 1, less, 1}, 3, 2},
	} {
		t.Run(fmt.Sprintf("%v of %v", s.Instr, x), func(t *testing.T) {
			p := &narrowPlan{data: map[*graph.Value]op.Array{}}
			step := &graph.Step{Instr: s.Instr}
			for i, shape := range s.In {
				step.In = append(step.In, p.external(op.Array{Shape: shape, Data: filled(op.Len(shape), s.in[i])}))
			}
			var outputs []*graph.Value
			for _, shape := range s.Out {
				v := p.external(op.Array{Shape: shape, Data: make([]float32, op.Len(shape))})
				v.Input, v.Output = false, true
				outputs = append(outputs, v)
			}
			step.Out = append(step.Out, outputs...)
			_, narrow, _ := e.(graph.Narrower).Narrows(step)
			require.True(t, narrow[s.image])
			step.Out[s.image] = p.kept(x)
			p.plan.Steps = append(p.plan.Steps, step)
			p.through(outputs[s.image], step.Out[s.image])
			got, _ := p.run(t, e, outputs)
			require.Equal(t, filled(op.Len(x), 1), got[s.image].Data)
			require.Equal(t, filled(op.Len(c), float32(count)), got[s.sum].Data)
			if gamma := s.sum - 1; gamma != s.image {
				require.InEpsilonSlice(t, got[s.sum].Data, got[gamma].Data, 1e-6, "the gradient of the scale")
			}
		})
	}
}

func filled(n int, x float32) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = x
	}
	return all
}

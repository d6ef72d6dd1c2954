package enginetest

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// RequirePools has an engine pool images, channels last, with zeros of both signs, infinities and NaN among their numbers, by windows of several
// sizes, over padding and not, and wants the result that float32 has where a window's elements come one after the other: whatever a window has in
// padding must change nothing. Narrow keeps images and results as bfloat16.
func RequirePools(t *testing.T, e graph.Engine, narrow bool) {
	pad := shape.Padding{Mode: shape.Explicit, Top: 1, Left: 1, Bottom: 1}
	for _, a := range []op.PoolAttrs{
		{Pool: [2]int{2, 2}},
		{Pool: [2]int{2, 2}, Padding: pad},
		{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}},
		{Pool: [2]int{3, 3}, Strides: [2]int{1, 1}, Padding: shape.Padding{Mode: shape.Same}},
		{Pool: [2]int{4, 3}, Strides: [2]int{1, 2}, Padding: pad},
		{Pool: [2]int{5, 4}, Strides: [2]int{2, 3}, Padding: pad},
	} {
		for _, channels := range []int{8, 4, 6, 3} {
			x := difficultImage(2, 7, 9, channels)
			g, err := a.Geometry(x.Shape)
			require.NoError(t, err)
			for _, instr := range []graph.Instr{&op.MaxPool2D{PoolAttrs: a}, &op.AvgPool2D{PoolAttrs: a}} {
				t.Run(fmt.Sprintf("%v of %v", instr, x.Shape), func(t *testing.T) {
					p := &narrowPlan{data: map[*graph.Value]op.Array{}}
					out := tensor.Shape{2, g.H.Out, g.W.Out, channels}
					from := p.external(x)
					to := p.external(op.Array{Shape: out, Data: make([]float32, op.Len(out))})
					to.Input, to.Output = false, true
					step := &graph.Step{Instr: instr, In: []*graph.Value{from}, Out: []*graph.Value{to}}
					if narrow {
						step.In[0], step.Out[0] = p.kept(x.Shape), p.kept(out)
						p.through(step.In[0], from)
					}
					p.plan.Steps = append(p.plan.Steps, step)
					if narrow {
						p.through(to, step.Out[0])
					}
					got, _ := p.run(t, e, []*graph.Value{to})
					want := pooled(x, g, instr)
					for i, v := range got[0].Data.([]float32) {
						w := want[i]
						if narrow {
							w = toBFloat16(w) // which has no −0, as what brings numbers into memory and out of it has none
						}
						same := math.Float32bits(v) == math.Float32bits(w) || v != v && w != w
						require.True(t, same, "element %d is %v (%#x) and should be %v", i, v, math.Float32bits(v), w)
					}
				})
			}
		}
	}
}

// difficultImage are numbers that bfloat16 can hold.
func difficultImage(n, h, w, c int) op.Array {
	x := numtest.Normal(1, tensor.Float32, n, h, w, c).Data().([]float32)
	inf := float32(math.Inf(1))
	for i := range x {
		x[i] = toBFloat16(x[i])
		pixel := i / c
		switch { // by pixel and channel, so that windows have some, and corners have nothing else
		case pixel%(h*w) <= 1 || pixel%(h*w) >= (h-1)*w-2 && i%2 == 0:
			x[i] = -inf
		case pixel%11 == 3:
			x[i] = []float32{float32(math.Copysign(0, -1)), 0, inf, float32(math.NaN()), -inf}[i%5]
		case pixel%(h*w)%w >= w-3:
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	return op.Array{Shape: tensor.Shape{n, h, w, c}, Data: x}
}

// pooled pools in float32, in row-major order.
func pooled(x op.Array, g op.PoolGeometry, instr graph.Instr) (all []float32) {
	_, largest := instr.(*op.MaxPool2D)
	data := x.Data.([]float32)
	for n := range g.N {
		for oh := range g.H.Out {
			for ow := range g.W.Out {
				for c := range g.C {
					most, sum, count := float32(math.Inf(-1)), float32(0), float32(0)
					for i := range g.H.Kernel {
						for j := range g.W.Kernel {
							h, w := oh*g.H.Stride-g.H.Before+i, ow*g.W.Stride-g.W.Before+j
							if h < 0 || h >= g.H.In || w < 0 || w >= g.W.In {
								continue
							}
							v := data[((n*g.H.In+h)*g.W.In+w)*g.C+c]
							if most == most && !(v <= most) {
								most = v
							}
							sum += v
							count++
						}
					}
					if largest {
						all = append(all, most)
					} else {
						all = append(all, sum/count)
					}
				}
			}
		}
	}
	return all
}

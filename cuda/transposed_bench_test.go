//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

// BenchmarkFilterUpdates measures the updates of all filters of VGG-16 but for the first, 59 MB, by gradients as the updates find them: in
// Keras's order, which a launch of each has brought them into before, and in cuDNN's, as float32 and as bfloat16. Whole training steps
// tell what the launches before take: compare with STHENO_CUDA_TRANSPOSED_GRADIENTS=0.
func BenchmarkFilterUpdates(b *testing.B) {
	filters := [][2]int{{64, 64}, {64, 128}, {128, 128}, {128, 256}, {256, 256}, {256, 256}, {256, 512}, {512, 512}, {512, 512}, {512, 512}, {512, 512}, {512, 512}}
	if testing.Short() {
		filters = filters[:1]
	}
	for name, update := range map[string]graph.Instr{
		"momentum": &graph.MomentumUpdate{Momentum: 0.9, WeightDecay: 5e-4}, "adam": &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7},
	} {
		for _, kept := range []struct {
			name               string
			transposed, narrow bool
		}{{"keras", false, false}, {"transposed", true, false}, {"transposed bf16", true, true}} {
			b.Run(name+"/"+kept.name, func(b *testing.B) {
				p, bytes := &graph.Plan{}, 0
				value := func(dt tensor.Dtype, dims ...int) *graph.Value {
					v := &graph.Value{ID: len(p.Values), Shape: dims, Dtype: dt, Where: graph.External, Input: true}
					p.Values = append(p.Values, v)
					return v
				}
				lr, t := value(tensor.Float32), value(tensor.Int)
				p.Inputs = []*graph.Value{lr, t}
				for _, c := range filters {
					arena := func() *graph.Value {
						v := value(tensor.Float32, 3, 3, c[0], c[1])
						v.Where, v.Input = graph.Arena, false
						return v
					}
					s, state := &graph.Step{Instr: update}, 2
					if name == "adam" {
						state = 3
					}
					for range state {
						s.In = append(s.In, arena())
					}
					for _, v := range s.In {
						y := arena()
						y.Alias, s.Out = v, append(s.Out, y)
						bytes += 2 * v.Bytes()
					}
					g := arena()
					g.Transposed, g.Narrow = kept.transposed, kept.narrow
					bytes += g.StoredBytes()
					s.In = append(s.In, g, lr)
					if name == "adam" {
						s.In = append(s.In, t)
					}
					p.Steps = append(p.Steps, s)
				}
				measurePlan(b, open(b, cuda.Config{}), p, bytes, 1, "step")
			})
		}
	}
}

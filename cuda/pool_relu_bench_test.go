//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BenchmarkMaskedPools measures the gradients of VGG-16's poolings, and of a stem's of windows that overlap, behind a ReLU and a bias: by the
// two steps that the joined one stands for, and by either way of that, of which --tuning measure chooses. The bytes are those that must be read
// and written in any case. Run it with -benchtime 20x.
func BenchmarkMaskedPools(b *testing.B) {
	e := open(b, cuda.Config{Precision: "bf16"})
	stem := op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
	batches := []int{64, 512}
	if testing.Short() {
		batches = []int{1}
	}
	for _, narrow := range []bool{true, false} {
		for _, batch := range batches {
			for _, c := range []struct {
				a                op.PoolAttrs
				pixels, channels int
			}{{op.PoolAttrs{}, 32, 64}, {op.PoolAttrs{}, 16, 128}, {op.PoolAttrs{}, 8, 256}, {op.PoolAttrs{}, 4, 512}, {op.PoolAttrs{}, 2, 512}, {stem, 56, 64}} {
				x := tensor.Shape{batch, c.pixels, c.pixels, c.channels}
				for _, way := range []string{"steps", "sums apart", "sums on the way"} {
					kept := map[bool]string{true: "bf16", false: "f32"}[narrow]
					b.Run(fmt.Sprintf("%s/%d×%d²×%d/%s", kept, batch, c.pixels, c.channels, way), func(b *testing.B) {
						cuda.Force(b, way)
						p, bytes := maskedPoolPlan(b, c.a, x, narrow, way != "steps")
						measurePlan(b, e, p, bytes, launches, "gradient")
					})
				}
			}
		}
	}
}

// maskedPoolPlan masks, sums and spreads a gradient several times, in one step or in two.
func maskedPoolPlan(b *testing.B, a op.PoolAttrs, dims tensor.Shape, narrow, joined bool) (p *graph.Plan, bytes int) {
	p = &graph.Plan{}
	of, err := (&op.MaxPool2D{PoolAttrs: a}).Infer([]tensor.Shape{dims})
	require.NoError(b, err)
	value := func(dims tensor.Shape, narrow bool) *graph.Value {
		v := &graph.Value{ID: len(p.Values), Shape: dims, Dtype: tensor.Float32, Narrow: narrow, Offset: p.ArenaBytes}
		p.ArenaBytes += (v.StoredBytes() + 255) / 256 * 256
		p.Values = append(p.Values, v)
		return v
	}
	x, y, dy, dx, db := value(dims, narrow), value(of, narrow), value(of, narrow), value(dims, narrow), value(dims[3:], false)
	grad := &op.MaxPool2DGrad{PoolAttrs: a}
	steps := []*graph.Step{{Instr: &graph.FusedMaxPool2DGrad{Grad: grad, Bias: true}, In: []*graph.Value{x, y, dy}, Out: []*graph.Value{dx, db}}}
	if !joined {
		masked := value(of, narrow)
		steps = []*graph.Step{{Instr: &graph.ReLUGradBias{Axis: 3}, In: []*graph.Value{y, dy}, Out: []*graph.Value{masked, db}},
			{Instr: grad, In: []*graph.Value{x, y, masked}, Out: []*graph.Value{dx}}}
	}
	for range launches {
		p.Steps = append(p.Steps, steps...)
	}
	return p, x.StoredBytes() + dy.StoredBytes() + dx.StoredBytes()
}

package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// The work of single steps, counted by hand.
func TestCostOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b *enginetest.B) *gorgonia.Node
		want  graph.Cost
	}{
		{"convolution", func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{}, b.Input("x", 2, 5, 5, 3), b.Input("w", 3, 3, 3, 4))
		}, graph.Cost{FLOPs: 2 * (2 * 3 * 3 * 4) * (3 * 3 * 3), Bytes: 4 * (2*5*5*3 + 3*3*3*4 + 2*3*3*4)}},
		{"same convolution, in groups, strided", func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Groups: 2, Strides: [2]int{2, 2}, Padding: op.Padding{Mode: op.Same}}},
				b.Input("x", 1, 4, 4, 6), b.Input("w", 3, 3, 3, 4))
		}, graph.Cost{FLOPs: 2 * (2 * 2 * 4) * (3 * 3 * 3), Bytes: 4 * (4*4*6 + 3*3*3*4 + 2*2*4)}},
		{"convolution + bias + relu", func(b *enginetest.B) *gorgonia.Node {
			y := b.Apply(&op.Conv2D{}, b.Input("x", 1, 3, 3, 1), b.Input("w", 3, 3, 1, 2))
			return b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, y, b.Input("b", 2)))
		}, graph.Cost{FLOPs: 2*2*9 + 2*2, Bytes: 4 * (9 + 18 + 2 + 2)}},
		{"matmul, transposed", func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.MatMul{TransA: true, TransB: true}, b.Input("x", 5, 2), b.Input("w", 3, 5))
		}, graph.Cost{FLOPs: 2 * 2 * 3 * 5, Bytes: 4 * (10 + 15 + 6)}},
		{"pooling, overlapping", func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}}}, b.Input("x", 1, 5, 5, 2))
		}, graph.Cost{FLOPs: 2 * 2 * 2 * 9, Bytes: 4 * (50 + 8)}},
		{"square: an operand that comes twice is read once", func(b *enginetest.B) *gorgonia.Node {
			x := b.Input("x", 7)
			return b.Apply(&op.Mul{}, x, x)
		}, graph.Cost{FLOPs: 7, Bytes: 4 * 14}},
		{"sum", func(b *enginetest.B) *gorgonia.Node { return b.Apply(&op.Sum{}, b.Input("x", 3, 5)) },
			graph.Cost{FLOPs: 15, Bytes: 4 * 16}},
		{"permute: numbers are only moved", func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Permute{Axes: []int{1, 0}}, b.Input("x", 3, 5))
		}, graph.Cost{Bytes: 4 * 30}},
		{"not known", func(b *enginetest.B) *gorgonia.Node { return gorgonia.Must(gorgonia.Softplus(b.Input("x", 3))) },
			graph.Cost{Bytes: 4 * 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := enginetest.NewB(t, tensor.Float32)
			b.Want("y", 0, c.build(b))
			p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
			require.NoError(t, err)
			require.Len(t, p.Steps, 1)
			if got := graph.CostOf(p.Steps[0]); c.name != "not known" {
				require.Equal(t, c.want, got)
			} else {
				require.Equal(t, c.want.Bytes, got.Bytes)
			}
		})
	}
}

// knows is an operation that counts for itself.
type knows struct{ graph.Copy }

func (knows) FLOPs(in []tensor.Shape) int64 { return int64(len(in)) * 100 }

func TestCostOfAnOperationThatKnows(t *testing.T) {
	v := &graph.Value{Shape: tensor.Shape{2}, Dtype: tensor.Float64}
	s := &graph.Step{Instr: &knows{}, In: []*graph.Value{v, v}, Out: []*graph.Value{{Shape: tensor.Shape{2}, Dtype: tensor.Float64}}}
	require.Equal(t, graph.Cost{FLOPs: 200, Bytes: 32}, graph.CostOf(s))
}

// Every operation of the suite has a cost or is one of those that only move numbers: a new one must not be forgotten.
func TestEveryOperationHasACost(t *testing.T) {
	numtest.Sequential(t)
	moves := map[string]bool{"Copy": true, "Permute": true, "ZeroPad2D": true, "Crop2D": true, "SumGrad": true, "HostOp": true, "CrossEntropyGrad": true,
		"ChannelBroadcast": true, "MaxPool2DGather": true, "Im2Col": true, "Slice": true, "SliceGrad": true, "Concat": true, "Repeat": true,
		"Upsample": true, "At": true, "Gather": true, "DiagFlat": true, "Cast": true, "Random": true}
	for _, c := range enginetest.Cases() {
		b := enginetest.NewB(t, tensor.Float32)
		c.Build(b)
		p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
		require.NoError(t, err)
		for _, s := range p.Steps {
			cost := graph.CostOf(s)
			require.Positive(t, cost.Bytes, "%s", s.Instr)
			require.True(t, cost.FLOPs > 0 != moves[s.Instr.Kind()], "%s of %s: %d FLOPs", s.Instr, shape.Format(s.Out[0].Shape), cost.FLOPs)
		}
	}
}

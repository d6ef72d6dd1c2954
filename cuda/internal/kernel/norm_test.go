package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// channelShapes are few and many channels, few and many elements, and channels that are not last.
var channelShapes = []struct {
	dims []int
	axis int
}{
	{[]int{1, 1}, -1}, {[]int{1, 1, 1, 5}, -1}, {[]int{4, 3, 5, 6}, 3}, {[]int{32, 224, 224, 3}, -1}, {[]int{256, 112, 112, 64}, -1},
	{[]int{32, 7, 7, 2048}, -1}, {[]int{2, 100000}, 1}, {[]int{1, 3000000}, 1}, {[]int{4, 6, 3, 5}, 1}, {[]int{32, 2048, 7, 7}, 1},
	{[]int{32, 3, 224, 224}, -3}, {[]int{5, 300}, -1},
}

func TestChannelLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for _, c := range channelShapes {
			x := valueOf(dt, c.dims...)
			v := valueOf(dt, c.dims[(c.axis+len(c.dims))%len(c.dims)])
			shift := make([]float64, v.Len())
			grad := &op.BatchNormGradInput{Axis: c.axis, Epsilon: 1e-3}
			steps := []*graph.Step{
				stepOf(&op.BiasAdd{Axis: c.axis}, x, x, v),
				stepOf(&op.BiasGrad{Axis: c.axis}, v, x),
				{Instr: &graph.ReLUGradBias{Axis: c.axis}, In: []*graph.Value{x, x}, Out: []*graph.Value{x, v}},
				stepOf(&op.ChannelBroadcast{Axis: c.axis, Shape: x.Shape}, x, v),
				stepOf(&op.ChannelAffine{Axis: c.axis, Scale: 2}, x, x),
				stepOf(&op.BatchMean{Axis: c.axis}, v, x),
				stepOf(&op.BatchVariance{Axis: c.axis}, v, x, v),
				stepOf(&op.BatchMeanGrad{Axis: c.axis, Shape: x.Shape}, x, v),
				stepOf(&op.BatchVarianceGrad{Axis: c.axis}, x, x, v, v),
				{Instr: &graph.BatchStats{Axis: c.axis}, In: []*graph.Value{x}, Out: []*graph.Value{v, v}},
				stepOf(&op.BatchNorm{Axis: c.axis}, x, x, v, v, v, v),
				stepOf(&op.BatchNormInference{Axis: c.axis}, x, x, v, v, v, v),
				stepOf(&graph.FusedBatchNorm{Axis: c.axis, ReLU: true}, x, x, v, v, v, v),
				stepOf(&graph.FusedBatchNorm{Axis: c.axis, Add: true}, x, x, v, v, v, v, x),
				stepOf(&graph.FusedBatchNorm{Axis: c.axis, Add: true, ReLU: true}, x, x, v, v, v, v, x),
				{Instr: &graph.BatchNormSums{Axis: c.axis}, In: []*graph.Value{x, v, v, x}, Out: []*graph.Value{v, v}},
				{Instr: &graph.BatchNormSums{Axis: c.axis, ReLU: true}, In: []*graph.Value{x, v, v, x, x}, Out: []*graph.Value{v, v}},
				{Instr: &graph.BatchNormReLUSums{Axis: c.axis}, In: []*graph.Value{x, v, v, v, v, x}, Out: []*graph.Value{v, v}},
				{Instr: &graph.BatchNormJoinSums{Axis: c.axis}, In: []*graph.Value{x, v, v, x, x, x}, Out: []*graph.Value{v, v, x}},
				stepOf(&op.BatchNormGradScale{Axis: c.axis}, v, x, v, v, x),
				stepOf(grad, x, x, v, v, v, x, v, v),
				stepOf(&graph.FusedBatchNormGradInput{Grad: grad}, x, x, v, v, v, x, v, v, x),
				stepOf(&graph.BatchNormReLUGradInput{Grad: grad}, x, x, v, v, v, x, v, v, v),
				stepOf(&op.BatchNormInferenceGradInput{Axis: c.axis}, x, v, v, x),
			}
			if len(shift) <= 1000 {
				steps = append(steps, stepOf(&op.ChannelAffine{Axis: c.axis, Scale: 2, Shift: shift}, x, x))
			}
			for _, s := range steps {
				commandsOf(t, builderFor(FP32), s)
				commandsOf(t, &Builder{}, s)
			}
		}
	}
}

// A thread keeps its channels where they are last, so there must be a thread for each pack of them.
func TestEachChannelHasAThread(t *testing.T) {
	for _, c := range channelShapes {
		v := channelsOf(tensor.Shape(c.dims), c.axis)
		for _, b := range []*Builder{{}, builderFor(FP32)} {
			p := packed(tensor.Float32, v, nil)
			l := b.eachChannel("channel.cu", "bias_add", tensor.Float32, p)
			if v.Inner == 1 {
				require.GreaterOrEqual(t, int64(l.Grid.X*l.Block.X), p.view.Channels)
				require.Zero(t, l.Grid.Y+l.Block.Y)
			} else {
				require.Equal(t, threads, l.Block.X*l.Block.Y)
			}
		}
	}
}

// Packs are as wide as an access to memory where the channels, or the elements of a channel, can be divided so.
func TestPacks(t *testing.T) {
	for _, c := range []struct {
		v      view
		narrow bool
		dt     tensor.Dtype
		want   view
		vec    int64
	}{
		{view{1, 100, 64, 1}, false, tensor.Float32, view{1, 100, 16, 1}, 4},
		{view{1, 100, 64, 1}, true, tensor.Float32, view{1, 100, 8, 1}, 8},
		{view{1, 100, 12, 1}, true, tensor.Float32, view{1, 100, 3, 1}, 4},
		{view{1, 100, 7, 1}, true, tensor.Float32, view{1, 100, 7, 1}, 1},
		{view{1, 100, 64, 1}, false, tensor.Float64, view{1, 100, 32, 1}, 2},
		{view{1, 10, 64, 49}, true, tensor.Float32, view{1, 10, 64, 49}, 1},
		{view{1, 10, 64, 16}, true, tensor.Float32, view{1, 10, 64, 2}, 8},
		{view{1, 10, 64, 0}, false, tensor.Float32, view{1, 0, 16, 1}, 4},
	} {
		x := valueOf(c.dt, 1)
		x.Narrow = c.narrow
		p := packed(c.dt, c.v, images{"SX": x})
		require.Equal(t, c.want, p.view, "%+v", c)
		require.Equal(t, c.vec, p.vec)
		require.Equal(t, c.narrow, slices.Contains(p.defines, "SX bf16"))
		require.Equal(t, c.vec > 1, slices.Contains(p.defines, fmt.Sprint("VEC ", c.vec)))
		require.Equal(t, c.v.Inner > 1, slices.Contains(p.defines, "ROWS"))
	}
}

// Parts cover the packs of a channel, none is empty, and all threads of a block have a place.
func TestSumming(t *testing.T) {
	views := []view{{1, 0, 3, 1}, {1, 1, 1, 0}, {1, 1, 1, 1 << 40}, {1, 1 << 20, 65, 1}, {1, 3, 1, 1}, {1, 12, 100, 49}, {1, 10, 264, 1}}
	for _, c := range channelShapes {
		views = append(views, channelsOf(tensor.Shape(c.dims), c.axis))
	}
	for _, v := range views {
		for _, b := range []*Builder{{}, {Multiprocessors: 1}, builderFor(FP32)} {
			s := b.summing(packed(tensor.Float32, v, nil), few, oneWave)
			n := s.view.count()
			require.LessOrEqual(t, s.parts(), int64(mostParts), "%+v", v)
			require.GreaterOrEqual(t, s.parts()*int64(s.size), n)
			if n > 0 {
				require.Less(t, (s.parts()-1)*int64(s.size), n)
			}
			require.Zero(t, s.block.X%32)
			require.LessOrEqual(t, s.block.X, threads) // what the kernels have shared memory for
			require.GreaterOrEqual(t, s.block.X, int(s.width))
			require.True(t, !s.rows || s.width == 1)
			require.Equal(t, int(ceilDiv(s.view.Channels, int64(s.width))), s.grid.X)
			require.True(t, s.parts() == 1 || s.block.X >= int(int64(s.width)*s.lanes())) // each channel has a thread that puts parts together
		}
	}
	// Large images fill the device once; those of few elements are one part.
	large := builderFor(FP32).summing(packed(tensor.Float32, view{1, 256 * 56 * 56, 64, 1}, nil), few, oneWave)
	require.InDelta(t, sumBlocks*132, large.parts()*int64(large.grid.X), 10)
	require.EqualValues(t, 1, builderFor(FP32).summing(packed(tensor.Float32, view{1, 40, 2048, 1}, nil), few, oneWave).parts())
	// How few that are depends on the sums: 1024 rows in a single part of 32 packs side by side took an H200 23 to 80 µs, 2048 in many 9.
	for _, n := range []int64{256, 257, 1024, 1025} {
		one, two := builderFor(FP32).summing(packed(tensor.Float32, view{1, n, 512, 1}, nil), few, oneWave), builderFor(FP32).summing(packed(tensor.Float32, view{1, n, 512, 1}, nil), fewOfTwo, oneWave)
		require.Equal(t, n <= few, one.parts() == 1, n)
		require.Equal(t, n <= fewOfTwo, two.parts() == 1, n)
		require.True(t, one.parts() > 1 || one.width <= fewWidth)
		require.True(t, two.parts() > 1 || two.width <= fewWidth)
	}
}

// The last block of a channel soon has all parts together.
func TestJoining(t *testing.T) {
	for _, v := range []view{{1, 256 * 56 * 56, 64, 1}, {1, 256 * 56 * 56, 256, 1}, {1, 256 * 14 * 14, 1024, 1}, {1, 512 * 8 * 8, 64, 1}, {1, 256 * 4 * 4, 128, 1}} {
		for _, narrow := range []bool{false, true} {
			x := valueOf(tensor.Float32, 1)
			x.Narrow = narrow
			b := builderFor(FP32)
			s := b.summing(packed(tensor.Float32, v, images{"SX": x}), few, oneWave)
			require.Greater(t, s.parts(), int64(1))
			require.GreaterOrEqual(t, s.parts()*int64(s.grid.X), int64(64), "%+v", v)
			require.LessOrEqual(t, 12*s.parts()*int64(s.width)*s.lanes(), int64(mostJoin), "%+v", v)
		}
	}
}

// No two launches share counters: steps may run side by side.
func TestCountersAreTheLaunchs(t *testing.T) {
	b, next := builderFor(FP32), int64(0)
	x, z := valueOf(tensor.Float32, 64, 32, 32, 64), valueOf(tensor.Float32, 64)
	stats := &graph.Step{Instr: &graph.BatchStats{Axis: 3}, In: []*graph.Value{x}, Out: []*graph.Value{z, z}}
	sums := &graph.Step{Instr: &graph.BatchNormSums{Axis: 3}, In: []*graph.Value{x, z, z, x}, Out: []*graph.Value{z, z}}
	bias := &graph.Step{Instr: &op.BiasGrad{Axis: 3}, In: []*graph.Value{x}, Out: []*graph.Value{z}}
	relu := &graph.Step{Instr: &graph.ReLUGradBias{Axis: 3}, In: []*graph.Value{x, x}, Out: []*graph.Value{x, z}}
	for _, s := range []*graph.Step{stats, sums, bias, relu, stats} {
		commands := commandsOf(t, b, s)
		require.Len(t, commands, 1)
		l := commands[0].(*Launch)
		for _, a := range l.Args {
			if p, ok := a.(Pointer); ok && p.Base == CounterBase {
				require.Equal(t, next, p.Offset, l.Name)
				next += counterBytes * int64(l.Grid.X)
			}
		}
		require.Equal(t, next, b.CounterBytes())
	}
	require.Positive(t, next)
	// One part needs none.
	b = builderFor(FP32)
	commandsOf(t, b, &graph.Step{Instr: &graph.BatchStats{Axis: 1}, In: []*graph.Value{valueOf(tensor.Float32, 5, 64)}, Out: []*graph.Value{z, z}})
	require.Zero(t, b.CounterBytes())
}

// Every operand that may be narrow is, alone and with the others, and the kernels' parameters are of its type.
func TestNarrowLaunches(t *testing.T) {
	x, z := func() *graph.Value { return valueOf(tensor.Float32, 5, 3, 3, 16) }, valueOf(tensor.Float32, 16)
	grad := &op.BatchNormGradInput{Axis: 3}
	for _, s := range []*graph.Step{
		stepOf(&op.BiasAdd{Axis: 3}, x(), x(), z),
		stepOf(&op.ChannelAffine{Axis: 3, Scale: 2, Shift: make([]float64, 16)}, x(), x()),
		stepOf(&op.BiasGrad{Axis: 3}, z, x()),
		{Instr: &graph.ReLUGradBias{Axis: 3}, In: []*graph.Value{x(), x()}, Out: []*graph.Value{x(), z}},
		{Instr: &graph.BatchStats{Axis: 3}, In: []*graph.Value{x()}, Out: []*graph.Value{z, z}},
		stepOf(&op.BatchVariance{Axis: 3}, z, x(), z),
		stepOf(&op.BatchVarianceGrad{Axis: 3}, x(), x(), z, z),
		stepOf(&graph.FusedBatchNorm{Axis: 3, Add: true, ReLU: true}, x(), x(), z, z, z, z, x()),
		{Instr: &graph.BatchNormSums{Axis: 3, ReLU: true}, In: []*graph.Value{x(), z, z, x(), x()}, Out: []*graph.Value{z, z}},
		{Instr: &graph.BatchNormReLUSums{Axis: 3}, In: []*graph.Value{x(), z, z, z, z, x()}, Out: []*graph.Value{z, z}},
		{Instr: &graph.BatchNormJoinSums{Axis: 3}, In: []*graph.Value{x(), z, z, x(), x(), x()}, Out: []*graph.Value{z, z, x()}},
		stepOf(grad, x(), x(), z, z, z, x(), z, z),
		stepOf(&graph.FusedBatchNormGradInput{Grad: grad}, x(), x(), z, z, z, x(), z, z, x()),
		stepOf(&graph.BatchNormReLUGradInput{Grad: grad}, x(), x(), z, z, z, x(), z, z, z),
		stepOf(&op.BatchNormInferenceGradInput{Axis: 3}, x(), z, z, x()),
		stepOf(&ir.GroupNorm{Groups: 5}, x(), x()),
		stepOf(&ir.GroupNormGrad{Groups: 5}, x(), x(), x()),
	} {
		in, out, _ := Narrows(s)
		var may []*graph.Value
		for i, v := range append(slices.Clone(s.In), s.Out...) {
			can := i < len(in) && in[i] || i >= len(s.In) && i-len(s.In) < len(out) && out[i-len(s.In)]
			require.Equal(t, v.Len() > 16, can, "%s: operand %d", s.Instr, i)
			if can {
				may = append(may, v)
			}
		}
		for set := range 1 << len(may) {
			names := ""
			for i, v := range may {
				v.Narrow = set>>i&1 != 0
			}
			for _, c := range commandsOf(t, builderFor(BF16), s) {
				if l, ok := c.(*Launch); ok {
					names += l.Source.Name
				}
			}
			require.Equal(t, set != 0, strings.Contains(names, "bf16"), "%s: %s", s.Instr, names)
		}
	}
}

// Parts cover the elements of a channel, none is empty, and all threads of a block have a place.
func TestTiles(t *testing.T) {
	views := []view{{1, 0, 3, 1}, {1, 1, 1, 0}, {1, 1, 1, 1 << 40}, {7, 1 << 20, 65, 1}, {5, 3, 1, 1}, {1, 12, 100, 49}}
	for _, c := range channelShapes {
		views = append(views, channelsOf(tensor.Shape(c.dims), c.axis))
	}
	for _, v := range views {
		for _, b := range []*Builder{{}, {Multiprocessors: 1}, builderFor(FP32)} {
			tl := b.tile(v, 0)
			require.LessOrEqual(t, tl.parts(), int64(mostParts), "%+v", v)
			require.GreaterOrEqual(t, tl.parts()*tl.size, v.count())
			if v.count() > 0 {
				require.Less(t, (tl.parts()-1)*tl.size, v.count())
			}
			require.Zero(t, tl.block.X%32)
			require.LessOrEqual(t, tl.block.X, 256) // what the kernels have shared memory for
			require.GreaterOrEqual(t, tl.block.X, int(tl.width))
			require.True(t, v.Inner == 1 || tl.width == 1)
			require.Equal(t, int(v.Batch*ceilDiv(v.Channels, int64(tl.width))), tl.grid.X)
		}
	}
	// A sum of millions in few channels fills the device; one of few elements is one part.
	require.EqualValues(t, mostParts, builderFor(FP32).tile(view{1, 1, 1, 100e6}, 0).parts())
	require.EqualValues(t, 1, builderFor(FP32).tile(view{1, 40, 2048, 1}, 0).parts())
}

func TestReduceLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for _, n := range []int{1, 33, 1000, 123457, 25e6} {
			x, one := valueOf(dt, n), &graph.Value{Dtype: dt, Shape: tensor.ScalarShape()}
			for _, s := range []*graph.Step{
				stepOf(&op.Sum{}, one, x), stepOf(&op.Mean{}, one, x), stepOf(&op.L2Penalty{Lambda: 0.5}, one, x),
				stepOf(&op.SumGrad{Shape: x.Shape}, x, one), stepOf(&op.MeanGrad{Shape: x.Shape}, x, one),
				stepOf(&op.L2PenaltyGrad{Lambda: 0.5}, x, x, one), stepOf(&graph.AddL2Grad{Lambda: 0.5}, x, x, x, one),
			} {
				commandsOf(t, builderFor(FP32), s)
			}
		}
		for _, c := range []struct{ axes, dims []int }{
			{nil, nil}, {nil, []int{3, 4}}, {[]int{1}, []int{4, 1, 3}}, {[]int{0, 2}, []int{41, 9, 50, 19}}, {[]int{1, 3}, []int{41, 9, 50, 19}},
			{[]int{0, 2, 4}, []int{7, 5, 11, 13, 9}}, {[]int{1}, []int{1000000, 100}}, {[]int{0}, []int{3, 5000000}},
		} {
			for _, fn := range []ir.ReduceFn{ir.ReduceSum, ir.ReduceMax, ir.ReduceMean} {
				o := &ir.Reduce{Fn: fn, Axes: c.axes}
				y, err := o.Infer([]tensor.Shape{c.dims})
				require.NoError(t, err)
				commandsOf(t, builderFor(FP32), stepOf(o, valueOf(dt, y...), valueOf(dt, c.dims...)))
			}
		}
	}
}

// Neighbouring axes of one fate are one, axes of one element none.
func TestSweeps(t *testing.T) {
	sweeps := func(dims []int, axes ...int) []view {
		return sweepsOf(dims, (&ir.Reduce{Axes: axes}).Reduced(len(dims)))
	}
	require.Empty(t, sweeps([]int{4, 1, 3}, 1))
	require.Equal(t, []view{{1, 1, 1, 12}}, sweeps([]int{3, 4}))
	require.Equal(t, []view{{1, 1, 1, 24}}, sweeps([]int{2, 3, 1, 4}, 0, 1, 3))
	require.Equal(t, []view{{3, 20, 2, 1}}, sweeps([]int{3, 4, 1, 5, 2}, 1, 3))
	require.Equal(t, []view{{1, 1, 30, 5}, {2, 3, 5, 1}}, sweeps([]int{2, 3, 5, 5}, 1, 3))
}

func TestGroupNormLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for _, c := range []struct {
			groups int
			dims   []int
		}{{1, []int{1, 1}}, {3, []int{2, 6, 5}}, {1, []int{1, 64, 200, 200}}, {32, []int{256, 256, 8, 8}}, {32, []int{64, 256, 56, 56}}} {
			x := valueOf(dt, c.dims...)
			commandsOf(t, builderFor(FP32), stepOf(&ir.GroupNorm{Groups: c.groups}, x, x))
			commandsOf(t, builderFor(FP32), stepOf(&ir.GroupNormGrad{Groups: c.groups}, x, x, x))
		}
	}
}

func TestPoolLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
			attrs := op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}, Format: f}
			dims := []int{2, 7, 9, 4}
			if f == shape.NCHW {
				dims = []int{2, 4, 7, 9}
			}
			g, err := attrs.Geometry(dims)
			require.NoError(t, err)
			x, y, means := valueOf(dt, dims...), valueOf(dt, g.Output()...), valueOf(dt, 2, 4)
			for _, s := range []*graph.Step{
				stepOf(&op.MaxPool2D{PoolAttrs: attrs}, y, x), stepOf(&op.MaxPool2DGrad{PoolAttrs: attrs}, x, x, y, y),
				stepOf(&op.MaxPool2DGather{PoolAttrs: attrs}, y, x, y, x), stepOf(&op.AvgPool2D{PoolAttrs: attrs}, y, x),
				stepOf(&op.AvgPool2DGrad{PoolAttrs: attrs, InputShape: dims}, x, y), stepOf(&op.GlobalAvgPool2D{Format: f}, means, x),
				stepOf(&op.GlobalAvgPool2DGrad{Format: f, InputShape: dims}, x, means),
			} {
				commandsOf(t, builderFor(FP32), s)
			}
		}
	}
}

// scoresStep is all that a training step makes of its scores.
func scoresStep(dt tensor.Dtype, n, classes int) *graph.Step {
	one := func() *graph.Value { return &graph.Value{Dtype: dt, Shape: tensor.ScalarShape()} }
	return &graph.Step{Instr: &graph.FusedScores{Loss: true, Mean: true, Grad: true, TopK: []int{1, 5}},
		In: []*graph.Value{valueOf(dt, n, classes), valueOf(tensor.Int, n), valueOf(dt, n)}, Out: []*graph.Value{one(), valueOf(dt, n, classes), one(), one()}}
}

func TestLossLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for _, c := range []struct{ n, classes int }{{1, 1}, {5, 10}, {256, 100}, {256, 1000}, {10000, 1000}, {64, 50000}, {3000000, 7}} {
			x, v, labels := valueOf(dt, c.n, c.classes), valueOf(dt, c.n), valueOf(tensor.Int, c.n)
			one := &graph.Value{Dtype: dt, Shape: tensor.ScalarShape()}
			for _, s := range []*graph.Step{stepOf(&op.Softmax{}, x, x), stepOf(&op.LogSoftmax{}, x, x), stepOf(&op.SoftmaxGrad{}, x, x, x), stepOf(&op.LogSoftmaxGrad{}, x, x, x)} {
				commandsOf(t, builderFor(FP32), s)
			}
			for _, s := range []*graph.Step{
				stepOf(&op.SoftmaxCrossEntropy{}, v, x, labels), stepOf(&op.SoftmaxCrossEntropyGrad{}, x, x, labels, v),
				stepOf(&op.CrossEntropy{}, v, x, labels), stepOf(&op.CrossEntropyGrad{}, x, x, labels, v), stepOf(&op.TopKCorrect{K: 5}, one, x, labels),
				scoresStep(dt, c.n, c.classes), {Instr: &graph.FusedScores{Loss: true, TopK: []int{1}}, In: []*graph.Value{x, labels}, Out: []*graph.Value{v, one}},
			} {
				check, ok := commandsOf(t, builderFor(FP32), s)[0].(*Check)
				require.True(t, ok, "%s looks at its labels first", s.Instr)
				require.NoError(t, check.Fn(op.Array{Data: []int{0, c.classes - 1}}))
				kind := strings.Replace(s.Instr.Kind(), "FusedScores", "SoftmaxCrossEntropy", 1) // which it stands for
				require.EqualError(t, check.Fn(op.Array{Data: []int{0, c.classes}}), fmt.Sprintf(
					"op: %s: label of row 1 is %d, want 0 to %d; check the data set's number of classes", kind, c.classes, c.classes-1))
			}
		}
	}
}

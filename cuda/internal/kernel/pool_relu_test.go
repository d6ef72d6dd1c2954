package kernel

import (
	"bytes"
	bin "encoding/binary" // binary is the name of a helper here
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/shape"
	"github.com/stheno-ml/stheno/train"
)

var (
	halves = op.PoolAttrs{}
	thirds = op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
)

// maskedPool is the gradient of a max pooling that a ReLU masks, with or without the sums of its channels.
func maskedPool(t testing.TB, a op.PoolAttrs, bias bool, x ...int) *graph.Step {
	of, err := (&op.MaxPool2D{PoolAttrs: a}).Infer([]tensor.Shape{x})
	require.NoError(t, err)
	y := func() *graph.Value { return valueOf(tensor.Float32, of...) }
	s := stepOf(&graph.FusedMaxPool2DGrad{Grad: &op.MaxPool2DGrad{PoolAttrs: a}, Bias: bias}, valueOf(tensor.Float32, x...), valueOf(tensor.Float32, x...), y(), y())
	if bias {
		_, _, channel := a.Format.Axes()
		s.Out = append(s.Out, valueOf(tensor.Float32, x[channel]))
	}
	return s
}

// maskedPools are of nets, and odd ones.
func maskedPools(t testing.TB) (all []*graph.Step) {
	for _, bias := range []bool{false, true} {
		for _, a := range []op.PoolAttrs{halves, thirds} {
			for _, x := range [][]int{{512, 32, 32, 64}, {64, 16, 16, 128}, {512, 8, 8, 256}, {64, 4, 4, 512}, {512, 2, 2, 512}, {64, 2, 2, 512}, {1, 2, 2, 8},
				{2, 7, 9, 3}, {8, 55, 55, 96}, {3, 5, 300, 13}, {128, 112, 112, 64}, {4, 2, 2, 20000}, {1, 3, 3, 1}, {100000, 2, 2, 320}} {
				all = append(all, maskedPool(t, a, bias, x...))
			}
		}
	}
	return all
}

// Images whose elements an int of pool_walk.cuh does not count have the other kernel, also where padding makes only the result so large.
func TestPoolsOfHugeImages(t *testing.T) {
	edge := op.PoolAttrs{Strides: [2]int{1, 1}, Padding: shape.Padding{Mode: shape.Explicit, Top: 1, Bottom: 1}}
	for _, c := range []struct {
		a    op.PoolAttrs
		x    tensor.Shape
		walk bool
	}{{halves, tensor.Shape{1, 2, 1 << 24, 63}, true}, {halves, tensor.Shape{1, 2, 1 << 24, 64}, false}, {edge, tensor.Shape{1, 2, 1 << 24, 42}, true},
		{edge, tensor.Shape{1, 2, 1 << 24, 43}, false}} {
		s := maskedPool(t, c.a, false, c.x...)
		require.Equal(t, c.walk, JoinsPoolGrad(s), "%v", c.x)
		list := commandsOf(t, builderFor(FP32), s)
		require.Equal(t, map[bool]string{true: "max_pool_grad_relu", false: "max_pool_grad"}[c.walk], list[len(list)-1].(*Launch).Name, "%v", c.x)
	}
}

// Which launches there are: of a gradient with sums two in the first way and one in the second.
func TestMaskedPools(t *testing.T) {
	for _, s := range maskedPools(t) {
		for _, p := range []Precision{FP32, BF16} {
			of := copyOf(s)
			if p == BF16 {
				of = narrowed(of)
				require.True(t, of.In[0].Narrow && of.In[1].Narrow && of.In[2].Narrow && of.Out[0].Narrow)
				require.False(t, len(of.Out) > 1 && of.Out[1].Narrow)
			}
			require.True(t, JoinsPoolGrad(of))
			list := commandsOf(t, builderFor(p), of)
			if len(of.Out) == 1 {
				require.Len(t, list, 1)
				require.Equal(t, "max_pool_grad_relu", list[0].(*Launch).Name)
				continue
			}
			require.Equal(t, []string{"sums apart", "sums on the way"}, namesOf(list))
			ways := list[0].(*Choice).Ways
			apart, one := ways[0].List, ways[1].List
			require.Equal(t, []string{"bias_grad_masked", "max_pool_grad_relu"}, []string{apart[0].(*Launch).Name, apart[1].(*Launch).Name})
			require.Len(t, one, 1)
			sums := one[0].(*Launch)
			require.Equal(t, apart[1].(*Launch).Source, sums.Source, "both ways need one text compiled")

			// The first way sums as a step of its own does, in the same order.
			alone := stepOf(&graph.ReLUGradBias{Axis: 3}, of.In[2], of.In[1], of.In[2])
			alone.Out = append(alone.Out, of.Out[1])
			relu := commandsOf(t, builderFor(p), alone)[0].(*Launch)
			require.Equal(t, []any{relu.Grid, relu.Block}, []any{apart[0].(*Launch).Grid, apart[0].(*Launch).Block})
			require.Equal(t, relu.Args[len(relu.Args)-3:], apart[0].(*Launch).Args[5:])
		}
	}
}

// Sums of large images that have a sweep of their own are shared in several ways, as those of a step of their own.
func TestMaskedPoolsShareSums(t *testing.T) {
	b := builderFor(BF16)
	b.Share = ShareBytes
	names := func(x ...int) []string { return namesOf(commandsOf(t, b, narrowed(maskedPool(t, halves, true, x...)))) }
	require.Equal(t, []string{"sums apart", "sums on the way", "sums apart, 4 blocks", "sums apart, 2 blocks, 2 waves"}, names(512, 32, 32, 64))
	require.Equal(t, []string{"sums apart", "sums on the way"}, names(512, 4, 4, 512))
}

// The blocks that sum cover all runs and packs of channels once, and run at the same time.
func TestBlocksOfPoolsThatSum(t *testing.T) {
	for _, multiprocessors := range []int{0, 1, 4, 108, 132} {
		for _, s := range maskedPools(t) {
			if len(s.Out) == 1 {
				continue
			}
			for _, narrow := range []bool{false, true} {
				of := copyOf(s)
				if narrow {
					of = narrowed(of)
				}
				b := &Builder{Multiprocessors: multiprocessors, Capability: 90}
				l := commandsOf(t, b, of)[0].(*Choice).Ways[1].List[0].(*Launch)
				var pool struct {
					Packs, Columns, Rows                   divisor
					Threads                                int64
					H, W, Channels, OH, OW, Top, Left, Run int32
				}
				var packs struct {
					Outer           int64
					Channels, Inner divisor
				}
				arg := func(i int, to any) {
					require.NoError(t, bin.Read(bytes.NewReader(l.Args[i].(Bytes)), bin.LittleEndian, to))
				}
				arg(6, &pool)
				arg(7, &packs)
				size, width := int64(l.Args[8].(int32)), int64(l.Args[9].(int32))
				name := fmt.Sprintf("%v of %v on %d, narrow %t", s.Instr, s.In[0].Shape, multiprocessors, narrow)
				require.Equal(t, pool.Threads, packs.Outer*packs.Channels.By, name)
				require.Equal(t, int64(s.In[0].Shape[0])*pool.Columns.By*pool.Rows.By, packs.Outer, name)
				require.LessOrEqual(t, width, int64(poolSumWidth), name)
				tiles, parts := int64(l.Grid.X), int64(l.Grid.Y)
				require.Equal(t, ceilDiv(packs.Channels.By, width), tiles, name)
				require.GreaterOrEqual(t, parts*size, packs.Outer, name)
				require.Less(t, (parts-1)*size, packs.Outer, name)
				require.LessOrEqual(t, tiles*parts, max(int64(multiprocessors), tiles), name)
				over := s.Instr.(*graph.FusedMaxPool2DGrad).Grad.Pool[0] == 3
				require.Equal(t, map[bool]int{false: poolSumThreads, true: poolSumThreadsOver}[over], l.Block.X, name)
				if s.In[0].Shape[0] == 512 && multiprocessors == 132 && s.In[0].Shape[1] > 2 {
					require.Greater(t, tiles*parts, int64(120), "%s: multiprocessors with nothing to do", name)
				}
				require.Equal(t, map[bool]int64{false: 0, true: 4 * tiles}[parts > 1], b.CounterBytes()-sweepCounters(t, of, multiprocessors), name)
			}
		}
	}
}

// sweepCounters are the counters of the first way.
func sweepCounters(t *testing.T, s *graph.Step, multiprocessors int) int64 {
	b := &Builder{Multiprocessors: multiprocessors, Capability: 90}
	y := s.In[1]
	alone := stepOf(&graph.ReLUGradBias{Axis: 3}, s.In[2], y, s.In[2])
	alone.Out = append(alone.Out, s.Out[1])
	commandsOf(t, b, alone)
	return b.CounterBytes()
}

func TestWhatIsJoinedWithItsPool(t *testing.T) {
	first := halves
	first.Format = shape.NCHW
	require.False(t, JoinsPoolGrad(maskedPool(t, first, true, 2, 8, 6, 6)), "channels first")
	require.False(t, JoinsPoolGrad(maskedPool(t, op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{1, 1}}, true, 2, 6, 6, 8)), "windows over windows")
	require.False(t, JoinsPoolGrad(maskedPool(t, op.PoolAttrs{Pool: [2]int{2, 2}, Strides: [2]int{3, 3}}, true, 2, 6, 6, 8)), "pixels under no window")
	require.False(t, JoinsPoolGrad(maskedPool(t, op.PoolAttrs{Pool: [2]int{6, 6}}, true, 2, 6, 6, 8)), "large windows")
	require.True(t, JoinsPoolGrad(maskedPool(t, op.PoolAttrs{Pool: [2]int{4, 4}}, true, 2, 6, 6, 8)))
	wide := maskedPool(t, halves, true, 2, 6, 6, 8)
	wide.In[0].Dtype = tensor.Float64
	require.False(t, JoinsPoolGrad(wide))
	require.False(t, Has("FusedMaxPool2DGrad", tensor.Float64))
	require.False(t, JoinsPoolGrad(maskedPool(t, halves, true, 1, 1<<14, 1<<14, 64)), "an image of 2³⁴ elements")

	// They are computed all the same, one step after the other.
	for _, bias := range []bool{false, true} {
		for _, s := range []*graph.Step{maskedPool(t, first, bias, 2, 8, 6, 6), maskedPool(t, op.PoolAttrs{Pool: [2]int{2, 2}, Strides: [2]int{3, 3}}, bias, 2, 6, 6, 8)} {
			for _, list := range [][]Command{commandsOf(t, builderFor(FP32), s), commandsOfNarrowed(t, s)} {
				require.Len(t, list, 2)
				require.Equal(t, map[bool]string{false: "relu_grad", true: "bias_grad_relu"}[bias], list[0].(*Launch).Name)
			}
		}
	}
}

// Of what alternatives are compared with, the mask is the result of the pooling, with zeros and NaN among what is pooled.
func TestNoiseOfMaskedPools(t *testing.T) {
	s := maskedPool(t, thirds, true, 2, 9, 8, 16)
	kind := func(v *graph.Value) any { return Noise(s, v, 0, 1).Args[2] }
	require.Equal(t, []any{int32(2), int32(0), int32(0), int32(1)}, []any{kind(s.In[0]), kind(s.In[2]), kind(s.Out[0]), kind(s.Out[1])})
	at := map[*graph.Value]Address{s.In[0]: 1 << 20, s.In[1]: 1 << 30}
	list, err := Related(s, func(v *graph.Value) Address { return at[v] })
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{"max_pool", Address(1 << 30), Address(1 << 20)}, []any{list[0].Name, list[0].Args[0], list[0].Args[1]})
	list, err = Related(stepOf(&op.ReLUGrad{}, s.In[1], s.In[1], s.In[2]), nil)
	require.NoError(t, err)
	require.Empty(t, list)
}

// poolPlanner plans as the CUDA engine does.
type poolPlanner struct{ planner }

func (poolPlanner) JoinsPoolGrad(s *graph.Step) bool { return JoinsPoolGrad(s) }

// VGG-16's training step masks and sums in as many launches as without the join, none of which writes the masked gradient of a pooling's result,
// and in no more memory.
func TestMaskedPoolsOfATrainingStep(t *testing.T) {
	a, err := arch.ByName("vgg16", arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	g, opts, err := train.StepGraph(m, train.SGD{}, 256, 1)
	require.NoError(t, err)
	plan := func(e graph.Engine) *graph.Plan {
		p, err := graph.PlanFor(g, append(opts[:len(opts):len(opts)], graph.WithEngine(e))...)
		require.NoError(t, err)
		return p
	}
	before, p := plan(planner{}), plan(poolPlanner{})
	want, got := launchesOf(t, before), launchesOf(t, p)
	require.Equal(t, []int{5, 5, 10}, []int{got["max_pool_grad_relu"], got["bias_grad_masked"], got["bias_grad_relu"]})
	require.Equal(t, []int{5, 15}, []int{want["max_pool_grad_walk"], want["bias_grad_relu"]})
	for _, name := range []string{"max_pool_grad_relu", "bias_grad_masked", "bias_grad_relu", "max_pool_grad_walk"} {
		delete(want, name)
		delete(got, name)
	}
	require.Equal(t, want, got)
	require.LessOrEqual(t, p.ArenaBytes, before.ArenaBytes)
}

// A join costs no launch more than the steps that it stands for.
func TestMaskedPoolsCostNoLaunch(t *testing.T) {
	joinedLaunches(t, "pool-relu-grad", "FusedMaxPool2DGrad", poolPlanner{}, func(name string, apart, joined int) {
		require.LessOrEqual(t, joined, apart, name)
	})
}

// joinedLaunches calls check for every case of a pass with how many launches it is where steps stay apart, and where an engine joins them to
// steps of a kind.
func joinedLaunches(t *testing.T, pass, kind string, joining graph.Engine, check func(name string, apart, joined int)) {
	joins := 0
	for _, c := range enginetest.FusionCases() {
		if c.Pass != pass {
			continue
		}
		count := func(e graph.Engine) (n int) {
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			for _, s := range p.Steps {
				if s.Instr.Kind() == kind {
					joins++
				}
			}
			for _, of := range launchesOf(t, p) {
				n += of
			}
			return n
		}
		check(c.Name, count(planner{}), count(joining))
	}
	require.Greater(t, joins, 4)
}

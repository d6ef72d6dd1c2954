package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// trainingGraph writes a whole training step of a model into a graph: loss with penalties, gradients, and an update with
// momentum of every parameter. Nothing has a value, so that nets of any depth take no memory. The options are those that
// compile it.
func trainingGraph(t testing.TB, m *nn.Model, batch int) (*gorgonia.ExprGraph, []graph.Option) {
	t.Helper()
	g, cost, net := lossGraph(t, m, batch)
	return g, withMomentum(t, g, cost, net)
}

func lossGraph(t testing.TB, m *nn.Model, batch int) (*gorgonia.ExprGraph, *gorgonia.Node, *nn.Net) {
	t.Helper()
	g := gorgonia.NewGraph()
	net, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: true, Dtype: tensor.Float32, Seed: 1, ShapesOnly: true})
	require.NoError(t, err)
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("labels"))
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, labels)
	require.NoError(t, err)
	cost, err := net.Cost(loss)
	require.NoError(t, err)
	return g, cost, net
}

func withMomentum(t testing.TB, g *gorgonia.ExprGraph, cost *gorgonia.Node, net *nn.Net) []graph.Option {
	t.Helper()
	params := net.Trainable()
	grads, err := gorgonia.Grad(cost, params...)
	require.NoError(t, err)
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("learning_rate"))
	updates := append([]op.Update(nil), net.Updates...)
	for i, w := range params {
		v := gorgonia.NewTensor(g, tensor.Float32, w.Dims(), gorgonia.WithShape(w.Shape()...), gorgonia.WithName("momentum/"+w.Name()))
		next, err := op.Apply(&op.Momentum{Momentum: 0.9}, v, grads[i], lr)
		require.NoError(t, err)
		moved, err := op.Apply(&op.Add{}, w, next)
		require.NoError(t, err)
		updates = append(updates, op.Update{Target: v, New: next}, op.Update{Target: w, New: moved})
	}
	return []graph.Option{graph.WithOutputs(cost), graph.WithUpdates(updates...)}
}

// resnet is arch.ResNet50 for 32×32 images with any number of blocks in its four stages: {3, 4, 6, 3} is ResNet-50,
// {3, 8, 36, 3} ResNet-152.
func resnet(t testing.TB, blocks [4]int) *nn.Model {
	t.Helper()
	const l2 = nn.L2(1e-4)
	b := nn.NewBuilder("resnet")
	conv := func(x *nn.Tensor, filters, kernel, stride int, name string) *nn.Tensor {
		x = b.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(kernel), Strides: nn.K(stride), Padding: nn.Same, NoBias: true,
			KernelRegularizer: l2, Name: name}, x)
		return b.Add(nn.BatchNormalization{Name: name + "_bn"}, x)
	}
	relu := func(x *nn.Tensor) *nn.Tensor { return b.Add(nn.Activation{Func: nn.ReLU}, x) }
	input := b.Input(nn.Shape{32, 32, 3})
	x := relu(conv(input, 64, 7, 2, "conv1"))
	x = b.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Padding: nn.Same}, x)
	for i, n := range blocks {
		filters := 64 << i
		for j := range n {
			name, stride, shortcut := fmt.Sprintf("res%d_%d_", i+2, j), 1, x
			if j == 0 {
				stride = min(i+1, 2)
				shortcut = conv(x, 4*filters, 1, stride, name+"1")
			}
			y := relu(conv(x, filters, 1, 1, name+"2a"))
			y = relu(conv(y, filters, 3, stride, name+"2b"))
			x = relu(b.Add(nn.Add{}, conv(y, 4*filters, 1, 1, name+"2c"), shortcut))
		}
	}
	x = b.Add(nn.GlobalAveragePooling2D{}, x)
	x = b.Add(nn.Dense{Units: 100, KernelRegularizer: l2, BiasRegularizer: l2, Activation: nn.Softmax}, x)
	m, err := b.Model(input, x)
	require.NoError(t, err)
	return m
}

func timesDepth(n int) [4]int { return [4]int{3 * n, 4 * n, 6 * n, 3 * n} }

// depths are the nets that compile times are told of.
var depths = []struct {
	name   string
	blocks [4]int
}{
	{"resnet50", timesDepth(1)},
	{"resnet152", [4]int{3, 8, 36, 3}},
	{"resnet50 x4", timesDepth(4)},
	{"resnet50 x16", timesDepth(16)},
}

// The compiler's work grows with the depth of a net as n log n, which is what its heap and its tree cost. What is counted are
// the pieces that the work is made of, whatever else the machine is busy with; most of the time goes into those that grow
// linearly.
func TestWorkGrowsAboutLinearly(t *testing.T) {
	work := func(blocks [4]int) float64 {
		g, opts := trainingGraph(t, resnet(t, blocks), 32)
		n, err := graph.Work(g, opts...)
		require.NoError(t, err)
		return float64(n)
	}
	once := work(timesDepth(1))
	require.Less(t, work(timesDepth(4))/once, 5.2)
	if !testing.Short() {
		require.Less(t, work(timesDepth(16))/once, 26.0)
	}
}

// BenchmarkCompile times the compiler alone on whole training steps.
func BenchmarkCompile(b *testing.B) {
	for _, d := range depths {
		b.Run(d.name, func(b *testing.B) {
			g, opts := trainingGraph(b, resnet(b, d.blocks), 32)
			steps := 0
			b.ResetTimer()
			for b.Loop() {
				p, err := graph.PlanFor(g, opts...)
				require.NoError(b, err)
				steps = len(p.Steps)
			}
			b.ReportMetric(float64(len(g.AllNodes())), "nodes")
			b.ReportMetric(float64(steps), "steps")
		})
	}
}

// BenchmarkBuildGraph times what comes before the compiler: the model's nodes, and Gorgonia's differentiation with the
// updates.
func BenchmarkBuildGraph(b *testing.B) {
	for _, d := range depths {
		m := resnet(b, d.blocks)
		b.Run(d.name+"/forward", func(b *testing.B) {
			for b.Loop() {
				lossGraph(b, m, 32)
			}
		})
		b.Run(d.name+"/grad", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				g, cost, net := lossGraph(b, m, 32)
				b.StartTimer()
				withMomentum(b, g, cost, net)
			}
		})
	}
}

// BenchmarkPeakBytes tells the memory of training steps of 32 images with and without recomputation; its time is that of the
// compiler.
func BenchmarkPeakBytes(b *testing.B) {
	for _, net := range []string{"vgg16", "resnet50"} {
		for _, size := range []int{32, 224} {
			a, err := arch.ByName(net, arch.Config{Input: nn.Shape{size, size, 3}, Classes: map[int]int{32: 100, 224: 1000}[size]})
			require.NoError(b, err)
			m, err := a.Model()
			require.NoError(b, err)
			g, opts := trainingGraph(b, m, 32)
			for _, r := range []graph.Recompute{graph.RecomputeOff, graph.RecomputeCheap, graph.RecomputeSegments(0)} {
				b.Run(fmt.Sprintf("%s/%dx%d/%s", net, size, size, r), func(b *testing.B) {
					var p *graph.Plan
					for b.Loop() {
						p, err = graph.PlanFor(g, append(opts, graph.WithRecompute(r))...)
						require.NoError(b, err)
					}
					b.ReportMetric(float64(p.ArenaBytes)/(1<<20), "arena-MiB")
					b.ReportMetric(float64(p.PeakBytes())/(1<<20), "peak-MiB")
					b.ReportMetric(float64(len(p.Steps)), "steps")
				})
			}
		}
	}
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// wideDense has dense layers of any size read and write float32.
type wideDense struct{ *cuda.Engine }

func (e wideDense) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	switch s.Instr.(type) {
	case *op.MatMul, *graph.FusedMatMul:
		return nil, nil, false
	}
	return e.Engine.Narrows(s)
}

// BenchmarkDense times training steps of dense layers under bf16, whose operands are float32 in memory or bfloat16: from how many rows on
// the latter gains. The widths are those of VGG-16 for images of 32² and 224², and of SimpleCNN. Run it with -benchtime 50x.
func BenchmarkDense(b *testing.B) {
	all, batches := [][]int{{512, 4096, 4096, 100}, {1152, 256, 100}, {25088, 4096, 4096, 1000}}, []int{64, 128, 192, 256, 512, 1024}
	if testing.Short() {
		all, batches = [][]int{{512, 16, 10}}, batches[:1]
	}
	for _, widths := range all {
		for _, rows := range batches {
			for _, narrow := range []bool{false, true} {
				name := fmt.Sprintf("%d/%d rows/%s", widths[0], rows, map[bool]string{false: "f32", true: "bf16"}[narrow])
				b.Run(name, func(b *testing.B) { trainDense(b, widths, rows, narrow) })
			}
		}
	}
}

func trainDense(b *testing.B, widths []int, rows int, narrow bool) {
	e := open(b, cuda.Config{Precision: "bf16"})
	g := gorgonia.NewGraph()
	filled := func(name string, limit float64, dims ...int) *gorgonia.Node {
		data := make([]float32, op.Len(dims))
		numtest.FillUniform(name, 1, limit, data)
		return gorgonia.NewTensor(g, tensor.Float32, len(dims), gorgonia.WithShape(dims...), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(dims...), tensor.WithBacking(data))))
	}
	apply := func(o op.Op, in ...*gorgonia.Node) *gorgonia.Node {
		y, err := op.Apply(o, in...)
		require.NoError(b, err)
		return y
	}
	x := filled("x", 1, rows, widths[0])
	y := apply(&op.Scale{Factor: 2}, x)
	var weights gorgonia.Nodes
	for i, units := range widths[1:] {
		w, shift := filled(fmt.Sprint("w", i), 0.02, widths[i], units), filled(fmt.Sprint("b", i), 0.1, units)
		weights = append(weights, w, shift)
		if y = apply(&op.BiasAdd{Axis: 1}, apply(&op.MatMul{}, y, w), shift); i < len(widths)-2 {
			y = apply(&op.ReLU{}, y)
		}
	}
	classes := make([]int, rows)
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(rows), gorgonia.WithName("labels"), gorgonia.WithValue(tensor.New(tensor.WithBacking(classes))))
	loss := apply(&op.Mean{}, apply(&op.SoftmaxCrossEntropy{}, y, labels))
	grads, err := gorgonia.Grad(loss, weights...)
	require.NoError(b, err)
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(float32(1e-3)))
	var updates []op.Update
	for i, w := range weights {
		updates = append(updates, op.Update{Target: w, New: apply(&op.Descend{}, w, grads[i], lr)})
	}
	engine := graph.Engine(wideDense{e})
	if narrow {
		engine = smallDense{e}
	}
	m, err := graph.Compile(g, graph.WithEngine(engine), graph.WithOutputs(loss), graph.WithUpdates(updates...), graph.WithResident(append(weights, x)...))
	require.NoError(b, err)
	defer func() { require.NoError(b, m.Close()) }()
	start := func() {
		require.NoError(b, m.Feed())
		require.NoError(b, m.StartNext())
	}
	for range 3 { // the second makes a CUDA graph
		start()
		require.NoError(b, m.Wait())
	}
	b.ResetTimer()
	start()
	for range b.N - 1 { // one run is always behind the one under way
		start()
		require.NoError(b, m.Wait())
	}
	require.NoError(b, m.Wait())
	b.StopTimer()
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "images/s")
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// BenchmarkUpdates times Adam's update of all parameters of ResNet-50, and the sum of its penalties: bytes that have to be moved over
// time. Compare with what the device copies, twice the bytes of a copy over its time.
func BenchmarkUpdates(b *testing.B) {
	a, err := arch.ByName("resnet50", arch.Config{})
	require.NoError(b, err)
	model, err := a.Model()
	require.NoError(b, err)
	g := gorgonia.NewGraph()
	zeros := func(name string, dims tensor.Shape) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(dims), gorgonia.WithShape(dims...), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(dims...), tensor.Of(tensor.Float32))))
	}
	apply := func(o op.Op, in ...*gorgonia.Node) *gorgonia.Node {
		y, err := op.Apply(o, in...)
		require.NoError(b, err)
		return y
	}
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(float32(0.1)))
	t := gorgonia.NewScalar(g, tensor.Int, gorgonia.WithName("t"), gorgonia.WithValue(1))
	var updates []op.Update
	var penalty *gorgonia.Node
	var resident gorgonia.Nodes
	elements := 0
	for _, weight := range model.Weights() {
		if !weight.Trainable {
			continue
		}
		n, s := weight.Name, tensor.Shape(weight.Shape)
		w, m, v, d := zeros(n, s), zeros(n+"/m", s), zeros(n+"/v", s), zeros(n+"/g", s)
		resident = append(resident, d)
		m1, v1 := apply(&op.AdamMean{Beta: 0.9}, m, d), apply(&op.AdamSquare{Beta: 0.999}, v, d)
		updates = append(updates, op.Update{Target: m, New: m1}, op.Update{Target: v, New: v1},
			op.Update{Target: w, New: apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, w, m1, v1, lr, t)})
		p := apply(&op.L2Penalty{Lambda: 1e-4}, w)
		if penalty == nil {
			penalty = p
		} else {
			penalty = apply(&op.Add{}, penalty, p)
		}
		elements += s.TotalSize()
	}
	last := apply(&op.Scale{Factor: 2}, lr) // something to wait for
	for name, c := range map[string]struct {
		bytes int // of an element
		opts  []graph.Option
	}{
		"adam":      {7 * 4, []graph.Option{graph.WithOutputs(last), graph.WithUpdates(updates...), graph.WithResident(resident...)}},
		"penalties": {4, []graph.Option{graph.WithOutputs(penalty)}},
	} {
		b.Run(name, func(b *testing.B) {
			e := open(b, cuda.Config{})
			m, err := graph.Compile(g, append(c.opts, graph.WithEngine(e))...)
			require.NoError(b, err)
			defer m.Close()
			start := func() {
				require.NoError(b, m.Feed())
				require.NoError(b, m.StartNext())
			}
			for range 3 {
				start()
				require.NoError(b, m.Wait())
			}
			require.NoError(b, m.Sync())
			b.SetBytes(int64(elements * c.bytes))
			b.ResetTimer()
			start()
			for range b.N - 1 { // one run is always behind the one under way
				start()
				require.NoError(b, m.Wait())
			}
			require.NoError(b, m.Wait())
			b.StopTimer()
		})
	}
}

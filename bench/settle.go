package bench

import (
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/philox"
	"github.com/stheno-ml/stheno/nn"
)

// settling is the number of images that running averages are computed of before inference is timed.
const settling = 2

// settled is usual for c, with weights that make inference tell images apart: running averages are those of some images, where the initial
// ones, 0 and 1, let the numbers of a deep network vanish or grow until nothing is left of the image; and a last layer that training
// begins with at 0 has small weights of chance.
func settled(e graph.Engine, c Case) (func(*nn.Model) error, error) {
	if c.Mode == Train {
		return usual, nil
	}
	stats, err := settle(e, c)
	if err != nil {
		return nil, err
	}
	return func(m *nn.Model) error {
		if err := usual(m); err != nil {
			return err
		}
		for _, w := range m.Weights() {
			values := w.Value.Data().([]float32)
			if s, ok := stats[w.Name]; ok {
				copy(values, s)
			} else if strings.HasSuffix(w.Name, "/kernel") && allZero(values) {
				chance := random(w.Name)
				for i := range values {
					values[i] = 0.1 * (philox.Float32(chance.Uint32()) - 0.5)
				}
			}
		}
		return nil
	}, nil
}

// settle computes the running averages of c's network, by name: the statistics of some images.
func settle(e graph.Engine, c Case) (map[string][]float32, error) {
	m, err := c.model()
	if err != nil {
		return nil, err
	}
	if err := usual(m); err != nil {
		return nil, err
	}
	b := few(c, settling)
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("images"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(settling, c.Size, c.Size, 3), tensor.WithBacking(b.images))))
	net, err := m.Build(g, nn.BuildConfig{Batch: settling, Input: x, Training: true, Dtype: tensor.Float32, Seed: seed})
	if err != nil {
		return nil, err
	}
	if net.Step != nil {
		if err := gorgonia.Let(net.Step, 0); err != nil {
			return nil, err
		}
	}
	averages := averagesOf(net)
	if len(averages) == 0 {
		return nil, nil
	}
	var nodes gorgonia.Nodes
	for _, a := range averages {
		nodes = append(nodes, a.statistic)
	}
	machine, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(nodes...))
	if err != nil {
		return nil, err
	}
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		return nil, err
	}
	stats := map[string][]float32{}
	for i, n := range nodes {
		v, err := machine.Value(n)
		if err != nil {
			return nil, err
		}
		a, err := op.AsArray(v)
		if err != nil {
			return nil, err
		}
		stats[averages[i].weight.Name] = append([]float32(nil), a.Data.([]float32)...)
	}
	return stats, nil
}

func allZero(values []float32) bool {
	for _, v := range values {
		if v != 0 {
			return false
		}
	}
	return true
}

package graph_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// stockNet is a small net of stock operations, trained with dropout and batch norm, and with an operation that is left to
// Gorgonia.
type stockNet struct {
	g       *gorgonia.ExprGraph
	w       *gorgonia.Node
	outputs []*gorgonia.Node
	norm    *gorgonia.BatchNormOp
}

func newStockNet(t *testing.T) *stockNet {
	b := enginetest.NewB(t, tensor.Float64)
	x, w := b.Input("x", 3, 2, 6, 5), b.Input("w", 4, 2, 3, 3)
	y := must(gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	y, _, _, norm, err := gorgonia.BatchNorm(y, b.Positive("gamma", 1, 4, 1, 1), b.Input("beta", 1, 4, 1, 1), 0.25, 1e-3)
	require.NoError(t, err)
	y = must(gorgonia.MaxPool2D(must(gorgonia.Rectify(y)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	y = must(gorgonia.Dropout(must(gorgonia.Reshape(y, tensor.Shape{3, 24})), 0.25))
	cost := must(gorgonia.Mean(must(gorgonia.Square(must(gorgonia.Mul(y, b.Input("v", 24, 5)))))))
	_, err = gorgonia.Grad(cost, w)
	require.NoError(t, err)
	host := must(gorgonia.Sparsemax(must(gorgonia.Mul(y, b.Input("u", 24, 3)))))
	return &stockNet{b.G, w, []*gorgonia.Node{cost, y, host}, norm}
}

func (s *stockNet) machine(t *testing.T, e graph.Engine, opts ...gorgonia.VMOpt) *graph.Machine {
	m := graph.NewTapeMachine(s.g, append(opts, graph.Using(graph.WithEngine(e)), graph.WithSeed(11), graph.Keep(s.outputs...))...)
	require.NoError(t, m.Err())
	return m
}

// values runs a machine some times and returns the outputs of all runs.
func (s *stockNet) values(m *graph.Machine, runs int) (all []any, err error) {
	for range runs {
		if err := m.RunAll(); err != nil {
			return nil, err
		}
		for _, n := range s.outputs {
			v, err := m.Value(n)
			if err != nil {
				return nil, err
			}
			if v, err = gorgonia.CloneValue(v); err != nil {
				return nil, err
			}
			all = append(all, v.Data())
		}
	}
	return all, nil
}

// Machines of one graph and of several run at once, some on one engine and some on others, and every run gives what it gives
// alone. Gradients in dual values and running averages, which the machines of a graph share, are changed by each run once.
func TestMachinesAtOnce(t *testing.T) {
	const graphs, each, runs = 3, 3, 3
	alone := newStockNet(t)
	shared := openCPU(t)
	var want []any
	for range each { // one after the other
		m := alone.machine(t, shared, gorgonia.BindDualValues(alone.w))
		var err error
		want, err = alone.values(m, runs)
		require.NoError(t, err)
		require.NoError(t, m.Close())
	}

	var nets []*stockNet
	for range graphs { // Gorgonia cannot build graphs at the same time
		nets = append(nets, newStockNet(t))
	}
	var wg sync.WaitGroup
	failed := make(chan error, graphs*(each+2))
	start := func(f func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(); err != nil {
				failed <- err
			}
		}()
	}
	for _, s := range nets {
		for i := range each {
			e := shared
			if i == 0 {
				e = openCPU(t)
			}
			start(func() error {
				m := s.machine(t, e, gorgonia.BindDualValues(s.w)) // compiled at the same time too
				got, err := s.values(m, runs)
				if err != nil {
					return err
				}
				for k := range want {
					if fmt.Sprint(got[k]) != fmt.Sprint(want[k]) {
						return fmt.Errorf("run %d, output %d: %v, alone %v", k/len(s.outputs), k%len(s.outputs), got[k], want[k])
					}
				}
				return m.Close()
			})
		}
		for range 2 { // these read the running averages, at some point of their way
			start(func() error {
				m := s.machine(t, shared, gorgonia.EvalMode())
				if _, err := s.values(m, runs); err != nil {
					return err
				}
				return m.Close()
			})
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for _, s := range nets {
		grad, err := s.w.Grad()
		require.NoError(t, err)
		wanted, err := alone.w.Grad()
		require.NoError(t, err)
		numtest.AssertClose(t, wanted, grad, numtest.Tol(tensor.Float64, numtest.Gradient), "sum of the gradients of all runs")
		m0, v0 := alone.norm.Stats()
		m1, v1 := s.norm.Stats()
		numtest.AssertClose(t, m0, m1, numtest.Tol(tensor.Float64, numtest.Reduction), "running mean")
		numtest.AssertClose(t, v0, v1, numtest.Tol(tensor.Float64, numtest.Reduction), "running variance")
	}
}

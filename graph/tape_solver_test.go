package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/enginetest"
)

// solvers are all of Gorgonia's, with all their options.
var solvers = map[string]func() gorgonia.Solver{
	"vanilla": func() gorgonia.Solver { return gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.2)) },
	"vanilla with L1, L2, clipping and batch size": func() gorgonia.Solver {
		return gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5), gorgonia.WithL1Reg(0.01), gorgonia.WithL2Reg(0.02), gorgonia.WithClip(0.05), gorgonia.WithBatchSize(3))
	},
	"momentum": func() gorgonia.Solver {
		return gorgonia.NewMomentum(gorgonia.WithLearnRate(0.1), gorgonia.WithMomentum(0.8))
	},
	"momentum with L1, L2, clipping and batch size": func() gorgonia.Solver {
		return gorgonia.NewMomentum(gorgonia.WithLearnRate(0.1), gorgonia.WithL1Reg(0.01), gorgonia.WithL2Reg(0.01), gorgonia.WithClip(0.05), gorgonia.WithBatchSize(3))
	},
	"adagrad": func() gorgonia.Solver { return gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(0.05)) },
	"adam":    func() gorgonia.Solver { return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.02)) },
	"adam with L1, L2, clipping, batch size and all else": func() gorgonia.Solver {
		return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.02), gorgonia.WithL1Reg(0.01), gorgonia.WithL2Reg(0.01), gorgonia.WithClip(0.05),
			gorgonia.WithBatchSize(3), gorgonia.WithBeta1(0.8), gorgonia.WithBeta2(0.99), gorgonia.WithEps(1e-4))
	},
	"adamw": func() gorgonia.Solver { return gorgonia.NewAdamW(gorgonia.WithLearnRate(0.02)) },
	"rmsprop": func() gorgonia.Solver {
		return gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.01), gorgonia.WithRho(0.9), gorgonia.WithEps(1e-4))
	},
	"rmsprop with L2 and clipping": func() gorgonia.Solver {
		return gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.01), gorgonia.WithL2Reg(0.001), gorgonia.WithClip(0.05))
	},
	"barzilai-borwein": func() gorgonia.Solver { return gorgonia.NewBarzilaiBorweinSolver(gorgonia.WithLearnRate(0.01)) },
}

// Stock solvers see the gradients that they expect: loss curves are Gorgonia's, step by step.
func TestTapeSolvers(t *testing.T) {
	for netName, build := range map[string]func(testing.TB, tensor.Dtype) *tapeNet{"perceptron": perceptron, "convnet": convnet} {
		for name, newSolver := range solvers {
			for _, dt := range floatTypes {
				if name == "barzilai-borwein" && dt == tensor.Float32 {
					continue // it fails on them
				}
				t.Run(fmt.Sprintf("%s, %s, %v", netName, name, dt), func(t *testing.T) {
					both(t, 5*closeEnough(dt), func(t *testing.T, vm newVM) (losses []float64) {
						n := build(t, dt)
						m := vm(n.G, gorgonia.BindDualValues(n.weights...))
						defer m.Close()
						solver := newSolver()
						for range 20 {
							require.NoError(t, m.RunAll())
							require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(n.weights)))
							losses = append(losses, numbers(t, n.read)...)
							m.Reset()
						}
						if name == "adamw" {
							require.Equal(t, losses[0], losses[19], "if it moves the weights now, docs/gorgonia.md must change")
						} else {
							require.NotEqual(t, losses[0], losses[19], "the solver solves nothing")
						}
						return losses
					})
				})
			}
		}
	}
}

// Weights and inputs that are scalars: linear regression as in Gorgonia's example.
func TestTapeSolversOnScalars(t *testing.T) {
	for name, newSolver := range solvers {
		if name == "adamw" || name == "barzilai-borwein" || name == "adagrad" {
			continue // do not know scalars, or only of one type
		}
		for _, dt := range floatTypes {
			t.Run(fmt.Sprintf("%s, %v", name, dt), func(t *testing.T) {
				both(t, 5*closeEnough(dt), func(t *testing.T, vm newVM) (all []float64) {
					b := enginetest.NewB(t, dt)
					x, y := b.Input("x", 7), b.Input("y", 7)
					m, c := b.Scalar("m", 0.3), b.Scalar("c", -0.2)
					line := built(gorgonia.Add(built(gorgonia.Mul(x, m)), c))
					cost := built(gorgonia.Mean(built(gorgonia.Square(built(gorgonia.Sub(line, y))))))
					built(gorgonia.Grad(cost, m, c))
					var read gorgonia.Value
					gorgonia.Read(cost, &read)
					model := gorgonia.NodesToValueGrads(gorgonia.Nodes{m, c})
					machine := vm(b.G, gorgonia.BindDualValues(m, c))
					defer machine.Close()
					solver := newSolver()
					for range 20 {
						require.NoError(t, machine.RunAll())
						require.NoError(t, solver.Step(model))
						all = append(all, numbers(t, read, m.Value(), c.Value())...)
						machine.Reset()
					}
					return all
				})
			})
		}
	}
}

// Weights that the program replaces, with gorgonia.Let, keep their gradients and train on.
func TestTapeReplacedWeights(t *testing.T) {
	both(t, 1e-9, func(t *testing.T, vm newVM) (all []float64) {
		n := perceptron(t, tensor.Float64)
		m := vm(n.G, gorgonia.BindDualValues(n.weights...))
		defer m.Close()
		solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.02))
		for i := range 6 {
			if i == 3 {
				for _, w := range n.weights {
					require.NoError(t, gorgonia.Let(w, n.Input("another "+w.Name(), w.Shape()...).Value()))
				}
			}
			require.NoError(t, m.RunAll())
			require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(n.weights)))
			all = append(all, numbers(t, n.read)...)
			m.Reset()
		}
		return append(all, numbers(t, n.weights[0].Value(), n.weights[1].Value())...)
	})
}

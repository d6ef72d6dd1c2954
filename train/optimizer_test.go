package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestOptimizersAreThoseOfKerasAndPyTorch runs five steps of every optimizer on given gradients.
func TestOptimizersAreThoseOfKerasAndPyTorch(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/optimizers.json")
	for name, opt := range map[string]train.Optimizer{
		"sgd":                 train.SGD{},
		"sgd_momentum":        train.SGD{Momentum: 0.9},
		"sgd_nesterov":        train.SGD{Momentum: 0.9, Nesterov: true},
		"sgd_weight_decay":    train.SGD{Momentum: 0.9, WeightDecay: 0.05},
		"adam":                train.Adam{},
		"adam_tiny_gradients": train.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7},
	} {
		t.Run(name, func(t *testing.T) {
			c := golden.Case(t, name)
			w0, grads, want := c.Tensor("w0").Float32(), c.Tensor("g").Float32(), c.Tensor("w")
			n := len(w0)
			g := gorgonia.NewGraph()
			vector := func(name string, values []float32) *gorgonia.Node {
				return gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(n), gorgonia.WithName(name),
					gorgonia.WithValue(tensor.New(tensor.WithShape(n), tensor.WithBacking(values))))
			}
			scalars := train.NewScalars(g)
			gradient := make([]float32, n)
			weight := &nn.Weight{Name: "w", Shape: tensor.Shape{n}}
			w := vector("w", w0)
			p := &train.Parameter{Weight: weight, Variable: w, Value: w, Gradient: vector("g", gradient), Scalars: scalars}
			for _, slot := range opt.Slots(weight) {
				p.Slots = append(p.Slots, vector(slot.Name, make([]float32, n)))
			}
			updates, err := opt.Updates(p)
			require.NoError(t, err)
			m, err := graph.Compile(g, graph.WithEngine(engine(t, 1)), graph.WithUpdates(updates...))
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			for i := range 5 {
				copy(gradient, grads[i*n:])
				scalars.Set(c.Float("learning_rate"), i+1)
				require.NoError(t, m.RunAll())
				numtest.AssertClose(t, want.Data[i*n:(i+1)*n], w0, numtest.GoldenTol(tensor.Float32, numtest.Reduction), "weights")
			}
		})
	}
}

// TestMomentumInTheText: what the text of an optimizer says of its momentum counts, 0 too, whatever Config.Momentum is.
func TestMomentumInTheText(t *testing.T) {
	for text, want := range map[string]float64{"sgd": 0.9, "sgd:nesterov": 0.9, "sgd:momentum=0": 0, "sgd: momentum = 0.5": 0.5} {
		c := train.DefaultConfig()
		c.Optimizer = text
		opt, err := train.NewOptimizer(c)
		require.NoError(t, err)
		require.Equal(t, want, opt.(train.SGD).Momentum, text)
	}
	c := small(t)
	c.Epochs, c.Optimizer = 1, "sgd:momentum=0"
	_, err := run(t, c, nil)
	require.NoError(t, err)
	saved := resumed(t, c)
	require.Zero(t, saved.Momentum, "run.json does not say what is not so")
	require.NotContains(t, tensorsOf(t, c.Out), "optimizer/momentum/conv2d/kernel")
	saved.Epochs, saved.Optimizer = 2, "sgd" // the same, in other words
	_, err = run(t, saved, nil)
	require.NoError(t, err)
}

// TestNothingToTrain says so.
func TestNothingToTrain(t *testing.T) {
	m := tiny(t, 0)
	require.NoError(t, m.SetTrainable(false))
	_, err := train.NewTrainStep(engine(t, 1), m, train.SGD{}, train.Slots{}, 2, 1)
	require.ErrorContains(t, err, "no weight of the model is trained")
}

// FuzzOptimizerText: no text of options panics, and what is understood is an optimizer.
func FuzzOptimizerText(f *testing.F) {
	for _, text := range append(train.Optimizers(), "adam:beta_2=0.98,amsgrad", "muon:exclude=a|b,ns_steps=3", "sgd:momentum=0.5,nesterov", "lars:trust=1e-3") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := train.DefaultConfig()
		c.Optimizer = text
		opt, err := train.NewOptimizer(c)
		if err != nil {
			return
		}
		require.Contains(t, train.Optimizers(), opt.Name())
		require.NotContains(t, opt.Slots(&nn.Weight{Name: "w", Shape: tensor.Shape{2, 3}}), train.Slot{})
	})
}

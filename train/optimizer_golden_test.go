package train

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// TestOptimizersAreKeras makes ten steps of every optimizer with four weights of different ranks, on an engine as in training.
func TestOptimizersAreKeras(t *testing.T) {
	wide := regexp.MustCompile("wide")
	for file, cases := range map[string]map[string]Optimizer{
		"optimizers_keras": {
			"adam_amsgrad":     Adam{AMSGrad: true},
			"adam_betas":       Adam{Beta1: 0.8, Beta2: 0.95, Epsilon: 0.01},
			"adamw":            AdamW{},
			"adamax":           Adamax{},
			"nadam":            NAdam{},
			"rmsprop":          RMSProp{},
			"rmsprop_momentum": RMSProp{Rho: 0.8, Momentum: 0.9},
			"rmsprop_centered": RMSProp{Momentum: 0.5, Centered: true, Epsilon: 1e-3},
		},
		"optimizers_keras_more": {
			"adagrad":    Adagrad{},
			"adadelta":   Adadelta{},
			"lion":       Lion{WeightDecay: 0.1},
			"lamb":       LAMB{WeightDecay: 0.1},
			"muon":       Muon{},
			"muon_plain": Muon{Plain: true, Steps: 3, Exclude: wide},
		},
		"optimizers_lars": {
			"lars":              LARS{},
			"lars_momentum":     LARS{Momentum: 0.9},
			"lars_nesterov_all": LARS{Momentum: 0.9, Nesterov: true, AdaptAll: true},
			"lars_decay":        LARS{Momentum: 0.9, Trust: 0.02, WeightDecay: 0.05},
		},
		"optimizers_base": {
			"clipvalue":             Base{Optimizer: SGD{Momentum: 0.9}, ClipValue: 0.3},
			"clipnorm":              Base{Optimizer: SGD{Momentum: 0.9}, ClipNorm: 1},
			"global_clipnorm":       Base{Optimizer: Adam{}, GlobalClipNorm: 2},
			"global_clipnorm_large": Base{Optimizer: SGD{}, GlobalClipNorm: 1000},
			"sgd_decoupled":         Base{Optimizer: SGD{Momentum: 0.9, Nesterov: true}, WeightDecay: 0.2, NoDecay: regexp.MustCompile("bias")},
			"ema":                   Base{Optimizer: Adam{}, EMA: 0.99},
			"ema_overwrite":         Base{Optimizer: SGD{Momentum: 0.9}, EMA: 0.8, EMAOverwrite: 3},
			"accumulate":            Base{Optimizer: SGD{Momentum: 0.9}, ClipNorm: 1, Accumulate: true},
		},
	} {
		golden := numtest.LoadGolden(t, "testdata/golden/"+file+".json")
		require.Len(t, cases, len(golden.Cases), file)
		for name, opt := range cases {
			t.Run(name, func(t *testing.T) { tenSteps(t, golden.Case(t, name), opt) })
		}
	}
}

var goldenShapes = []nn.Weight{{Name: "conv/kernel", Shape: tensor.Shape{2, 1, 2, 3}}, {Name: "dense/kernel", Shape: tensor.Shape{4, 3}},
	{Name: "wide/kernel", Shape: tensor.Shape{2, 5}}, {Name: "dense/bias", Shape: tensor.Shape{3}}}

func tenSteps(t *testing.T, c *numtest.Case, opt Optimizer) {
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	values := make([]*tensor.Dense, len(goldenShapes))
	slots := Slots{}
	for i, w := range goldenShapes {
		values[i] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
		if w.Name != "dense/bias" {
			numtest.FillUniform("w0/"+w.Name, 7, 1, values[i].Data().([]float32))
		}
		for _, s := range opt.Slots(&w) {
			slots[s.Name+"/"+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
			for j, data := 0, slots[s.Name+"/"+w.Name].Data().([]float32); j < len(data); j++ {
				data[j] = float32(s.Initial)
			}
		}
	}
	base, _ := opt.(Base)
	update := compileGolden(t, e, opt, values, slots, false)
	hold := update
	every := 1
	if base.Accumulate {
		hold, every = compileGolden(t, e, opt, values, slots, true), 2
	}
	for step := 1; step <= 10; step++ {
		s, last := hold, step%every == 0
		if last {
			s = update
		}
		if base.Accumulate {
			*s.scalars.scalar(partName, nil).value, *s.scalars.scalar(keepName, nil).value = 0.5, gorgonia.F32(truth(last))
		}
		for i, w := range goldenShapes {
			numtest.FillUniform(fmt.Sprintf("g/%d/%s", step, w.Name), 7, 1, s.grads[i])
		}
		s.scalars.Set(c.Float("learning_rate"), (step-1)/every+1)
		require.NoError(t, s.machine.RunAll())
		for i, w := range goldenShapes {
			n := w.Shape.TotalSize()
			want := c.Tensor("w/" + w.Name).Data[(step-1)*n : step*n]
			numtest.AssertClose(t, want, values[i].Data().([]float32), optimizerTol(opt), w.Name)
			if base.EMA != 0 {
				numtest.AssertClose(t, c.Tensor("ema/" + w.Name).Data[(step-1)*n:step*n], slots["ema/"+w.Name].Data().([]float32), optimizerTol(opt), "average of "+w.Name)
			}
		}
		require.False(t, t.Failed(), "step %d", step)
	}
}

// optimizerTol is that of sums in float32, as Keras has its rates in; Muon's iterations magnify rounding.
func optimizerTol(opt Optimizer) numtest.Tolerance {
	tol := numtest.GoldenTol(tensor.Float32, numtest.Reduction)
	if _, ok := opt.(Muon); ok {
		tol.Abs, tol.Rel = 2e-5, 2e-5
	}
	return tol
}

type goldenStep struct {
	machine *graph.Machine
	scalars *Scalars
	grads   [][]float32
}

func compileGolden(t *testing.T, e graph.Engine, opt Optimizer, values []*tensor.Dense, slots Slots, hold bool) *goldenStep {
	g := gorgonia.NewGraph()
	s := &goldenStep{scalars: NewScalars(g)}
	net := &nn.Net{Graph: g}
	var grads gorgonia.Nodes
	for i, w := range goldenShapes {
		s.grads = append(s.grads, make([]float32, w.Shape.TotalSize()))
		own := w
		own.Trainable = true
		node := func(name string, v *tensor.Dense) *gorgonia.Node {
			return gorgonia.NewTensor(g, tensor.Float32, w.Shape.Dims(), gorgonia.WithShape(w.Shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
		}
		net.Params = append(net.Params, nn.Param{Weight: &own, Node: node(w.Name, values[i])})
		grads = append(grads, node("gradient of "+w.Name, tensor.New(tensor.WithShape(w.Shape...), tensor.WithBacking(s.grads[i]))))
	}
	ps := parameters(net, grads, opt, slots, s.scalars)
	updates, err := updatesOf(opt, ps, hold)
	require.NoError(t, err)
	s.machine, err = graph.Compile(g, graph.WithEngine(e), graph.WithUpdates(updates...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.machine.Close()) })
	return s
}

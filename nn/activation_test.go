package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestGoldenActivations(t *testing.T) {
	for _, file := range []string{"activations_vectors", "activations_images"} {
		layers := map[string]Layer{}
		for _, f := range Nonlinearities() {
			layers[string(f)] = Activation{Func: f}
		}
		goldenLayers(t, file, layers)
	}
}

func TestGoldenActivationLayers(t *testing.T) {
	goldenLayers(t, "activation_layers", map[string]Layer{
		"relu":                 ReLULayer{},
		"relu max 6":           ReLULayer{MaxValue: 6},
		"relu max 3":           ReLULayer{MaxValue: 3},
		"relu slope":           ReLULayer{NegativeSlope: 0.5},
		"relu threshold":       ReLULayer{Threshold: 1},
		"relu slope max":       ReLULayer{NegativeSlope: 0.125, MaxValue: 6},
		"relu slope threshold": ReLULayer{NegativeSlope: 0.25, Threshold: 0.75},
		"relu all":             ReLULayer{NegativeSlope: 0.25, Threshold: 0.75, MaxValue: 2},
		"relu steep":           ReLULayer{NegativeSlope: 2},
		"leaky":                LeakyReLULayer{},
		"leaky 0.1":            LeakyReLULayer{NegativeSlope: 0.1},
		"elu":                  ELULayer{},
		"elu 0.5":              ELULayer{Alpha: 0.5},
		"prelu":                PReLU{},
		"prelu images":         PReLU{},
		"prelu shared":         PReLU{SharedAxes: []int{1, 2}},
		"prelu shared last":    PReLU{SharedAxes: []int{-1}},
		"softmax":              SoftmaxLayer{},
		"softmax images":       SoftmaxLayer{},
		"softmax axis 1":       SoftmaxLayer{Axis: 1},
		"softmax axis 2":       SoftmaxLayer{Axis: 2},
		"softmax axis -2":      SoftmaxLayer{Axis: -2},
	})
}

// Every function of a layer's Activation field is that of the layer Activation behind it, and has its derivative.
func TestActivationsOfLayers(t *testing.T) {
	for _, f := range Nonlinearities() {
		t.Run(string(f), func(t *testing.T) {
			models := map[bool]*Model{}
			for _, field := range []bool{false, true} {
				b := NewBuilder("m")
				in := b.Input(Shape{3, 3, 2})
				first, second := Conv2D{Filters: 3, Kernel: K(2), Name: "first"}, Dense{Units: 4, Name: "second"}
				if field {
					first.Activation, second.Activation = f, f
				}
				x := b.Add(first, in)
				if !field {
					x = b.Add(Activation{Func: f}, x)
				}
				x = b.Add(second, b.Add(Flatten{}, x))
				if !field {
					x = b.Add(Activation{Func: f}, x)
				}
				m, err := b.Model(in, x)
				require.NoError(t, err)
				require.NoError(t, m.Initialize(5, tensor.Float64))
				models[field] = m
			}
			x := random(tensor.Float64, 7, 3, 3, 3, 2)
			require.Equal(t, predict(t, models[false], x, true), predict(t, models[true], x, true))
			numtest.CheckGrad(t, func(g *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
				net, err := models[true].Build(g, BuildConfig{Input: ins[0], Training: true})
				if err != nil {
					return nil, err
				}
				return net.Output, nil
			}, []*tensor.Dense{x}, numtest.GradOptions{})
		})
	}
}

// What no function may do to what training meets: large numbers and NaN.
func TestActivationsOfExtremes(t *testing.T) {
	x := tensor.New(tensor.WithShape(1, 5), tensor.WithBacking([]float64{math.Inf(1), 1e30, 0, -1e30, math.Inf(-1)}))
	wants := map[Nonlinearity][5]float64{
		ReLU: {math.Inf(1), 1e30, 0, 0, 0}, ReLU6: {6, 6, 0, 0, 0}, LeakyReLU: {math.Inf(1), 1e30, 0, -2e29, math.Inf(-1)},
		ELU: {math.Inf(1), 1e30, 0, -1, -1}, Sigmoid: {1, 1, 0.5, 0, 0}, Softplus: {math.Inf(1), 1e30, math.Ln2, 0, 0},
		Tanh: {1, 1, 0, -1, -1}, HardSigmoid: {1, 1, 0.5, 0, 0}, LogSigmoid: {0, 0, -math.Ln2, -1e30, math.Inf(-1)},
		HardTanh: {1, 1, 0, -1, -1}, SparseSigmoid: {1, 1, 0.5, 0, 0}, SoftShrink: {math.Inf(1), 1e30, 0, -1e30, math.Inf(-1)},
		Mish: {math.Inf(1), 1e30, 0, 0, math.NaN()}, // −∞·0, as in Keras
	}
	for _, f := range Nonlinearities() {
		for _, nan := range []bool{false, true} {
			b := NewBuilder("m")
			in := b.Input(Shape{5})
			m, err := b.Model(in, b.Add(Activation{Func: f}, in))
			require.NoError(t, err)
			in64 := x.Clone().(*tensor.Dense)
			if nan {
				in64.Data().([]float64)[2] = math.NaN()
			}
			g := gorgonia.NewGraph()
			net, err := m.Build(g, BuildConfig{Batch: 1, Dtype: tensor.Float64})
			require.NoError(t, err)
			run(t, g, func() { bind(t, net, in64, 0) })
			got := float64s(t, net.Output.Value())
			if nan && f != HardShrink && f != Softmax && f != LogSoftmax { // which says |NaN| > 0.5 is false, as TensorFlow does
				require.True(t, math.IsNaN(got[2]), "%s of NaN is %v", f, got[2])
			}
			if want, ok := wants[f]; ok && !nan {
				for i := range want {
					require.True(t, got[i] == want[i] || math.Abs(got[i]-want[i]) <= 1e-15*math.Abs(want[i]) || math.IsNaN(got[i]) && math.IsNaN(want[i]),
						"%s(%v) is %v, want %v", f, x.Data().([]float64)[i], got[i], want[i])
				}
			}
		}
	}
}

// ReLU stays the operation that passes look for, and the others become loops, with the layer's name.
func TestActivationsFuse(t *testing.T) {
	for f, want := range map[Nonlinearity]string{ReLU: "ReLU", ReLU6: "Loop", SiLU: "Loop", HardSwish: "Loop", GELU: "Loop", ELU: "Loop"} {
		b := NewBuilder("m")
		in := b.Input(Shape{8, 8, 4})
		m, err := b.Model(in, b.Add(Activation{Func: f}, in))
		require.NoError(t, err)
		net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2})
		require.NoError(t, err)
		p, err := graph.PlanFor(net.Graph, graph.WithOutputs(net.Output))
		require.NoError(t, err)
		require.Len(t, p.Steps, 1, f)
		require.Equal(t, want, p.Steps[0].Instr.Kind())
		require.Equal(t, "activation", net.Output.Name())
	}
}

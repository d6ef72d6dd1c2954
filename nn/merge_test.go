package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestGoldenMerges(t *testing.T) {
	goldenLayers(t, "merges", map[string]Layer{
		"add":                   Add{},
		"add stretched":         Add{},
		"subtract":              Subtract{},
		"subtract stretched":    Subtract{},
		"multiply":              Multiply{},
		"multiply stretched":    Multiply{},
		"average":               Average{},
		"average stretched":     Average{},
		"maximum":               Maximum{},
		"maximum stretched":     Maximum{},
		"maximum ties":          Maximum{},
		"minimum":               Minimum{},
		"minimum stretched":     Minimum{},
		"minimum ties":          Minimum{},
		"concatenate":           Concatenate{},
		"concatenate images":    Concatenate{},
		"concatenate first":     Concatenate{},
		"concatenate axis 2":    Concatenate{Axis: 2},
		"concatenate axis -2":   Concatenate{Axis: -2},
		"dot":                   Dot{Axes: [2]int{1, 1}},
		"dot normalized":        Dot{Normalize: true},
		"dot matrices":          Dot{Axes: [2]int{2, 1}},
		"dot matrix and vector": Dot{Axes: [2]int{1, 1}},
		"dot last":              Dot{Normalize: true},
	})
}

// A sum of inputs of one shape stays the operation that passes look for.
func TestAddIsOneOperation(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{4})
	m, err := b.Model(in, b.Add(Add{}, in, in))
	require.NoError(t, err)
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2})
	require.NoError(t, err)
	require.IsType(t, &op.Add{}, net.Output.Op())
}

func TestMergeErrors(t *testing.T) {
	for _, c := range []struct {
		layer Layer
		in    []Shape
		kind  error
		want  string
	}{
		{Add{}, []Shape{{4, 4, 2}, {4, 4, 3}}, ErrShape, "wants inputs of one shape, input 0 is (None, 4, 4, 2), input 1 is (None, 4, 4, 3)"},
		{Multiply{}, []Shape{{4, 1}, {4, 3}, {2, 3}}, ErrShape, "input 0 is (None, 4, 1), input 2 is (None, 2, 3)"},
		{Subtract{}, []Shape{{4}, {4}, {4}}, ErrArgument, "takes 2 inputs, got 3"},
		{Maximum{}, []Shape{{4}}, ErrArgument, "takes at least 2 inputs, got 1"},
		{Average{}, nil, ErrArgument, "has no input"},
		{Concatenate{}, []Shape{{4, 3}, {5, 3}}, ErrShape, "differ on axis 2 alone, input 0 is (None, 4, 3), input 1 is (None, 5, 3)"},
		{Concatenate{}, []Shape{{4, 3}, {3}}, ErrShape, "differ on axis 2 alone"},
		{Concatenate{Axis: 3}, []Shape{{4, 3}, {4, 3}}, ErrArgument, "Axis: 3 is not one of the axes of (None, 4, 3) behind the batch"},
		{Concatenate{Axis: -3}, []Shape{{4, 3}, {4, 3}}, ErrArgument, "Axis: -3 is not one of the axes"},
		{Dot{}, []Shape{{4}, {3}}, ErrShape, "axis 1 of input 0 has 4, axis 1 of input 1 has 3"},
		{Dot{Axes: [2]int{1, 2}}, []Shape{{4}, {4}}, ErrArgument, "Axes: 2 is not one of the axes of (None, 4)"},
		{Dot{}, []Shape{{1 << 16, 16}, {1 << 16, 16}}, ErrShape, "more than 2³⁴ elements"},
	} {
		b := NewBuilder("m")
		var in []*Tensor
		for _, s := range c.in {
			in = append(in, b.Input(s))
		}
		b.Add(c.layer, in...)
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}

func TestGoldenResponseNorm(t *testing.T) {
	goldenLayers(t, "response_norm", map[string]Layer{
		"defaults": LocalResponseNormalization{},
		"alexnet":  LocalResponseNormalization{DepthRadius: 2, Bias: 2, Alpha: 1e-4, Beta: 0.75},
		"strong":   LocalResponseNormalization{DepthRadius: 1, Bias: 0.5, Alpha: 2, Beta: 1},
		"power":    LocalResponseNormalization{DepthRadius: 7, Bias: 3, Alpha: 0.25, Beta: 0.3},
	})
}

// PyTorch's size, alpha, beta and k are these of TensorFlow's arguments.
func TestResponseNormOfPyTorch(t *testing.T) {
	for _, c := range numtest.LoadGolden(t, "testdata/golden/response_norm_torch.json").Cases {
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			size := c.Int("size")
			l := LocalResponseNormalization{DepthRadius: (size - 1) / 2, Bias: c.Float("k"), Alpha: c.Float("alpha") / float64(size), Beta: c.Float("beta")}
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				x := c.Tensor("x").Dense(dt)
				b := NewBuilder("")
				b.DataFormat = ChannelsFirst
				in := b.Input(Shape(x.Shape()[1:]))
				m, err := b.Model(in, b.Add(l, in))
				require.NoError(t, err)
				g := gorgonia.NewGraph()
				net, err := m.Build(g, BuildConfig{Batch: x.Shape()[0], Dtype: dt})
				require.NoError(t, err)
				dy := gorgonia.NewTensor(g, dt, 4, gorgonia.WithShape(x.Shape()...), gorgonia.WithName("dy"), gorgonia.WithValue(c.Tensor("dy").Dense(dt)))
				grads, err := gorgonia.Backpropagate(gorgonia.Nodes{net.Output}, gorgonia.Nodes{dy}, gorgonia.Nodes{net.Input})
				require.NoError(t, err)
				run(t, g, func() { require.NoError(t, gorgonia.Let(net.Input, x)) })
				numtest.AssertClose(t, c.Tensor("y"), net.Output.Value(), numtest.GoldenTol(dt, numtest.Reduction), "y")
				numtest.AssertClose(t, c.Tensor("dx"), grads[0].Value(), numtest.GoldenTol(dt, numtest.Gradient), "dx")
			}
		})
	}
}

func TestResponseNormErrors(t *testing.T) {
	for want, l := range map[string]Layer{
		"DepthRadius must not be negative, is -1":       LocalResponseNormalization{DepthRadius: -1},
		"Alpha must not be negative or infinite, is -1": LocalResponseNormalization{Alpha: -1},
		"Bias must not be negative or infinite, is -1":  LocalResponseNormalization{Bias: -1},
		"Beta must not be negative or infinite, is -1":  LocalResponseNormalization{Beta: -1},
	} {
		b := NewBuilder("m")
		b.Add(l, b.Input(Shape{4, 4, 2}))
		require.ErrorIs(t, b.Err(), ErrArgument)
		require.ErrorContains(t, b.Err(), want)
	}
	b := NewBuilder("m")
	b.Add(LocalResponseNormalization{}, b.Input(Shape{4}))
	require.ErrorIs(t, b.Err(), ErrShape)
	require.ErrorContains(t, b.Err(), "wants images")
}

// The operators with a number are called and named as in Keras, where they and the layers of two inputs are numbered together.
func TestOperatorsWithNumbers(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{3})
	x := b.Add(MultiplyNumber{Number: -0.5}, b.Add(AddNumber{Number: 3}, in))
	y := b.Add(Add{}, x, b.Add(Multiply{}, in, x))
	require.Equal(t, "add_1", y.Layer())
	m, err := b.Model(in, y)
	require.NoError(t, err)
	var classes []string
	for _, l := range m.Layers()[1:] {
		classes = append(classes, l.Class+" "+l.Name)
	}
	require.Equal(t, []string{"Add add", "Multiply multiply", "Multiply multiply_1", "Add add_1"}, classes)
	v := tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float32{-3, 0, 5}))
	require.Equal(t, []float64{0, -1.5, -24}, predict(t, m, v, false)) // −(x+3)/2·(1+x)
	b = NewBuilder("")
	in = b.Input(Shape{4})
	x = b.Add(MultiplyNumber{Number: 2}, b.Add(AddNumber{Number: -1}, b.Add(Dense{Units: 4}, in)))
	m, err = b.Model(in, b.Add(Dense{Units: 3, Activation: Softmax}, x))
	require.NoError(t, err)
	checkGradients(t, m, random(tensor.Float64, 1, 5, 4), labelsOf(5, 3), true)
	for _, l := range []Layer{AddNumber{Number: math.NaN()}, MultiplyNumber{Number: math.Inf(1)}} {
		b := NewBuilder("")
		b.Add(l, b.Input(Shape{4}))
		require.ErrorIs(t, b.Err(), ErrArgument)
		require.ErrorContains(t, b.Err(), "Number must be a finite number")
	}
}

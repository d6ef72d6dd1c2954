package nn

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestGoldenMoreLayers(t *testing.T) {
	goldenLayers(t, "layers_more", map[string]Layer{
		"dense":           Dense{Units: 4, Activation: Tanh},
		"dense sequences": Dense{Units: 4, Activation: ReLU},
		"dense images":    Dense{Units: 3, Activation: Softmax},
		"dense one step":  Dense{Units: 2, NoBias: true},
		"reshape":         Reshape{Target: Shape{3, -1, 2}},
		"reshape vector":  Reshape{Target: Shape{-1}},
		"permute":         Permute{Dims: []int{2, 3, 1}},
		"identity":        IdentityLayer{},
	})
}

// Embeddings of integers and of floats are Keras's, and so is the gradient of the table.
func TestGoldenEmbedding(t *testing.T) {
	layers := map[string]Embedding{"sequences": {InputDim: 7, OutputDim: 3}, "one": {InputDim: 4, OutputDim: 5}, "images": {InputDim: 3, OutputDim: 2}}
	for _, c := range numtest.LoadGolden(t, "testdata/golden/embedding.json").Cases {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, integers := range []bool{true, false} {
				for _, engine := range []bool{true, false} {
					t.Run(c.Name, func(t *testing.T) { checkEmbedding(t, c.For(t), layers[c.Name], dt, integers, engine) })
				}
			}
		}
	}
}

func checkEmbedding(t *testing.T, c *numtest.Case, l Embedding, dt tensor.Dtype, integers, engine bool) {
	input, x := Input{Shape: c.Tensor("x").Shape[1:]}, c.Tensor("x").Dense(dt)
	if integers {
		input.Dtype, x = tensor.Int, c.Tensor("x").Dense(tensor.Int)
	}
	b := NewBuilder("")
	in := b.Add(input)
	out := b.Add(l, in)
	m, err := b.Model(in, out)
	require.NoError(t, err)
	require.Equal(t, c.Str("layer"), out.Layer())
	require.Equal(t, c.Ints("shape")[1:], []int(out.Shape()))
	require.NoError(t, m.Allocate(dt))
	require.Equal(t, "embedding/"+c.Str("weights"), m.Weights()[0].Name)
	require.NoError(t, m.Weights()[0].Set(c.Tensor("embeddings").Dense(dt)))
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: x.Shape()[0]})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, x))
	dy := c.Tensor("dy")
	up := gorgonia.NewTensor(g, dt, len(dy.Shape), gorgonia.WithShape(dy.Shape...), gorgonia.WithName("dy"), gorgonia.WithValue(dy.Dense(dt)))
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{net.Output}, gorgonia.Nodes{up}, net.Trainable())
	require.NoError(t, err)
	y, dw := net.Output, grads[0]
	if !engine {
		run(t, g, func() {})
		numtest.AssertClose(t, c.Tensor("y"), y.Value(), numtest.GoldenTol(dt, numtest.Elementwise), "y")
		numtest.AssertClose(t, c.Tensor("dembeddings"), dw.Value(), numtest.GoldenTol(dt, numtest.Gradient), "dembeddings")
		return
	}
	vm, err := graph.Compile(g, graph.WithOutputs(y, dw))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	onEngine(t, vm)
	for n, name := range map[*gorgonia.Node]string{y: "y", dw: "dembeddings"} {
		v, err := vm.Value(n)
		require.NoError(t, err)
		numtest.AssertClose(t, c.Tensor(name), v, numtest.GoldenTol(dt, numtest.Gradient), name)
	}
}

// onEngine wants no step that runs through an operation's own Do.
func onEngine(t *testing.T, vm *graph.Machine) {
	for _, s := range vm.Explain().Steps {
		require.NotContains(t, s.Operation, "Host")
	}
}

func TestEmbeddingOfUnknownIndex(t *testing.T) {
	b := NewBuilder("")
	in := b.Add(Input{Shape: Shape{2}, Dtype: tensor.Int})
	m, err := b.Model(in, b.Add(Embedding{InputDim: 3, OutputDim: 2}, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
	require.NoError(t, err)
	vm, err := graph.Compile(net.Graph, graph.WithOutputs(net.Output))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, gorgonia.Let(net.Input, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]int{0, 3}))))
	require.ErrorContains(t, vm.RunAll(), "3")
}

// The input's element type is the Input layer's, whoever makes the node.
func TestIntegerInputs(t *testing.T) {
	b := NewBuilder("")
	in := b.Add(Input{Shape: Shape{2}, Dtype: tensor.Int})
	m, err := b.Model(in, b.Add(Dense{Units: 2}, b.Add(Flatten{}, b.Add(Embedding{InputDim: 3, OutputDim: 2}, in))))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithShape(3, 2), gorgonia.WithName("x"))
	net, err := m.Build(g, BuildConfig{Input: x})
	require.NoError(t, err)
	require.Equal(t, tensor.Float32, net.Output.Dtype())
	floats := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(3, 2), gorgonia.WithName("floats"))
	_, err = m.Build(g, BuildConfig{Input: floats})
	require.ErrorIs(t, err, ErrArgument)
	require.ErrorContains(t, err, `wants an input of int, "floats" is`)
	b = NewBuilder("")
	b.Add(Input{Shape: Shape{2}, Dtype: tensor.Int64})
	require.ErrorContains(t, b.Err(), "Dtype int64 is not supported")
	b = NewBuilder("")
	in = b.Add(Input{Shape: Shape{2}, Dtype: tensor.Int})
	m, err = b.Model(in, b.Add(Dense{Units: 2}, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	_, err = m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
	require.Error(t, err, "a product with integers")
}

func TestLambda(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{4})
	both := b.Add(Lambda{OutputShape: Shape{2}, Func: func(c *Context, x []*gorgonia.Node) *gorgonia.Node {
		return c.Expr(op.Of(x[0]).Mul(op.Of(x[1])).Slice(-1, 0, 2))
	}}, in, b.Add(Dense{Units: 4, KernelInitializer: Ones{}}, in))
	m, err := b.Model(in, b.Add(Lambda{Name: "square", Func: func(c *Context, x []*gorgonia.Node) *gorgonia.Node { return c.Op(&op.Mul{}, x[0], x[0]) }}, both))
	require.NoError(t, err)
	require.Equal(t, "lambda", both.Layer())
	require.NoError(t, m.Initialize(1, tensor.Float64))
	x := tensor.New(tensor.WithShape(1, 4), tensor.WithBacking([]float64{1, 2, 3, 4}))
	require.Equal(t, []float64{100, 400}, predict(t, m, x, false))

	b = NewBuilder("")
	b.Add(Lambda{}, b.Input(Shape{4}))
	require.ErrorContains(t, b.Err(), "has no Func")
	b = NewBuilder("")
	in = b.Input(Shape{4})
	m, err = b.Model(in, b.Add(Lambda{OutputShape: Shape{3}, Func: func(_ *Context, x []*gorgonia.Node) *gorgonia.Node { return x[0] }}, in))
	require.NoError(t, err)
	_, err = m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2})
	require.ErrorIs(t, err, ErrShape)
	require.ErrorContains(t, err, "Infer promised (2, 3), Apply made (2, 4)")
}

// What the random layers draw has the wanted mean and spread, is the same on Gorgonia's machine and the CPU engine, depends on
// the step and on nothing else, and inference leaves the input alone.
func TestRandomLayers(t *testing.T) {
	for name, c := range map[string]struct {
		layer        Layer
		mean, stddev float64 // of what it makes of ones
	}{
		"GaussianNoise":    {GaussianNoise{Stddev: 0.25}, 1, 0.25},
		"GaussianDropout":  {GaussianDropout{Rate: 0.2}, 1, 0.5},
		"SpatialDropout2D": {SpatialDropout2D{Rate: 0.2}, 1, 0.5},
		"Dropout":          {Dropout{Rate: 0.2}, 1, 0.5},
		"of channels":      {Dropout{Rate: 0.2, NoiseShape: []int{0, 1, 1, 0}}, 1, 0.5},
		"of all":           {Dropout{Rate: 0.2, NoiseShape: []int{0, 0, 4, 64}}, 1, 0.5},
		"AlphaDropout":     {AlphaDropout{Rate: 0.2}, 0.703124, 0.96964},
	} {
		t.Run(name, func(t *testing.T) {
			const batch, size, channels = 32, 4, 64
			b := NewBuilder("")
			in := b.Input(Shape{size, size, channels})
			m, err := b.Model(in, b.Add(c.layer, in))
			require.NoError(t, err)
			ones := make([]float32, batch*size*size*channels)
			for i := range ones {
				ones[i] = 1
			}
			x := tensor.New(tensor.WithShape(batch, size, size, channels), tensor.WithBacking(ones))
			require.Equal(t, float64s(t, x), predict(t, m, x, false))
			draw := func(step int, engine bool) []float64 {
				g := gorgonia.NewGraph()
				net, err := m.Build(g, BuildConfig{Batch: batch, Training: true, Seed: 5})
				require.NoError(t, err)
				bind(t, net, x, step)
				if !engine {
					run(t, g, func() {})
					return float64s(t, net.Output.Value())
				}
				vm, err := graph.Compile(g, graph.WithOutputs(net.Output))
				require.NoError(t, err)
				defer vm.Close()
				require.NoError(t, vm.RunAll())
				onEngine(t, vm)
				v, err := vm.Value(net.Output)
				require.NoError(t, err)
				return float64s(t, v)
			}
			y := draw(3, true)
			require.InDeltaSlice(t, draw(3, false), y, 1e-6)
			require.NotEqual(t, y, draw(4, true))
			var mean, square float64
			for _, v := range y {
				mean += v / float64(len(y))
				square += v * v / float64(len(y))
			}
			tolerance := 5 * c.stddev / math.Sqrt(float64(len(y)))
			if name == "SpatialDropout2D" || name == "of channels" {
				tolerance *= size // one draw for all positions
				for i := range y {
					require.Equal(t, y[i/(size*size*channels)*size*size*channels+i%channels], y[i], "the channels of an image are dropped whole")
				}
			}
			require.InDelta(t, c.mean, mean, tolerance)
			require.InDelta(t, c.stddev, math.Sqrt(square-mean*mean), 3*tolerance)
		})
	}
}

// Dropout with a noise shape keeps or drops together what has one choice, and draws for the rest; Keras computes it likewise from its
// own random numbers: kept values are divided by what is kept.
func TestDropoutNoiseShape(t *testing.T) {
	for _, c := range []struct {
		noise  []int
		choice func(sample, row, column, channel int) int // which of the choices an element follows
		count  int
	}{
		{[]int{0, 1, 1, 1}, func(s, _, _, _ int) int { return s }, 64},
		{[]int{1, 0, 1, 8}, func(_, r, _, c int) int { return r*8 + c }, 48},
		{[]int{1, 1, 1, 1}, func(_, _, _, _ int) int { return 0 }, 1},
	} {
		b := NewBuilder("")
		in := b.Input(Shape{6, 5, 8})
		m, err := b.Model(in, b.Add(Dropout{Rate: 0.25, NoiseShape: c.noise}, in))
		require.NoError(t, err)
		x := random(tensor.Float32, 1, 64, 6, 5, 8)
		require.Equal(t, float64s(t, x), predict(t, m, x, false))
		g := gorgonia.NewGraph()
		net, err := m.Build(g, BuildConfig{Batch: 64, Training: true, Seed: 7})
		require.NoError(t, err)
		run(t, g, func() { bind(t, net, x, 2) })
		from, y, kept := float64s(t, x), float64s(t, net.Output.Value()), map[int]bool{}
		for i := range y {
			choice := c.choice(i/240, i/40%6, i/8%5, i%8)
			if before, met := kept[choice]; met {
				require.Equal(t, before, y[i] != 0, "%v: element %d", c.noise, i)
			}
			if kept[choice] = y[i] != 0; y[i] != 0 {
				require.InEpsilon(t, from[i]/0.75, y[i], 1e-6)
			}
		}
		require.Len(t, kept, c.count)
		if c.count > 1 {
			require.Contains(t, slices.Collect(maps.Values(kept)), true)
			require.Contains(t, slices.Collect(maps.Values(kept)), false)
		}
	}
}

// Alpha dropout keeps mean and variance of what is standardized.
func TestAlphaDropoutNormalizes(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{1 << 16})
	m, err := b.Model(in, b.Add(AlphaDropout{Rate: 0.3}, in))
	require.NoError(t, err)
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: 1, Training: true, Dtype: tensor.Float64})
	require.NoError(t, err)
	run(t, g, func() { bind(t, net, random(tensor.Float64, 2, 1, 1<<16), 1) })
	var mean, square float64
	for _, v := range float64s(t, net.Output.Value()) {
		mean += v / (1 << 16)
		square += v * v / (1 << 16)
	}
	require.InDelta(t, 0, mean, 0.02)
	require.InDelta(t, 1, square, 0.03)
}

// Gradients through random layers are those of what was drawn.
func TestGradientsOfRandomLayers(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		b := NewBuilder("")
		b.DataFormat = f
		in := b.Input(Shape{3, 4, 2})
		x := b.Add(Conv2D{Filters: 4, Kernel: K(2)}, in)
		x = b.Add(GaussianNoise{Stddev: 0.3}, b.Add(SpatialDropout2D{Rate: 0.4}, x))
		x = b.Add(AlphaDropout{Rate: 0.3}, b.Add(GaussianDropout{Rate: 0.5}, x))
		x = b.Add(SpatialDropout1D{Rate: 0.5}, b.Add(Reshape{Target: Shape{-1, 2}}, x))
		m, err := b.Model(in, b.Add(Dense{Units: 3}, b.Add(Flatten{}, x)))
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 2, 3, 4, 2), labelsOf(2, 3), true)

		b = NewBuilder("")
		b.DataFormat = f
		in = b.Input(Shape{3, 4, 2})
		x = b.Add(Dropout{Rate: 0.5, NoiseShape: []int{0, 1, 1, 1}}, b.Add(Conv2D{Filters: 4, Kernel: K(2)}, in))
		x = b.Add(Dropout{Rate: 0.5, NoiseShape: []int{1, 0, 1, 0}}, x)
		m, err = b.Model(in, b.Add(Dense{Units: 3, Activation: Softmax}, b.Add(Flatten{}, x)))
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 6, 3, 4, 2), labelsOf(6, 3), true)
	}
}

func TestMoreLayerErrors(t *testing.T) {
	for _, c := range []struct {
		layer Layer
		in    Shape
		kind  error
		want  string
	}{
		{Embedding{OutputDim: 2}, Shape{3}, ErrArgument, "InputDim must be at least 1, is 0"},
		{Embedding{InputDim: 2}, Shape{3}, ErrArgument, "OutputDim must be at least 1, is 0"},
		{Embedding{InputDim: 1 << 30, OutputDim: 1 << 30}, Shape{3}, ErrArgument, "more than 2³⁴ elements"},
		{GaussianNoise{Stddev: -1}, Shape{3}, ErrArgument, "Stddev must not be negative or infinite, is -1"},
		{GaussianDropout{Rate: 1}, Shape{3}, ErrArgument, "Rate must be at least 0 and less than 1, is 1"},
		{AlphaDropout{Rate: -0.5}, Shape{3}, ErrArgument, "Rate must be at least 0"},
		{SpatialDropout2D{Rate: 0.5}, Shape{3}, ErrShape, "wants images"},
		{Dropout{Rate: 0.5, NoiseShape: []int{0, 1}}, Shape{3, 2}, ErrShape, "NoiseShape [0 1] has 2 axes, the input has 3 with the batch"},
		{Dropout{Rate: 0.5, NoiseShape: []int{0, 2}}, Shape{3}, ErrArgument, "NoiseShape [0 2] has 2 on axis 1"},
		{Dropout{Rate: 0.5, NoiseShape: []int{8, 1}}, Shape{3}, ErrArgument, "NoiseShape [8 1] has 8 on axis 0"},
		{SpatialDropout1D{Rate: math.NaN()}, Shape{3, 2}, ErrArgument, "Rate must be at least 0"},
		{SpatialDropout1D{Rate: 0.5}, Shape{3, 2, 2}, ErrShape, "wants sequences"},
	} {
		b := NewBuilder("m")
		b.Add(c.layer, b.Input(c.in))
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}

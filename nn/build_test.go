package nn

import (
	"cmp"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestGraphsShareWeights(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	x := random(tensor.Float32, 1, 2, 7, 6, 2)
	tr := newTrainer(t, m, x, labelsOf(2, 4), false, false)
	before := tr.run(t)
	other := newTrainer(t, m, x, labelsOf(2, 4), false, false)
	for i, p := range other.net.Params {
		require.True(t, p.Node.Value() == gorgonia.Value(m.Weights()[i].Value), "no copy")
		require.True(t, tr.net.Params[i].Node.Value() == p.Node.Value())
	}
	w, err := m.Weight("dense_1/bias")
	require.NoError(t, err)
	w.Value.Data().([]float32)[1] += 3
	require.NotEqual(t, before, tr.run(t))
	require.Equal(t, tr.run(t), other.run(t))
}

func TestNodeNames(t *testing.T) {
	m := tinyResidual(t, ChannelsLast)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	g := gorgonia.NewGraph()
	first, err := m.Build(g, BuildConfig{Batch: 4, Training: true})
	require.NoError(t, err)
	for _, name := range []string{"input_1", "conv2d", "conv2d/kernel", "batch_normalization/batch_mean", "add", "add/Add", "batch_normalization/moving_mean/update", "activation_2", "dense", "dense/MatMul"} {
		require.Len(t, g.ByName(name), 1, name)
	}
	require.Equal(t, "activation_2", first.Output.Name())
	require.Equal(t, "dense", first.Logits.Name())

	second, err := m.Build(g, BuildConfig{Batch: 2})
	require.NoError(t, err)
	require.Equal(t, "residual/input_1", second.Input.Name())
	require.Equal(t, "residual/activation_2", second.Output.Name())
	require.Equal(t, first.Params, second.Params, "one graph has one node of a weight")

	twin, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	third, err := twin.Build(g, BuildConfig{Batch: 2})
	require.NoError(t, err)
	require.Equal(t, "residual_1/input_1", third.Input.Name())
	require.Equal(t, "residual_1/conv2d/kernel", third.Params[0].Node.Name())
	require.NotSame(t, first.Params[0].Node, third.Params[0].Node)

	// The names first given stay, even where the graph recognises equal nodes.
	fourth, err := m.Build(nil, BuildConfig{Input: second.Input})
	require.NoError(t, err)
	require.Same(t, second.Input, fourth.Input)
	require.Len(t, g.ByName("residual/conv2d"), 1)
	require.Empty(t, g.ByName("residual_2/conv2d"))
	seen := map[string]bool{}
	for _, n := range g.AllNodes() {
		require.False(t, seen[n.Name()], "two nodes are called %s", n.Name())
		seen[n.Name()] = true
	}
}

// One step moves the running averages as tf.keras does: unbiased variance for images, biased for vectors.
func TestBatchNormalizationUpdates(t *testing.T) {
	for _, c := range []struct {
		name   string
		layer  BatchNormalization
		in     Shape
		format DataFormat
		axis   int // of the channels, counted without the batch
		batch  int
		unbias bool
	}{
		{"images", BatchNormalization{}, Shape{3, 2, 4}, ChannelsLast, 2, 3, true},
		{"channels first", BatchNormalization{Momentum: 0.9}, Shape{4, 3, 2}, ChannelsFirst, 0, 3, true},
		{"explicit axis", BatchNormalization{Axis: -2}, Shape{3, 2, 4}, ChannelsLast, 1, 3, true},
		{"biased on demand", BatchNormalization{BiasedMovingVariance: true}, Shape{3, 2, 4}, ChannelsLast, 2, 3, false},
		{"vectors", BatchNormalization{Momentum: 0.5}, Shape{4}, ChannelsLast, 0, 5, false},
		{"one element a channel", BatchNormalization{}, Shape{1, 1, 4}, ChannelsLast, 2, 1, true},
		{"one channel", BatchNormalization{}, Shape{3, 3, 1}, ChannelsLast, 2, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder("m")
			b.DataFormat = c.format
			in := b.Input(c.in)
			m, err := b.Model(in, b.Add(c.layer, in))
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float64))
			g := gorgonia.NewGraph()
			net, err := m.Build(g, BuildConfig{Batch: c.batch, Training: true})
			require.NoError(t, err)
			require.Len(t, net.Updates, 2)
			x := random(tensor.Float64, 5, append([]int{c.batch}, c.in...)...)
			run(t, g, func() { bind(t, net, x, 0) })
			require.NoError(t, net.ApplyUpdates())

			channels := c.in[c.axis]
			inner := Shape(c.in[c.axis+1:]).Size()
			sum, square, n := make([]float64, channels), make([]float64, channels), float64(x.Len()/channels)
			for i, v := range x.Data().([]float64) {
				sum[i/inner%channels] += v / n
			}
			for i, v := range x.Data().([]float64) {
				square[i/inner%channels] += (v - sum[i/inner%channels]) * (v - sum[i/inner%channels]) / n
			}
			momentum := cmp.Or(c.layer.Momentum, 0.99)
			for i := range channels {
				if c.unbias && n > 1 {
					square[i] *= n / (n - 1)
				}
				sum[i] *= 1 - momentum
				square[i] = momentum + (1-momentum)*square[i]
			}
			mean, err := m.Weight("batch_normalization/moving_mean")
			require.NoError(t, err)
			variance, err := m.Weight("batch_normalization/moving_variance")
			require.NoError(t, err)
			require.InDeltaSlice(t, sum, mean.Value.Data(), 1e-12)
			require.InDeltaSlice(t, square, variance.Value.Data(), 1e-12)
		})
	}
}

func TestInferenceHasNoUpdatesAndNoStep(t *testing.T) {
	for _, m := range []*Model{tinyCNN(t, ChannelsLast), tinyResidual(t, ChannelsLast)} {
		net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, ShapesOnly: true})
		require.NoError(t, err)
		require.Empty(t, net.Updates)
		require.Nil(t, net.Step)
		require.Nil(t, net.Params[0].Node.Value(), "only shapes")
	}
}

func TestDropoutFollowsSeedAndStep(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{64})
	x := b.Add(Dropout{Rate: 0.5}, in)
	m, err := b.Model(in, b.Add(Dropout{Rate: 0.25}, x))
	require.NoError(t, err)
	ones := tensor.New(tensor.WithShape(1, 64), tensor.WithBacking(make([]float32, 64)))
	require.NoError(t, ones.Memset(float32(1)))
	at := func(seed uint64, step int) []float64 {
		g := gorgonia.NewGraph()
		counter := gorgonia.NewScalar(g, tensor.Int, gorgonia.WithName("counter"))
		net, err := m.Build(g, BuildConfig{Batch: 1, Training: true, Seed: seed, Step: counter})
		require.NoError(t, err)
		require.Same(t, counter, net.Step)
		run(t, g, func() { bind(t, net, ones, step) })
		return float64s(t, net.Output.Value())
	}
	require.Equal(t, at(1, 5), at(1, 5))
	require.NotEqual(t, at(1, 5), at(1, 6))
	require.NotEqual(t, at(1, 5), at(2, 5))
	kept := map[float64]int{}
	for step := range 50 {
		for _, v := range at(3, step) {
			kept[math.Round(v*1000)/1000]++
		}
	}
	require.Len(t, kept, 2)
	require.InDelta(t, 50*64*0.375, kept[2.667], 110, "the layers draw independently")
}

func TestPenaltyAndLoss(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	x := random(tensor.Float64, 1, 2, 7, 6, 2)
	tr := newTrainer(t, m, x, labelsOf(2, 4), false, false)
	loss := tr.run(t)
	penalty := 0.0
	for _, w := range m.Weights() {
		l2, _ := w.Regularizer.(L2)
		for _, v := range w.Value.Data().([]float64) {
			penalty += float64(l2) * v * v
		}
	}
	require.Greater(t, penalty, 0.0)
	require.InDelta(t, penalty, float64s(t, tr.net.Penalty.Value())[0], 1e-12)
	p := float64s(t, tr.net.Output.Value())
	require.InDelta(t, penalty-(math.Log(p[1])+math.Log(p[4]))/2, loss, 1e-12)

	b := NewBuilder("m")
	in := b.Input(Shape{3})
	plain, err := b.Model(in, b.Add(Dense{Units: 3, KernelInitializer: Constant{1e4}}, in))
	require.NoError(t, err)
	require.NoError(t, plain.Initialize(1, tensor.Float64))
	net, err := plain.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
	require.NoError(t, err)
	require.Nil(t, net.Penalty)
	require.Same(t, net.Output, net.Logits, "no softmax at the end")
}

// A softmax's loss comes from its logits, whatever their size; bare probabilities are clipped as in Keras.
func TestLossIsStable(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{2})
	m, err := b.Model(in, b.Add(Activation{Func: Softmax}, in))
	require.NoError(t, err)
	x := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{1e4, -1e4}))
	y := tensor.New(tensor.WithShape(1), tensor.WithBacking([]int{1}))
	require.Equal(t, 2e4, newTrainer(t, m, x, y, false, false).run(t))

	same, err := b.Model(in, b.Add(Activation{}, in))
	require.NoError(t, err)
	p := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{1, 0}))
	clone, err := same.Clone(tensor.Float64)
	require.NoError(t, err)
	g := gorgonia.NewGraph()
	net, err := clone.Build(g, BuildConfig{Batch: 1, Dtype: tensor.Float64})
	require.NoError(t, err)
	require.Same(t, net.Input, net.Output, "a linear activation adds nothing")
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(1), gorgonia.WithName("y"), gorgonia.WithValue(y))
	loss, err := SparseCategoricalCrossentropy(net.Output, labels)
	require.NoError(t, err)
	run(t, g, func() { bind(t, net, p, 0) })
	require.InDelta(t, -math.Log(1e-7), float64s(t, loss.Value())[0], 1e-6)
	_, err = SparseCategoricalCrossentropy(nil, labels)
	require.ErrorContains(t, err, "nil")
}

// Weights of one element are vectors, not scalars.
func TestSingleUnits(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{4, 4, 1})
	x := b.Add(Conv2D{Filters: 1, Kernel: K(1), Activation: ReLU, BiasInitializer: Ones{}}, in)
	x = b.Add(BatchNormalization{}, x)
	x = b.Add(Flatten{}, x)
	x = b.Add(Dense{Units: 1}, x)
	m, err := b.Model(in, b.Add(Activation{Func: Softmax}, x))
	require.NoError(t, err)
	for _, batch := range []int{1, 2} {
		m, err := m.Clone(tensor.Float64)
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 4, batch, 4, 4, 1), labelsOf(batch, 1), true)
	}
}

// The running averages also move in a stock machine that differentiates and binds gradients.
func TestApplyUpdatesWhileTraining(t *testing.T) {
	x, y := random(tensor.Float64, 6, 4, 6, 5, 2), labelsOf(4, 3)
	var want []float64
	for _, differentiate := range []bool{false, true} {
		m := tinyResidual(t, ChannelsLast)
		require.NoError(t, m.Initialize(1, tensor.Float64))
		tr := newTrainer(t, m, x, y, true, differentiate)
		if differentiate {
			tr.vm = gorgonia.NewTapeMachine(tr.net.Graph, gorgonia.BindDualValues(tr.net.Trainable()...))
			bind(t, tr.net, x, 3)
		}
		var got []float64
		for range 3 {
			tr.run(t)
			require.NoError(t, tr.net.ApplyUpdates())
		}
		for _, w := range m.Weights() {
			if !w.Trainable {
				got = append(got, float64s(t, w.Value)...)
			}
		}
		if differentiate {
			require.Equal(t, want, got)
		}
		want = got
	}
}

// The layers that only move numbers, and a model that changes its data format on the way.
func TestMovingLayers(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{6})
	x := b.Add(Reshape{Target: Shape{2, -1, 1}}, in)                // rows 0 1 2 and 3 4 5
	x = b.Add(ZeroPadding2D{Padding: [2][2]int{{0, 0}, {1, 0}}}, x) // a column of zeros on the left
	x = b.Add(Permute{Dims: []int{3, 2, 1}}, x)                     // one channel, four columns become rows
	b.DataFormat = ChannelsFirst
	x = b.Add(MaxPooling2D{Pool: [2]int{2, 1}}, x)
	x = b.Add(Flatten{}, x)
	m, err := b.Model(in, b.Add(Reshape{Target: Shape{4}}, x))
	require.NoError(t, err)
	require.Equal(t, ChannelsFirst, m.DataFormat())
	require.Equal(t, Shape{1, 2, 2}, m.Layers()[4].OutputShape)
	got := predict(t, m, tensor.New(tensor.WithShape(1, 6), tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5})), false)
	require.Equal(t, []float64{0, 3, 2, 5}, got)
}

func TestBuildRefusesAnInputWithoutShape(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{2})
	m, err := b.Model(in, b.Add(Dense{Units: 1}, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	g := gorgonia.NewGraph()
	_, err = m.Build(g, BuildConfig{Input: gorgonia.NewTensor(g, tensor.Float32, 2, gorgonia.WithName("x"))})
	require.ErrorIs(t, err, ErrShape)
	require.ErrorContains(t, err, `the input node "x" has no shape`)
}

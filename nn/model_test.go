package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func names[T any](xs []T, name func(T) string) []string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = name(x)
	}
	return out
}

func weightName(w *Weight) string { return w.Name }

// Keras orders by the distance from the output, then by the walk from the output; unused layers are left out.
func TestKerasOrder(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{4})
	long := b.Add(Dense{Units: 3, Name: "long1"}, in)
	long = b.Add(Dense{Units: 3, Name: "long2"}, long)
	b.Add(Dense{Units: 9, Name: "unused"}, long)
	short := b.Add(Dense{Units: 3, Name: "short"}, in)
	sum := b.Add(Add{}, short, long)
	m, err := b.Model(in, sum)
	require.NoError(t, err)
	order := names(m.Layers(), func(l LayerInfo) string { return l.Name })
	require.Equal(t, []string{"input_1", "long1", "short", "long2", "add"}, order)
	require.Equal(t, []string{"long1/kernel", "long1/bias", "short/kernel", "short/bias", "long2/kernel", "long2/bias"},
		names(m.Weights(), weightName))
	require.Equal(t, []string{"short", "long2"}, m.Layers()[4].Inputs)
	require.Equal(t, Dense{Units: 3, Name: "short"}, m.Layers()[2].Config)

	part, err := b.Model(in, long) // a second model of the same builder shares the weights
	require.NoError(t, err)
	require.Same(t, m.Weights()[0], part.Weights()[0])
}

func TestWeights(t *testing.T) {
	m := tinyResidual(t, ChannelsLast)
	require.Equal(t, []string{"conv2d/kernel", "batch_normalization/gamma", "batch_normalization/beta",
		"batch_normalization/moving_mean", "batch_normalization/moving_variance", "conv2d_1/kernel",
		"batch_normalization_1/beta", "batch_normalization_1/moving_mean", "batch_normalization_1/moving_variance",
		"batch_normalization_2/gamma", "batch_normalization_2/moving_mean", "batch_normalization_2/moving_variance",
		"batch_normalization_3/gamma", "batch_normalization_3/beta", "batch_normalization_3/moving_mean",
		"batch_normalization_3/moving_variance", "dense/kernel", "dense/bias"}, names(m.Weights(), weightName))
	w, err := m.Weight("conv2d_1/kernel")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3, 3, 2, 4}, w.Shape, "groups divide the input channels")
	require.True(t, w.Trainable)
	require.Nil(t, w.Value)
	_, err = m.Weight("conv2d_1/kernl")
	require.ErrorContains(t, err, `did you mean "conv2d_1/kernel"?`)
	_, ok := m.Dtype()
	require.False(t, ok)

	total, trainable, fixed := m.CountParams()
	require.Equal(t, []int{72 + 16 + 72 + 12 + 12 + 16 + 15, 72 + 8 + 72 + 4 + 4 + 8 + 15, 4 * 8}, []int{total, trainable, fixed})
}

func TestInitializeAgainWritesInPlace(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	value := m.Weights()[0].Value
	first := append([]float32(nil), value.Data().([]float32)...)
	require.NoError(t, m.Initialize(2, tensor.Float32))
	require.Same(t, value, m.Weights()[0].Value)
	require.NotEqual(t, first, value.Data())
	require.NoError(t, m.Initialize(1, tensor.Float32))
	require.Equal(t, first, value.Data())

	require.ErrorIs(t, m.Initialize(1, tensor.Float64), ErrArgument)
	require.ErrorContains(t, m.Initialize(1, tensor.Float64), "use Clone")
	require.ErrorContains(t, m.Initialize(1, tensor.Int), "not supported")
}

func TestCloneIsDeep(t *testing.T) {
	m := tinyResidual(t, ChannelsLast)
	empty, err := m.Clone(tensor.Float64)
	require.NoError(t, err)
	require.Nil(t, empty.Weights()[0].Value)
	require.Equal(t, m.Summary(), empty.Summary())

	require.NoError(t, m.Initialize(1, tensor.Float32))
	c, err := m.Clone(tensor.Float64)
	require.NoError(t, err)
	a, b := m.Weights()[0].Value.Data().([]float32), c.Weights()[0].Value.Data().([]float64)
	require.Equal(t, float64(a[3]), b[3])
	b[3] = 77
	require.NotEqual(t, float32(77), a[3])
	w, err := c.Weight("dense/bias")
	require.NoError(t, err)
	w.Shape[0], w.Trainable = 99, false
	original, err := m.Weight("dense/bias")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3}, original.Shape)
	require.True(t, original.Trainable)
	_, err = m.Clone(tensor.Int)
	require.ErrorIs(t, err, ErrArgument)
}

func TestWeightSet(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	w := m.Weights()[0]
	values := random(tensor.Float64, 3, w.Shape...)
	require.ErrorIs(t, w.Set(values), ErrUninitialized)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	require.NoError(t, w.Set(values))
	require.Equal(t, float32(values.Data().([]float64)[5]), w.Value.Data().([]float32)[5])
	require.NoError(t, w.Set(random(tensor.Float32, 4, w.Shape...)))
	require.ErrorIs(t, w.Set(random(tensor.Float32, 4, 3)), ErrShape)
	require.ErrorIs(t, w.Set(nil), ErrShape)
	bias := m.Weights()[1]
	require.ErrorIs(t, bias.Set(labelsOf(4, 3)), ErrArgument)

	transposed := random(tensor.Float32, 4, 2, 3)
	require.NoError(t, transposed.T())
	b := NewBuilder("m")
	x := b.Input(Shape{3})
	d, err := b.Model(x, b.Add(Dense{Units: 2}, x))
	require.NoError(t, err)
	require.NoError(t, d.Initialize(1, tensor.Float32))
	require.NoError(t, d.Weights()[0].Set(transposed))
	flat := random(tensor.Float32, 4, 2, 3).Data().([]float32)
	require.Equal(t, []float32{flat[0], flat[3], flat[1], flat[4], flat[2], flat[5]}, d.Weights()[0].Value.Data())
}

// A layer of another package: y = scale·x with a weight of its own.
type scaled struct{ name string }

func (l scaled) Identity() (class, name string) { return "MyScale", l.name }

func (l scaled) Infer(s *Spec) (Shape, error) {
	n := s.Inputs[0][len(s.Inputs[0])-1]
	s.Weight(Weight{Name: "bias", Shape: tensor.Shape{n}, Trainable: true, Initializer: Ones{}})
	return s.Inputs[0], nil
}

func (l scaled) Apply(c *Context) *gorgonia.Node {
	y, err := gorgonia.Square(c.Inputs[0]) // stock operations are fine
	if err != nil {
		return c.Fail(err)
	}
	return Nonlinearity(ReLU).apply(c, y)
}

func TestOwnLayer(t *testing.T) {
	b := NewBuilder("m")
	x := b.Input(Shape{3})
	m, err := b.Model(x, b.Add(scaled{}, x))
	require.NoError(t, err)
	require.Equal(t, "my_scale/bias", m.Weights()[0].Name)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	require.Equal(t, []float64{1, 4, 9}, predict(t, m, tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float64{1, -2, 3})), false))
}

// TestAllocate says that Allocate leaves what there is, and that Initialize afterwards draws the same numbers.
func TestAllocate(t *testing.T) {
	drawn, m := tinyCNN(t, ChannelsLast), tinyCNN(t, ChannelsLast)
	require.NoError(t, drawn.Initialize(1, tensor.Float32))
	require.ErrorIs(t, m.Allocate(tensor.Int), ErrArgument)
	require.NoError(t, m.Allocate(tensor.Float32))
	for i, w := range m.Weights() {
		require.Equal(t, make([]float32, w.Shape.TotalSize()), w.Value.Data(), w.Name)
		require.NoError(t, w.Set(drawn.Weights()[i].Value))
	}
	require.NoError(t, m.Allocate(tensor.Float32))
	for i, w := range m.Weights() {
		require.Equal(t, drawn.Weights()[i].Value.Data(), w.Value.Data(), w.Name)
	}
	require.ErrorContains(t, m.Allocate(tensor.Float64), "use Clone")
	again := tinyCNN(t, ChannelsLast)
	require.NoError(t, again.Allocate(tensor.Float32))
	require.NoError(t, again.Initialize(1, tensor.Float32))
	for i, w := range again.Weights() {
		require.Equal(t, drawn.Weights()[i].Value.Data(), w.Value.Data(), w.Name)
	}
}

package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// tinyCNN has convolution, bias, ReLU, both poolings, flatten, dropout, dense and regularizers.
func tinyCNN(t *testing.T, f DataFormat) *Model {
	b := NewBuilder("tiny")
	b.DataFormat = f
	in := b.Input(Shape{7, 6, 2})
	x := in
	if f == ChannelsFirst {
		x = b.Add(Permute{Dims: []int{3, 1, 2}}, x)
	}
	x = b.Add(Conv2D{Filters: 4, Kernel: [2]int{3, 2}, Activation: ReLU, KernelRegularizer: L2(0.01), BiasInitializer: Constant{0.1}}, x)
	x = b.Add(MaxPooling2D{Padding: Same}, x)
	x = b.Add(Conv2D{Filters: 3, Kernel: K(3), Strides: K(2), Padding: Same, Activation: ReLU, BiasInitializer: Constant{0.2}}, x)
	x = b.Add(AveragePooling2D{Pool: K(2), Strides: K(1), Padding: Same}, x)
	x = b.Add(Flatten{}, x)
	x = b.Add(Dense{Units: 5, Activation: ReLU, KernelRegularizer: L2(0.02), BiasRegularizer: L2(0.03), BiasInitializer: Constant{0.3}}, x)
	x = b.Add(Dropout{Rate: 0.25}, x)
	x = b.Add(Dense{Units: 4, Activation: Softmax}, x)
	m, err := b.Model(in, x)
	require.NoError(t, err)
	return m
}

// tinyResidual has a branch with batch normalization, padding, rescaling and global pooling.
func tinyResidual(t *testing.T, f DataFormat) *Model {
	b := NewBuilder("residual")
	b.DataFormat = f
	in := b.Input(Shape{6, 5, 2})
	x := b.Add(Rescale{Scale: 2, Shift: []float64{0.5, -0.25}}, in)
	if f == ChannelsFirst {
		x = b.Add(Permute{Dims: []int{3, 1, 2}}, x)
	}
	x = b.Add(ZeroPadding2D{}, x)
	x = b.Add(Conv2D{Filters: 4, Kernel: K(3), Strides: K(2), NoBias: true, KernelInitializer: HeNormal{}}, x)
	x = b.Add(BatchNormalization{Momentum: 0.9, Epsilon: 1e-5}, x)
	x = b.Add(Activation{Func: ReLU}, x)
	y := b.Add(Conv2D{Filters: 4, Kernel: K(3), Padding: Same, Groups: 2, NoBias: true}, x)
	y = b.Add(BatchNormalization{NoScale: true}, y)
	z := b.Add(BatchNormalization{NoCenter: true}, x)
	x = b.Add(Add{}, x, y, z)
	x = b.Add(Activation{Func: ReLU}, x)
	x = b.Add(GlobalAveragePooling2D{}, x)
	x = b.Add(BatchNormalization{}, x)
	x = b.Add(Dense{Units: 3, KernelInitializer: RandomNormal{Stddev: 0.5}}, x)
	x = b.Add(Activation{Func: Softmax}, x)
	m, err := b.Model(in, x)
	require.NoError(t, err)
	return m
}

func TestGradientsOfWholeModels(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		for _, training := range []bool{true, false} {
			for _, batch := range []int{1, 3} {
				t.Run(f.String()+map[bool]string{true: " training", false: " inference"}[training], func(t *testing.T) {
					checkGradients(t, tinyCNN(t, f), random(tensor.Float64, 1, batch, 7, 6, 2), labelsOf(batch, 4), training)
					if batch > 1 || !training { // a batch norm over one vector has no gradient
						checkGradients(t, tinyResidual(t, f), random(tensor.Float64, 2, batch, 6, 5, 2), labelsOf(batch, 3), training)
					}
				})
			}
		}
	}
}

// With the same weights, both data formats compute the same.
func TestDataFormatsAgree(t *testing.T) {
	for name, make := range map[string]func(*testing.T, DataFormat) *Model{"cnn": tinyCNN, "residual": tinyResidual} {
		last, first := make(t, ChannelsLast), make(t, ChannelsFirst)
		require.NoError(t, last.Initialize(4, tensor.Float64))
		require.NoError(t, first.Initialize(4, tensor.Float64))
		x := random(tensor.Float64, 8, append([]int{3}, last.InputShape()...)...)
		for _, training := range []bool{false, name == "residual"} { // dropout masks follow the axes' order; batch norm does not
			require.InDeltaSlice(t, predict(t, last, x, training), predict(t, first, x, training), 1e-12, name)
		}
	}
}

// In inference, a sample's result does not depend on the batch it is in.
func TestAnyBatchSize(t *testing.T) {
	for name, m := range map[string]*Model{"cnn": tinyCNN(t, ChannelsLast), "residual": tinyResidual(t, ChannelsLast)} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			m, err := m.Clone(dt)
			require.NoError(t, err)
			require.NoError(t, m.Initialize(2, dt))
			all := random(dt, 3, append([]int{8}, m.InputShape()...)...)
			want := predict(t, m, all, false)
			classes := m.OutputShape()[0]
			for _, batch := range []int{1, 3} {
				part, err := all.Slice(tensor.S(2, 2+batch))
				require.NoError(t, err)
				got := predict(t, m, samples(t, part, m, batch), false)
				require.Equal(t, want[2*classes:(2+batch)*classes], got, "%s %v batch %d", name, dt, batch)
			}
		}
	}
}

// samples copies a slice of a batch into a batch of its own; a slice of one sample loses its batch axis.
func samples(t *testing.T, part tensor.View, m *Model, batch int) *tensor.Dense {
	d := part.Materialize().(*tensor.Dense)
	require.NoError(t, d.Reshape(append([]int{batch}, m.InputShape()...)...))
	return d
}

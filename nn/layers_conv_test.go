package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

func TestGoldenConv1D(t *testing.T) {
	goldenLayers(t, "layers_conv1d", map[string]Layer{
		"conv1d":                      Conv1D{Filters: 4, Kernel: 3},
		"conv1d_same_strided":         Conv1D{Filters: 3, Kernel: 4, Strides: 3, Padding: Same, Activation: ReLU},
		"conv1d_same_dilated_even":    Conv1D{Filters: 2, Kernel: 2, Dilations: 3, Padding: Same},
		"conv1d_causal":               Conv1D{Filters: 3, Kernel: 3, Dilations: 2, Padding: Causal},
		"conv1d_groups":               Conv1D{Filters: 4, Kernel: 3, Groups: 2, NoBias: true},
		"conv1d_first":                Conv1D{Filters: 5, Kernel: 3, Strides: 2, Padding: Same},
		"conv1d_causal_first":         Conv1D{Filters: 4, Kernel: 3, Strides: 2, Padding: Causal},
		"depthwise_conv1d":            DepthwiseConv1D{Kernel: 3, DepthMultiplier: 2, Padding: Same},
		"depthwise_conv1d_strided":    DepthwiseConv1D{Kernel: 4, Strides: 2, Activation: ReLU},
		"depthwise_conv1d_first":      DepthwiseConv1D{Kernel: 3, DepthMultiplier: 2},
		"separable_conv1d":            SeparableConv1D{Filters: 4, Kernel: 3, Padding: Same},
		"separable_conv1d_multiplier": SeparableConv1D{Filters: 2, Kernel: 4, DepthMultiplier: 2, Strides: 2, Activation: ReLU, NoBias: true},
		"separable_conv1d_first":      SeparableConv1D{Filters: 4, Kernel: 3, Dilations: 2},
		"conv1d_transpose":            Conv1DTranspose{Filters: 2, Kernel: 3, Strides: 2},
		"conv1d_transpose_same":       Conv1DTranspose{Filters: 3, Kernel: 4, Strides: 3, Padding: Same, Activation: ReLU},
		"conv1d_transpose_first":      Conv1DTranspose{Filters: 2, Kernel: 3, Strides: 2, OutputPadding: []int{1}},
	})
}

func TestGoldenDepthwiseConv2D(t *testing.T) {
	goldenLayers(t, "layers_depthwise", map[string]Layer{
		"depthwise":                   DepthwiseConv2D{Kernel: K(3)},
		"depthwise_same_strided_even": DepthwiseConv2D{Kernel: K(3), Strides: K(2), Padding: Same, Activation: ReLU},
		"depthwise_multiplier":        DepthwiseConv2D{Kernel: [2]int{3, 2}, DepthMultiplier: 3, Padding: Same},
		"depthwise_dilated":           DepthwiseConv2D{Kernel: K(3), Dilations: K(2), Padding: Same, NoBias: true},
		"depthwise_first":             DepthwiseConv2D{Kernel: K(3), DepthMultiplier: 2, Padding: Same},
	})
}

func TestGoldenSeparableConv2D(t *testing.T) {
	goldenLayers(t, "layers_separable", map[string]Layer{
		"separable":         SeparableConv2D{Filters: 4, Kernel: K(3)},
		"separable_strided": SeparableConv2D{Filters: 5, Kernel: K(3), Strides: K(2), DepthMultiplier: 2, Padding: Same, Activation: ReLU},
		"separable_dilated": SeparableConv2D{Filters: 3, Kernel: [2]int{2, 3}, Dilations: K(2), NoBias: true},
		"separable_first":   SeparableConv2D{Filters: 2, Kernel: K(3), Padding: Same},
	})
}

func TestGoldenConv2DTranspose(t *testing.T) {
	goldenLayers(t, "layers_transpose", map[string]Layer{
		"valid":                      Conv2DTranspose{Filters: 2, Kernel: K(3)},
		"valid_strided":              Conv2DTranspose{Filters: 3, Kernel: [2]int{3, 2}, Strides: K(2), Activation: ReLU},
		"valid_stride_beyond_kernel": Conv2DTranspose{Filters: 3, Kernel: [2]int{1, 2}, Strides: [2]int{3, 4}},
		"valid_output_padding":       Conv2DTranspose{Filters: 2, Kernel: K(3), Strides: [2]int{3, 2}, OutputPadding: []int{2, 1}},
		"same":                       Conv2DTranspose{Filters: 3, Kernel: K(3), Strides: K(2), Padding: Same},
		"same_even":                  Conv2DTranspose{Filters: 2, Kernel: K(4), Strides: [2]int{2, 1}, Padding: Same, NoBias: true},
		"same_output_padding":        Conv2DTranspose{Filters: 2, Kernel: [2]int{3, 2}, Strides: [2]int{3, 2}, Padding: Same, OutputPadding: []int{0, 1}},
		"dilated":                    Conv2DTranspose{Filters: 2, Kernel: [2]int{3, 2}, Dilations: [2]int{2, 3}},
		"same_dilated":               Conv2DTranspose{Filters: 2, Kernel: K(3), Dilations: K(2), Padding: Same},
		"first":                      Conv2DTranspose{Filters: 2, Kernel: K(3), Strides: K(2), Padding: Same},
	})
}

// Gradients by every weight, the regularizers among them, against central differences.
func TestGradientsOfConvolutions(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		b := NewBuilder("")
		in := b.Input(Shape{6, 5, 4})
		x := in
		if f == ChannelsFirst {
			x = b.Add(Permute{Dims: []int{3, 1, 2}}, x)
		}
		b.DataFormat = f
		x = b.Add(DepthwiseConv2D{Kernel: K(3), Padding: Same, DepthMultiplier: 2, DepthwiseRegularizer: L2(0.01)}, x)
		x = b.Add(SeparableConv2D{Filters: 4, Kernel: K(2), Strides: K(2), Padding: Same, PointwiseRegularizer: L2(0.02), BiasRegularizer: L2(0.03)}, x)
		x = b.Add(Conv2DTranspose{Filters: 3, Kernel: [2]int{3, 2}, Strides: [2]int{2, 3}, OutputPadding: []int{1, 0}, KernelRegularizer: L2(0.01)}, x)
		x = b.Add(Cropping2D{Cropping: [2][2]int{{1, 0}, {0, 2}}}, x)
		last, first := Shape{7 * 6, 3}, Shape{3, 7 * 6}
		x = b.Add(Reshape{Target: map[DataFormat]Shape{ChannelsLast: last, ChannelsFirst: first}[f]}, x)
		x = b.Add(Conv1D{Filters: 6, Kernel: 2, Padding: Causal, Groups: 3}, x)
		x = b.Add(SeparableConv1D{Filters: 4, Kernel: 3, Strides: 2}, x)
		x = b.Add(AveragePooling1D{Padding: Same}, x)
		x = b.Add(ZeroPadding1D{Padding: [2]int{0, 2}}, x)
		x = b.Add(DepthwiseConv1D{Kernel: 3}, x)
		x = b.Add(Conv1DTranspose{Filters: 5, Kernel: 2, Strides: 2}, x)
		x = b.Add(Cropping1D{}, x)
		x = b.Add(GlobalAveragePooling1D{}, x)
		m, err := b.Model(in, x)
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 2, 6, 5, 4), labelsOf(2, 5), true)
	}
}

func TestGradientsOfVolumes(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		b := NewBuilder("")
		in := b.Input(Shape{5, 4, 2})
		x := in
		if f == ChannelsFirst {
			x = b.Add(Permute{Dims: []int{3, 1, 2}}, x)
		}
		b.DataFormat = f
		x = b.Add(UpSampling2D{Size: [2]int{2, 3}, Interpolation: Bilinear}, x)
		x = b.Add(UpSampling2D{Size: [2]int{1, 2}}, x)
		x = b.Add(Reshape{Target: map[DataFormat]Shape{ChannelsLast: {4, 5, 6, 4}, ChannelsFirst: {4, 4, 5, 6}}[f]}, x)
		x = b.Add(Conv3D{Filters: 4, Kernel: [3]int{3, 2, 3}, Strides: [3]int{1, 2, 1}, Groups: 2, Padding: Same, Activation: ReLU, BiasInitializer: Constant{0.1}}, x)
		x = b.Add(Conv3D{Filters: 3, Kernel: K3(2), Dilations: [3]int{2, 1, 2}, KernelRegularizer: L2(0.1)}, x)
		x = b.Add(Reshape{Target: map[DataFormat]Shape{ChannelsLast: {4, 4, 3}, ChannelsFirst: {3, 4, 4}}[f]}, x)
		x = b.Add(GlobalMaxPooling2D{KeepDims: true}, x)
		x = b.Add(Flatten{}, x)
		x = b.Add(RepeatVector{Times: 5}, x)
		x = b.Add(Flatten{}, x)
		x = b.Add(Dense{Units: 4}, x)
		m, err := b.Model(in, x)
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 2, 5, 4, 2), labelsOf(2, 4), true)
	}
}

// The kernels that the weights are views of are the fast ones, packed where they do not change.
func TestDepthwiseRunsOnItsKernel(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{16, 16, 8})
	x := b.Add(DepthwiseConv2D{Kernel: K(3), Padding: Same, NoBias: true}, in)
	x = b.Add(BatchNormalization{}, x)
	x = b.Add(Activation{Func: ReLU}, x)
	x = b.Add(SeparableConv2D{Filters: 16, Kernel: K(3), Padding: Same, Activation: ReLU}, x)
	m, err := b.Model(in, x)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: 2})
	require.NoError(t, err)
	vm, err := graph.Compile(g, graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	require.NoError(t, err)
	defer vm.Close()
	var steps []string
	for _, s := range vm.Explain().Steps {
		if !s.Once {
			steps = append(steps, s.Operation[:strings.Index(s.Operation, "(")]+": "+s.Kernel)
		}
	}
	require.Len(t, steps, 3)
	for i, want := range []string{"depthwise, packed", "depthwise, packed", "gemm, packed"} {
		require.Contains(t, steps[i], want)
	}
}

func TestConvolutionErrors(t *testing.T) {
	sequence, image, vector := Shape{8, 4}, Shape{8, 8, 4}, Shape{10}
	for _, c := range []struct {
		layer Layer
		in    Shape
		kind  error
		want  string
	}{
		{Conv3D{Filters: 2, Kernel: K3(3)}, image, ErrShape, "wants volumes (5 axes with the batch), input has 4"},
		{Conv3D{Filters: 2}, image, ErrArgument, "Kernel must be at least 1×1×1, is 0×0×0\n    input (None, 8, 8, 4) NHWC from \"input_1\"; set Kernel, e.g. to nn.K3(3)"},
		{Conv3D{Filters: 2, Kernel: K3(5)}, Shape{4, 8, 8, 4}, ErrShape, "kernel 5×5×5 wants at least 5 slices, input has 4"},
		{Conv3D{Filters: 2, Kernel: K3(1), Groups: 2}, Shape{4, 8, 8, 3}, ErrShape, "2 groups want a multiple of 2 input channels, input has 3"},
		{UpSampling2D{Size: K(-1)}, image, ErrArgument, "Size must be from 1 to 16777216, is -1×-1"},
		{UpSampling2D{Size: K(1 << 24)}, image, ErrShape, "more than 2³⁴ elements"},
		{UpSampling2D{Interpolation: "bicubic"}, image, ErrArgument, `unknown interpolation "bicubic"`},
		{UpSampling1D{}, image, ErrShape, "wants sequences"},
		{RepeatVector{}, vector, ErrArgument, "Times must be at least 1, is 0"},
		{RepeatVector{Times: 3}, image, ErrShape, "wants vectors (2 axes with the batch), input has 4"},
		{RepeatVector{Times: math.MaxInt}, vector, ErrShape, "more than 2³⁴ elements"},
		{GlobalMaxPooling1D{}, image, ErrShape, "wants sequences"},
		{GlobalMaxPooling2D{}, sequence, ErrShape, "wants images"},
		{Conv1D{Kernel: 3}, sequence, ErrArgument, "Filters must be at least 1"},
		{Conv1D{Filters: 2}, sequence, ErrArgument, "Kernel must be at least 1, is 0\n    input (None, 8, 4) from \"input_1\"; set Kernel, e.g. to 3"},
		{Conv1D{Filters: 2, Kernel: 3}, image, ErrShape, "wants sequences (3 axes with the batch), input has 4"},
		{Conv1D{Filters: 2, Kernel: 9}, sequence, ErrShape, "kernel 9 wants at least 9 steps, input has 8"},
		{Conv1D{Filters: 2, Kernel: 3, Strides: -1}, sequence, ErrArgument, "must not be negative, are -1 and 0"},
		{Conv1D{Filters: 2, Kernel: 3, Strides: math.MaxInt, Padding: Same}, sequence, ErrArgument, "must be at most 16777216"},
		{Conv1D{Filters: 2, Kernel: 3, Padding: "full"}, sequence, ErrArgument, `unknown padding "full"`},
		{Conv1D{Filters: 2, Kernel: 3, Groups: -1}, sequence, ErrArgument, "Groups and InChannels must not be negative"},
		{Conv1D{Filters: 2, Kernel: 3, KernelRegularizer: L2(-1)}, sequence, ErrArgument, "must not be negative"},
		{Conv2D{Filters: 2, Kernel: K(3), Padding: Causal}, image, ErrArgument, `padding "causal" is for Conv1D only`},
		{DepthwiseConv2D{}, image, ErrArgument, "Kernel must be at least 1×1, is 0×0"},
		{DepthwiseConv2D{Kernel: K(3), DepthMultiplier: -1}, image, ErrArgument, "DepthMultiplier must not be negative, is -1"},
		{DepthwiseConv2D{Kernel: K(3), DepthMultiplier: math.MaxInt}, image, ErrArgument, "DepthMultiplier must be at most 16777216"},
		{DepthwiseConv2D{Kernel: K(3)}, vector, ErrShape, "wants images"},
		{DepthwiseConv2D{Kernel: K(9)}, image, ErrShape, "kernel 9×9 wants at least 9 rows"},
		{DepthwiseConv2D{Kernel: K(3), Activation: "rellu"}, image, ErrArgument, `did you mean "relu"?`},
		{DepthwiseConv1D{Kernel: 3, Padding: Causal}, sequence, ErrArgument, "is for Conv1D only"},
		{SeparableConv2D{Kernel: K(3)}, image, ErrArgument, "Filters must be at least 1"},
		{SeparableConv2D{Filters: 2, Kernel: K(3), PointwiseRegularizer: L2(-1)}, image, ErrArgument, "must not be negative"},
		{SeparableConv1D{Filters: 2, Kernel: 3}, image, ErrShape, "wants sequences"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), OutputPadding: []int{0}}, image, ErrArgument, "OutputPadding wants 2 numbers, has 1"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), Strides: K(2), OutputPadding: []int{1, 2}}, image, ErrArgument,
			"OutputPadding must be from 0 to the stride − 1, 1 along the columns, is 2"},
		{Conv2DTranspose{Filters: 2, Kernel: [2]int{3, 2}, Strides: K(2), OutputPadding: []int{0, 0}, Padding: Same}, image, ErrArgument,
			"an even kernel wants an OutputPadding of at least 1 along the columns"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), Strides: K(1 << 30)}, image, ErrArgument, "must be at most 16777216"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), Strides: K(1 << 20)}, image, ErrShape, "more than 2³⁴ elements"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), Dilations: K(-1)}, image, ErrArgument, "must not be negative"},
		{Conv2DTranspose{Filters: 2, Kernel: K(3), Padding: Causal}, image, ErrArgument, "is for Conv1D only"},
		{Conv1DTranspose{Filters: 2, Kernel: 3}, image, ErrShape, "wants sequences"},
		{MaxPooling1D{Pool: -1}, sequence, ErrArgument, "Pool must be positive, is -1"},
		{MaxPooling1D{Pool: 9}, sequence, ErrShape, "window 9 wants at least 9 steps"},
		{AveragePooling1D{Padding: Causal}, sequence, ErrArgument, "is for Conv1D only"},
		{GlobalAveragePooling1D{}, image, ErrShape, "wants sequences"},
		{ZeroPadding1D{Padding: [2]int{-1, 1}}, sequence, ErrArgument, "must not be negative or huge, is [-1 1]"},
		{Cropping1D{Cropping: [2]int{4, 4}}, sequence, ErrShape, "cropping 4 and 4 steps leaves none of 8"},
		{Cropping2D{Cropping: [2][2]int{{0, 0}, {3, 5}}}, image, ErrShape, "cropping 3 and 5 columns leaves none of 8"},
		{Cropping2D{Cropping: Border(math.MaxInt)}, image, ErrArgument, "must not be negative or huge"},
	} {
		b := NewBuilder("m")
		b.Add(c.layer, b.Input(c.in))
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}

func TestGoldenConv3D(t *testing.T) {
	goldenLayers(t, "layers_conv3d", map[string]Layer{
		"valid":                 Conv3D{Filters: 2, Kernel: [3]int{2, 3, 2}},
		"same_strided":          Conv3D{Filters: 2, Kernel: K3(3), Strides: [3]int{2, 1, 2}, Padding: Same, Activation: ReLU},
		"same_even":             Conv3D{Filters: 2, Kernel: K3(2), Padding: Same},
		"one_deep":              Conv3D{Filters: 3, Kernel: [3]int{1, 2, 2}, NoBias: true},
		"strided_beyond_kernel": Conv3D{Filters: 2, Kernel: [3]int{1, 1, 2}, Strides: [3]int{3, 2, 1}},
		"dilated":               Conv3D{Filters: 2, Kernel: [3]int{2, 2, 1}, Dilations: [3]int{3, 2, 1}},
		"groups":                Conv3D{Filters: 6, Kernel: K3(2), Groups: 2, Padding: Same},
		"first":                 Conv3D{Filters: 2, Kernel: K3(2), Padding: Same, Activation: ReLU},
	})
}

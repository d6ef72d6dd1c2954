package nn

import "testing"

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

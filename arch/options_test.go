package arch

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

func layer(t *testing.T, m *nn.Model, name string) nn.LayerInfo {
	for _, l := range m.Layers() {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("model %q has no layer %q", m.Name(), name)
	return nn.LayerInfo{}
}

func model(t *testing.T, a Architecture) *nn.Model {
	m, err := a.Model()
	require.NoError(t, err)
	return m
}

// What the founding document's arguments of resnet50 do.
func TestResNet50Options(t *testing.T) {
	m := model(t, ResNet50{})
	require.Equal(t, "resnet50", m.Name())
	require.Equal(t, nn.BatchNormalization{Momentum: 0.9, Epsilon: 1e-5, Name: "bn3d_branch2c"}, layer(t, m, "bn3d_branch2c").Config)
	require.Equal(t, [2]int{2, 2}, layer(t, m, "res3a_branch2b").Config.(nn.Conv2D).Strides, "stride 2 sits on the 3×3 convolution")
	require.Equal(t, [2]int{2, 2}, layer(t, m, "res3a_branch1").Config.(nn.Conv2D).Strides)
	require.Equal(t, [2]int{1, 1}, layer(t, m, "res3a_branch2a").Config.(nn.Conv2D).Strides)
	require.Equal(t, [2]int{1, 1}, layer(t, m, "res2a_branch1").Config.(nn.Conv2D).Strides)
	require.Equal(t, nn.HeNormal{}, layer(t, m, "conv1").Config.(nn.Conv2D).KernelInitializer)
	require.Equal(t, nn.RandomNormal{Stddev: 0.01}, layer(t, m, "fc1000").Config.(nn.Dense).KernelInitializer)
	require.Equal(t, nn.Shape{1, 1, 2048}, layer(t, m, "activation_48").OutputShape)
	regularized := 0
	for _, w := range m.Weights() {
		if w.Regularizer != nil {
			require.Equal(t, nn.L2(1e-4), w.Regularizer)
			regularized++
		}
	}
	require.Equal(t, 53+2, regularized, "53 convolutions, the last kernel and its bias; no batch normalization")

	m = model(t, ResNet50{NoL2: true, BatchNormDecay: 0.99, BatchNormEpsilon: 1e-3, Batch: 64, Classes: 7, RescaleInputs: true, Name: "r"})
	for _, w := range m.Weights() {
		require.Zero(t, w.Regularizer)
	}
	require.Equal(t, nn.BatchNormalization{Momentum: 0.99, Epsilon: 1e-3, Name: "bn_conv1"}, layer(t, m, "bn_conv1").Config)
	require.Equal(t, "Lambda", layer(t, m, "rescale").Class)
	require.Equal(t, []string{"rescale"}, layer(t, m, "conv1_pad").Inputs)
	require.Contains(t, m.Summary(), "input_1 (InputLayer)            [(64, 32, 32, 3)]    0  ")
	require.Contains(t, m.Summary(), "rescale (Lambda)                (64, 32, 32, 3)      0           input_1[0][0]  ")

	m = model(t, ResNet50{DataFormat: nn.ChannelsFirst, RescaleInputs: true})
	require.Equal(t, []string{"rescale"}, layer(t, m, "permute").Inputs)
	require.Equal(t, nn.Shape{3, 32, 32}, layer(t, m, "permute").OutputShape)
	require.Equal(t, nn.Shape{64, 16, 16}, layer(t, m, "conv1").OutputShape)
	require.Equal(t, nn.Shape{32, 32, 3}, m.InputShape(), "images stay rows, columns, channels")
}

func TestVGG16Options(t *testing.T) {
	m := model(t, VGG16{BatchNorm: true, Dropout: 0.5, L2: 1e-3, Head: []int{512}, Classes: 10, KernelInitializer: nn.HeNormal{}})
	require.Equal(t, []string{"block3_conv2"}, layer(t, m, "block3_conv2_bn").Inputs)
	require.Equal(t, []string{"block3_conv2_bn"}, layer(t, m, "block3_conv2_relu").Inputs)
	require.Equal(t, nn.Linear, layer(t, m, "block3_conv2").Config.(nn.Conv2D).Activation)
	require.Equal(t, nn.HeNormal{}, layer(t, m, "block3_conv2").Weights[0].Initializer)
	require.Equal(t, nn.L2(1e-3), layer(t, m, "predictions").Weights[0].Regularizer)
	require.Equal(t, []string{"fc1_dropout"}, layer(t, m, "predictions").Inputs)
	require.Equal(t, nn.Shape{10}, m.OutputShape())
}

// What the arguments of the EfficientNets do; the golden summaries have the rest.
func TestEfficientNetOptions(t *testing.T) {
	m := model(t, EfficientNet{ImageNet: true, DataFormat: nn.ChannelsFirst, Dropout: 0.4, DropConnect: 0.5, Input: nn.Shape{33, 64, 3}})
	require.Equal(t, []string{"rescaling_1"}, layer(t, m, "permute").Inputs, "pixels are rescaled as they come")
	require.Equal(t, nn.ZeroPadding2D{Padding: [2][2]int{{1, 1}, {0, 1}}, Name: "stem_conv_pad"}, layer(t, m, "stem_conv_pad").Config)
	require.Equal(t, nn.Shape{96, 1, 1}, layer(t, m, "block2a_se_expand").OutputShape)
	require.Equal(t, 0.4, layer(t, m, "top_dropout").Config.(nn.Dropout).Rate)
	require.Equal(t, nn.Dropout{Rate: 0.5 * 2 / 16, NoiseShape: []int{0, 1, 1, 1}, Name: "block2b_drop"}, layer(t, m, "block2b_drop").Config)
	require.Equal(t, nn.VarianceScaling{Scale: 2, Mode: nn.FanOut}, layer(t, m, "block2a_dwconv").Config.(nn.DepthwiseConv2D).DepthwiseInitializer)
	m = model(t, EfficientNetV2{Dropout: -1, DropConnect: -1, DataFormat: nn.ChannelsFirst, Variant: "s", NoPreprocessing: true})
	for _, l := range m.Layers() {
		require.NotContains(t, []string{"Dropout", "Rescaling", "Normalization"}, l.Class)
	}
	require.Equal(t, 0.9, layer(t, m, "stem_bn").Config.(nn.BatchNormalization).Momentum)
	m = model(t, EfficientNetV2{Input: nn.Shape{32, 32, 1}})
	require.Equal(t, nn.Rescaling{Scale: 1. / 128, Offset: -1}, layer(t, m, "rescaling").Config, "ImageNet's mean is for three channels")
	_, err := EfficientNet{Variant: "b8"}.Model()
	require.ErrorContains(t, err, `there is no variant "b8"; did you mean "b0"?`)
	a, err := ByName("efficientnetb2", Config{Classes: 10, Dropout: 0.1, RescaleInputs: true})
	require.NoError(t, err)
	require.Equal(t, EfficientNet{Variant: "b2", Classes: 10, Dropout: 0.1, ImageNet: true}, a)
	a, err = ByName("efficientnetv2-m", Config{Classes: 10})
	require.NoError(t, err)
	require.Equal(t, EfficientNetV2{Variant: "m", Classes: 10}, a)
}

func TestBadConfigurations(t *testing.T) {
	for want, a := range map[string]Architecture{
		`MaxPooling2D "block5_pool": window 2×2 wants at least 2 rows, input has 1`: VGG16{Input: nn.Shape{16, 16, 3}},
		"Units must be at least 1, is -3":                                           VGG16{Classes: -3},
		"Units must be at least 1, is 0":                                            VGG16{Head: []int{0}},
		"Rate must be at least 0 and less than 1":                                   VGG16{Dropout: 1},
		`Dropout "drop6": Rate must be at least 0 and less than 1, is NaN`:          AlexNet{Dropout: math.NaN()},
		`Dropout "dropout": Rate must be at least 0 and less than 1, is NaN`:        MobileNet{Dropout: math.NaN()},
		`"top_dropout": Rate must be at least 0 and less than 1, is 1`:              EfficientNet{Dropout: 1},
		`"block2b_drop": Rate must be at least 0 and less than 1`:                   EfficientNetV2{DropConnect: 40},
		"wants images (4 axes with the batch), input has 3":                         ResNet50{Input: nn.Shape{32, 32}},
		"Shift wants 3 channels on the last axis, input has 1":                      ResNet50{Input: nn.Shape{32, 32, 1}, RescaleInputs: true},
		"Momentum must be between 0 and 1, is 2":                                    ResNet50{BatchNormDecay: 2},
		"Batch must not be negative":                                                SimpleCNN{Batch: -1},
		"must have positive axes":                                                   SimpleCNN{Input: nn.Shape{32, 0, 3}},
		"Dims [3 1 2] wants 3 axes":                                                 SimpleCNN{Input: nn.Shape{32}, DataFormat: nn.ChannelsFirst},
	} {
		_, err := a.Model()
		var e *nn.Error
		require.ErrorAs(t, err, &e, want)
		require.ErrorContains(t, err, want)
		require.Contains(t, e.Site, "arch/")
	}
	_, err := SimpleCNN{}.Build(nil, nil)
	require.ErrorIs(t, err, nn.ErrNilTensor)
	x := gorgonia.NewTensor(gorgonia.NewGraph(), tensor.Float32, 4, gorgonia.WithShape(2, 28, 28, 1), gorgonia.WithName("x"))
	_, err = SimpleCNN{}.Build(nil, x)
	require.ErrorContains(t, err, "wants an input of shape (2, 32, 32, 3), got (2, 28, 28, 1)")
	_, err = VGG16{Classes: -1}.Build(nil, x)
	require.ErrorIs(t, err, nn.ErrArgument)
}

func TestByName(t *testing.T) {
	for name, want := range map[string]Architecture{
		"simplecnn": SimpleCNN{Classes: 10, Batch: 4, Input: nn.Shape{28, 28, 1}, DataFormat: nn.ChannelsFirst, Seed: 3},
		"vgg16":     VGG16{Classes: 10, Batch: 4, Input: nn.Shape{28, 28, 1}, DataFormat: nn.ChannelsFirst, Seed: 3},
		"resnet50":  ResNet50{Classes: 10, Batch: 4, Input: nn.Shape{28, 28, 1}, DataFormat: nn.ChannelsFirst, Seed: 3},
	} {
		got, err := ByName(name, Config{Classes: 10, Batch: 4, Input: nn.Shape{28, 28, 1}, DataFormat: nn.ChannelsFirst, Seed: 3})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := ByName("vgg16", Config{BatchNorm: true, Dropout: 0.5, L2: 1e-3})
	require.NoError(t, err)
	require.Equal(t, VGG16{BatchNorm: true, Dropout: 0.5, L2: 1e-3}, got)
	got, err = ByName("resnet50", Config{NoL2: true, RescaleInputs: true, BatchNormDecay: 0.5, BatchNormEpsilon: 0.1})
	require.NoError(t, err)
	require.Equal(t, ResNet50{NoL2: true, RescaleInputs: true, BatchNormDecay: 0.5, BatchNormEpsilon: 0.1}, got)

	_, err = ByName("resnet-51", Config{})
	require.ErrorContains(t, err, "nn: unknown architecture \"resnet-51\"; did you mean \"resnet50\"?\n    the architectures are simplecnn, vgg16, resnet50, ")
	_, err = ByName("simplecnn", Config{Dropout: 0.5})
	require.ErrorContains(t, err, `architecture "simplecnn" has no option Dropout`)
	_, err = ByName("resnet50", Config{BatchNorm: true})
	require.ErrorContains(t, err, "its options are NoL2, RescaleInputs, BatchNormDecay, BatchNormEpsilon, Stem, Version")
	require.Equal(t, []string{"simplecnn", "vgg16", "resnet50"}, Names()[:3])
	require.Subset(t, Names(), []string{"resnet20-cifar", "resnet110-cifar"})
	got, err = ByName("resnet50", Config{Stem: CIFARStem, Version: ResNetV2})
	require.NoError(t, err)
	require.Equal(t, ResNet{Depth: 50, Stem: CIFARStem, Version: ResNetV2}, got)
	for _, name := range Names() { // every name makes a network
		a, err := ByName(name, Config{Classes: 7, Input: imagenet})
		require.NoError(t, err)
		require.Equal(t, nn.Shape{7}, model(t, a).OutputShape(), name)
	}
	for _, bad := range []Architecture{ResNet{Depth: 51}, ResNet{Depth: 18, Groups: 32}, ResNet{Stem: "patch"}, ResNet{Version: "v3"},
		ResNet{Groups: -1}, KerasResNet{Depth: 18}, VGG{Depth: 12}, EfficientNet{Variant: "b8"}, EfficientNetV2{Variant: "xl"}} {
		_, err := bad.Model()
		require.ErrorIs(t, err, nn.ErrArgument, "%+v", bad)
	}
}

// Every architecture, in both data formats and modes, becomes a graph that Gorgonia differentiates by every weight.
func TestDifferentiable(t *testing.T) {
	for _, a := range []Architecture{SimpleCNN{}, SimpleCNN{DataFormat: nn.ChannelsFirst}, VGG16{BatchNorm: true, Dropout: 0.5, L2: 1e-3},
		ResNet50{}, ResNet50{DataFormat: nn.ChannelsFirst, RescaleInputs: true}, ResNet50{Input: imagenet, Classes: 1000}, ViT{Dropout: 0.1, AttentionDropout: 0.1}} {
		for _, training := range []bool{true, false} {
			m := model(t, a)
			net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 32, Training: training, ShapesOnly: true})
			require.NoError(t, err)
			labels := gorgonia.NewVector(net.Graph, tensor.Int, gorgonia.WithShape(32), gorgonia.WithName("labels"))
			loss, err := nn.SparseCategoricalCrossentropy(net.Output, labels)
			require.NoError(t, err)
			if net.Penalty != nil {
				loss, err = op.Apply(&op.Add{}, loss, net.Penalty)
				require.NoError(t, err)
			}
			grads, err := gorgonia.Grad(loss, net.Trainable()...)
			require.NoError(t, err)
			for i, n := range net.Trainable() {
				require.True(t, n.Shape().Eq(grads[i].Shape()), "%s: %v, gradient %v", n.Name(), n.Shape(), grads[i].Shape())
			}
			_, isResNet := a.(ResNet50)
			require.Equal(t, training && isResNet, len(net.Updates) == 2*53)
		}
	}
}

// VGG-16 runs in a program of its own with the stock machine. The reference kernels are plain loops.
func TestVGG16OnTheStockMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("a second or two of plain loops")
	}
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(1, 32, 32, 3), gorgonia.WithName("x"))
	net, err := VGG16{Head: []int{64}}.Build(g, x)
	require.NoError(t, err)
	image := make([]float32, 32*32*3)
	for i := range image {
		image[i] = float32(i%7) / 7
	}
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	require.NoError(t, gorgonia.Let(x, tensor.New(tensor.WithShape(1, 32, 32, 3), tensor.WithBacking(image))))
	require.NoError(t, vm.RunAll())
	sum := 0.0
	for _, p := range net.Output.Value().Data().([]float32) {
		require.Positive(t, p)
		sum += float64(p)
	}
	require.InDelta(t, 1, sum, 1e-5)
	require.False(t, math.IsNaN(sum))
}

func ExampleByName() {
	a, err := ByName("vgg16", Config{Classes: 10, Input: nn.Shape{64, 64, 3}})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := a.Model()
	if err != nil {
		fmt.Println(err)
		return
	}
	total, _, _ := m.CountParams()
	fmt.Println(m.Name(), m.InputShape(), total)
	_, err = ByName("vgg61", Config{})
	problem, _, _ := strings.Cut(err.Error(), "\n") // the next line lists all names
	fmt.Println(problem)
	// Output:
	// VGG-16 (None, 64, 64, 3) 39929674
	// nn: unknown architecture "vgg61"; did you mean "vgg16"?
}

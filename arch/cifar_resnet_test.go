package arch

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// The paper's table 6 has 0.27, 0.46, 0.66, 0.85 and 1.7 million; the numbers are those of PyTorch's implementations, and of
// batch normalization 2 more per channel do not train.
func TestCIFARResNetParameters(t *testing.T) {
	for _, c := range []struct {
		depth, trainable, fixed int
		shortcuts               string
	}{
		{20, 269_722, 1376, ""}, {32, 464_154, 2272, ""}, {44, 658_586, 3168, "A"}, {56, 853_018, 4064, "A"}, {110, 1_727_962, 8096, "A"},
		{20, 269_722 + 16*32 + 2*32 + 32*64 + 2*64, 1376 + 2*32 + 2*64, "B"},
	} {
		m := model(t, CIFARResNet{Classes: 10, Depth: c.depth, Shortcuts: c.shortcuts})
		_, trainable, fixed := m.CountParams()
		require.Equal(t, []int{c.trainable, c.fixed}, []int{trainable, fixed}, "depth %d", c.depth)
		weights := 0
		for _, l := range m.Layers() {
			if l.Class == "Conv2D" || l.Class == "Dense" {
				weights++
			}
		}
		if c.shortcuts != "B" {
			require.Equal(t, c.depth, weights, "layers with weights")
		}
	}
}

func TestCIFARResNetOptions(t *testing.T) {
	m := model(t, CIFARResNet{})
	require.Equal(t, "resnet20-cifar", m.Name())
	require.Equal(t, nn.Shape{100}, m.OutputShape())
	require.Equal(t, nn.Border(1), layer(t, m, "res3a_branch2a_pad").Config.(nn.ZeroPadding2D).Padding)
	require.Equal(t, [2]int{2, 2}, layer(t, m, "res3a_branch2a").Config.(nn.Conv2D).Strides)
	require.Equal(t, nn.Shape{16, 16, 32}, layer(t, m, "res3a_branch1_pad").OutputShape)
	require.Equal(t, nn.Shape{8, 8, 64}, layer(t, m, "res4c_branch2b").OutputShape)
	require.Equal(t, nn.BatchNormalization{Momentum: 0.9, Epsilon: 1e-5, Name: "bn4a_branch2a"}, layer(t, m, "bn4a_branch2a").Config)
	m = model(t, CIFARResNet{Shortcuts: ShortcutB, NoL2: true, Depth: 8})
	require.Equal(t, [2]int{2, 2}, layer(t, m, "res4a_branch1").Config.(nn.Conv2D).Strides)
	for name, a := range map[string]CIFARResNet{"Depth must be 6n+2": {Depth: 21}, "is 2": {Depth: 2}, `no shortcuts "C"`: {Shortcuts: "C"}} {
		_, err := a.Model()
		require.ErrorIs(t, err, nn.ErrArgument)
		require.ErrorContains(t, err, name)
	}
	a, err := ByName("resnet56-cifar", Config{Shortcuts: "B", Classes: 10})
	require.NoError(t, err)
	require.Equal(t, CIFARResNet{Depth: 56, Shortcuts: "B", Classes: 10}, a)
	_, err = ByName("vgg16", Config{Shortcuts: "B"})
	require.ErrorContains(t, err, "has no option Shortcuts")
}

// The shortcut without parameters: every second pixel, zeros around the channels, in both data formats and at odd sizes; its
// gradient is that of the pixels taken.
func TestShortcutOfZeros(t *testing.T) {
	for _, format := range []nn.DataFormat{nn.ChannelsLast, nn.ChannelsFirst} {
		const batch, rows, cols, channels, before, after = 2, 5, 3, 2, 1, 2
		b := nn.NewBuilder("m")
		b.DataFormat = format
		in := nn.Shape{rows, cols, channels}
		if format == nn.ChannelsFirst {
			in = nn.Shape{channels, rows, cols}
		}
		input := b.Input(in)
		x := b.Add(nn.AveragePooling2D{Pool: nn.K(1), Strides: nn.K(2)}, input)
		x = b.Add(nn.ChannelPadding{Before: before, After: after}, x)
		m, err := b.Model(input, x)
		require.NoError(t, err)
		g := gorgonia.NewGraph()
		net, err := m.Build(g, nn.BuildConfig{Batch: batch, Dtype: tensor.Float64})
		require.NoError(t, err)
		values := make([]float64, batch*rows*cols*channels)
		for i := range values {
			values[i] = float64(i + 1)
		}
		require.NoError(t, gorgonia.Let(net.Input, tensor.New(tensor.WithShape(append(tensor.Shape{batch}, in...)...), tensor.WithBacking(values))))
		sum, err := gorgonia.Sum(gorgonia.Must(gorgonia.Square(net.Output)))
		require.NoError(t, err)
		grads, err := gorgonia.Grad(sum, net.Input)
		require.NoError(t, err)
		var out gorgonia.Value
		gorgonia.Read(net.Output, &out)
		vm := gorgonia.NewTapeMachine(g)
		require.NoError(t, vm.RunAll())
		y, dx := out.Data().([]float64), grads[0].Value().Data().([]float64)
		at := func(shape [3]int, n, h, w, c int) int { // of an image of rows, columns, channels
			if format == nn.ChannelsFirst {
				return ((n*shape[2]+c)*shape[0]+h)*shape[1] + w
			}
			return ((n*shape[0]+h)*shape[1]+w)*shape[2] + c
		}
		from, to := [3]int{rows, cols, channels}, [3]int{3, 2, channels + before + after}
		want := make([]float64, len(values))
		for n := range batch {
			for h := range to[0] {
				for w := range to[1] {
					for c := range to[2] {
						v := 0.0
						if c >= before && c < before+channels {
							i := at(from, n, 2*h, 2*w, c-before)
							v = values[i]
							want[i] = 2 * v
						}
						require.Equal(t, v, y[at(to, n, h, w, c)])
					}
				}
			}
		}
		require.Equal(t, want, dx)
		require.NoError(t, vm.Close())
	}
	b := nn.NewBuilder("m")
	b.Add(nn.ChannelPadding{Before: -1}, b.Input(nn.Shape{2, 2, 2}))
	require.ErrorContains(t, b.Err(), "must not be negative")
	b = nn.NewBuilder("m")
	b.Add(nn.ChannelPadding{Before: 1}, b.Input(nn.Shape{2}))
	require.ErrorContains(t, b.Err(), "wants images")
}

// PyTorch's padding moves no weight and no size: the same layers but for borders in front of windows with stride 2.
func TestSymmetricPadding(t *testing.T) {
	for _, version := range []ResNetVersion{"", ResNetV1, ResNetV2} {
		plain, symmetric := model(t, ResNet{Depth: 18, Version: version}), model(t, ResNet{Depth: 18, Version: version, SymmetricPadding: true})
		require.Equal(t, len(plain.Weights()), len(symmetric.Weights()))
		for i, w := range symmetric.Weights() {
			require.Equal(t, plain.Weights()[i].Name, w.Name)
		}
		require.Equal(t, layer(t, plain, "res3a_branch2a").OutputShape, layer(t, symmetric, "res3a_branch2a").OutputShape)
		require.Equal(t, []string{"res3a_branch2a_pad"}, layer(t, symmetric, "res3a_branch2a").Inputs)
		require.Equal(t, nn.Valid, layer(t, symmetric, "res3a_branch2a").Config.(nn.Conv2D).Padding)
		require.Equal(t, nn.Same, layer(t, symmetric, "res3a_branch2b").Config.(nn.Conv2D).Padding)
	}
	a, err := ByName("resnet50", Config{SymmetricPadding: true})
	require.NoError(t, err)
	require.Equal(t, ResNet{Depth: 50, SymmetricPadding: true}, a)
	a, err = ByName("vgg16", Config{BatchNorm: true, BatchNormEpsilon: 1e-5})
	require.NoError(t, err)
	require.Equal(t, 1e-5, layer(t, model(t, a), "block1_conv1_bn").Config.(nn.BatchNormalization).Epsilon)
}

// Without shortcuts of zeros, which have no weights, the same layers are left.
func TestCIFARPlain(t *testing.T) {
	plain := model(t, CIFARResNet{Classes: 10, Depth: 56, Plain: true})
	require.Equal(t, "plain56-cifar", plain.Name())
	_, trainable, fixed := plain.CountParams()
	require.Equal(t, []int{853_018, 4064}, []int{trainable, fixed})
	for _, l := range plain.Layers() {
		require.NotContains(t, []string{"Add", "Lambda"}, l.Class)
	}
	bare := model(t, CIFARResNet{Classes: 10, Depth: 20, Plain: true, NoBatchNorm: true, KernelInitializer: nn.GlorotUniform{}})
	for _, l := range bare.Layers() {
		require.NotEqual(t, "BatchNormalization", l.Class)
		if c, ok := l.Config.(nn.Conv2D); ok {
			require.False(t, c.NoBias)
			require.Equal(t, nn.GlorotUniform{}, c.KernelInitializer)
		}
	}
	total, _, _ := bare.CountParams()
	require.Equal(t, 269_722-1376/2, total, "a bias in place of gamma and beta") // 688 channels
	a, err := ByName("plain110-cifar", Config{Classes: 10})
	require.NoError(t, err)
	require.Equal(t, CIFARResNet{Depth: 110, Classes: 10, Plain: true}, a)
}

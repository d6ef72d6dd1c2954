package train_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// zooSeed is that of scripts/golden/make_zoo.py.
const zooSeed = 20261127

// zooNets are the networks of the golden files that differ from the registry's: in most, nothing is dropped.
var zooNets = map[string]func(arch.Config) arch.Architecture{
	"efficientnetb0": func(c arch.Config) arch.Architecture {
		return arch.EfficientNet{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, Dropout: -1, DropConnect: -1}
	},
	"efficientnetb0 imagenet": func(c arch.Config) arch.Architecture {
		return arch.EfficientNet{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, ImageNet: true}
	},
	"efficientnetv2-b0": func(c arch.Config) arch.Architecture {
		return arch.EfficientNetV2{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, Dropout: -1, DropConnect: -1}
	},
	"convnext-tiny include_preprocessing=False": func(c arch.Config) arch.Architecture {
		return arch.ConvNeXt{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, NoPreprocessing: true}
	},
	"mobilenetv3-small": func(c arch.Config) arch.Architecture {
		return arch.MobileNetV3{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, Dropout: -1}
	},
	"mobilenetv3-large": func(c arch.Config) arch.Architecture {
		return arch.MobileNetV3{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, Dropout: -1, Large: true}
	},
	"mobilenetv3-small alpha=0.75": func(c arch.Config) arch.Architecture {
		return arch.MobileNetV3{Input: c.Input, Classes: c.Classes, DataFormat: c.DataFormat, Alpha: 0.75, NoPreprocessing: true}
	},
}

// TestZooComputesWhatKerasDoes compares names and shapes of weights, probabilities and, of some networks, the loss and its gradients by
// every weight with Keras's, in float64; the probabilities in float32, too.
func TestZooComputesWhatKerasDoes(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/zoo_*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for _, c := range numtest.LoadGolden(t, file).Cases {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json")+"/"+c.Name, func(t *testing.T) {
				if small := c.Name == "small" || c.Name == "b0" && !numtest.Race; testing.Short() && !small {
					t.Skip("others have the same kinds of layers, and more weights")
				}
				checkZoo(t, c.For(t))
			})
		}
	}
}

// zooModel is the network of a case with its weights.
func zooModel(t *testing.T, c *numtest.Case, format nn.DataFormat) *nn.Model {
	t.Helper()
	cfg := arch.Config{Input: nn.Shape(c.Ints("input")), Classes: c.Int("classes"), DataFormat: format}
	var a arch.Architecture
	if net := zooNets[c.Str("net")]; net != nil {
		a = net(cfg)
	} else {
		var err error
		a, err = arch.ByName(c.Str("net"), cfg)
		require.NoError(t, err)
	}
	m, err := a.Model()
	require.NoError(t, err)
	fillZoo(t, m, c.Str("weights"), c.Float("gain"))
	return m
}

func checkZoo(t *testing.T, c *numtest.Case) {
	m := zooModel(t, c, nn.ChannelsLast)
	x := make([]float32, c.Int("batch")*m.InputShape().Size())
	numtest.FillUnit("x/"+c.Name, zooSeed, x)
	pixels := make([]float64, len(x))
	for i, v := range x {
		if pixels[i] = float64(v) * 255; c.Int("raw") == 0 {
			pixels[i] = float64(v)*2 - 1
		}
	}
	checkZooProbabilities(t, m, c, pixels, tensor.Float64, 1e-11)
	single, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	// Each of the layers in a row rounds to 6e-8 of the largest element or so.
	checkZooProbabilities(t, single, c, pixels, tensor.Float32, 1e-5)
	if c.Int("gradients") == 1 {
		checkZooGradients(t, m, c, pixels)
	} else if total, _, _ := m.CountParams(); total < 30_000_000 && !strings.HasPrefix(c.Str("net"), "convnext") { // of which there is none
		checkZooProbabilities(t, zooModel(t, c, nn.ChannelsFirst), c, pixels, tensor.Float64, 1e-11)
	}
}

// fillZoo gives a model weights by their names, whose digest is that of Keras's names and shapes.
func fillZoo(t *testing.T, m *nn.Model, digest string, gain float64) {
	t.Helper()
	require.NoError(t, m.Allocate(tensor.Float64))
	var names strings.Builder
	for _, w := range m.Weights() {
		to := w.Value.Data().([]float64)
		kind := w.Name[strings.LastIndex(w.Name, "/")+1:]
		if kind == "count" { // a scalar in Keras
			fmt.Fprintf(&names, "%s []\n", w.Name)
			continue
		}
		fmt.Fprintf(&names, "%s %s\n", w.Name, strings.ReplaceAll(fmt.Sprint([]int(w.Shape)), " ", ", "))
		center, limit := 0.0, 0.1
		switch s := w.Shape; {
		case strings.HasSuffix(kind, "kernel"):
			fan := s.TotalSize() / s[len(s)-1]
			if s[len(s)-1] == 1 { // of a depthwise convolution
				fan = s[0] * s[1]
			}
			limit = math.Sqrt(gain / float64(fan))
		case kind == "gamma" || kind == "variance" || kind == "moving_variance":
			center, limit = 1, 0.3
		}
		values := make([]float32, len(to))
		numtest.FillUniform(w.Name, zooSeed, limit, values)
		for i, v := range values {
			to[i] = center + float64(v)
		}
	}
	require.Equal(t, digest, fmt.Sprintf("%x", sha256.Sum256([]byte(names.String()))), "Keras's names and shapes of weights, not\n%s", names.String())
}

// zooGraph is a model in a graph with pixels as its input.
func zooGraph(t *testing.T, m *nn.Model, c *numtest.Case, pixels []float64, dt tensor.Dtype, training bool) *nn.Net {
	t.Helper()
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: c.Int("batch"), Training: training})
	require.NoError(t, err)
	x := &numtest.Tensor{Dtype: "float64", Shape: append([]int{c.Int("batch")}, m.InputShape()...), Data: pixels}
	require.NoError(t, gorgonia.Let(net.Input, x.Dense(dt)))
	return net
}

func checkZooProbabilities(t *testing.T, m *nn.Model, c *numtest.Case, pixels []float64, dt tensor.Dtype, tolerance float64) {
	t.Helper()
	net := zooGraph(t, m, c, pixels, dt, false)
	vm, err := graph.Compile(net.Graph, graph.WithEngine(engine(t, 0)), graph.WithOutputs(net.Output))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	v, err := vm.Value(net.Output)
	require.NoError(t, err)
	numtest.AssertClose(t, c.Tensor("y"), v, numtest.Tolerance{Norm: tolerance}, fmt.Sprintf("probabilities in %v", dt))
}

func checkZooGradients(t *testing.T, m *nn.Model, c *numtest.Case, pixels []float64) {
	t.Helper()
	net := zooGraph(t, m, c, pixels, tensor.Float64, true)
	labels := make([]int, c.Int("batch"))
	numtest.FillLabels("labels", zooSeed, c.Int("classes"), labels)
	y := gorgonia.NewVector(net.Graph, tensor.Int, gorgonia.WithShape(len(labels)), gorgonia.WithName("labels"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))))
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, y)
	require.NoError(t, err)
	grads, err := gorgonia.Grad(loss, net.Trainable()...)
	require.NoError(t, err)
	vm, err := graph.Compile(net.Graph, graph.WithEngine(engine(t, 0)), graph.WithOutputs(append(gorgonia.Nodes{loss}, grads...)...))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	v, err := vm.Value(loss)
	require.NoError(t, err)
	numtest.AssertClose(t, c.Tensor("loss"), v, numtest.Tolerance{Rel: 1e-11}, "loss")
	norms := tensor.New(tensor.WithShape(len(grads)), tensor.Of(tensor.Float64))
	for i, g := range grads {
		v, err := vm.Value(g)
		require.NoError(t, err)
		squares := 0.0
		for _, d := range v.Data().([]float64) {
			squares += d * d
		}
		norms.Data().([]float64)[i] = math.Sqrt(squares)
	}
	// The file has float32. Some gradients are 0, such as those of shifts that a normalization takes away again.
	numtest.AssertClose(t, c.Tensor("norms"), norms, numtest.Tolerance{Rel: 1e-7, Norm: 1e-10}, "norms of the gradients")
}

// TestZooCompiles compiles training steps and inference at the size of ImageNet's images on the engine that does not compute; with -short
// of the smallest network of each family alone.
func TestZooCompiles(t *testing.T) {
	for _, name := range []string{"efficientnetb0", "efficientnetb7", "efficientnetv2-b0", "efficientnetv2-l", "mobilenetv3-small", "mobilenetv3-large",
		"convnext-tiny", "convnext-xlarge", "xception", "inceptionv3", "inceptionresnetv2", "nasnet-mobile"} {
		t.Run(name, func(t *testing.T) {
			if numtest.Race && name != "efficientnetb0" || testing.Short() && slices.Contains([]string{"efficientnetb7", "efficientnetv2-l", "convnext-xlarge", "inceptionresnetv2"}, name) {
				t.Skip("a large network")
			}
			a, err := arch.ByName(name, arch.Config{Input: nn.Shape{224, 224, 3}, Classes: 1000})
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			step, options, err := train.StepGraph(m, train.Adam{}, 32, 1)
			require.NoError(t, err)
			vm, err := graph.Compile(step, append(options, graph.WithEngine(graph.Null{}))...)
			require.NoError(t, err)
			require.NotEmpty(t, vm.Explain().Steps)
			require.NoError(t, vm.Close())
			forward, options, err := train.InferenceGraph(m, 1)
			require.NoError(t, err)
			vm, err = graph.Compile(forward, append(options, graph.WithEngine(graph.Null{}))...)
			require.NoError(t, err)
			require.NotEmpty(t, vm.Explain().Steps)
			require.NoError(t, vm.Close())
		})
	}
}

// TestTakesRawPixels: networks that rescale pixels themselves are given these as they are, and are not to have others.
func TestTakesRawPixels(t *testing.T) {
	first := func(layers ...nn.Layer) *nn.Model {
		b := nn.NewBuilder("")
		in := b.Input(nn.Shape{4, 4, 3})
		x := in
		for _, l := range layers {
			x = b.Add(l, x)
		}
		m, err := b.Model(in, b.Add(nn.Flatten{}, x))
		require.NoError(t, err)
		return m
	}
	mean := []float64{123, 117, 104}
	adapted := func(dt tensor.Dtype, l nn.Normalization, mean float64) *nn.Model { // Keras's layer after adapt
		m := first(l)
		require.NoError(t, m.Initialize(1, dt))
		for _, w := range m.Weights() {
			if w.Name == "normalization/mean" {
				switch v := w.Value.Data().(type) {
				case []float32:
					v[2] = float32(mean)
				case []float64:
					v[2] = mean
				}
			}
		}
		return m
	}
	for _, c := range []struct {
		m    *nn.Model
		want bool
	}{
		{first(nn.Rescaling{Scale: 1. / 255}), true},
		{first(nn.Permute{Dims: []int{3, 1, 2}}, nn.Rescaling{Scale: 1. / 127.5, Offset: -1}), true},
		{first(nn.Normalization{Mean: mean, Variance: []float64{4000}}), true},
		{first(nn.Rescaling{Scale: 2, Offset: -1}), false},
		{first(nn.Rescaling{Offset: -1}), false},
		{first(nn.Normalization{}), false},
		{first(nn.Normalization{Mean: []float64{0.5}, Variance: []float64{1}}), false},
		{first(nn.Normalization{Mean: mean, Variance: []float64{4000}, Invert: true}), false},
		{first(nn.Conv2D{Filters: 1, Kernel: nn.K(1)}, nn.Rescaling{Scale: 1. / 255}), false},
		{adapted(tensor.Float32, nn.Normalization{}, 120), true},
		{adapted(tensor.Float64, nn.Normalization{}, 120), true},
		{adapted(tensor.Float32, nn.Normalization{}, 0.5), false},
		{adapted(tensor.Float32, nn.Normalization{Invert: true}, 120), false},
		{first(), false},
		{nil, false},
	} {
		require.Equal(t, c.want, train.TakesRawPixels(c.m))
	}

	c := small(t)
	c.Arch, c.LimitTrain, c.LimitTest, c.Epochs = "mobilenetv3-small", 32, 16, 1
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 1)
	_, trained, err := train.LoadModel(checkpoints(t, c.Out)[0])
	require.NoError(t, err)
	require.True(t, trained.RawPixels)
	require.Equal(t, data.Normalize{Raw: true}, trained.Normalize())
	c.Out, c.Standardise = t.TempDir(), true
	_, err = run(t, c, nil)
	require.ErrorContains(t, err, "mobilenetv3-small takes pixels of 0 to 255 and rescales them itself; leave Standardise out")
}

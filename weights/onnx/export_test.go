package onnx

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// nets are models that are exported, by name.
func nets(t *testing.T) map[string]*nn.Model {
	t.Helper()
	out := map[string]*nn.Model{}
	add := func(name string, m *nn.Model, err error) {
		require.NoError(t, err, name)
		out[name] = m
	}
	m, err := arch.SimpleCNN{}.Model()
	add("simplecnn", m, err)
	m, err = arch.SimpleCNN{DataFormat: nn.ChannelsFirst}.Model()
	add("simplecnn_channels_first", m, err)
	m, err = arch.VGG16{}.Model()
	add("vgg16", m, err)
	m, err = arch.ResNet50{RescaleInputs: true}.Model()
	add("resnet50", m, err)
	for name, format := range map[string]nn.DataFormat{"small": nn.ChannelsLast, "small_channels_first": nn.ChannelsFirst} {
		m, err = small(format)
		add(name, m, err)
	}
	return out
}

// small has one of most layers.
func small(format nn.DataFormat) (*nn.Model, error) {
	b := nn.NewBuilder("small")
	x := b.Input(nn.Shape{9, 8, 3})
	y := x
	if format == nn.ChannelsFirst {
		b.DataFormat = format
		y = b.Add(nn.Permute{Dims: []int{3, 1, 2}}, x)
	}
	y = b.Add(nn.Conv2D{Filters: 6, Kernel: [2]int{3, 2}, Strides: [2]int{2, 1}, Padding: nn.Same, Activation: nn.ReLU}, y)
	y = b.Add(nn.BatchNormalization{}, y)
	left := b.Add(nn.Conv2D{Filters: 6, Kernel: nn.K(3), Groups: 3, Dilations: nn.K(2), Padding: nn.Same, NoBias: true}, y)
	y = b.Add(nn.Add{}, left, y)
	y = b.Add(nn.ZeroPadding2D{Padding: [2][2]int{{1, 0}, {0, 2}}}, y)
	y = b.Add(nn.AveragePooling2D{Strides: nn.K(1), Padding: nn.Same}, y)
	y = b.Add(nn.MaxPooling2D{Pool: [2]int{3, 2}, Strides: nn.K(2), Padding: nn.Same}, y)
	y = b.Add(nn.Dropout{Rate: 0.5}, y)
	y = b.Add(nn.Flatten{}, y)
	y = b.Add(nn.Dense{Units: 12, Activation: nn.ReLU}, y)
	y = b.Add(nn.BatchNormalization{}, y)
	y = b.Add(nn.Dense{Units: 5, Activation: nn.Softmax}, y)
	return b.Model(x, y)
}

// randomize gives a model random weights, the running averages too.
func randomize(t *testing.T, m *nn.Model) {
	t.Helper()
	require.NoError(t, m.Initialize(1, tensor.Float32))
	for _, w := range m.Weights() {
		d := w.Value.Data().([]float32)
		switch filepath.Base(w.Name) {
		case "moving_variance", "gamma":
			numtest.FillUniform(w.Name, 7, 0.4, d)
			for i := range d {
				d[i]++
			}
		case "bias", "beta", "moving_mean":
			numtest.FillUniform(w.Name, 7, 0.2, d)
		}
	}
}

// predict runs a model of package nn up to its logits.
func predict(t *testing.T, m *nn.Model, x *tensor.Dense) []float32 {
	t.Helper()
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: x.Shape()[0]})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, x))
	return run(t, net.Logits)
}

func run(t *testing.T, out *gorgonia.Node) []float32 {
	t.Helper()
	machine, err := graph.Compile(out.Graph(), graph.WithOutputs(out))
	require.NoError(t, err)
	defer machine.Close()
	require.NoError(t, machine.RunAll())
	return append([]float32(nil), out.Value().Data().([]float32)...)
}

func images(t *testing.T, batch int, sample nn.Shape) *tensor.Dense {
	t.Helper()
	s := append([]int{batch}, sample...)
	data := make([]float32, size(s))
	numtest.FillUniform("images", 7, 1, data)
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(data))
}

// near compares logits: relative to the largest one of all.
func near(t *testing.T, want, got []float32, tolerance float64) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	top, worst := 0.0, 0.0
	for i := range want {
		top = max(top, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(want[i]-got[i])))
	}
	require.LessOrEqual(t, worst, tolerance*top)
}

// TestExportReadsBack writes models, reads them and compares what both compute.
func TestExportReadsBack(t *testing.T) {
	for name, m := range nets(t) {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && (name == "vgg16" || name == "resnet50") {
				t.Skip("large")
			}
			randomize(t, m)
			var file bytes.Buffer
			require.NoError(t, Encode(&file, m, WriteConfig{Logits: true}))
			g, err := Decode(file.Bytes())
			require.NoError(t, err)
			for _, batch := range []int{1, 3} {
				x := images(t, batch, m.InputShape())
				net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: batch})
				require.NoError(t, err)
				require.NoError(t, gorgonia.Let(net.Inputs[0], x))
				near(t, predict(t, m, x), run(t, net.Outputs[0]), 1e-5)
			}
		})
	}
}

// TestExportForRuntimes writes models with an input and our result into the folder that STHENO_ONNX_EXPORT names, as test cases for
// scripts/onnx/check.py.
func TestExportForRuntimes(t *testing.T) {
	folder := os.Getenv("STHENO_ONNX_EXPORT")
	if folder == "" {
		t.Skip("set STHENO_ONNX_EXPORT to a folder, which scripts/onnx/check.py then checks")
	}
	for name, m := range nets(t) {
		randomize(t, m)
		set := filepath.Join(folder, name, "test_data_set_0")
		require.NoError(t, os.MkdirAll(set, 0o777))
		require.NoError(t, Write(filepath.Join(folder, name, "model.onnx"), m, WriteConfig{Logits: true}))
		x := images(t, 4, m.InputShape())
		y := predict(t, m, x)
		writePB(t, filepath.Join(set, "input_0.pb"), &array{elem: elemFloat, shape: x.Shape(), f32: x.Data().([]float32)})
		writePB(t, filepath.Join(set, "output_0.pb"), &array{elem: elemFloat, shape: append([]int{4}, m.OutputShape()...), f32: y})
	}
}

func writePB(t *testing.T, path string, a *array) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tensorMessage("", a).writeTo(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}

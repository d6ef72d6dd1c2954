package onnx

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
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
	m, err = wide()
	add("wide", m, err)
	m, err = line()
	add("line", m, err)
	m, err = activations()
	add("activations", m, err)
	m, err = applications()
	add("applications", m, err)
	m, err = arch.MobileNetV3{Classes: 10}.Model()
	add("mobilenetv3", m, err)
	m, err = attention()
	add("attention", m, err)
	return out
}

// applications has the layers of keras.applications that the others lack, a model in a model, and a normalization by weights.
func applications() (*nn.Model, error) {
	row := nn.NewBuilder("row")
	row.Sequential = true
	in := row.Input(nn.Shape{9, 8, 3})
	stem, err := row.Model(in, row.Add(nn.LayerNormalization{Name: "stem_norm"}, row.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(2), Strides: nn.K(2), Name: "stem_conv"}, in)))
	if err != nil {
		return nil, err
	}
	b := nn.NewBuilder("applications")
	x := b.Input(nn.Shape{9, 8, 3})
	y := b.Add(stem, b.Add(nn.Normalization{}, b.Add(nn.Rescaling{Scale: 2, Offset: -1}, x)))
	z := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(7), Padding: nn.Same, Groups: 4}, y)
	z = b.Add(nn.Dense{Units: 4}, b.Add(nn.Dense{Units: 8, Activation: nn.GELU}, z))
	z = b.Add(nn.StochasticDepth{DropPathRate: 0.5}, b.Add(nn.LayerScale{InitValues: 0.5}, z))
	z = b.Add(nn.CustomScaleLayer{Scale: 0.17}, y, b.Add(nn.Dropout{Rate: 0.5, NoiseShape: []int{0, 1, 1, 1}}, z))
	z = b.Add(nn.MultiplyNumber{Number: 1. / 6}, b.Add(nn.ReLULayer{MaxValue: 6}, b.Add(nn.AddNumber{Number: 3}, z)))
	return b.Model(x, b.Add(nn.Dense{Units: 5, Activation: nn.Softmax}, b.Add(nn.GlobalAveragePooling2D{}, z)))
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

// wide has the convolutions that small lacks, and functions of a program's own.
func wide() (*nn.Model, error) {
	b := nn.NewBuilder("wide")
	x := b.Input(nn.Shape{11, 10, 4})
	y := b.Add(nn.SeparableConv2D{Filters: 6, Kernel: nn.K(3), DepthMultiplier: 2, Padding: nn.Same, Activation: nn.ReLU}, x)
	y = b.Add(nn.DepthwiseConv2D{Kernel: [2]int{2, 3}, Strides: nn.K(2), DepthMultiplier: 2}, y)
	y = b.Add(nn.Conv2DTranspose{Filters: 5, Kernel: nn.K(3), Strides: nn.K(2), Padding: nn.Same, OutputPadding: []int{1, 0}}, y)
	y = b.Add(functions{}, y)
	y = b.Add(nn.Conv2DTranspose{Filters: 3, Kernel: [2]int{2, 4}, Strides: [2]int{1, 3}, NoBias: true}, y)
	y = b.Add(nn.Cropping2D{Cropping: [2][2]int{{1, 2}, {0, 3}}}, y)
	y = b.Add(nn.GlobalAveragePooling2D{KeepDims: true}, y)
	y = b.Add(nn.Reshape{Target: nn.Shape{3}}, y)
	y = b.Add(nn.Dense{Units: 4}, y)
	return b.Model(x, y)
}

// line is of one dimension.
func line() (*nn.Model, error) {
	b := nn.NewBuilder("line")
	x := b.Input(nn.Shape{21, 3})
	y := b.Add(nn.Conv1D{Filters: 6, Kernel: 3, Dilations: 2, Padding: nn.Causal, Activation: nn.ReLU}, x)
	y = b.Add(nn.BatchNormalization{}, y)
	y = b.Add(nn.MaxPooling1D{}, y)
	y = b.Add(nn.Conv1DTranspose{Filters: 4, Kernel: 3, Strides: 2}, y)
	y = b.Add(nn.AveragePooling1D{Pool: 3, Padding: nn.Same}, y)
	y = b.Add(nn.SeparableConv1D{Filters: 5, Kernel: 2}, y)
	y = b.Add(nn.GlobalAveragePooling1D{}, y)
	y = b.Add(nn.Dense{Units: 4}, y)
	return b.Model(x, y)
}

// activations has all elementwise functions of nn, and layers that change sizes.
func activations() (*nn.Model, error) {
	b := nn.NewBuilder("activations")
	x := b.Input(nn.Shape{3, 4, 5})
	y := b.Add(nn.UpSampling2D{Size: [2]int{2, 3}}, x)
	y = b.Add(nn.UpSampling2D{Interpolation: nn.Bilinear}, y)
	y = b.Add(nn.Conv2D{Filters: 6, Kernel: nn.K(3), Strides: nn.K(3), Padding: nn.Same}, y)
	branches := []*nn.Tensor{y}
	for _, f := range []nn.Nonlinearity{nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.Sigmoid, nn.LogSigmoid, nn.SiLU, nn.Mish, nn.Tanh, nn.Softplus,
		nn.Softsign, nn.Squareplus, nn.Exponential, nn.HardSigmoid, nn.HardSiLU, nn.HardTanh, nn.HardShrink, nn.SoftShrink, nn.TanhShrink, nn.SparsePlus,
		nn.SparseSigmoid, nn.GELUApproximate, nn.Softmax, nn.LogSoftmax} {
		branches = append(branches, b.Add(nn.Activation{Func: f}, y))
	}
	branches = append(branches, b.Add(nn.PReLU{}, y))
	y = b.Add(nn.Add{}, branches...)
	y = b.Add(nn.GlobalMaxPooling2D{}, y)
	y = b.Add(nn.RepeatVector{Times: 4}, y)
	y = b.Add(nn.Reshape{Target: nn.Shape{2, 2, 3, 2}}, y)
	y = b.Add(nn.Conv3D{Filters: 3, Kernel: nn.K3(2), Padding: nn.Same}, y)
	y = b.Add(nn.Flatten{}, y)
	y = b.Add(nn.Dense{Units: 4}, y)
	return b.Model(x, y)
}

// attention has products of batches of matrices, transposed and not.
func attention() (*nn.Model, error) {
	b := nn.NewBuilder("attention")
	x := b.Input(nn.Shape{6, 4})
	y := b.Add(nn.LayerNormalization{}, x)
	y = b.Add(nn.LayerNormalization{NoScale: true, Epsilon: 1e-5}, b.Add(nn.LayerNormalization{NoCenter: true}, y))
	y = b.Add(nn.LayerNormalization{Axis: []int{1}}, b.Add(nn.LayerNormalization{NoScale: true, NoCenter: true}, y))
	y = b.Add(nn.Add{}, x, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 3, Causal: true}, y, y))
	y = b.Add(nn.Attention{}, b.Add(nn.Dense{Units: 4}, y), y)
	y = b.Add(nn.AdditiveAttention{}, y, x)
	y = b.Add(nn.Dot{Axes: [2]int{1, 1}}, y, x) // (4, 4)
	y = b.Add(nn.Dot{Axes: [2]int{2, 1}}, y, b.Add(nn.Permute{Dims: []int{2, 1}}, x))
	y = b.Add(nn.Dense{Units: 4}, b.Add(nn.Flatten{}, y))
	return b.Model(x, y)
}

// functions is a layer of the primitives of package op, on images.
type functions struct{}

func (functions) Identity() (class, name string)     { return "Functions", "" }
func (functions) Infer(s *nn.Spec) (nn.Shape, error) { return s.Inputs[0], nil }
func (functions) Apply(c *nn.Context) *gorgonia.Node {
	x, n := op.Of(c.Inputs[0]), op.Number
	y := x.Mul(x.MeanKeep(1, 2).Sigmoid()) // squeeze and excitation
	positive := x.Square().Add(n(0.5))
	for _, fn := range []op.UnaryFn{op.FnAbs, op.FnSign, op.FnSin, op.FnCos, op.FnExp, op.FnTanh, op.FnSoftplus, op.FnErf, op.FnNeg, op.FnCube, op.FnExpm1} {
		y = y.Add(x.Unary(fn).Mul(n(0.1)))
	}
	for _, fn := range []op.UnaryFn{op.FnLog, op.FnLog2, op.FnSqrt, op.FnInverse, op.FnInverseSqrt, op.FnLog1p} {
		y = y.Add(positive.Unary(fn).Mul(n(0.1)))
	}
	y = y.Maximum(x).Minimum(n(3)).Sub(n(1).Sub(x).Clip(-1, 1)).Div(positive).Add(positive.Pow(n(1.5)).Mul(n(0.1)))
	y = y.Add(op.Where(x.Greater(y), x.LessEqual(n(0.2)), y.NotEqual(x).Add(y.Less(n(0)))))
	y = y.Add(x.Max(3).Expand(-1)).Sub(x.MinKeep(-1)).Add(x.Mean(1, 2).Reshape(x.Shape()[0], 1, 1, -1)).Add(x.Sum(1, 2, 3).Mul(n(0.01)).Reshape(-1, 1, 1, 1))
	left, right := y.Slice(3, 0, 2), y.Slice(-1, 2, 5)
	y = op.Join(3, right.Flip(2), left).Permute(0, 2, 1, 3).Permute(0, 2, 1, 3)
	out, err := y.StopGradient().Node()
	if err != nil {
		return c.Fail(err)
	}
	return out
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
			seen := map[string]bool{}
			for _, n := range g.nodes { // ONNX Runtime refuses files in which two nodes have one name
				require.False(t, seen[n.name], n.name)
				seen[n.name] = true
			}
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
// scripts/onnx/check.py; those of the folders below STHENO_ONNX_TESTDATA, too, if they become models.
func TestExportForRuntimes(t *testing.T) {
	folder := os.Getenv("STHENO_ONNX_EXPORT")
	if folder == "" {
		t.Skip("set STHENO_ONNX_EXPORT to a folder, which scripts/onnx/check.py then checks")
	}
	all := nets(t)
	for _, m := range all {
		randomize(t, m)
	}
	if root := os.Getenv("STHENO_ONNX_TESTDATA"); root != "" {
		paths, err := filepath.Glob(filepath.Join(root, "*", "*", "model.onnx"))
		require.NoError(t, err)
		for _, path := range paths {
			g, err := Read(path)
			require.NoError(t, err)
			m, err := g.Model(ModelConfig{})
			require.NoError(t, err)
			all["again_"+filepath.Base(filepath.Dir(path))] = m
		}
	}
	var err error
	all["several"], err = several()
	require.NoError(t, err)
	randomize(t, all["several"])
	for name, m := range all {
		set := filepath.Join(folder, name, "test_data_set_0")
		require.NoError(t, os.MkdirAll(set, 0o777))
		require.NoError(t, Write(filepath.Join(folder, name, "model.onnx"), m, WriteConfig{Logits: true}))
		inputs := []*tensor.Dense{images(t, 4, m.InputShape())}
		if len(m.Inputs()) > 1 {
			inputs = severalInputs(4)
		}
		net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 4})
		require.NoError(t, err)
		for i, x := range inputs {
			require.NoError(t, gorgonia.Let(net.Inputs[i], x))
			writePB(t, filepath.Join(set, fmt.Sprintf("input_%d.pb", i)), fromDense(x))
		}
		for i, y := range runAll(t, net.AllLogits) {
			writePB(t, filepath.Join(set, fmt.Sprintf("output_%d.pb", i)), fromDense(y))
		}
	}
}

// fromDense is a tensor of floats or integers as files have it.
func fromDense(d *tensor.Dense) *array {
	if list, ok := d.Data().([]int); ok {
		a := vector(list)
		a.shape = d.Shape()
		return a
	}
	return &array{elem: elemFloat, shape: d.Shape(), f32: d.Data().([]float32)}
}

func writePB(t *testing.T, path string, a *array) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tensorMessage("", a).writeTo(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}

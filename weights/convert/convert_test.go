package convert

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

func goldenFile(name string) string { return filepath.Join("testdata", "golden", name) }

// small is the network of scripts/golden/make_convert.py.
func small(t *testing.T, format nn.DataFormat) *nn.Model {
	t.Helper()
	b := nn.NewBuilder("small")
	b.DataFormat = format
	input := b.Input(nn.Shape{10, 6, 3})
	x := input
	if format == nn.ChannelsFirst {
		x = b.Add(nn.Permute{Dims: []int{3, 1, 2}}, x)
	}
	x = b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Padding: nn.Same, NoBias: true, Name: "conv"}, x)
	x = b.Add(nn.BatchNormalization{Epsilon: 1e-5, Name: "bn"}, x)
	x = b.Add(nn.Activation{Func: nn.ReLU}, x)
	x = b.Add(nn.MaxPooling2D{}, x)
	x = b.Add(nn.Conv2D{Filters: 6, Kernel: [2]int{3, 1}, Padding: nn.Same, Groups: 2, Activation: nn.ReLU, Name: "grouped"}, x)
	x = b.Add(nn.Flatten{}, x)
	x = b.Add(nn.BatchNormalization{Epsilon: 1e-5, Name: "flat_bn"}, x)
	x = b.Add(nn.Dropout{Rate: 0.5}, x)
	x = b.Add(nn.Dense{Units: 5, Activation: nn.ReLU, Name: "hidden"}, x)
	x = b.Add(nn.Dense{Units: 4, Name: "out"}, x)
	m, err := b.Model(input, x)
	require.NoError(t, err)
	return m
}

// outputs are what a network computes in inference.
func outputs(t *testing.T, m *nn.Model, x *tensor.Dense) []float64 {
	t.Helper()
	dt, ok := m.Dtype()
	require.True(t, ok)
	g := gorgonia.NewGraph()
	net, err := m.Build(g, nn.BuildConfig{Batch: x.Shape()[0], Dtype: dt})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, x))
	var y gorgonia.Value
	gorgonia.Read(net.Output, &y)
	vm := gorgonia.NewTapeMachine(g)
	require.NoError(t, vm.RunAll())
	require.NoError(t, vm.Close())
	if d, ok := y.Data().([]float64); ok {
		return d
	}
	var out []float64
	for _, v := range y.Data().([]float32) {
		out = append(out, float64(v))
	}
	return out
}

// Files of several kinds with the weights of one network, in both data formats: with them the network computes what PyTorch
// computed.
func TestTheNetworkComputesWhatPyTorchDid(t *testing.T) {
	golden := numtest.LoadGolden(t, goldenFile("net.json")).Case(t, "net")
	safetensors := filepath.Join(t.TempDir(), "net.safetensors")
	src, err := Open(goldenFile("net.pth"))
	require.NoError(t, err)
	require.NoError(t, weights.WriteSafetensors(safetensors, &weights.File{Tensors: src.Tensors}))
	for _, c := range []struct {
		path, format string
		layout       Layout
		tolerance    float64
	}{{goldenFile("net.pth"), "PyTorch", TorchLayout, 2e-6}, {goldenFile("half.pt"), "PyTorch", TorchLayout, 1e-2}, {goldenFile("net.npz"), "NumPy", TorchLayout, 2e-6},
		{goldenFile("keras_order.npz"), "NumPy", KerasLayout, 2e-6}, {safetensors, "safetensors", TorchLayout, 2e-6}} {
		for _, format := range []nn.DataFormat{nn.ChannelsLast, nn.ChannelsFirst} {
			src, err := Open(c.path)
			require.NoError(t, err)
			require.Equal(t, c.format, src.Format)
			require.Equal(t, c.layout, src.Layout)
			m := small(t, format)
			require.NoError(t, m.Allocate(tensor.Float64))
			p, err := Match(m, src, Options{})
			require.NoError(t, err, c.path)
			require.Equal(t, RuleOrder, p.Rule)
			require.Empty(t, p.Notes)
			odd, err := p.Apply()
			require.NoError(t, err)
			require.Empty(t, odd)
			got, want := outputs(t, m, golden.Tensor("x").Dense(tensor.Float64)), golden.Tensor("y").Data
			for i := range want {
				require.InDelta(t, want[i], got[i], c.tolerance, "%s, %v, output %d", c.path, format, i)
			}
		}
	}
}

func TestWhatIsSetAside(t *testing.T) {
	src, err := Open(goldenFile("net.pth"))
	require.NoError(t, err)
	require.Equal(t, "state_dict.module.", src.Prefix)
	require.Equal(t, "features.0.weight", src.Tensors[0].Name)
	require.Len(t, src.Tensors, 15)
	require.Equal(t, []Aside{{"optimizer.state.0.momentum_buffer", "optimizer's state"}, {"features.1.num_batches_tracked", "counter of batches"},
		{"norm.num_batches_tracked", "counter of batches"}}, src.Aside)
}

// With a list of names, of layers or of single weights.
func TestNamesThatAreGiven(t *testing.T) {
	src, err := Open(goldenFile("net.pth"))
	require.NoError(t, err)
	names := map[string]string{"conv": "features.0", "bn": "module.features.1", "grouped": "state_dict.module.features.4", "flat_bn": "norm", "hidden": "fc1",
		"out/kernel": "fc2.weight", "out/bias": "fc2.bias"}
	p, err := Match(small(t, nn.ChannelsLast), src, Options{Map: names})
	require.NoError(t, err)
	require.Equal(t, RuleMap, p.Rule)
	require.Len(t, p.Pairs, 15)
	require.Equal(t, "[4 3 3 3] to [3 3 3 4]", p.Pairs[0].Moves)
	delete(names, "out/bias")
	_, err = Match(small(t, nn.ChannelsLast), src, Options{Map: names})
	var e *MismatchError
	require.ErrorAs(t, err, &e)
	require.Equal(t, []Difference{{Kind: "missing", Weight: "out/bias", Wanted: []int{4}}, {Kind: "unexpected", Tensor: "fc2.bias", Got: []int{4}}}, e.Differences)
	names["out/bias"] = "fc3.bias"
	_, err = Match(small(t, nn.ChannelsLast), src, Options{Map: names})
	require.ErrorContains(t, err, `"fc3.bias" for "out/bias", which`)
}

// Nothing is skipped: every difference has its line.
func TestDifferencesAreListed(t *testing.T) {
	src, err := Open(goldenFile("net.pth"))
	require.NoError(t, err)
	m := small(t, nn.ChannelsLast)
	mismatch := func(change func(*Source)) *MismatchError {
		s := *src
		s.Tensors = slices.Clone(src.Tensors)
		change(&s)
		_, err := Match(m, &s, Options{Rule: RuleOrder})
		var e *MismatchError
		require.ErrorAs(t, err, &e)
		for _, d := range e.Differences {
			require.Contains(t, err.Error(), d.String())
		}
		return e
	}
	e := mismatch(func(s *Source) { s.Tensors = s.Tensors[:14] })
	require.Equal(t, []Difference{{Kind: "missing", Weight: "out/bias", Wanted: []int{4}}}, e.Differences)
	e = mismatch(func(s *Source) {
		s.Tensors = append(s.Tensors, weights.Tensor{Name: "aux.weight", Shape: []int{2}, Data: []float32{1, 2}})
	})
	require.Equal(t, []Difference{{Kind: "unexpected", Tensor: "aux.weight", Got: []int{2}}}, e.Differences)
	e = mismatch(func(s *Source) { s.Tensors[0].Shape = []int{4, 3, 9, 1} })
	require.Equal(t, []Difference{{Kind: "shape", Weight: "conv/kernel", Tensor: "features.0.weight", Wanted: []int{4, 3, 3, 3}, Got: []int{4, 3, 9, 1}}}, e.Differences)
	require.Zero(t, e.Classes)
	e = mismatch(func(s *Source) { s.Tensors[0].DType = "I32" })
	require.Equal(t, "type", e.Differences[0].Kind)
	e = mismatch(func(s *Source) { s.Tensors[13].Shape, s.Tensors[14].Shape = []int{7, 5}, []int{7} })
	require.Equal(t, 7, e.Classes)
	require.Equal(t, 13, e.Matched)
	require.ErrorContains(t, e, "13 of 15 weights matched, by order; the file has 15 tensors")
	// What is not meant to be there is said.
	extra := *src
	extra.Tensors = append(slices.Clone(src.Tensors), weights.Tensor{Name: "aux.fc.weight", Shape: []int{1}, Data: []float32{1}})
	p, err := Match(m, &extra, Options{Ignore: []string{"aux.*"}})
	require.NoError(t, err)
	require.Contains(t, p.Ignored, Aside{"aux.fc.weight", "ignored, as asked for"})
	for want, o := range map[string]Options{"unknown layout": {Layout: "caffe"}, "unknown rule": {Rule: "guess"}, "pattern": {Ignore: []string{"["}}} {
		_, err := Match(m, src, o)
		require.ErrorContains(t, err, want)
	}
}

// names reads torchvision's names and shapes as a file without elements.
func torchvision(t *testing.T, name string) *Source {
	text, err := os.ReadFile(goldenFile("torchvision.json"))
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &all))
	s := &Source{Path: name, Format: "PyTorch"}
	dec := json.NewDecoder(strings.NewReader(string(all[name])))
	_, err = dec.Token()
	require.NoError(t, err)
	for dec.More() {
		key, err := dec.Token()
		require.NoError(t, err)
		var shape []int
		require.NoError(t, dec.Decode(&shape))
		s.Tensors = append(s.Tensors, weights.Tensor{Name: key.(string), DType: "F32", Shape: shape, Data: []float32{}})
	}
	s.section()
	s.Layout = s.layout()
	return s
}

// Every tensor of torchvision's networks has its place in ours: of residual networks, which have branches, by their names,
// even where the file is in another order; of VGG by the order, which is certain.
func TestNamesOfTorchvision(t *testing.T) {
	imagenet := nn.Shape{224, 224, 3}
	for name, c := range map[string]struct {
		a    arch.Architecture
		rule Rule
		some map[string]string
	}{
		"resnet18": {arch.ResNet{Depth: 18, Classes: 1000, Input: imagenet}, RuleTorch, map[string]string{"res3b_branch2a/kernel": "layer2.1.conv1.weight"}},
		"resnet50": {arch.ResNet50{Classes: 1000, Input: imagenet}, RuleTorch, map[string]string{"bn5c_branch2c/moving_variance": "layer4.2.bn3.running_var",
			"res2a_branch1/kernel": "layer1.0.downsample.0.weight", "bn2a_branch1/gamma": "layer1.0.downsample.1.weight", "fc1000/kernel": "fc.weight",
			"bn_conv1/beta": "bn1.bias", "conv1/kernel": "conv1.weight"}},
		"alexnet": {arch.AlexNet{OneWeirdTrick: true, Classes: 1000, Input: imagenet}, RuleOrder, map[string]string{"fc6/kernel": "classifier.1.weight"}},
		"mobilenet_v2": {arch.MobileNetV2{Classes: 1000, Input: imagenet}, RuleOrder, map[string]string{"block_16_depthwise/kernel": "features.17.conv.1.0.weight",
			"Conv_1/kernel": "features.18.0.weight"}},
		"wide_resnet50_2": {arch.ResNet{Depth: 50, GroupWidth: 128, Classes: 1000, Input: imagenet}, RuleTorch, nil},
		"vgg16":           {arch.VGG16{Classes: 1000, Input: imagenet}, RuleOrder, map[string]string{"block5_conv3/kernel": "features.28.weight", "fc1/kernel": "classifier.0.weight"}},
		"vgg11_bn": {arch.VGG{Depth: 11, BatchNorm: true, Classes: 1000, Input: imagenet}, RuleOrder,
			map[string]string{"block1_conv1_bn/gamma": "features.1.weight", "predictions/bias": "classifier.6.bias"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := c.a.Model()
			require.NoError(t, err)
			src := torchvision(t, name)
			if c.rule == RuleTorch {
				slices.Reverse(src.Tensors)
			}
			p, err := Match(m, src, Options{})
			require.NoError(t, err)
			require.Equal(t, c.rule, p.Rule)
			require.Len(t, p.Pairs, len(m.Weights()))
			at := map[string]string{}
			for _, pair := range p.Pairs {
				at[pair.Weight.Name] = pair.Tensor.Name
			}
			for weight, tensor := range c.some {
				require.Equal(t, tensor, at[weight])
			}
		})
	}
	// keras.applications' names of the layers.
	for layer, module := range map[string]string{"conv1_conv": "conv1", "conv1_bn": "bn1", "conv3_block2_1_conv": "layer2.1.conv1", "conv3_block2_3_bn": "layer2.1.bn3",
		"conv2_block1_0_conv": "layer1.0.downsample.0", "conv5_block1_0_bn": "layer4.0.downsample.1", "predictions": "fc", "res4z1_branch2b": "layer3.26.conv2",
		"features_0": "features.0"} {
		require.Contains(t, torchModules(layer), module)
	}
}

// Where there are branches, the order of a file does not say which of two convolutions of one shape is which.
func TestOrderIsAGuessWhereThereAreBranches(t *testing.T) {
	m, err := arch.ResNet50{Classes: 1000, Input: nn.Shape{224, 224, 3}}.Model()
	require.NoError(t, err)
	all, _ := slots(m)
	src := &Source{Path: "x", Layout: TorchLayout}
	for _, s := range all {
		src.Tensors = append(src.Tensors, weights.Tensor{Name: "x" + strings.ReplaceAll(s.layer.Name, "_", "") + "." + s.leaf(), DType: "F32",
			Shape: s.arrangement(TorchLayout).shape, Data: []float32{}})
	}
	_, err = Match(m, src, Options{})
	require.ErrorContains(t, err, "--match order")
	p, err := Match(m, src, Options{Rule: RuleOrder})
	require.NoError(t, err)
	require.Equal(t, RuleOrder, p.Rule)
	require.False(t, inOneRow(m))
	simple, err := arch.SimpleCNN{}.Model()
	require.NoError(t, err)
	require.True(t, inOneRow(simple))
}

// Our own files, and Keras's names: equal names, whatever stands around them.
func TestEqualNames(t *testing.T) {
	m := small(t, nn.ChannelsLast)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	for _, name := range []func(string) string{
		func(n string) string { return n },
		func(n string) string { return "model/" + n },
		func(n string) string { return strings.ReplaceAll(n, "/", ".") },
		func(n string) string { return strings.Split(n, "/")[0] + "/" + n + ":0" },
	} {
		src := &Source{Path: "x", Format: "safetensors"}
		for _, w := range m.Weights() {
			src.Tensors = append(src.Tensors, weights.Tensor{Name: name(w.Name), Shape: w.Shape, Data: w.Value.Data()})
		}
		src.section()
		src.Layout = src.layout()
		require.Equal(t, KerasLayout, src.Layout)
		other := small(t, nn.ChannelsLast)
		p, err := Match(other, src, Options{})
		require.NoError(t, err)
		require.Equal(t, RuleNames, p.Rule)
		_, err = p.Apply()
		require.NoError(t, err)
		for i, w := range other.Weights() {
			require.Equal(t, m.Weights()[i].Value.Data(), w.Value.Data())
		}
	}
}

// What neither names nor shapes show.
func TestNotes(t *testing.T) {
	b := nn.NewBuilder("m")
	input := b.Input(nn.Shape{8, 8, 3})
	x := b.Add(nn.Conv2D{Filters: 2, Kernel: nn.K(3), Strides: nn.K(2), Padding: nn.Same, Name: "strided"}, input)
	x = b.Add(nn.BatchNormalization{Name: "bn"}, x)
	m, err := b.Model(input, x)
	require.NoError(t, err)
	src := &Source{Path: "x", Layout: TorchLayout, Tensors: []weights.Tensor{{Name: "0.weight", Shape: []int{2, 3, 3, 3}, Data: make([]float32, 54)}, {Name: "0.bias", Shape: []int{2}, Data: []float32{1, 2}}}}
	for _, leaf := range []string{"weight", "bias", "running_mean", "running_var"} {
		src.Tensors = append(src.Tensors, weights.Tensor{Name: "1." + leaf, Shape: []int{2}, Data: []float64{1, math.NaN()}})
	}
	p, err := Match(m, src, Options{})
	require.NoError(t, err)
	require.Len(t, p.Notes, 2)
	require.Contains(t, p.Notes[0], `epsilon 0.001 in "bn"`)
	require.Contains(t, p.Notes[1], `in "strided"`)
	odd, err := p.Apply()
	require.NoError(t, err)
	require.Equal(t, []string{"1.weight", "1.bias", "1.running_mean", "1.running_var"}, odd)
}

// TestSafetensorsThatLookLikeOthers: the length of a header, which a file begins with, may be the first bytes of a pickle or of an ONNX file.
func TestSafetensorsThatLookLikeOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	for _, length := range []int{64, 0x0280, 0x0580, 0x120708, 0x720108} {
		header := `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
		header += strings.Repeat(" ", length-len(header))
		raw := append(binary.LittleEndian.AppendUint64(nil, uint64(length)), header...)
		require.NoError(t, os.WriteFile(path, append(raw, 0, 0, 0x80, 0x3f), 0o600))
		src, err := Open(path)
		require.NoError(t, err, "%#x", length)
		require.Equal(t, "safetensors", src.Format)
		require.Len(t, src.Tensors, 1)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for want, path := range map[string]string{
		"no such file":       filepath.Join(dir, "nowhere"),
		"not a regular file": dir,
		"is empty":           write("empty", ""),
		"is no file of":      write("text", "hello, world, this is text"),
		"cannot be read":     write("zip", "PK\x03\x04 and more"),
		"expected":           write("a.safetensors", "\x09\x00\x00\x00\x00\x00\x00\x00{\"a\":1,\"\""),
		"damaged":            write("a.pt", "\x80\x02}q"),
	} {
		_, err := Open(path)
		require.ErrorContains(t, err, want)
	}
}

// TestNamesOfManyParts has names of many equal parts, each beginning of which is the same as what follows.
func TestNamesOfManyParts(t *testing.T) {
	src := &Source{}
	for i := range 50 {
		src.Tensors = append(src.Tensors, weights.Tensor{Name: strings.Repeat("a/", 30_000) + strconv.Itoa(i)})
	}
	src.Tensors = append(src.Tensors, weights.Tensor{Name: "conv1/conv1/kernel:0"})
	start := time.Now()
	find := byEqualNames(src)
	require.Less(t, time.Since(start), 5*time.Second)
	require.Equal(t, "conv1/conv1/kernel:0", find(&slot{weight: &nn.Weight{Name: "conv1/kernel"}}).Name)
}

// TestSortedFile has layers of one shape in the order of their names, which is not that of the network.
func TestSortedFile(t *testing.T) {
	b := nn.NewBuilder("row")
	x := b.Input(nn.Shape{4})
	input := x
	for i := range 12 {
		x = b.Add(nn.Dense{Units: 4, Name: "d" + strconv.Itoa(i)}, x)
	}
	m, err := b.Model(input, x)
	require.NoError(t, err)
	src := &Source{Path: "file", Format: "safetensors", Layout: TorchLayout}
	for i := range 12 {
		name := "net." + strconv.Itoa(i)
		src.Tensors = append(src.Tensors, weights.Tensor{Name: name + ".bias", Shape: []int{4}, Data: make([]float32, 4)},
			weights.Tensor{Name: name + ".weight", Shape: []int{4, 4}, Data: make([]float32, 16)})
	}
	_, err = Match(m, src, Options{})
	require.NoError(t, err) // the network's order
	slices.SortFunc(src.Tensors, func(a, b weights.Tensor) int { return strings.Compare(a.Name, b.Name) })
	require.Equal(t, "net.10.bias", src.Tensors[4].Name)
	p, err := Match(m, src, Options{})
	require.NoError(t, err)
	require.Equal(t, "net.2.weight", p.Pairs[4].Tensor.Name)
	for i := range src.Tensors {
		src.Tensors[i].Name = "l" + src.Tensors[i].Name[len("net."):] // l10 is no number
	}
	_, err = Match(m, src, Options{})
	require.ErrorContains(t, err, "sorted by name")
	_, err = Match(m, src, Options{Rule: RuleOrder})
	require.NoError(t, err)
}

package onnx

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// several is a model of two kinds of images, words and an input that nothing needs; outputs are two heads, one of them twice, features and an input.
func several() (*nn.Model, error) {
	b := nn.NewBuilder("pair")
	x, y := b.Add(nn.Input{Shape: nn.Shape{6, 5, 3}, Name: "in"}), b.Add(nn.Input{Shape: nn.Shape{4}, Name: "row"})
	conv := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Name: "conv"}, x)
	pair, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 3, Name: "row_dense"}, y), conv, b.Add(nn.Activation{Func: nn.ReLU, Name: "conv_relu"}, conv)})
	if err != nil {
		return nil, err
	}
	b = nn.NewBuilder("several")
	words := b.Add(nn.Input{Shape: nn.Shape{4}, Dtype: tensor.Int, Name: "words"})
	image, spare, mask := b.Add(nn.Input{Shape: nn.Shape{6, 5, 3}, Name: "image"}), b.Add(nn.Input{Shape: nn.Shape{2}, Name: "spare"}), b.Add(nn.Input{Shape: nn.Shape{4, 3, 4}, Name: "mask"})
	text := b.Add(nn.GlobalAveragePooling1D{}, b.Add(nn.Embedding{InputDim: 9, OutputDim: 4, Name: "embedding"}, words))
	parts := b.AddAll(pair, image, text)
	seen := b.Add(nn.GlobalAveragePooling2D{}, b.Add(nn.Multiply{}, parts[2], mask))
	h := b.Add(nn.Concatenate{}, parts[0], seen)
	value := b.Add(nn.Dense{Units: 2, Name: "value"}, h)
	class := b.Add(nn.Dense{Units: 3, Activation: nn.Softmax, Name: "class"}, h)
	return b.Functional([]*nn.Tensor{image, words, spare, mask}, []*nn.Tensor{class, parts[1], value, value, mask})
}

// severalInputs are samples for several.
func severalInputs(batch int) []*tensor.Dense {
	out := make([]*tensor.Dense, 4)
	for i, s := range [][]int{{batch, 6, 5, 3}, {batch, 4}, {batch, 2}, {batch, 4, 3, 4}} {
		name := fmt.Sprintf("several/%d", i)
		if i == 1 {
			x := make([]int, size(s))
			numtest.FillLabels(name, 7, 9, x)
			out[i] = tensor.New(tensor.WithShape(s...), tensor.WithBacking(x))
			continue
		}
		x := make([]float32, size(s))
		numtest.FillUniform(name, 7, 1, x)
		out[i] = tensor.New(tensor.WithShape(s...), tensor.WithBacking(x))
	}
	return out
}

// runAll returns the values of nodes.
func runAll(t *testing.T, nodes gorgonia.Nodes) []*tensor.Dense {
	t.Helper()
	machine, err := graph.Compile(nodes[0].Graph(), graph.WithOutputs(nodes...))
	require.NoError(t, err)
	defer machine.Close()
	require.NoError(t, machine.RunAll())
	var out []*tensor.Dense
	for _, n := range nodes {
		v, err := machine.Value(n)
		require.NoError(t, err)
		out = append(out, v.(*tensor.Dense).Clone().(*tensor.Dense))
	}
	return out
}

// compute runs a model of package nn, with logits or without.
func compute(t *testing.T, m *nn.Model, logits bool, inputs []*tensor.Dense) []*tensor.Dense {
	t.Helper()
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: inputs[0].Shape()[0]})
	require.NoError(t, err)
	for i, x := range inputs {
		require.NoError(t, gorgonia.Let(net.Inputs[i], x))
	}
	if logits {
		return runAll(t, net.AllLogits)
	}
	return runAll(t, net.Outputs)
}

func nearAll(t *testing.T, want, got []*tensor.Dense) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, []int(want[i].Shape()), []int(got[i].Shape()))
		near(t, floats(want[i]), floats(got[i]), 1e-5)
	}
}

// TestSeveralReadBack writes a model of several inputs and outputs, and what is read computes the same: as a graph, as a model, and as one of images.
func TestSeveralReadBack(t *testing.T) {
	m, err := several()
	require.NoError(t, err)
	randomize(t, m)
	for _, logits := range []bool{false, true} {
		want := compute(t, m, logits, severalInputs(3))
		var file bytes.Buffer
		require.NoError(t, Encode(&file, m, WriteConfig{Logits: logits}))
		g, err := Decode(file.Bytes())
		require.NoError(t, err)
		require.Equal(t, []string{"image", "words", "spare", "mask"}, valueNames(g.Inputs))
		require.Equal(t, "int64", g.Inputs[1].Type)
		net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 3})
		require.NoError(t, err)
		for i, x := range severalInputs(3) {
			require.NoError(t, gorgonia.Let(net.Inputs[i], x))
		}
		nearAll(t, want, runAll(t, net.Outputs))
		for _, c := range []ModelConfig{{}, {Images: true}} {
			again, err := g.Model(c)
			require.NoError(t, err)
			nearAll(t, want, compute(t, again, false, severalInputs(3)))
			require.Equal(t, tensor.Int, again.Inputs()[1].Dtype)
			table, err := again.Weight("embedding/embeddings")
			require.NoError(t, err)
			require.Equal(t, tensor.Shape{9, 4}, table.Shape)
			description, err := g.Describe(c)
			require.NoError(t, err)
			described, err := Described(description, c)
			require.NoError(t, err)
			require.Equal(t, again.Summary(), described.Summary())
			require.NoError(t, Encode(&bytes.Buffer{}, again, WriteConfig{}))
		}
	}
	var file bytes.Buffer
	require.NoError(t, Encode(&file, m, WriteConfig{}))
	g, err := Decode(file.Bytes())
	require.NoError(t, err)
	one, err := g.Model(ModelConfig{Outputs: []string{g.Outputs[2].Name, g.Outputs[0].Name}})
	require.NoError(t, err)
	all := compute(t, m, false, severalInputs(2))
	nearAll(t, []*tensor.Dense{all[2], all[0]}, compute(t, one, false, severalInputs(2)))
	single, err := g.Model(ModelConfig{Output: g.Outputs[2].Name})
	require.NoError(t, err)
	require.Len(t, single.Outputs(), 1)
}

func valueNames(values []Value) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.Name)
	}
	return out
}

// TestGoldenSeveral: ONNX Runtime computes what we do from the file that we write.
func TestGoldenSeveral(t *testing.T) {
	folder := "testdata/golden_several"
	g, err := Read(filepath.Join(folder, "model.onnx"))
	require.NoError(t, err)
	var inputs, want []*tensor.Dense
	for i := range g.Inputs {
		inputs = append(inputs, pb(t, filepath.Join(folder, fmt.Sprintf("input_%d.pb", i))))
	}
	for i := range g.Outputs {
		want = append(want, pb(t, filepath.Join(folder, fmt.Sprintf("output_%d.pb", i))))
	}
	read, err := g.Model(ModelConfig{})
	require.NoError(t, err)
	nearAll(t, want, compute(t, read, false, inputs))
	m, err := several()
	require.NoError(t, err)
	randomize(t, m)
	nearAll(t, want, compute(t, m, true, inputs))
}

// TestIndices: integers of the graph's inputs are indices, and nothing else.
func TestIndices(t *testing.T) {
	table := map[string]*array{"t": {elem: elemFloat, shape: []int{2, 3, 4}, f32: make([]float32, 24)}}
	for i := range table["t"].f32 {
		table["t"].f32[i] = float32(i)
	}
	g, err := Decode(byHand(17, table, part{opType: "Transpose", in: []string{"t"}, out: []string{"u"}},
		part{opType: "Cast", in: []string{"i"}, out: []string{"j"}, attrs: []attr{{"to", int(elemInt32)}}},
		part{opType: "Gather", in: []string{"u", "j"}, out: []string{"v"}}, part{opType: "ReduceMean", in: []string{"v"}, out: []string{"y"}, attrs: []attr{{"axes", []int{1, 2}}, {"keepdims", 0}}}))
	require.NoError(t, err)
	m, err := g.Model(ModelConfig{})
	require.NoError(t, err)
	require.Contains(t, m.Summary(), "Gather")
	x := tensor.New(tensor.WithShape(2, 3, 4, 4), tensor.Of(tensor.Float32))
	got := compute(t, m, false, []*tensor.Dense{x, tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]int{0, 0, 3, 1, 1, 1}))})
	require.Equal(t, []float32{5, 17, 5, 17}, floats(got[0])) // the mean of rows 0, 0, 3 and of rows 1 is the same, 1 + 4, and 12 apart
	for _, p := range []part{{opType: "Relu", in: []string{"i"}, out: []string{"y"}}, {opType: "Add", in: []string{"x", "i"}, out: []string{"y"}},
		{opType: "Cast", in: []string{"i"}, out: []string{"y"}, attrs: []attr{{"to", int(elemFloat)}}}} {
		g, err := Decode(byHand(17, nil, p))
		require.NoError(t, err)
		_, err = g.Model(ModelConfig{})
		var wrong *GraphError
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, "they can be indices of a Gather only")
	}
}

// TestAttention: values inside an attention have the rows of all samples as their first axis, and become one layer with what is around them;
// the model takes any batch, and its weights are those of the file.
func TestAttention(t *testing.T) {
	b := nn.NewBuilder("attention")
	x, y := b.Add(nn.Input{Shape: nn.Shape{5, 6}, Name: "x"}), b.Add(nn.Input{Shape: nn.Shape{3, 6}, Name: "y"})
	h := b.Add(nn.Dense{Units: 6, Activation: nn.GELU, Name: "mlp"}, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 4, Name: "mha"}, x, y))
	m, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Add{}, h, x)})
	require.NoError(t, err)
	require.NoError(t, m.Initialize(3, tensor.Float32))
	var file bytes.Buffer
	require.NoError(t, Encode(&file, m, WriteConfig{}))
	g, err := Decode(file.Bytes())
	require.NoError(t, err)
	again, err := g.Model(ModelConfig{})
	require.NoError(t, err)
	require.Equal(t, numbers(m), numbers(again))
	for _, batch := range []int{1, 4, 7} {
		inputs := make([]*tensor.Dense, 2)
		for i, s := range [][]int{{batch, 5, 6}, {batch, 3, 6}} {
			v := make([]float32, size(s))
			numtest.FillUniform(fmt.Sprintf("attention/%d", i), 7, 1, v)
			inputs[i] = tensor.New(tensor.WithShape(s...), tensor.WithBacking(v))
		}
		near(t, floats(compute(t, m, false, inputs)[0]), floats(compute(t, again, false, inputs)[0]), 1e-5)
	}

	_, err = g.Model(ModelConfig{Output: "mha/Reshape"}) // the rows of all samples, which the layers above have inside
	require.ErrorContains(t, err, `"mha/Reshape": has the shape (10, 6) for a batch of 2; models want the batch as first axis of their inputs and outputs`)
}

func numbers(m *nn.Model) (n int) {
	for _, w := range m.Weights() {
		n += w.Shape.TotalSize()
	}
	return n
}

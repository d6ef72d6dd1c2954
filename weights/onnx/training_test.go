package onnx

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

func golden(t *testing.T, name string) *Graph {
	t.Helper()
	g, err := Read("testdata/golden/" + name + "/model.onnx")
	require.NoError(t, err)
	return g
}

// TestModelIsOfLayers: what nn has is nn's, so that it trains and prints as such.
func TestModelIsOfLayers(t *testing.T) {
	m, err := golden(t, "shapes_13").Model(ModelConfig{Name: "shapes"})
	require.NoError(t, err)
	classes := map[string]int{}
	for _, l := range m.Layers() {
		classes[l.Class]++
	}
	require.Equal(t, 2, classes["Conv2D"], "%v", classes)
	require.Equal(t, 1, classes["BatchNormalization"])
	require.Equal(t, 1, classes["Dense"])
	require.Equal(t, 1, classes["ConvTranspose"])
	require.Zero(t, classes["Shape"], "sizes are folded")
	kernel, err := m.Weight("conv_Conv/kernel")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3, 2, 3, 8}, kernel.Shape)
}

// TestFineTuning trains a model, the running averages too: the loss falls, and the trained model is written and read.
func TestFineTuning(t *testing.T) {
	g := golden(t, "shapes_13")
	m, err := g.Model(ModelConfig{})
	require.NoError(t, err)
	const batch = 4
	to := gorgonia.NewGraph()
	net, err := m.Build(to, nn.BuildConfig{Batch: batch, Training: true})
	require.NoError(t, err)
	require.NotEmpty(t, net.Updates, "running averages")
	x := images(t, batch, m.InputShape())
	target := make([]float32, batch*5)
	for i := range batch {
		target[i*5+i] = -1.0 / batch
	}
	y := gorgonia.NewMatrix(to, tensor.Float32, gorgonia.WithShape(batch, 5), gorgonia.WithName("target"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(batch, 5), tensor.WithBacking(target))))
	cost, err := op.Of(net.Output).Mul(op.Of(y)).Sum().Node() // the outputs are logarithms of probabilities
	require.NoError(t, err)
	grads, err := gorgonia.Grad(cost, net.Trainable()...)
	require.NoError(t, err)
	updates := net.Updates
	for i, p := range net.Trainable() {
		next, err := op.Apply(&op.Descend{}, p, grads[i], rate(to))
		require.NoError(t, err)
		updates = append(updates, op.Update{Target: p, New: next})
	}
	require.NoError(t, gorgonia.Let(net.Input, x))
	machine, err := graph.Compile(to, graph.WithOutputs(cost), graph.WithUpdates(updates...))
	require.NoError(t, err)
	defer machine.Close()
	var losses []float32
	for range 60 {
		require.NoError(t, machine.RunAll())
		losses = append(losses, cost.Value().Data().(float32))
	}
	require.Less(t, losses[len(losses)-1], losses[0]*0.7, "%v", losses)

	path := t.TempDir() + "/trained.onnx"
	require.NoError(t, Write(path, m, WriteConfig{}))
	again, err := Read(path)
	require.NoError(t, err)
	inference, err := again.Build(gorgonia.NewGraph(), BuildConfig{Batch: batch})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(inference.Inputs[0], x))
	near(t, predict(t, m, x), run(t, inference.Outputs[0]), 1e-5)
}

func rate(g *gorgonia.ExprGraph) *gorgonia.Node {
	for _, n := range g.AllNodes() {
		if n.Name() == "rate" {
			return n
		}
	}
	return gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("rate"), gorgonia.WithValue(float32(0.5)))
}

// TestFeatures takes a value from inside, and puts a layer of its own behind the model.
func TestFeatures(t *testing.T) {
	g := golden(t, "small")
	inner := ""
	for _, n := range g.nodes {
		if n.opType == "Gemm" && inner == "" {
			inner = n.outputs[0]
		}
	}
	m, err := g.Model(ModelConfig{Output: inner, Name: "features"})
	require.NoError(t, err)
	require.Equal(t, nn.Shape{12}, m.OutputShape())
	b := nn.NewBuilder("new")
	x := b.Input(m.InputShape())
	head, err := b.Model(x, b.Add(nn.Dense{Units: 3, Activation: nn.Softmax, Name: "head"}, b.Add(m, x)))
	require.NoError(t, err)
	require.NoError(t, head.Allocate(tensor.Float32))
	images := images(t, 2, m.InputShape())
	require.Len(t, predict(t, head, images), 6)

	net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, Outputs: []string{inner}})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Inputs[0], images))
	near(t, predict(t, m, images), run(t, net.Outputs[0]), 1e-6)
}

// TestBuildsShareWeights: graphs of one Graph see each other's training.
func TestBuildsShareWeights(t *testing.T) {
	g := golden(t, "small")
	to := gorgonia.NewGraph()
	first, err := g.Build(to, BuildConfig{Batch: 1})
	require.NoError(t, err)
	second, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 3})
	require.NoError(t, err)
	third, err := g.Build(to, BuildConfig{Batch: 2})
	require.NoError(t, err)
	for i, p := range first.Params {
		require.Same(t, p.Weight, second.Params[i].Weight)
		require.Same(t, p.Node.Value(), second.Params[i].Node.Value())
		require.Same(t, p.Node, third.Params[i].Node, "one graph has one node of a weight")
	}
	wide, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Dtype: tensor.Float64})
	require.NoError(t, err)
	require.Equal(t, tensor.Float64, wide.Outputs[0].Dtype())
}

// TestDropout is the identity in inference, and random in training.
func TestDropout(t *testing.T) {
	half := &array{elem: elemFloat, shape: []int{}, f32: []float32{0.5}}
	for opset, raw := range map[int][]byte{
		7:  byHand(7, nil, part{"Dropout", []string{"x"}, []string{"y", "mask"}, []attr{{"ratio", 0.5}}}),
		13: byHand(13, map[string]*array{"ratio": half}, part{"Dropout", []string{"x", "ratio"}, []string{"y"}, nil}),
	} {
		g, err := Decode(raw)
		require.NoError(t, err)
		for _, training := range []bool{false, true} {
			net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 8, Training: training})
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(net.Inputs[0], images(t, 8, nn.Shape{3, 4, 4})))
			require.Equal(t, training, net.Step != nil)
			if training {
				require.NoError(t, gorgonia.Let(net.Step, gorgonia.NewI(1)))
			}
			zeros := 0
			for _, v := range run(t, net.Outputs[0]) {
				if v == 0 {
					zeros++
				}
			}
			if training {
				require.InDelta(t, 192, zeros, 40, "opset %d", opset)
			} else {
				require.Zero(t, zeros)
			}
		}
	}
}

func TestTensors(t *testing.T) {
	tensors, err := golden(t, "shapes_9").Tensors()
	require.NoError(t, err)
	require.Equal(t, "conv.weight", tensors[0].Name)
	require.Equal(t, []int{8, 3, 3, 2}, tensors[0].Shape)
	require.Len(t, tensors[0].Data, 144)
}

// TestSizesOfInputs: what a file leaves open must be given.
func TestSizesOfInputs(t *testing.T) {
	g, err := Decode(byHand(13, nil, part{"Relu", []string{"x"}, []string{"y"}, nil}))
	require.NoError(t, err)
	_, err = g.Build(gorgonia.NewGraph(), BuildConfig{})
	require.ErrorContains(t, err, `input "x": has an open first axis, "batch"`)
	net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Dims: map[string]int{"batch": 5}})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{5, 3, 4, 4}, net.Outputs[0].Shape())
	net, err = g.Build(gorgonia.NewGraph(), BuildConfig{Shapes: map[string][]int{"x": {1, 2, 3, 4}}})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1, 2, 3, 4}, net.Outputs[0].Shape())
	_, err = g.Build(nil, BuildConfig{Batch: 1})
	require.Error(t, err)
	_, err = g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Dtype: tensor.Int})
	require.Error(t, err)
	require.Equal(t, []Value{{Name: "x", Type: "float", Dims: []Dim{{-1, "batch"}, {Size: 3}, {Size: 4}, {Size: 4}}}}, g.Inputs)
}

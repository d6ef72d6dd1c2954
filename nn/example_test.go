package nn_test

import (
	"fmt"
	"log"
	"os"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// A model is described once and built for any batch size, for training and for inference; all graphs share its weights.
func Example() {
	b := nn.NewBuilder("digits")
	x := b.Input(nn.Shape{28, 28, 1})
	y := b.Add(nn.Conv2D{Filters: 8, Kernel: nn.K(3), Activation: nn.ReLU}, x)
	y = b.Add(nn.MaxPooling2D{}, y)
	y = b.Add(nn.Flatten{}, y)
	y = b.Add(nn.Dense{Units: 10, Activation: nn.Softmax}, y)
	m, err := b.Model(x, y)
	check(err)
	total, _, _ := m.CountParams()
	fmt.Println(m.Name(), m.OutputShape(), total) // m.Summary() has the whole table

	check(m.Initialize(1, tensor.Float32))
	training, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 32, Training: true})
	check(err)
	inference, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 1})
	check(err)
	fmt.Println(training.Output.Shape(), inference.Output.Shape(), training.Params[0].Node)
	// Output:
	// digits (None, 10) 13610
	// (32, 10) (1, 10) conv2d/kernel :: Tensor-4 float32
}

// Mistakes wait on the builder, with the line that made them, until the model is asked for.
func ExampleBuilder_Model() {
	b := nn.NewBuilder("")
	x := b.Input(nn.Shape{28, 28, 1})
	y := b.Add(nn.Conv2D{Filters: 8, Kernel: nn.K(3), Activation: "rellu"}, x)
	y = b.Add(nn.Dense{Units: 10}, y)
	_, err := b.Model(x, y)
	fmt.Println(err)
	// Output:
	// nn: Conv2D "conv2d": unknown activation "rellu"; did you mean "relu"?
	//     input (None, 28, 28, 1) NHWC from "input_1"; use "relu", "softmax", "linear" or another of nn.Nonlinearities
	//     at nn/example_test.go:43
}

// A model may have several inputs and outputs; those of a nested model come from AddAll.
func ExampleBuilder_Functional() {
	b := nn.NewBuilder("ticket")
	words := b.Add(nn.Input{Shape: nn.Shape{20}, Dtype: tensor.Int, Name: "words"})
	table := b.Add(nn.Input{Shape: nn.Shape{4}, Name: "table"})
	text := b.Add(nn.GlobalAveragePooling1D{}, b.Add(nn.Embedding{InputDim: 1000, OutputDim: 8}, words))
	x := b.Add(nn.Concatenate{}, text, table)
	urgent := b.Add(nn.Dense{Units: 1, Activation: nn.Sigmoid, Name: "urgent"}, x)
	team := b.Add(nn.Dense{Units: 5, Activation: nn.Softmax, Name: "team"}, x)
	m, err := b.Functional([]*nn.Tensor{words, table}, []*nn.Tensor{urgent, team})
	check(err)
	check(m.Initialize(1, tensor.Float32))
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 32})
	check(err)
	for i, p := range m.Inputs() {
		fmt.Println("in ", p.Name, p.Shape, net.Inputs[i].Shape())
	}
	for i, p := range m.Outputs() {
		fmt.Println("out", p.Name, p.Shape, net.Outputs[i].Shape())
	}
	// Output:
	// in  words (None, 20) (32, 20)
	// in  table (None, 4) (32, 4)
	// out urgent (None, 1) (32, 1)
	// out team (None, 5) (32, 5)
}

// A layer that is shared is applied wherever it is added, with the same weights; a model is shared by itself.
func ExampleBuilder_Share() {
	b := nn.NewBuilder("siamese")
	x, y := b.Input(nn.Shape{28, 28, 1}), b.Input(nn.Shape{28, 28, 1})
	flat, embed := b.Share(nn.Flatten{}), b.Share(nn.Dense{Units: 16, Activation: nn.Tanh, Name: "embed"})
	left, right := b.Add(embed, b.Add(flat, x)), b.Add(embed, b.Add(flat, y))
	alike := b.Add(nn.Dot{Axes: [2]int{1, 1}, Normalize: true, Name: "cosine"}, left, right)
	m, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{alike})
	check(err)
	check(m.WriteSummary(os.Stdout, nn.SummaryOptions{Style: nn.StyleKeras3, LineLength: 96}))
	tower, err := b.Model(x, left) // of one side, with the same weights
	check(err)
	fmt.Println(tower.InputShape(), tower.OutputShape(), tower.Weights()[0] == m.Weights()[0])
	// Output:
	// Model: "siamese"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)              ┃ Output Shape           ┃        Param # ┃ Connected to           ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━┩
	// │ input_layer (InputLayer)  │ (None, 28, 28, 1)      │              0 │ -                      │
	// ├───────────────────────────┼────────────────────────┼────────────────┼────────────────────────┤
	// │ input_layer_1             │ (None, 28, 28, 1)      │              0 │ -                      │
	// │ (InputLayer)              │                        │                │                        │
	// ├───────────────────────────┼────────────────────────┼────────────────┼────────────────────────┤
	// │ flatten (Flatten)         │ (None, 784)            │              0 │ input_layer[0][0],     │
	// │                           │                        │                │ input_layer_1[0][0]    │
	// ├───────────────────────────┼────────────────────────┼────────────────┼────────────────────────┤
	// │ embed (Dense)             │ (None, 16)             │         12,560 │ flatten[0][0],         │
	// │                           │                        │                │ flatten[1][0]          │
	// ├───────────────────────────┼────────────────────────┼────────────────┼────────────────────────┤
	// │ cosine (Dot)              │ (None, 1)              │              0 │ embed[0][0],           │
	// │                           │                        │                │ embed[1][0]            │
	// └───────────────────────────┴────────────────────────┴────────────────┴────────────────────────┘
	//  Total params: 12,560 (49.06 KB)
	//  Trainable params: 12,560 (49.06 KB)
	//  Non-trainable params: 0 (0.00 B)
	// (None, 28, 28, 1) (None, 16) true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Losses have Keras's arguments, and their zero values are Keras's defaults. Sample weights count what matters more.
func ExampleLoss() {
	g := gorgonia.NewGraph()
	tensorOf := func(name string, values []float64, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float64, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	}
	predicted := tensorOf("predicted", []float64{0.5, 3, 1, 1}, 2, 2)
	target := tensorOf("target", []float64{0, 1, 1, 2}, 2, 2)
	weights := tensorOf("weights", []float64{1, 2}, 2)
	huber := nn.Huber{Delta: 1}
	each, err := huber.Values(predicted, target)
	check(err)
	all, err := huber.Reduced(predicted, target, weights)
	check(err)
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	check(vm.RunAll())
	fmt.Println(each.Value().Data(), all.Value().Data())
	// Output: [0.8125 0.25] 0.65625
}

// A network that was trained before gets another head: everything up to a layer becomes a layer of a new model, and is frozen.
func ExampleModel_Until() {
	b := nn.NewBuilder("pretrained")
	x := b.Input(nn.Shape{32, 32, 3})
	y := b.Add(nn.Conv2D{Filters: 8, Kernel: nn.K(3), Activation: nn.ReLU, Name: "conv"}, x)
	y = b.Add(nn.GlobalAveragePooling2D{Name: "features"}, y)
	pretrained, err := b.Model(x, b.Add(nn.Dense{Units: 1000, Activation: nn.Softmax, Name: "predictions"}, y))
	check(err)
	check(pretrained.Initialize(1, tensor.Float32)) // or convert.Load

	base, err := pretrained.Until("features")
	check(err)
	check(base.SetTrainable(false))
	b = nn.NewBuilder("mine")
	x = b.Input(base.InputShape())
	m, err := b.Model(x, b.Add(nn.Dense{Units: 5, Activation: nn.Softmax, Name: "head"}, b.Add(base, x)))
	check(err)
	check(m.InitializeRest(2, tensor.Float32))
	total, trainable, _ := m.CountParams()
	fmt.Println(total, trainable)
	// Output:
	// 269 45
}

// A loss of one's own: the mean of |e|^1.5, which may be given weights of samples and handed to whatever takes a Loss.
func ExampleLossFunc() {
	loss := nn.LossFunc{Name: "between", Func: func(p, y op.Expr) op.Expr { return p.Sub(y).Abs().Pow(op.Number(1.5)).Mean(-1) }}
	g := gorgonia.NewGraph()
	predicted := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("predicted"), gorgonia.WithShape(2, 3))
	target := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("target"), gorgonia.WithShape(2, 3))
	cost, err := loss.Reduced(predicted, target, nil)
	check(err)
	grads, err := gorgonia.Grad(cost, predicted)
	check(err)
	fmt.Println(cost.Shape(), grads[0].Shape())
	// Output:
	// () (2, 3)
}

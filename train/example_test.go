package train_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// points are samples of sin(a)·b.
func points(n int) train.Arrays {
	x, y := make([]float32, 2*n), make([]float32, n)
	for i := range n {
		a, b := float64(i*37%100)/25-2, float64(i*53%100)/50-1
		x[2*i], x[2*i+1], y[i] = float32(a), float32(b), float32(math.Sin(a)*b)
	}
	return train.Arrays{Inputs: []*tensor.Dense{tensor.New(tensor.WithShape(n, 2), tensor.WithBacking(x))},
		Targets: []*tensor.Dense{tensor.New(tensor.WithShape(n, 1), tensor.WithBacking(y))}}
}

// A regression: a model of one's own, numbers as targets, validation, and an end when that gets no better.
func ExampleFitter() {
	b := nn.NewBuilder("regression")
	in := b.Input(nn.Shape{2})
	x := b.Add(nn.Dense{Units: 32, Activation: nn.Tanh}, in)
	x = b.Add(nn.Dense{Units: 32, Activation: nn.Tanh}, x)
	model, err := b.Model(in, b.Add(nn.Dense{Units: 1}, x))
	check(err)
	check(model.Initialize(1, tensor.Float32))
	engine, err := graph.Open("cpu", graph.Config{})
	check(err)
	defer engine.Close()

	fit := &train.Fitter{
		Engine: engine, Model: model, Loss: nn.MeanSquaredError{}, Optimizer: train.Adam{},
		Schedule: train.CosineSchedule{Base: 0.01, Total: 60 * 13}, // 13 batches an epoch
		Epochs:   60, Seed: 1,
		Validation: points(97), EarlyStop: &train.EarlyStop{Patience: 10, Restore: true},
		OnEpoch: func(e train.FitEpoch) error {
			if e.Epoch == 1 {
				fmt.Println("after the first epoch the error is above 0.01:", e.ValLoss > 0.01)
			}
			return nil
		},
	}
	defer fit.Close()
	ctx := context.Background()
	_, err = fit.Fit(ctx, points(400))
	check(err)
	loss, err := fit.Evaluate(ctx, points(97))
	check(err)
	fmt.Println("at the end below 0.001:", loss < 0.001)
	out, err := fit.Predict(ctx, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{math.Pi / 2, 0.5})))
	check(err)
	fmt.Println("sin(π/2)·0.5 is about 0.5:", math.Abs(float64(out[0].Data().([]float32)[0])-0.5) < 0.1)
	// Output:
	// after the first epoch the error is above 0.01: true
	// at the end below 0.001: true
	// sin(π/2)·0.5 is about 0.5: true
}

// A siamese network: both inputs go through the same layers, which learn from both, and one side of it is a model of its own.
func ExampleFitter_siamese() {
	b := nn.NewBuilder("siamese")
	x, y := b.Input(nn.Shape{2}), b.Input(nn.Shape{2})
	hidden, embed := b.Share(nn.Dense{Units: 32, Activation: nn.ReLU, Name: "hidden"}), b.Share(nn.Dense{Units: 3, Name: "embed"})
	left, right := b.Add(embed, b.Add(hidden, x)), b.Add(embed, b.Add(hidden, y))
	cosine := b.Add(nn.Dot{Axes: [2]int{1, 1}, Normalize: true}, left, right)
	model, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 1, Activation: nn.Sigmoid}, cosine)})
	check(err)
	tower, err := b.Model(x, left)
	check(err)
	check(model.Initialize(1, tensor.Float32))
	engine, err := graph.Open("cpu", graph.Config{})
	check(err)
	defer engine.Close()

	// Points are alike if both are in the circle, or both outside.
	const n = 600
	a, c, alike := make([]float32, 2*n), make([]float32, 2*n), make([]float32, n)
	inside := func(p []float32) bool { return p[0]*p[0]+p[1]*p[1] < 0.6 }
	for i := range n {
		for k := range 2 {
			a[2*i+k], c[2*i+k] = 2*float32(math.Mod(float64(i)*(0.618+0.17*float64(k)), 1))-1, 2*float32(math.Mod(float64(i)*(0.414+0.31*float64(k)), 1))-1
		}
		if inside(a[2*i:2*i+2]) == inside(c[2*i:2*i+2]) {
			alike[i] = 1
		}
	}
	matrix := func(v []float32, columns int) *tensor.Dense {
		return tensor.New(tensor.WithShape(len(v)/columns, columns), tensor.WithBacking(v))
	}
	pairs := train.Arrays{Inputs: []*tensor.Dense{matrix(a, 2), matrix(c, 2)}, Targets: []*tensor.Dense{matrix(alike, 1)}}
	fit := &train.Fitter{Engine: engine, Model: model, Loss: nn.BinaryCrossentropy{}, Optimizer: train.Adam{}, Schedule: train.ConstantSchedule{Base: 0.01}, Epochs: 30, Seed: 1}
	defer fit.Close()
	epochs, err := fit.Fit(context.Background(), pairs)
	check(err)
	fmt.Println("less than a third of the loss is left:", epochs[len(epochs)-1].Loss < epochs[0].Loss/3)

	one := &train.Fitter{Engine: engine, Model: tower, Loss: nn.MeanSquaredError{}, Optimizer: train.Adam{}}
	defer one.Close()
	out, err := one.Predict(context.Background(), matrix([]float32{0, 0, 0.1, -0.2, 0.9, 0.9}, 2))
	check(err)
	v := out[0].Data().([]float32)
	near, far := 0.0, 0.0
	for k := range 3 {
		near, far = near+math.Pow(float64(v[k]-v[3+k]), 2), far+math.Pow(float64(v[k]-v[6+k]), 2)
	}
	fmt.Println("two points of the circle are nearer to each other than to one outside:", near < far)
	// Output:
	// less than a third of the loss is left: true
	// two points of the circle are nearer to each other than to one outside: true
}

// Two inputs and two outputs: each output has a loss.
func ExampleFitter_several() {
	b := nn.NewBuilder("ends")
	left, right := b.Add(nn.Input{Shape: nn.Shape{2}, Name: "left"}), b.Add(nn.Input{Shape: nn.Shape{1}, Name: "right"})
	x := b.Add(nn.Dense{Units: 16, Activation: nn.Tanh}, b.Add(nn.Concatenate{}, left, right))
	model, err := b.Functional([]*nn.Tensor{left, right},
		[]*nn.Tensor{b.Add(nn.Dense{Units: 1, Activation: nn.Sigmoid, Name: "positive"}, x), b.Add(nn.Dense{Units: 1, Name: "sum"}, x)})
	check(err)
	check(model.Initialize(1, tensor.Float32))
	engine, err := graph.Open("cpu", graph.Config{})
	check(err)
	defer engine.Close()

	fit := &train.Fitter{Engine: engine, Model: model, Optimizer: train.Adam{}, Schedule: train.ConstantSchedule{Base: 0.01}, Epochs: 30,
		Losses: []nn.Loss{nn.BinaryCrossentropy{}, nn.Huber{}}, LossWeights: []float32{1, 2}}
	defer fit.Close()
	epochs, err := fit.Fit(context.Background(), sums(200))
	check(err)
	for i, out := range model.Outputs() {
		fmt.Println(out.Name, "has a third of its first loss:", epochs[29].Losses[i] < epochs[0].Losses[i]/3)
	}
	out, err := fit.Predict(context.Background(), sums(200).Inputs...)
	check(err)
	fmt.Println(out[0].Shape(), out[1].Shape())
	// Output:
	// positive has a third of its first loss: true
	// sum has a third of its first loss: true
	// (200, 1) (200, 1)
}

// sums are samples of two numbers and of one; the targets are whether their sum is positive, and the sum.
func sums(n int) train.Arrays {
	pairs, singles, positive, sums := make([]float32, 2*n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		pairs[2*i], pairs[2*i+1], singles[i] = float32(i%7)/3-1, float32(i%11)/5-1, float32(i%13)/6-1
		if sums[i] = pairs[2*i] + pairs[2*i+1] - singles[i]; sums[i] > 0 {
			positive[i] = 1
		}
	}
	samples := func(x []float32, width int) *tensor.Dense {
		return tensor.New(tensor.WithShape(n, width), tensor.WithBacking(x))
	}
	return train.Arrays{Inputs: []*tensor.Dense{samples(pairs, 2), samples(singles, 1)}, Targets: []*tensor.Dense{samples(positive, 1), samples(sums, 1)}}
}

// What is no model at all: the models are the parts, Build puts them together.
func ExampleFitter_build() {
	part := func(name string, in nn.Shape, layer nn.Layer) *nn.Model {
		b := nn.NewBuilder(name)
		x := b.Input(in)
		m, err := b.Model(x, b.Add(layer, x))
		check(err)
		check(m.Initialize(1, tensor.Float32))
		return m
	}
	left := part("left", nn.Shape{2}, nn.Dense{Units: 8, Activation: nn.Tanh, Name: "left"})
	right := part("right", nn.Shape{1}, nn.Dense{Units: 8, Activation: nn.Tanh, Name: "right"})
	sign := part("sign", nn.Shape{16}, nn.Dense{Units: 1, Activation: nn.Sigmoid, Name: "sign"})
	sum := part("sum", nn.Shape{16}, nn.Dense{Units: 1, Name: "sum"})
	engine, err := graph.Open("cpu", graph.Config{})
	check(err)
	defer engine.Close()

	fit := &train.Fitter{Engine: engine, Optimizer: train.Adam{}, Schedule: train.ConstantSchedule{Base: 0.01}, Epochs: 30,
		Models: []*nn.Model{left, right, sign, sum},
		Build: func(g *gorgonia.ExprGraph, batch int, training bool) (*train.FitGraph, error) {
			a, err := left.Build(g, nn.BuildConfig{Batch: batch, Training: training})
			if err != nil {
				return nil, err
			}
			b, err := right.Build(g, nn.BuildConfig{Batch: batch, Training: training})
			if err != nil {
				return nil, err
			}
			both, err := op.Join(1, op.Of(a.Output), op.Of(b.Output)).Node() // Keras: Concatenate
			if err != nil {
				return nil, err
			}
			positive, err := sign.Build(g, nn.BuildConfig{Input: both, Training: training})
			if err != nil {
				return nil, err
			}
			total, err := sum.Build(g, nn.BuildConfig{Input: both, Training: training})
			if err != nil {
				return nil, err
			}
			isPositive := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, 1), gorgonia.WithName("is_positive"))
			number := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, 1), gorgonia.WithName("number"))
			loss, err := op.Try(nn.BinaryCrossentropy{}.Reduced(positive.Output, isPositive, nil)).
				Add(op.Try(nn.Huber{}.Reduced(total.Output, number, nil)).Mul(op.Number(2))).Node() // Keras: loss_weights
			return &train.FitGraph{Inputs: gorgonia.Nodes{a.Input, b.Input}, Targets: gorgonia.Nodes{isPositive, number},
				Nets: []*nn.Net{a, b, positive, total}, Loss: loss, Outputs: gorgonia.Nodes{positive.Output, total.Output}}, err
		}}
	defer fit.Close()

	epochs, err := fit.Fit(context.Background(), sums(200))
	check(err)
	fmt.Println("loss is a tenth of the first:", epochs[29].Loss < epochs[0].Loss/10)
	// Output:
	// loss is a tenth of the first: true
}

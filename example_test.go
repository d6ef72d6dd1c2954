package stheno_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	_ "github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// A program of one's own: a network in a Gorgonia graph, differentiated by Gorgonia, compiled and run by Stheno.
func Example() {
	const batch = 50
	g := gorgonia.NewGraph()
	images := tensor.New(tensor.WithShape(batch, 32, 32, 3), tensor.Of(tensor.Float32))
	classes := tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, 32, 32, 3), gorgonia.WithName("x"), gorgonia.WithValue(images))
	y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("y"), gorgonia.WithValue(classes))
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(gorgonia.NewF32(0.05)))

	net, err := arch.SimpleCNN{Classes: 10, Seed: 1}.Build(g, x)
	check(err)
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, y)
	check(err)
	cost, err := net.Cost(loss) // with the L2 penalties, if the net has any
	check(err)
	grads, err := gorgonia.Grad(cost, net.Trainable()...)
	check(err)
	updates := net.Updates // batch norm's running averages, if the net has any
	for i, w := range net.Trainable() {
		next, err := op.Apply(&op.Descend{}, w, grads[i], lr)
		check(err)
		updates = append(updates, op.Update{Target: w, New: next})
	}
	machine, err := graph.Compile(g, graph.WithOutputs(cost), graph.WithUpdates(updates...))
	check(err)
	defer machine.Close()

	sample, err := data.Sample()
	check(err)
	loader, err := data.NewLoader(sample.Train, data.LoaderConfig{Batch: batch, Shuffle: true, Seed: 1})
	check(err)
	var first, last float32
	batches := loader.Epoch(0, 0)
	defer batches.Close()
	for batches.Next(context.Background()) {
		copy(images.Data().([]float32), batches.Batch().Images)
		copy(classes.Data().([]int), batches.Batch().Labels)
		check(machine.RunAll())
		last = float32(*cost.Value().(*gorgonia.F32))
		if first == 0 {
			first = last
		}
	}
	fmt.Printf("cost of the first batch %.1f, of the last below 1: %v\n", first, last < 1)
	// Output: cost of the first batch 2.3, of the last below 1: true
}

// On a GPU where there is one, else on the CPU. A build without the tag gpu, cgo or Linux computes on the CPU, too.
func Example_gpu() {
	engine, err := graph.Open("cuda", graph.Config{Precision: "tf32", Log: func(line string) { log.Println(line) }})
	if err != nil && !errors.Is(err, cuda.ErrConfig) { // no GPU, no driver, no NVRTC: the error says which, and what to do
		log.Println("computing on the CPU:", err)
		engine, err = graph.Open("cpu", graph.Config{})
	}
	check(err) // such as a precision that there is not
	defer engine.Close()

	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 2), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}))))
	y, err := gorgonia.Mul(x, x)
	check(err)
	machine, err := graph.Compile(g, graph.WithEngine(engine), graph.WithOutputs(y))
	check(err)
	defer machine.Close() // before its engine
	check(machine.RunAll())
	fmt.Println(y.Value().Data())
	// Output: [7 10 15 22]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

package stheno_test

import (
	"context"
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	_ "github.com/stheno-ml/stheno/cpu"
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

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Library trains a network in a Gorgonia graph of one's own. README shows this file.
package main

import (
	"context"
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	_ "github.com/stheno-ml/stheno/cpu" // the engine
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

const batch = 50

func main() {
	g := gorgonia.NewGraph()
	images := tensor.New(tensor.WithShape(batch, 32, 32, 3), tensor.Of(tensor.Float32))
	classes := tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("x"), gorgonia.WithValue(images))
	y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithName("y"), gorgonia.WithValue(classes))
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(gorgonia.NewF32(0.05)))

	net, err := arch.SimpleCNN{Classes: 10, Seed: 1}.Build(g, x) // or layers of your own
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

	sample, err := data.Sample() // or batches of your own
	check(err)
	loader, err := data.NewLoader(sample.Train, data.LoaderConfig{Batch: batch, Shuffle: true, Seed: 1})
	check(err)
	batches := loader.Epoch(0, 0)
	defer batches.Close()
	for n := 1; batches.Next(context.Background()); n++ {
		copy(images.Data().([]float32), batches.Batch().Images)
		copy(classes.Data().([]int), batches.Batch().Labels)
		check(machine.RunAll())
		if n == 1 || n%50 == 0 {
			fmt.Printf("batch %d: cost %.2f\n", n, *cost.Value().(*gorgonia.F32))
		}
	}
	check(batches.Err())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

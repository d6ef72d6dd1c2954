package onnx_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu" // the engine
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// A model of PyTorch predicts.
func ExampleRead() {
	g, err := onnx.Read("testdata/golden/shapes_13/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Producer, "wrote a graph from", g.Inputs[0].Name, g.Inputs[0].Dims, "to", g.Outputs[0].Name)
	net, err := g.Build(gorgonia.NewGraph(), onnx.BuildConfig{Batch: 2})
	if err != nil {
		log.Fatal(err)
	}
	machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Outputs...), graph.WithResident(net.Trainable()...))
	if err != nil {
		log.Fatal(err)
	}
	defer machine.Close()
	images := tensor.New(tensor.WithShape(2, 3, 7, 6), tensor.WithBacking(make([]float32, 2*3*7*6)))
	if err := gorgonia.Let(net.Inputs[0], images); err != nil {
		log.Fatal(err)
	}
	if err := machine.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("results of shape", net.Outputs[0].Shape())
	// Output:
	// pytorch 2.15.0 wrote a graph from images [batch 3 7 6] to scores
	// results of shape (2, 5)
}

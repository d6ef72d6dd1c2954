package graph_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu" // the engine
	"github.com/stheno-ml/stheno/graph"
)

// Linear regression as a Gorgonia program writes it. The line that makes the machine is the only one to change.
func ExampleNewTapeMachine() {
	g := gorgonia.NewGraph()
	xs := tensor.New(tensor.WithBacking([]float64{0, 1, 2, 3, 4}))
	ys := tensor.New(tensor.WithBacking([]float64{1, 3, 5, 7, 9}))
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(5), gorgonia.WithName("x"), gorgonia.WithValue(xs))
	y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(5), gorgonia.WithName("y"), gorgonia.WithValue(ys))
	m := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("m"), gorgonia.WithValue(0.0))
	c := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("c"), gorgonia.WithValue(0.0))

	line := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Mul(x, m)), c))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(line, y))))))
	if _, err := gorgonia.Grad(cost, m, c); err != nil {
		log.Fatal(err)
	}

	// machine := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(m, c))
	machine := graph.NewTapeMachine(g, gorgonia.BindDualValues(m, c))
	defer machine.Close()

	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1))
	model := gorgonia.NodesToValueGrads(gorgonia.Nodes{m, c})
	for range 200 {
		if err := machine.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := solver.Step(model); err != nil {
			log.Fatal(err)
		}
		machine.Reset()
	}
	fmt.Printf("y = %.3f x + %.3f\n", m.Value().Data(), c.Value().Data())
	// Output:
	// y = 2.000 x + 1.000
}

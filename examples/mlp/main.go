// Mlp is a network of two hidden layers on Fashion-MNIST.
package main

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

const batch = 50

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x, y := p.Input("x", batch, demo.FashionSize*demo.FashionSize), p.Input("y", batch, demo.FashionClasses)
	h := x
	for _, units := range []int{128, 64} {
		h = gorgonia.Must(gorgonia.Rectify(p.Dense(h, units)))
	}
	cost := p.CrossEntropy(p.Dense(h, demo.FashionClasses), y)

	set, err := demo.NewFashion(x, y)
	if err != nil {
		return nil, err
	}
	return &demo.Model{Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.001)), Batch: set.Batch}, nil
}

// Convnet is a small convolutional network on Fashion-MNIST, of Gorgonia's Conv2d, Rectify and MaxPool2D.
package main

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

const batch = 16

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x, y := p.Input("x", batch, 1, demo.FashionSize, demo.FashionSize), p.Input("y", batch, demo.FashionClasses)
	h := x
	for _, filters := range []int{8, 16, 32} {
		h = gorgonia.Must(gorgonia.Rectify(p.Conv(h, filters, 3, 1)))
		h = gorgonia.Must(gorgonia.MaxPool2D(h, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}
	h = gorgonia.Must(gorgonia.Rectify(p.Dense(demo.Flatten(h), 64)))
	cost := p.CrossEntropy(p.Dense(h, demo.FashionClasses), y)

	set, err := demo.NewFashion(x, y)
	if err != nil {
		return nil, err
	}
	return &demo.Model{Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.002)), Batch: set.Batch}, nil
}

// Resnet is a small residual network on Fashion-MNIST: convolutions, batch norm, and connections that skip them.
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
	h := gorgonia.Must(gorgonia.Rectify(norm(p, p.Conv(x, 8, 3, 1))))
	for _, block := range []struct{ filters, stride int }{{8, 1}, {16, 2}, {32, 2}} {
		h = residual(p, h, block.filters, block.stride)
	}
	// Gorgonia cannot differentiate its own global average pooling; maxima do here.
	h = gorgonia.Must(gorgonia.MaxPool2D(h, tensor.Shape{4, 4}, []int{0, 0}, []int{4, 4}))
	cost := p.CrossEntropy(p.Dense(demo.Flatten(h), demo.FashionClasses), y)

	set, err := demo.NewFashion(x, y)
	if err != nil {
		return nil, err
	}
	return &demo.Model{Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewMomentum(gorgonia.WithLearnRate(0.002)), Batch: set.Batch}, nil
}

// residual is two convolutions and the way past them, which is a convolution of size 1 where the shape changes.
func residual(p *demo.Params, x *gorgonia.Node, filters, stride int) *gorgonia.Node {
	h := gorgonia.Must(gorgonia.Rectify(norm(p, p.Conv(x, filters, 3, stride))))
	h = norm(p, p.Conv(h, filters, 3, 1))
	if stride != 1 || x.Shape()[1] != filters {
		x = norm(p, p.Conv(x, filters, 1, stride))
	}
	return gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Add(h, x))))
}

// norm is batch norm, with a scale and a shift for each channel.
func norm(p *demo.Params, x *gorgonia.Node) *gorgonia.Node {
	channels := x.Shape()[1]
	y, _, _, _, err := gorgonia.BatchNorm(x, p.Filled(1, 1, channels, 1, 1), p.Filled(0, 1, channels, 1, 1), 0.1, 1e-5)
	return gorgonia.Must(y, err)
}

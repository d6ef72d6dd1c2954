// Softmax tells three kinds of flowers apart by four measurements, a softmax classifier. The flowers are invented: clouds of
// random points, so that nobody's data set is needed.
package main

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

const (
	flowers      = 150
	measurements = 4
)

// kinds are the mean lengths and widths, in centimetres, of the leaves of each kind.
var kinds = [3][measurements]float64{
	{5.0, 3.4, 1.5, 0.3},
	{6.0, 2.8, 4.3, 1.3},
	{6.6, 3.0, 5.5, 2.0},
}

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x, y := p.Input("x", flowers, measurements), p.Input("y", flowers, len(kinds))
	cost := p.CrossEntropy(p.Dense(x, len(kinds)), y)

	xs, ys := samples()
	xValue, yValue := demo.Dense(dt, xs, flowers, measurements), demo.Dense(dt, ys, flowers, len(kinds))
	return &demo.Model{
		Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.05)),
		Batch: func(int) error {
			if err := gorgonia.Let(x, xValue); err != nil {
				return err
			}
			return gorgonia.Let(y, yValue)
		},
	}, nil
}

func samples() (xs, ys []float64) {
	r := demo.Rand()
	for i := range flowers {
		kind := i % len(kinds)
		for _, mean := range kinds[kind] {
			xs = append(xs, mean+0.3*r.NormFloat64())
		}
		class := make([]float64, len(kinds))
		class[kind] = 1
		ys = append(ys, class...)
	}
	return xs, ys
}

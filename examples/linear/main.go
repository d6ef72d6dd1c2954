// Linear fits a plane to points: the smallest program that trains.
package main

import (
	"fmt"
	"io"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

// The points are y = 3·x₀ - 2·x₁ + 0.5, plus a little noise.
var slopes, intercept = [2]float64{3, -2}, 0.5

const points = 200

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x, y := p.Input("x", points, 2), p.Input("y", points)
	w, b := p.Filled(0, 2), p.Filled(0, 1)

	predicted := gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, w)), b, nil, []byte{0}))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(predicted, y))))))

	xs, ys := samples()
	xValue, yValue := demo.Dense(dt, xs, points, 2), demo.Dense(dt, ys, points)
	return &demo.Model{
		Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1)),
		Batch: func(int) error {
			if err := gorgonia.Let(x, xValue); err != nil {
				return err
			}
			return gorgonia.Let(y, yValue)
		},
		Report: func(out io.Writer) {
			fmt.Fprintf(out, "slopes %.3v and intercept %.3v; the points were made with %v and %v\n", w.Value(), b.Value(), slopes, intercept)
		},
	}, nil
}

func samples() (xs, ys []float64) {
	r := demo.Rand()
	for range points {
		x0, x1 := r.NormFloat64(), r.NormFloat64()
		xs = append(xs, x0, x1)
		ys = append(ys, slopes[0]*x0+slopes[1]*x1+intercept+0.1*r.NormFloat64())
	}
	return xs, ys
}

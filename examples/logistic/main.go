// Logistic is a logistic regression: which side of a line is a point on?
package main

import (
	"fmt"
	"io"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

const (
	points   = 500
	features = 10
	penalty  = 0.001
)

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x, y := p.Input("x", points, features), p.Input("y", points)
	w, b := p.Filled(0, features), p.Filled(0, 1)
	one := p.Const(1)

	logit := gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, w)), b, nil, []byte{0}))
	probability := gorgonia.Must(gorgonia.Sigmoid(logit))
	yes := gorgonia.Must(gorgonia.HadamardProd(y, gorgonia.Must(gorgonia.Log(probability))))
	no := gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Sub(one, y)), gorgonia.Must(gorgonia.Log(gorgonia.Must(gorgonia.Sub(one, probability))))))
	loss := gorgonia.Must(gorgonia.Neg(gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Add(yes, no))))))
	l2 := gorgonia.Must(gorgonia.Mul(p.Const(penalty), gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(w))))))
	cost := gorgonia.Must(gorgonia.Add(loss, l2))

	var probabilities gorgonia.Value
	gorgonia.Read(probability, &probabilities)
	xs, ys := samples()
	xValue, yValue := demo.Dense(dt, xs, points, features), demo.Dense(dt, ys, points)
	return &demo.Model{
		Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5)),
		Batch: func(int) error {
			if err := gorgonia.Let(x, xValue); err != nil {
				return err
			}
			return gorgonia.Let(y, yValue)
		},
		Report: func(out io.Writer) {
			right := 0
			for i, side := range ys {
				if math.Round(at(probabilities, i)) == side {
					right++
				}
			}
			fmt.Fprintf(out, "%.1f%% of the points on the right side\n", 100*float64(right)/points)
		},
	}, nil
}

func at(v gorgonia.Value, i int) float64 {
	switch d := v.Data().(type) {
	case []float32:
		return float64(d[i])
	case []float64:
		return d[i]
	}
	return math.NaN()
}

// samples are random points, labelled by a random plane with some noise.
func samples() (xs, ys []float64) {
	r := demo.Rand()
	plane := make([]float64, features)
	for i := range plane {
		plane[i] = r.NormFloat64()
	}
	for range points {
		height := 0.3 * r.NormFloat64()
		for _, slope := range plane {
			x := r.NormFloat64()
			xs = append(xs, x)
			height += slope * x
		}
		side := 0.0
		if height > 0 {
			side = 1
		}
		ys = append(ys, side)
	}
	return xs, ys
}

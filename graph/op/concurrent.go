package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gorgonia keeps the constants that it builds and differentiates functions with, such as 0, 1 and 2, as nodes that all graphs share, and writes
// their hashes when they are first asked for: a data race where two goroutines have graphs of their own. They are asked for here, before there
// can be two.
func init() {
	functions := []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Square, gorgonia.Cube, gorgonia.Sqrt, gorgonia.Inverse, gorgonia.Log2,
		gorgonia.Log1p, gorgonia.Sigmoid, gorgonia.Tanh, gorgonia.Softplus, gorgonia.Rectify}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, f := range functions {
			x := gorgonia.NewScalar(gorgonia.NewGraph(), dt, gorgonia.WithName("x"))
			y, err := f(x)
			if err == nil {
				_, err = gorgonia.Grad(y, x)
			}
			if err != nil {
				panic(fmt.Sprintf("op: Gorgonia cannot differentiate a function of a number: %v", err))
			}
		}
	}
}

package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gorgonia keeps the constants that it differentiates with, such as 1 and 2, as nodes that all graphs share, and writes their hashes when they
// are first asked for: a data race where two goroutines differentiate graphs of their own. They are asked for here, before there can be two.
// Its Rectify, Conv2d and pooling also count their calls, in a variable that nothing guards: goroutines build graphs with the operations of this
// package instead.
func init() {
	functions := []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Square, gorgonia.Cube, gorgonia.Sqrt, gorgonia.Inverse, gorgonia.Log2,
		gorgonia.Log1p, gorgonia.Sigmoid, gorgonia.Tanh, gorgonia.Softplus}
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

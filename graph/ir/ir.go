// Package ir holds the operations that plans have besides those of package op: what the operations of stock Gorgonia
// mean, free of its nodes, types and hidden state. Package graph translates a Gorgonia graph into them (capture), its
// passes rewrite them, and engines have kernels for them.
//
// Like those of package op they are pure functions of their inputs: structs of attributes, whose String prints every
// attribute, with a shape inference and a reference in plain loops. They are not Gorgonia operations and have no derivative:
// a graph is differentiated before it is captured.
package ir

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Op is what every operation of this package implements. Two operations of the same Kind and String are
// interchangeable.
type Op interface {
	// Kind is the operation's name in plans and kernel tables, e.g. "Reduce".
	Kind() string
	// String prints the operation with all its attributes.
	String() string
	// Infer returns the shape of the result (of all results, where there are several: they have one shape), or a
	// *shape.Error.
	Infer(in []tensor.Shape) (tensor.Shape, error)
	// Compute computes all results from in with plain loops, for float32 and float64 (and the integer and boolean
	// operands that some have). Shapes were checked by Infer; results are dense, row-major, not zeroed, and share no
	// memory with an input.
	Compute(out, in []op.Array) error
}

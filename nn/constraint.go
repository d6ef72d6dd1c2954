package nn

import "gorgonia.org/gorgonia"

// Constraint projects a weight onto what is allowed, after each update (Keras: constraints). Programs may add their own.
type Constraint interface {
	// Project adds the allowed value for the value w of a weight, of the same shape, to w's graph.
	Project(w *gorgonia.Node) (*gorgonia.Node, error)
	// String describes the constraint, Keras's name first.
	String() string
}

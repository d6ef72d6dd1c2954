package ir

import "gorgonia.org/tensor"

// Distribution is what Random draws from.
type Distribution uint8

// The distributions, in stock Gorgonia's order (op_nn.go).
const (
	Uniform  Distribution = iota // of [A, B)
	Gaussian                     // of mean A, standard deviation B
	Binomial                     // of A trials (truncated to an integer), each succeeding with probability B
)

// Random draws new numbers of shape Shape at every run: a function of (Seed, Stream, run, element), by Philox. In: run (Int
// scalar, the number of the run); out: y, float32 or float64. Stock Gorgonia: randomOp, which is seeded by the clock.
type Random struct {
	From   Distribution
	A, B   float64
	Shape  tensor.Shape
	Seed   uint64
	Stream uint64 // the place in the graph, so that two sources of a graph differ
}

package ir

// ReduceFn is how elements are put together.
type ReduceFn uint8

// The reductions. Sums of float32 are added up in float64 or in blocks, so that they are as good as the element type.
const (
	ReduceSum ReduceFn = iota
	ReduceMax          // NaN if one is NaN
	ReduceMean
)

// Reduce reduces x over Axes (sorted, each once; all axes if there are none) and drops them. In: x; out: y. Stock Gorgonia:
// sumOp, maxOp.
type Reduce struct {
	Fn   ReduceFn
	Axes []int
}

package numtest

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Kind says how a result came about, and with it how far rounding may carry it.
type Kind uint8

const (
	// Elementwise results depend on one element of each input: ReLU, add, bias, exp.
	Elementwise Kind = iota
	// Reduction results are sums of products: convolutions, matrix products, means, softmax, statistics.
	Reduction
	// Gradient results are derivatives: a reduction over the results of reductions.
	Gradient
	// Loss results are one scalar a step: a mean of logarithms of reductions.
	Loss
)

// String returns the kind's name.
func (k Kind) String() string {
	if names := [...]string{"Elementwise", "Reduction", "Gradient", "Loss"}; int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Tolerance is the error allowed of an element: Rel·|want| + Norm·max|want| + Abs, the maximum taken over the finite
// elements of the wanted tensor. Norm is what sums need: an element that is small by cancellation carries the error of
// its large terms.
type Tolerance struct{ Rel, Norm, Abs float64 }

// tolerances is the one table. eps is 2⁻²⁴ ≈ 6e-8 (float32) or 2⁻⁵³ ≈ 1.1e-16 (float64), the error of one rounding.
// Widening an entry needs a written reason in its comment.
var tolerances = map[tensor.Dtype]map[Kind]Tolerance{
	tensor.Float32: {
		// A few roundings and a vectorised exp or log good to 2–4 units in the last place: 16 eps.
		Elementwise: {Rel: 1e-6, Abs: 1e-30},
		// A sum of K products in any order errs by about √K·eps of its terms' size, and its terms are larger than the
		// sum by about √K: K up to 4608 (3×3×512) gives 68 eps = 4e-6 of the result's usual size.
		Reduction: {Rel: 5e-6, Norm: 5e-6, Abs: 1e-30},
		// Weight gradients sum over batch and positions (K up to 10⁵, 300 eps = 2e-5), of inputs that were reductions.
		Gradient: {Rel: 2e-5, Norm: 2e-5, Abs: 1e-30},
		// Logits good to 5e-6 of their size change a cross-entropy of the same size by as much. The absolute part is for
		// losses near zero, where the logarithm of a number near one loses digits.
		Loss: {Rel: 5e-6, Abs: 1e-6},
	},
	// The same reasoning with eps smaller by 2²⁹, rounded up.
	tensor.Float64: {
		Elementwise: {Rel: 1e-14, Abs: 1e-300},
		Reduction:   {Rel: 2e-14, Norm: 2e-14, Abs: 1e-300},
		Gradient:    {Rel: 1e-13, Norm: 1e-13, Abs: 1e-300},
		Loss:        {Rel: 2e-14, Abs: 1e-14},
	},
}

// goldenRounding is the error of a golden value itself: computed in float64, stored in float32 (Rel), where results
// below the smallest float32 become zero (Abs).
var goldenRounding = Tolerance{Rel: 6e-8, Abs: 1e-44}

// Tol returns the tolerance between two implementations that both compute in dtype, or of one against the truth. It
// panics on a dtype or kind that has no entry: a test must not compare against no tolerance.
func Tol(dtype tensor.Dtype, kind Kind) Tolerance {
	tol, ok := tolerances[dtype][kind]
	if !ok {
		panic(fmt.Sprintf("numtest: no tolerance for %v %v", dtype, kind))
	}
	return tol
}

// GoldenTol is [Tol] against values read from a golden file, which are stored as float32 whatever dtype is tested.
func GoldenTol(dtype tensor.Dtype, kind Kind) Tolerance {
	tol := Tol(dtype, kind)
	tol.Rel += goldenRounding.Rel
	tol.Abs += goldenRounding.Abs
	return tol
}

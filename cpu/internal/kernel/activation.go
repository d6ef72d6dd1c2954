package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/ir"
)

// activationOf is what a loop behind a convolution computes, behind a ReLU if relu is set, where micro-kernels have it: of ReLU6 and hard
// swish, as package nn writes them, from which the division by 6 is a multiplication here. Its kind is NoAct otherwise.
func activationOf[T Float](l *ir.Loop, relu bool) (none gemm.Activation[T]) {
	if l == nil || l.Inputs != 1 || len(l.Results) != 1 || l.Shape != nil || l.Results[0] != len(l.Steps) {
		return none
	}
	// binary is the number that step i combines by f with what step i−1, or the input, gave.
	binary := func(i int, f ir.BinaryFn, commutes bool) (float64, bool) {
		s := l.Steps[i]
		if len(s.Args) != 2 || s.Binary != f {
			return 0, false
		}
		a, b := s.Args[0], s.Args[1]
		if commutes && a.IsNumber() {
			a, b = b, a
		}
		return b.Number, b.IsNumber() && a.Register == i
	}
	switch {
	case relu && len(l.Steps) == 1:
		if most, ok := binary(0, ir.Min, true); ok && most > 0 {
			return gemm.Activation[T]{Kind: gemm.Bounded, Most: T(most)}
		}
	case !relu && len(l.Steps) == 5:
		shift, ok := binary(0, ir.Add, true)
		zero, also := binary(1, ir.Max, true)
		most, bounded := binary(2, ir.Min, true)
		factor, scaled := binary(3, ir.Mul, true)
		if by, divided := binary(3, ir.Div, false); divided && by != 0 {
			factor, scaled = 1/by, true
		}
		last := l.Steps[4]
		gate := len(last.Args) == 2 && last.Binary == ir.Mul && !last.Args[0].IsNumber() && !last.Args[1].IsNumber() &&
			last.Args[0].Register+last.Args[1].Register == 4 && (last.Args[0].Register == 0 || last.Args[0].Register == 4)
		if ok && also && zero == 0 && bounded && most > 0 && scaled && gate {
			return gemm.Activation[T]{Kind: gemm.Gated, Most: T(most), Shift: T(shift), Factor: T(factor)}
		}
	}
	return none
}

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/vec"

// ActKind is a form of activation that micro-kernels have, on sums that are in registers.
type ActKind uint32

const (
	NoAct   ActKind = iota
	ReLU            // max(x, 0)
	Bounded         // min(max(x, 0), Most), as ReLU6
	Gated           // x·(min(max(x + Shift, 0), Most)·Factor), as hard swish
)

// Activation is the last part of the epilogue. NaN stays NaN.
type Activation[T vec.Float] struct {
	Kind                ActKind
	Most, Shift, Factor T
}

// act is the activation of a product: a plain ReLU is one, too.
func (a *Args[T]) act() Activation[T] {
	if a.Act.Kind == NoAct && a.ReLU {
		return Activation[T]{Kind: ReLU}
	}
	return a.Act
}

// bent is the plain form of an activation.
func bent[T vec.Float](x T, kind ActKind, most, shift, factor T) T {
	switch kind {
	case ReLU, Bounded:
		if x < 0 {
			x = 0
		}
		if kind == Bounded && x > most {
			x = most
		}
	case Gated:
		g := x + shift
		if g < 0 {
			g = 0
		}
		if g > most {
			g = most
		}
		g *= factor
		x *= g
	}
	return x
}

package graph

import "fmt"

// LayerNormBackward is the backward pass of a layer normalization in one sweep over the rows: LayerNormGrad; Add of it and another gradient of
// its input if Add, as where a residual branch leaves; LayerNormGradScale if Scale; and BiasGrad of dy along the last axis if Shift.
// In: x[, scale], dy[, the other gradient]; out: dx[, dscale][, dshift].
type LayerNormBackward struct {
	Epsilon           float64
	NoScale           bool // there is no scale
	Add, Scale, Shift bool
}

// Kind is "LayerNormBackward".
func (f *LayerNormBackward) Kind() string { return "LayerNormBackward" }

func (f *LayerNormBackward) String() string {
	return fmt.Sprintf("LayerNormBackward(epsilon %g)", f.Epsilon) + suffix("-scale", f.NoScale) + suffix("+add", f.Add) +
		suffix("+dscale", f.Scale) + suffix("+dshift", f.Shift)
}

// Gradient is the index of dy among the operands.
func (f *LayerNormBackward) Gradient() int { return 2 - int(trues(f.NoScale)) }

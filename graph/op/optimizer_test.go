package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// One step of each rule by hand.
func TestUpdateRules(t *testing.T) {
	w, v, g, lr := vector(1, -2), vector(0.5, 0), vector(4, -8), number(0.25)
	next := reference(t, &Momentum{Momentum: 0.5}, v, g, lr)
	require.Equal(t, []float64{0.25 - 1, 2}, next.Data)
	require.Equal(t, []float64{1 + 0.5*-0.75 - 1, -2 + 0.5*2 + 2}, reference(t, &Nesterov{Momentum: 0.5}, w, next, g, lr).Data)
	require.Equal(t, []float64{0, 0}, reference(t, &Descend{}, w, g, lr).Data)
	require.Equal(t, []float64{4.5, -9}, reference(t, &WeightDecay{Rate: 0.5}, g, w).Data)
	require.Equal(t, []float64{0.75*0.5 + 1, -2}, reference(t, &AdamMean{Beta: 0.75}, v, g).Data)
	require.Equal(t, []float64{0.75*0.5 + 4, 16}, reference(t, &AdamSquare{Beta: 0.75}, v, g).Data)
}

// The first step of Adam is lr in the direction of the gradient, whatever its size.
func TestAdamsFirstStep(t *testing.T) {
	for _, size := range []float64{1e-3, 1, 1e6} {
		w, g, zero := vector(1, 1), vector(size, -size), vector(0, 0)
		m := reference(t, &AdamMean{Beta: 0.9}, zero, g)
		v := reference(t, &AdamSquare{Beta: 0.999}, zero, g)
		got := reference(t, &AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-12}, w, m, v, number(0.01), integer(1))
		require.InDeltaSlice(t, []float64{0.99, 1.01}, got.Data, 1e-8)
	}
}

func TestAdamStepNumber(t *testing.T) {
	o := &AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
	for _, step := range []int{0, -3} {
		_, err := tryReference(t, o, vector(1), vector(1), vector(1), number(0.1), integer(step))
		require.ErrorContains(t, err, "want at least 1")
	}
	// Late in a run the correction is over.
	require.Equal(t, 0.1, o.Rate(0.1, math.MaxInt))
	// A weight whose gradients were all zero stays.
	got := reference(t, o, vector(3), vector(0), vector(0), number(0.1), integer(1))
	require.Equal(t, []float64{3}, got.Data)
}

// Weight decay of Rate is the gradient of an L2 penalty of Rate/2.
func TestWeightDecayIsL2(t *testing.T) {
	w, g := vector(1, -2, 3), vector(0.5, 0.5, 0.5)
	penalty := reference(t, &L2PenaltyGrad{Lambda: 0.05}, w, number(1))
	require.InDeltaSlice(t, reference(t, &WeightDecay{Rate: 0.1}, g, w).Data, reference(t, &Add{}, g, penalty).Data, 1e-15)
}

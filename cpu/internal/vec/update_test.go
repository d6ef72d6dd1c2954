package vec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMomentumSquares compares with the primitives that it stands for, bit by bit.
func TestMomentumSquares(t *testing.T) {
	bothTypes(t, testMomentumSquares[float32], testMomentumSquares[float64])
}

func testMomentumSquares[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(9, 8))
		for _, nesterov := range []bool{false, true} {
			for _, n := range append(upTo(140), dotBlock-1, dotBlock, dotBlock+1, 3*dotBlock+5) {
				w, v, g := random[T](rng, n), random[T](rng, n), random[T](rng, n)
				w1, checkW := guarded(t, w)
				v1, checkV := guarded(t, v)
				g1, _ := guarded(t, g)
				sum := o.MomentumSquares(w1, v1, g1, lr, mu, 0.3, nesterov)
				checkW()
				checkV()
				require.Equal(t, g, g1)
				require.Equal(t, o.SumSquares(w), sum, "%d elements", n)
				w2, v2, g2 := slices.Clone(w), slices.Clone(v), slices.Clone(g)
				o.MomentumDecay(w2, v2, g2, lr, mu, 0.3, nesterov)
				require.Equal(t, w2, w1)
				require.Equal(t, v2, v1)
				o.Axpy(g, 0.3, w)
				o.Momentum(w, v, g, lr, mu, nesterov)
				require.Equal(t, w, w1, "the decay is that of Axpy")
				require.Equal(t, v, v1)
			}
		}
	})
}

package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReductions(t *testing.T) { bothTypes(t, testReductions[float32], testReductions[float64]) }

func testReductions[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(9, 1))
		for _, n := range append(upTo(140), sumBlock-1, sumBlock, sumBlock+1, 3*sumBlock+5) {
			x, _ := guarded(t, random[T](rng, n))
			var want, size float64
			top := T(math.Inf(-1))
			for _, v := range x {
				want, size, top = want+float64(v), size+math.Abs(float64(v)), max(top, v)
			}
			near(t, fmt.Sprint("Sum ", n), want, 4*size, T(o.Sum(x)))
			require.Equal(t, o.Sum(x), o.Sum(x))
			require.Equal(t, top, o.Top(x), "Top %d", n)
			dst, check := guarded(t, make([]T, n))
			o.Minus(dst, x, 0.5)
			check()
			for i, v := range dst {
				require.Equal(t, x[i]-0.5, v, "Minus %d", n)
			}
			for i := range x { // each place holds the largest once, then NaN, which is passed over
				old := x[i]
				x[i] = 100
				require.Equal(t, T(100), o.Top(x), "Top %d at %d", n, i)
				x[i] = nan[T]()
				require.False(t, math.IsNaN(float64(o.Top(x))), "Top %d, NaN at %d", n, i)
				if i%7 == 0 {
					require.True(t, math.IsNaN(o.Sum(x)), "Sum %d, NaN at %d", n, i)
				}
				x[i] = old
			}
		}
		require.Panics(t, func() { o.Minus(make([]T, 2), make([]T, 3), 0) })
	})
}

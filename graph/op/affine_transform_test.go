package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

func goldenBorder(t *testing.T, name string) Border {
	for b := BorderConstant; b <= BorderNearest; b++ {
		if b.String() == name {
			return b
		}
	}
	t.Fatalf("unknown border %q", name)
	return 0
}

// transforms are those of n images, not far from that which leaves them alone.
func transforms(rng *rand.Rand, n int) Array {
	a := normal(rng, n, 8)
	for i, x := range a.Data.([]float64) {
		a.Data.([]float64)[i] = x / []float64{4, 4, 1, 4, 4, 1, 50, 50}[i%8]
		if i%4 == 0 && i%8 < 6 {
			a.Data.([]float64)[i]++
		}
	}
	return a
}

// What is out of reach, or no number, is the fill; a pixel without weight does not count, even if it is not a number.
func TestAffineTransformOutOfReach(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for border := BorderConstant; border <= BorderNearest; border++ {
		for _, nearest := range []bool{false, true} {
			o := &AffineTransform{Sampling: Sampling{Border: border, Nearest: nearest, Fill: 7}}
			x := Array{tensor.Shape{5, 1, 2, 1}, []float64{1, 2, 1, 2, 1, 2, 1, 2, nan, 2}}
			y := Array{x.Shape, make([]float64, 10)}
			require.NoError(t, o.Reference(y, []Array{x, {tensor.Shape{5, 8}, []float64{
				1, 0, nan, 0, 1, 0, 0, 0,
				1, 0, inf, 0, 1, 0, 0, 0,
				1, 0, 0, 0, 1, 1e300, 0, 0,
				1, 0, 0, 0, 1, 0, -1, 0, // 0/1 and 1/0
				0, 0, 1, 0, 0, 0, 0, 0, // the second pixel
			}}}))
			require.Equal(t, []float64{7, 7, 7, 7, 7, 7, 1, 7, 2, 2}, y.Data)
		}
	}
}

// Images are those of TensorFlow, which computes positions in float32, and of SciPy.
func TestAffineTransformGolden(t *testing.T) {
	eachGolden(t, []string{"affine_transform"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		o := &AffineTransform{Sampling: Sampling{Nearest: c.Int("nearest") == 1, Border: goldenBorder(t, c.Str("border")), Fill: c.Float("fill")}}
		g := gorgonia.NewGraph()
		y, err := Apply(o, feed(g, "x", goldenArray(t, c, "x", dt)), feed(g, "transforms", goldenArray(t, c, "transforms", dt)))
		require.NoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		require.NoError(t, m.RunAll())
		require.NoError(t, m.Close())
		got, err := AsArray(y.Value())
		require.NoError(t, err)
		require.InDeltaSlice(t, c.Tensor("y").Data, wide(got), 3e-5)
	})
}

package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"
)

func TestOrthogonal(t *testing.T) {
	for _, c := range []struct {
		s    tensor.Shape
		gain float64
	}{{tensor.Shape{5, 5}, 0}, {tensor.Shape{7, 3}, 2}, {tensor.Shape{3, 7}, 0.5}, {tensor.Shape{3, 3, 4, 6}, 0}, {tensor.Shape{1, 1, 2, 9}, 0}, {tensor.Shape{1, 1}, 0}} {
		t.Run(fmt.Sprint(c.s), func(t *testing.T) {
			x := make([]float64, c.s.TotalSize())
			require.NoError(t, fill(x, c.s, Orthogonal{Gain: c.gain}, 3, "w"))
			cols := c.s[len(c.s)-1]
			a := mat.NewDense(len(x)/cols, cols, x)
			var product mat.Dense
			if len(x)/cols >= cols {
				product.Mul(a.T(), a)
			} else {
				product.Mul(a, a.T())
			}
			square := 1.0
			if c.gain != 0 {
				square = c.gain * c.gain
			}
			n, _ := product.Dims()
			for i := range n {
				for j := range n {
					want := 0.0
					if i == j {
						want = square
					}
					require.InDelta(t, want, product.At(i, j), 1e-12)
				}
			}
			short := make([]float32, len(x))
			require.NoError(t, fill(short, c.s, Orthogonal{Gain: c.gain}, 3, "w"))
			for i := range x {
				require.Equal(t, float32(x[i]), short[i])
			}
		})
	}
}

// TestOrthogonalIsUniform looks at what the signs are for: without them the first elements of all columns had one sign.
func TestOrthogonalIsUniform(t *testing.T) {
	positive := 0
	const draws = 400
	for seed := range uint64(draws) {
		x := make([]float64, 4)
		require.NoError(t, fill(x, tensor.Shape{2, 2}, Orthogonal{}, seed, "w"))
		if x[0] > 0 {
			positive++
		}
	}
	require.InDelta(t, draws/2, positive, 4*math.Sqrt(draws)/2)
}

func TestIdentity(t *testing.T) {
	x := make([]float64, 6)
	require.NoError(t, fill(x, tensor.Shape{2, 3}, Identity{Gain: 3}, 0, "w"))
	require.Equal(t, []float64{3, 0, 0, 0, 3, 0}, x)
}

func TestInitializersThatDoNotFit(t *testing.T) {
	var wrong *Error
	for want, l := range map[string]Layer{
		`Dense "dense": orthogonal wants a weight of at least 2 axes, got shape (2)`:           Dense{Units: 2, BiasInitializer: Orthogonal{}},
		`DepthwiseConv2D "depthwise_conv2d": identity wants a weight of 2 axes, got shape (1,`: DepthwiseConv2D{Kernel: K(1), DepthwiseInitializer: Identity{}},
	} {
		b := NewBuilder("m")
		b.Add(l, b.Input(Shape{4, 4, 4}))
		require.ErrorAs(t, b.Err(), &wrong)
		require.ErrorContains(t, wrong, want)
		require.ErrorContains(t, fill(make([]float32, 2), tensor.Shape{2}, Orthogonal{}, 1, "w"), "at least 2 axes")
		require.ErrorContains(t, fill(make([]float32, 2), tensor.Shape{2}, Identity{}, 1, "w"), "2 axes")
	}
	for _, bad := range []Initializer{VarianceScaling{Scale: -1}, VarianceScaling{Mode: "fan"}, VarianceScaling{Distribution: "normal"},
		RandomUniform{Min: 2, Max: 1}, TruncatedNormal{Stddev: -1}, RandomNormal{Mean: math.NaN()}, RandomNormal{Stddev: math.Inf(1)}} {
		b := NewBuilder("m")
		b.Add(Dense{Units: 2, KernelInitializer: bad}, b.Input(Shape{4}))
		require.ErrorAs(t, b.Err(), &wrong, "%v", bad)
		require.ErrorIs(t, wrong, ErrArgument)
	}
}

// TestNilPointersAreNothing: pointers that were never set are as if nothing was said.
func TestNilPointersAreNothing(t *testing.T) {
	var regularizer *L2
	var initializer *HeNormal
	var constraint *MaxNorm
	b := NewBuilder("m")
	in := b.Input(Shape{4})
	m, err := b.Model(in, b.Add(Dense{Units: 2, KernelRegularizer: regularizer, BiasInitializer: initializer, KernelInitializer: initializer, KernelConstraint: constraint}, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	require.Nil(t, m.Weights()[0].Regularizer)
	require.Nil(t, m.Weights()[0].Constraint)
	require.Equal(t, GlorotUniform{}, m.Weights()[0].Initializer)
	require.Equal(t, []float32{0, 0}, m.Weights()[1].Value.Data())
}

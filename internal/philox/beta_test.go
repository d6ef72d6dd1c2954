package philox

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Beta distribution with parameters a, a has mean 1/2 and variance 1/(4(2a+1)); the extremes of a are no trouble.
func TestBeta(t *testing.T) {
	const n = 20000
	for _, a := range []float64{0.1, 0.2, 0.5, 1, 2, 10} {
		s := NewSequence(1, 2, 3, StreamMixup)
		sum, squares := 0.0, 0.0
		for range n {
			x := Beta(&s, a)
			require.True(t, x >= 0 && x <= 1, "%v", x)
			sum += x
			squares += x * x
		}
		mean := sum / n
		variance := 1 / (4 * (2*a + 1))
		require.InDelta(t, 0.5, mean, 5*math.Sqrt(variance/n), "%v", a)
		require.InEpsilon(t, variance, squares/n-mean*mean, 0.05, "%v", a)
	}
	for _, a := range []float64{1e-300, 1e-9, 1e9, 1e300} {
		s := NewSequence(1, 2, 3, StreamMixup)
		for range 100 {
			x := Beta(&s, a)
			require.True(t, x >= 0 && x <= 1, "%v of %v", x, a)
		}
	}
	a, b := NewSequence(7, 1, 1, StreamMixup), NewSequence(7, 1, 1, StreamMixup)
	require.Equal(t, Beta(&a, 0.2), Beta(&b, 0.2))
}

func TestNormal(t *testing.T) {
	s := NewSequence(1, 0, 0, StreamMixup)
	const n = 20000
	sum, squares := 0.0, 0.0
	for range n {
		x := s.Normal()
		sum += x
		squares += x * x
	}
	require.InDelta(t, 0, sum/n, 0.04)
	require.InDelta(t, 1, squares/n, 0.06)
}

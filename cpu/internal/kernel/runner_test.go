package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Parts cover all items once, in order, and depend on the numbers only.
func TestSplit(t *testing.T) {
	for _, s := range []split{splitBy(1, 1), splitBy(10*grain+3, 1), splitBy(7, 3*grain), splitBy(100, 0), splitInto(10, 4), splitInto(3, 9), splitInto(9, 0), splitInto(0, 2)} {
		next := 0
		for p := range s.parts {
			lo, hi := s.bounds(p)
			require.Equal(t, next, lo)
			require.LessOrEqual(t, lo, hi)
			require.True(t, lo < hi || s.n == 0, "part %d of %+v is empty", p, s)
			next = hi
		}
		require.Equal(t, s.n, next)
	}
}

func TestScratch(t *testing.T) { bothTypes(t, testScratch[float32], testScratch[float64]) }

func testScratch[T Float](t *testing.T) {
	var s Scratch[T]
	a, b := s.reserve(5), s.reserve(17)
	require.Equal(t, 16+32, s.Workspace())
	require.PanicsWithValue(t, "kernel: scratch of 47 elements, want 48: a mistake of the engine's memory plan", func() { s.SetScratch(make([]T, 47)) })
	s.SetScratch(make([]T, 100))
	require.Len(t, a.of(&s), 5)
	require.Len(t, b.of(&s), 17)
	b.of(&s)[0] = 1
	require.NotContains(t, a.of(&s), T(1))
}

// Kernels may share a pool and a scratch when they run one after the other, also on changing slices.
func TestKernelsShareScratch(t *testing.T) {
	bothTypes(t, testKernelsShareScratch[float32], testKernelsShareScratch[float64])
}

func testKernelsShareScratch[T Float](t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	c := Channels{Outer: 500, C: 48, Inner: 1}
	stats, err := NewBatchStats[T](p, c)
	require.NoError(t, err)
	grad, err := NewBiasGrad[T](p, c)
	require.NoError(t, err)
	mem := make([]T, max(stats.Workspace(), grad.Workspace()))
	stats.SetScratch(mem)
	grad.SetScratch(mem)
	for seed := range uint64(3) {
		x := normal[T](seed, 500, 48).Data.([]T)
		mean, sums := make([]T, 48), make([]T, 48)
		stats.Run(mean, nil, x)
		grad.Run(sums, x)
		for i := range mean {
			require.InDelta(t, sums[i]/500, mean[i], 1e-5)
		}
	}
}

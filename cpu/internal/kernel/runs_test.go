package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// The assembly of every level computes what its plain twins compute, bit for bit, zeros' signs included, and touches
// nothing outside the runs.
func TestRunsTwins(t *testing.T) { bothTypes(t, testRunsTwins[float32], testRunsTwins[float64]) }

func testRunsTwins[T Float](t *testing.T) {
	assembly := cpuid.Available()[1:]
	if len(assembly) == 0 {
		t.Skip("no assembly on this machine or in this build")
	}
	defer useLevel(level)
	for n := range 70 {
		for _, count := range []int{0, 1, 2, 7} {
			useLevel(cpuid.Generic)
			plain := runsOf[T](t, count, n)
			for _, l := range assembly {
				useLevel(l)
				quick := runsOf[T](t, count, n)
				for i := range plain {
					require.True(t, sameBits(plain[i], quick[i]), "result %d, %d runs of %d, %v", i, count, n, l)
				}
			}
		}
	}
}

// runsOf applies all loops over runs to guarded memory, with a distance of its own for every array, and returns their
// results.
func runsOf[T Float](t testing.TB, count, n int) (out [][]T) {
	ldx, ldy, ldl := n+3, n+1, n+2
	var checks []func(testing.TB)
	fill := func(seed uint64, ld int) []T {
		s, check := guarded[T](max((count-1)*ld+n, 0))
		checks = append(checks, check)
		r := normal[T](seed, len(s)).Data.([]T)
		for i := range s {
			s[i] = T(math.Trunc(float64(2 * r[i]))) // few values, so that maxima tie, and zeros of both signs
			if i%7 == int(seed) {
				s[i] = nan[T]()
			}
		}
		return s
	}
	x, y, z, left, d := fill(1, ldx), fill(2, ldy), fill(5, ldy), fill(3, ldl), fill(4, ldx)
	copyRuns(y, ldy, x, ldx, count, n)
	out = append(out, slices.Clone(y))
	maxRuns(y, ldy, z, ldy, count, n)
	out = append(out, slices.Clone(y))
	routeRuns(d, x, ldx, left, y, ldy, ldl, count, n)
	for _, check := range checks {
		check(t)
	}
	return append(out, left, d)
}

func TestCopyRuns(t *testing.T) { bothTypes(t, testCopyRuns[float32], testCopyRuns[float64]) }

func testCopyRuns[T Float](t *testing.T) {
	for n := range 70 {
		const count = 3
		ld, step := n+3, n+1
		src, dst := make([]T, count*step), make([]T, count*ld)
		for i := range src {
			src[i] = T(i)
		}
		copyRuns(dst, ld, src, step, count, n)
		for i, v := range dst {
			want := T(0)
			if q, e := i/ld, i%ld; e < n {
				want = T(q*step + e)
			}
			require.Equal(t, want, v, "run length %d, element %d", n, i)
		}
	}
}

package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// The assembly of every level computes what its plain twins compute, bit for bit, zeros' signs included, and touches
// nothing outside the runs.
func TestRunsTwins(t *testing.T) { bothTypes(t, testRunsTwins[float32], testRunsTwins[float64]) }

func testRunsTwins[T Float](t *testing.T) {
	numtest.Sequential(t)
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
	ldx, ldy := n+3, n+1
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
	x, y, z := fill(1, ldx), fill(2, ldy), fill(5, ldy)
	copyRuns(y, ldy, x, ldx, count, n)
	out = append(out, slices.Clone(y))
	maxRuns(y, ldy, z, ldy, count, n)
	out = append(out, slices.Clone(y))
	for _, check := range checks {
		check(t)
	}
	return out
}

func TestWindowsTwins(t *testing.T) {
	bothTypes(t, testWindowsTwins[float32], testWindowsTwins[float64])
}

func testWindowsTwins[T Float](t *testing.T) {
	numtest.Sequential(t)
	assembly := cpuid.Available()[1:]
	if len(assembly) == 0 {
		t.Skip("no assembly on this machine or in this build")
	}
	defer useLevel(level)
	for n := range 150 {
		for _, window := range [][3]int{{1, 1, 1}, {1, 3, 2}, {3, 1, 1}, {2, 2, 2}, {3, 3, 1}} {
			useLevel(cpuid.Generic)
			plain := windowsOfRow[T](t, window, n)
			for _, l := range assembly {
				useLevel(l)
				quick := windowsOfRow[T](t, window, n)
				for i := range plain {
					require.True(t, sameBits(plain[i], quick[i]), "result %d, windows %v of %d channels, %v", i, window, n, l)
				}
			}
		}
	}
}

// windowsOfRow pools a row of 4 windows, of rows, columns and stride, in guarded memory and takes the gradient.
func windowsOfRow[T Float](t testing.TB, window [3]int, n int) (out [][]T) {
	const count = 4
	rows, columns, stride := window[0], window[1], window[2]
	ldc, ldy := n+1, n+2
	ldr := ((count-1)*stride+columns)*ldc + 3
	size := max((rows-1)*ldr+((count-1)*stride+columns-1)*ldc+n, 0)
	var checks []func(testing.TB)
	fill := func(seed uint64, size int) []T {
		s, check := guarded[T](size)
		checks = append(checks, check)
		r := normal[T](seed, size).Data.([]T)
		for i := range s {
			s[i] = T(math.Trunc(float64(2 * r[i]))) // few values, so that maxima tie, and zeros of both signs
			if i%29 == int(seed) {
				s[i] = nan[T]()
			}
		}
		return s
	}
	x, dx, y, dy := fill(1, size), fill(2, size), fill(3, max((count-1)*ldy+n, 0)), fill(4, max((count-1)*ldy+n, 0))
	table := stencilOf[T](rows, columns, ldr, ldc)
	maxWindows(y, ldy, x, stride*ldc, table, count, n)
	out = append(out, slices.Clone(y))
	routeWindows(dx, x, stride*ldc, dy, y, ldy, table, count, n)
	for _, check := range checks {
		check(t)
	}
	return append(out, dx, dy)
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

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// The assembly computes what its plain twins compute, bit for bit, and touches nothing outside the runs.
func TestRunsTwins(t *testing.T) {
	if !fast {
		t.Log("no assembly on this machine or in this build: the twins are compared with themselves")
	}
	for n := range 70 {
		for _, count := range []int{0, 1, 2, 7} {
			ldx, ldy, ldl := n+3, n+1, n+2
			fill := func(seed uint64, ld int) ([]float32, func(testing.TB)) {
				s, check := numtest.Guarded(max((count-1)*ld+n, 0))
				r := normal(seed, len(s)).Data.([]float32)
				for i := range s {
					s[i] = float32(int(2 * r[i])) // few values, so that maxima tie
					if i%7 == int(seed) {
						s[i] = nan32
					}
				}
				return s, check
			}
			run := func() (out [][]float32) {
				x, c0 := fill(1, ldx)
				y, c1 := fill(2, ldy)
				left, c2 := fill(3, ldl)
				d, c3 := fill(4, ldx)
				copyRuns(y, ldy, x, ldx, count, n)
				out = append(out, append([]float32(nil), y...))
				z, c4 := fill(5, ldy)
				maxRuns(y, ldy, z, ldy, count, n)
				out = append(out, append([]float32(nil), y...))
				routeRuns(d, x, ldx, left, y, ldy, ldl, count, n)
				for _, c := range []func(testing.TB){c0, c1, c2, c3, c4} {
					c(t)
				}
				return append(out, left, d)
			}
			quick := run()
			keep := fast
			fast = false
			plain := run()
			fast = keep
			for i := range quick {
				require.True(t, sameBits(plain[i], quick[i]), "result %d, %d runs of %d", i, count, n)
			}
		}
	}
}

func TestCopyRuns(t *testing.T) {
	for n := range 70 {
		const count = 3
		ld, step := n+3, n+1
		src, dst := make([]float32, count*step), make([]float32, count*ld)
		for i := range src {
			src[i] = float32(i)
		}
		copyRuns(dst, ld, src, step, count, n)
		for i, v := range dst {
			want := float32(0)
			if q, e := i/ld, i%ld; e < n {
				want = float32(q*step + e)
			}
			require.Equal(t, want, v, "run length %d, element %d", n, i)
		}
	}
}

package kernel

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// The assembly of every level computes what its plain twins compute, up to the order of sums, and touches nothing outside the runs.
func TestTapsTwins(t *testing.T) { bothTypes(t, testTapsTwins[float32], testTapsTwins[float64]) }

func testTapsTwins[T Float](t *testing.T) {
	numtest.Sequential(t)
	assembly := cpuid.Available()[1:]
	if len(assembly) == 0 {
		t.Skip("no assembly on this machine or in this build")
	}
	defer useLevel(level)
	for _, n := range []int{1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 40, 70} {
		for _, count := range []int{0, 1, 2, 3, 7, 8, 9, 15, 29} {
			for _, taps := range []int{0, 1, 2, 3, 4, 5, 9, 21} {
				for of := ownChannel; of <= fourChannels; of++ {
					if of == fourChannels && n%4 != 0 {
						continue
					}
					useLevel(cpuid.Generic)
					plain := tapsOfRow[T](t, count, n, taps, of)
					for _, l := range assembly {
						useLevel(l)
						quick := tapsOfRow[T](t, count, n, taps, of)
						for i := range plain {
							for k, v := range plain[i] {
								d := float64(v - quick[i][k])
								tol := 2e-6 // times the number of terms
								if unsafe.Sizeof(v) == 8 {
									tol = 4e-15
								}
								require.InDelta(t, 0, d, tol*(1+float64(taps)), "result %d, element %d: %d pixels, %d filters, %d taps, factors %v, %v", i, k, count, n, taps, of, l)
							}
						}
					}
				}
			}
		}
	}
}

// tapsOfRow applies both loops to guarded memory, with a distance of its own for every array, and returns their results.
func tapsOfRow[T Float](t testing.TB, count, n, taps int, of factors) (out [][]T) {
	size := int(unsafe.Sizeof(T(0)))
	width := of.width(n)
	var checks []func(testing.TB)
	fill := func(seed uint64, count, ld, last int) []T {
		s, check := guarded[T](max((count-1)*ld+last, 0))
		checks = append(checks, check)
		copy(s, normal[T](seed, len(s)).Data.([]T))
		return s
	}
	ldy, ldf, ldx, ldw, step := n+2, n+1, width+3, n+5, width+1
	var table []tapPair
	for i := range taps { // falling in x, rising in w
		table = append(table, tapPair{-i * step * size, i * ldw * of.depth() * size})
	}
	x0 := max(taps-1, 0) * step
	x := fill(1, count, ldx, x0+width)
	w, y, from := fill(2, taps*of.depth(), ldw, n), fill(3, count, ldy, n), fill(4, count, ldf, n)
	sumTaps(y, ldy, from, ldf, x, x0, ldx, w, 0, ldw, table, of, count, n, ahead{})
	out = append(out, slices.Clone(y))
	sumTaps(y, ldy, y, ldy, x, x0, ldx, w, 0, ldw, table, of, count, n, ahead{}) // over what it begins with
	out = append(out, y)
	if taps > 0 {
		switch of {
		case oneChannel:
			step = 1
		case fourChannels:
			taps, step = 4, 0
		}
		x, dw, dy := fill(1, count, ldx, (taps-1)*step+width), fill(5, taps, ldw, n), fill(6, count, ldy, n)
		sumPixels(dw, ldw, x, ldx, step, dy, ldy, taps, of, count, n, nil, nil)
		out = append(out, dw)
	}
	for _, check := range checks {
		check(t)
	}
	return out
}

package cpu

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// These benchmarks make the tables of bench/results/kernels.md. Each measures a ceiling of the machine and its cases in turns, so that
// what else the machine does meets all of them, and takes medians of the rounds. STHENO_BENCH_THREADS is the number of threads,
// STHENO_BENCH_ROUNDS that of rounds, 5 if it is not set.

// figure is a case: what is run, and how much of the ceiling's unit a run is.
type figure struct {
	name string
	work float64
	run  func()
}

func benchNumber(b *testing.B, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	require.NoError(b, err, name)
	return n
}

// turns prints a row of a table for each figure: work a second in 10⁹, and its share of the ceiling measured in the same round: the
// median, the least and the most.
func turns(b *testing.B, unit string, ceiling func() (float64, error), figures []figure) {
	rates, shares := make([][]float64, len(figures)), make([][]float64, len(figures))
	var tops []float64
	for range benchNumber(b, "STHENO_BENCH_ROUNDS", 5) {
		top, err := ceiling()
		require.NoError(b, err)
		tops = append(tops, top/1e9)
		for i, f := range figures {
			rate := f.work / secondsOf(f.run)
			rates[i], shares[i] = append(rates[i], rate/1e9), append(shares[i], 100*rate/top)
		}
	}
	t, least, most := middle(tops)
	fmt.Printf("| ceiling | %.4g | (%.4g–%.4g %s) |\n", t, least, most, unit)
	for i, f := range figures {
		rate, _, _ := middle(rates[i])
		share, least, most := middle(shares[i])
		fmt.Printf("| %s | %.4g | %.0f %% (%.0f–%.0f) |\n", f.name, rate, share, least, most)
	}
}

// secondsOf is the median time of a run, of as many as take some hundredths of a second, after one.
func secondsOf(run func()) float64 {
	run()
	var took []float64
	for begin := time.Now(); len(took) < 3 || time.Since(begin) < 60*time.Millisecond; {
		start := time.Now()
		run()
		took = append(took, time.Since(start).Seconds())
	}
	m, _, _ := middle(took)
	return m
}

// middle returns the median, the least and the most.
func middle(x []float64) (median, least, most float64) {
	slices.Sort(x)
	return x[len(x)/2], x[0], x[len(x)-1]
}

// numbers are n numbers in memory as programs have it.
func numbers(b *testing.B, n int) []float32 {
	p, err := newPages(4 * n)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, p.free()) })
	x := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(p.bytes))), n)
	for i := range x {
		x[i] = float32(i%7)/4 - 0.7
	}
	return x
}

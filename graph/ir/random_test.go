package ir_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// draw returns the numbers of a run.
func draw[T op.Float](t testing.TB, o *ir.Random, run int) []T {
	y := make([]T, op.Len(o.Shape))
	_, err := o.Infer([]tensor.Shape{{}})
	require.NoError(t, err)
	require.NoError(t, o.Compute([]op.Array{{Shape: o.Shape, Data: y}}, []op.Array{number(run)}))
	return y
}

// The first numbers are part of the meaning of a seed and never change. These were computed by another program from the
// description of [ir.Random].
func TestRandomNumbersStay(t *testing.T) {
	for _, c := range []struct {
		o    ir.Random
		want []float64
	}{
		{ir.Random{From: ir.Uniform, A: -1, B: 1}, []float64{0.2798651254377009, 0.5589300466397447, -0.12624899096857845, 0.8288611564592643, 0.0038834414181760923}},
		{ir.Random{From: ir.Gaussian, A: 0, B: 1}, []float64{0.2631052117372282, -1.4048855918348992, 0.9204867662737689, -0.5488289407433194, 1.1806308807455521}},
		{ir.Random{From: ir.Binomial, A: 20, B: 0.25}, []float64{6, 6, 5, 8, 5}},
	} {
		c.o.Seed, c.o.Stream, c.o.Shape = 42, 1<<32+7, tensor.Shape{5}
		require.InDeltaSlice(t, c.want, draw[float64](t, &c.o, 3), 1e-15, "%v", draw[float64](t, &c.o, 3))
	}
}

// Another run, stream or seed gives other numbers; the shape does not matter, and both element types draw the same.
func TestRandomIsAFunctionOfItsKey(t *testing.T) {
	base := ir.Random{From: ir.Gaussian, B: 1, Shape: tensor.Shape{7}, Seed: 1, Stream: 2}
	want := draw[float64](t, &base, 5)
	require.Equal(t, want, draw[float64](t, &base, 5))
	long := base
	long.Shape = tensor.Shape{3, 4}
	require.Equal(t, want, draw[float64](t, &long, 5)[:7])
	for i, v := range draw[float32](t, &base, 5) {
		require.Equal(t, float32(want[i]), v)
	}
	seen := map[float64]bool{}
	for _, v := range want {
		seen[v] = true
	}
	for _, change := range []func(o *ir.Random) int{
		func(*ir.Random) int { return 6 },
		func(o *ir.Random) int { o.Seed++; return 5 },
		func(o *ir.Random) int { o.Seed += 1 << 32; return 5 },
		func(o *ir.Random) int { o.Stream++; return 5 },
		func(o *ir.Random) int { o.Stream += 1 << 32; return 5 },
	} {
		o := base
		for _, v := range draw[float64](t, &o, change(&o)) {
			require.False(t, seen[v])
			seen[v] = true
		}
	}
}

// Moments and tails of many numbers, at five standard deviations of each.
func TestDistributions(t *testing.T) {
	const n = 200000
	of := func(from ir.Distribution, a, b float64) []float64 {
		return draw[float64](t, &ir.Random{From: from, A: a, B: b, Shape: tensor.Shape{n}, Seed: 3}, 0)
	}
	mean := func(x []float64, f func(float64) float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += f(v)
		}
		return sum / float64(len(x))
	}
	within := func(want, sd, got float64) { t.Helper(); require.InDelta(t, want, got, 5*sd/math.Sqrt(n)) }

	u := of(ir.Uniform, 2, 6)
	within(4, math.Sqrt(16./12), mean(u, func(v float64) float64 { return v }))
	for i := range 8 { // each eighth of the range has an eighth of the numbers
		low := 2 + float64(i)/2
		within(1./8, math.Sqrt(7)/8, mean(u, func(v float64) float64 { return indicator(v >= low && v < low+0.5) }))
	}
	g := of(ir.Gaussian, 1, 2)
	within(1, 2, mean(g, func(v float64) float64 { return v }))
	within(4, 4*math.Sqrt2, mean(g, func(v float64) float64 { return (v - 1) * (v - 1) }))
	for _, z := range []float64{-2, -1, 0, 1, 2, 3} {
		p := math.Erfc(-z/math.Sqrt2) / 2
		within(p, math.Sqrt(p*(1-p)), mean(g, func(v float64) float64 { return indicator((v-1)/2 < z) }))
	}
	pairs := 0.0 // neighbours are made of one block, by sine and cosine
	for i := 0; i < n; i += 2 {
		pairs += (g[i] - 1) * (g[i+1] - 1) / 4
	}
	require.InDelta(t, 0, pairs/(n/2), 5/math.Sqrt(n/2))
	for _, c := range []struct{ trials, p float64 }{{1, 0.3}, {12, 0.5}, {1000.7, 0.01}, {1e6, 0.999}} {
		b := of(ir.Binomial, c.trials, c.p)
		k := math.Trunc(c.trials)
		variance := k * c.p * (1 - c.p)
		within(k*c.p, math.Sqrt(variance), mean(b, func(v float64) float64 { return v }))
		within(variance, variance*math.Sqrt(3), mean(b, func(v float64) float64 { return (v - k*c.p) * (v - k*c.p) }))
		for _, v := range b {
			require.True(t, v == math.Trunc(v) && v >= 0 && v <= k)
		}
	}
	for _, c := range []struct{ trials, p, want float64 }{{0, 0.5, 0}, {9, 0, 0}, {9, 1, 9}} {
		for _, v := range of(ir.Binomial, c.trials, c.p)[:100] {
			require.Equal(t, c.want, v)
		}
	}
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Rounding to float32 does not reach the upper end, which is not part of the range.
func TestUniformStaysBelowItsEnd(t *testing.T) {
	for _, o := range []ir.Random{{A: 0, B: 1}, {A: 1 << 20, B: 1<<20 + 1}, {A: 3, B: -3}} {
		o.Shape = tensor.Shape{1 << 16}
		for _, v := range draw[float32](t, &o, 1) {
			require.True(t, float64(v) != o.B && float64(v) >= min(o.A, o.B) && float64(v) <= max(o.A, o.B), "%v of %v", v, &o)
		}
	}
	o := ir.Random{A: 2, B: 2, Shape: tensor.Shape{3}}
	require.Equal(t, []float64{2, 2, 2}, draw[float64](t, &o, 1))
}

package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// channelCases are shapes with the axis of their channels.
var channelCases = []struct {
	dims []int
	axis int
}{
	{[]int{1, 1}, -1}, {[]int{3, 1}, 1}, {[]int{70, 5}, -1}, {[]int{2, 3, 4, 16}, -1}, {[]int{2, 3, 4, 33}, 3},
	{[]int{1, 2, 2, 130}, -1}, {[]int{700, 3}, -1}, {[]int{65, 9, 9, 17}, -1}, {[]int{9, 50, 40, 10}, -1}, {[]int{700, 130}, -1}, {[]int{2, 5, 3, 7}, 1}, {[]int{3, 64, 20, 30}, 1}, {[]int{4, 6, 2}, 0},
}

func channelsOf(t testing.TB, dims []int, axis int) Channels {
	c, err := ChannelsOf(dims, axis)
	require.NoError(t, err)
	return c
}

func eachChannelCase(t *testing.T, f func(t *testing.T, dims []int, axis int, c Channels)) {
	for _, c := range channelCases {
		t.Run(fmt.Sprint(c.dims, " axis ", c.axis), func(t *testing.T) { f(t, c.dims, c.axis, channelsOf(t, c.dims, c.axis)) })
	}
}

func TestChannelsOf(t *testing.T) { bothTypes(t, testChannelsOf[float32], testChannelsOf[float64]) }

func testChannelsOf[T Float](t *testing.T) {
	require.Equal(t, Channels{6, 4, 5}, channelsOf(t, []int{2, 3, 4, 5}, -2))
	for _, axis := range []int{-3, 2} {
		_, err := ChannelsOf([]int{2, 3}, axis)
		require.ErrorContains(t, err, "axis")
	}
	_, err := ChannelsOf([]int{2, 0, 3}, 1)
	require.ErrorContains(t, err, "at least 1")
	_, err = NewBatchStats[T](nil, Channels{})
	require.Error(t, err)
}

func TestBias(t *testing.T) { bothTypes(t, testBias[float32], testBias[float64]) }

func testBias[T Float](t *testing.T) {
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		in := inputs[T]{special[T](normal[T](1, dims...)), normal[T](2, c.C)}
		against(t, &op.BiasAdd{Axis: axis}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
			k, err := NewBiasAdd[T](e.Pool, c)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
		})
		in = inputs[T]{normal[T](1, dims...)}
		in.f(0)[0] = nan[T]()
		against(t, &op.BiasGrad{Axis: axis}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
			k, err := NewBiasGrad[T](e.Pool, c)
			return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
		})
	})
}

func TestChannelAffine(t *testing.T) {
	bothTypes(t, testChannelAffine[float32], testChannelAffine[float64])
}

func testChannelAffine[T Float](t *testing.T) {
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		shift := make([]float64, c.C)
		for i := range shift {
			shift[i] = float64(i) - 2.5
		}
		for _, s := range [][]float64{nil, shift} {
			o := &op.ChannelAffine{Axis: axis, Scale: 0.5, Shift: s}
			against(t, o, numtest.Reduction, inputs[T]{special[T](normal[T](1, dims...))}, func(e Env[T]) (prepared[T], error) {
				k, err := NewChannelAffine[T](e.Pool, c, 0.5, s)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), nil) }}, err
			})
		}
		_, err := NewChannelAffine[T](nil, c, 1, make([]float64, c.C+1))
		require.ErrorContains(t, err, "shifts")
	})
}

func TestBatchStats(t *testing.T) { bothTypes(t, testBatchStats[float32], testBatchStats[float64]) }

func testBatchStats[T Float](t *testing.T) {
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		in := inputs[T]{normal[T](1, dims...)}
		for i := range in.f(0) { // means up to 1000 standard deviations
			in.f(0)[i] += 1000 * T(i%3)
			if c.Inner == 1 {
				in.f(0)[i] = T(normal32(i)) + 1000*T(i%c.C%4)
			}
		}
		mean := reference(t, &op.BatchMean{Axis: axis}, in)
		variance := reference(t, &op.BatchVariance{Axis: axis}, inputs[T]{in[0], {Shape: tensor.Shape{c.C}, Data: mean}})
		verify(t, in, []result{{mean, numtest.Reduction}, {variance, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchStats[T](e.Pool, c)
			return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], out[1], in.f(0)) }}, err
		})
		verify(t, in, []result{{variance, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchStats[T](e.Pool, c)
			return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(nil, out[0], in.f(0)) }}, err
		})
	})
}

// farFromZero adds 10,000 to every third channel of x and to its mean.
func farFromZero[T Float](c Channels, x, mean []T) {
	for ch := 0; ch < c.C; ch += 3 {
		mean[ch] += 1e4
	}
	for i := range x {
		if i/c.Inner%c.C%3 == 0 {
			x[i] += 1e4
		}
	}
}

// normal32 is element i of a fixed sequence of about normal numbers.
func normal32(i int) float32 {
	return float32(math.Sin(float64(i)*12.9898)+math.Sin(float64(i)*78.233)) * 1.1
}

// A constant channel has variance 0, a NaN stays in its channel.
func TestBatchStatsEdges(t *testing.T) {
	bothTypes(t, testBatchStatsEdges[float32], testBatchStatsEdges[float64])
}

func testBatchStatsEdges[T Float](t *testing.T) {
	const rows, c = 1000, 3
	x := make([]T, rows*c)
	for r := range rows {
		x[r*c], x[r*c+1], x[r*c+2] = 1e6+0.5, T(r), -7
	}
	x[500*c+1] = nan[T]()
	e := Env[T]{}
	withEnv(t, func(t *testing.T, env Env[T]) { e = env })
	k, err := NewBatchStats[T](e.Pool, Channels{rows, c, 1})
	require.NoError(t, err)
	k.SetScratch(make([]T, k.Workspace()))
	mean, variance := make([]T, c), make([]T, c)
	k.Run(mean, variance, x)
	require.Equal(t, T(1e6+0.5), mean[0])
	require.Zero(t, variance[0])
	require.NotEqual(t, mean[1], mean[1])
	require.NotEqual(t, variance[1], variance[1])
	require.Equal(t, T(-7), mean[2])
}

// A first row far off must not become the origin of the others: their deviations from it would all be large, and nearly
// equal squares would swallow the variance.
func TestBatchStatsOutlierFirst(t *testing.T) {
	bothTypes(t, testBatchStatsOutlierFirst[float32], testBatchStatsOutlierFirst[float64])
}

func testBatchStatsOutlierFirst[T Float](t *testing.T) {
	for _, c := range []Channels{{20_000, 3, 1}, {2000, 40, 1}} {
		x := normal[T](1, c.Outer, c.C)
		in := inputs[T]{x}
		for i := range in.f(0) {
			in.f(0)[i] += 2
		}
		for i := range c.C {
			in.f(0)[i] = 300
		}
		mean := reference(t, &op.BatchMean{Axis: 1}, in)
		variance := reference(t, &op.BatchVariance{Axis: 1}, inputs[T]{x, {Shape: tensor.Shape{c.C}, Data: mean}})
		verify(t, in, []result{{mean, numtest.Reduction}, {variance, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchStats[T](e.Pool, c)
			return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], out[1], in.f(0)) }}, err
		})
	}
}

func widened[T Float](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

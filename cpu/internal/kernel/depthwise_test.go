package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// depthwiseCases have each number of channels from 1 to 65 once, with all kernels, strides, paddings and batches in turn, and some more.
func depthwiseCases() []convCase {
	paddings := []shape.Padding{{Mode: shape.Same}, {}, {Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}}
	var cases []convCase
	for c := 1; c <= 65; c++ {
		k := 3 + 2*(c%3)
		stride := 1 + c/3%2
		cases = append(cases, convCase{1 + c/6%2, 7 + c%5, 7 + c%11, c, k, k, c,
			op.ConvAttrs{Groups: c, Strides: [2]int{stride, stride}, Padding: paddings[c/2%3]}, ""})
	}
	same := func(c, stride, dilation int) op.ConvAttrs {
		return op.ConvAttrs{Groups: c, Strides: [2]int{stride, stride}, Dilations: [2]int{dilation, dilation}, Padding: shape.Padding{Mode: shape.Same}}
	}
	wide := shape.Padding{Mode: shape.Explicit, Top: 1, Bottom: 1, Left: 7, Right: 9} // results that see nothing
	return append(cases,
		convCase{1, 2, 2, 18, 3, 3, 18, op.ConvAttrs{Groups: 18, Padding: wide}, ""},
		convCase{1, 2, 2, 256, 3, 3, 256, op.ConvAttrs{Groups: 64, Padding: wide}, ""},
		convCase{1, 2, 2, 6, 3, 3, 9, op.ConvAttrs{Groups: 3, Padding: wide}, ""},
		convCase{1, 3, 3, 2, 3, 3, 2, same(2, 2, 1), ""},          // the last stretch of a row of images would reach beyond them
		convCase{2, 5, 4, 2100, 3, 3, 2100, same(2100, 1, 1), ""}, // more channels than are summed at a time
		convCase{1, 2, 300, 3, 3, 3, 3, same(3, 1, 1), ""},        // more results in a row than a watcher takes
		convCase{1, 9, 10, 17, 3, 3, 17, same(17, 1, 2), ""},      // rows that the next one sees are not those that follow
		convCase{2, 6, 6, 5, 1, 1, 5, same(5, 2, 1), ""},          // and that nobody sees lie between
		convCase{1, 70, 9, 6, 3, 3, 6, same(6, 2, 1), ""},         // blocks of several rows for a watcher
		convCase{1, 8, 9, 40, 9, 9, 40, same(40, 1, 1), ""},       // more taps than are summed at a time
		convCase{1, 13, 13, 20, 1, 7, 20, same(20, 1, 1), ""},     // one row
		convCase{1, 13, 13, 36, 7, 1, 36, same(36, 3, 1), ""},     // one column
		convCase{1, 11, 12, 33, 4, 6, 66, same(33, 1, 1), ""},     // two filters a channel
		convCase{1, 9, 9, 24, 3, 3, 24, op.ConvAttrs{Groups: 6}, ""} /* groups of four */)
}

// All passes of depthwise convolutions, the forward one with the statistics of its channels, with rows that are brought into the cache before their
// turn, as those of large images are.
func TestDepthwise(t *testing.T) { bothTypes(t, testDepthwise[float32], testDepthwise[float64]) }

func testDepthwise[T Float](t *testing.T) {
	watchFrom(t, 1)
	before := streamedLen
	streamedLen = 1
	t.Cleanup(func() { streamedLen = before })
	for i, c := range depthwiseCases() {
		if !inShare[T](i) || testing.Short() && i < 65 && i%2 != 0 {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			x, w, dy := convInput[T](c, 1), convFilter[T](c, 2), normal[T](3, g.Output()...)
			y := reference(t, &op.Conv2D{ConvAttrs: c.a}, inputs[T]{x, w})
			mean, variance := momentsOf(g, y)
			want := []result{{y, numtest.Reduction}, {mean, numtest.Reduction}, {variance, numtest.Reduction}}
			verify(t, inputs[T]{x, w}, want, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DStats[T](e, g, ConvOptions{})
				require.NoError(t, err)
				if k.conv.Way() == byDepth { // one channel is no group
					require.Equal(t, g.W.Out <= sumRun, k.watched)
				}
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[1], out[2], out[0], in.f(0), in.f(1), nil) }}, nil
			})
			against(t, &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: g.Input()}, numtest.Reduction, inputs[T]{dy, w}, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DBackwardInput[T](e, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			})
			against(t, &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}, numtest.Reduction, inputs[T]{x, dy}, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DBackwardFilter[T](e, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			})
		})
	}
}

// A NaN reaches exactly the results whose windows see it, and the gradients of the taps that do.
func TestDepthwisePropagatesNaN(t *testing.T) {
	c := convCase{2, 9, 11, 19, 3, 3, 19, op.ConvAttrs{Groups: 19, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}, ""}
	g := c.geometry(t)
	x, w, dy := convInput[float32](c, 1), convFilter[float32](c, 2), normal[float32](3, g.Output()...)
	x.Data.([]float32)[(9*11+5*11+6)*19+17] = nan[float32]()
	dy.Data.([]float32)[(2*6+3)*19+4] = nan[float32]()
	against(t, &op.Conv2D{ConvAttrs: c.a}, numtest.Reduction, inputs[float32]{x, w}, func(e Env[float32]) (prepared[float32], error) {
		k, err := NewConv2D[float32](e, g, ConvOptions{})
		return prepared[float32]{k, func(out [][]float32, in inputs[float32]) { k.Run(out[0], in.f(0), in.f(1), nil, nil) }}, err
	})
	against(t, &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: g.Input()}, numtest.Reduction, inputs[float32]{dy, w}, func(e Env[float32]) (prepared[float32], error) {
		k, err := NewConv2DBackwardInput[float32](e, g)
		return prepared[float32]{k, func(out [][]float32, in inputs[float32]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
	})
	against(t, &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}, numtest.Reduction, inputs[float32]{x, dy}, func(e Env[float32]) (prepared[float32], error) {
		k, err := NewConv2DBackwardFilter[float32](e, g)
		return prepared[float32]{k, func(out [][]float32, in inputs[float32]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
	})
}

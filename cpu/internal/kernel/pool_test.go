package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

type poolCase struct {
	n, h, w, c int
	a          op.PoolAttrs
}

func poolCases() []poolCase {
	same := shape.Padding{Mode: shape.Same}
	odd := shape.Padding{Mode: shape.Explicit, Top: 1, Bottom: 2, Left: 0, Right: 1}
	p := func(h, w int) [2]int { return [2]int{h, w} }
	cases := []poolCase{
		{1, 2, 2, 1, op.PoolAttrs{}},
		{2, 7, 9, 16, op.PoolAttrs{}},
		{20, 5, 6, 17, op.PoolAttrs{}},
		{1, 9, 8, 70, op.PoolAttrs{Pool: p(3, 3), Strides: p(2, 2), Padding: same}},
		{2, 9, 8, 130, op.PoolAttrs{Pool: p(3, 2), Strides: p(1, 2), Padding: odd}},
		{3, 8, 8, 3, op.PoolAttrs{Pool: p(2, 2), Strides: p(3, 4)}},
		{2, 5, 5, 8, op.PoolAttrs{Pool: p(5, 5)}},
		{1, 1, 1, 5, op.PoolAttrs{Padding: same}},
		{2, 6, 7, 33, op.PoolAttrs{Pool: p(3, 3), Strides: p(1, 1), Padding: same}},
	}
	for _, c := range cases {
		c.a.Format = shape.NCHW
		cases = append(cases, c)
	}
	return cases
}

func (c poolCase) input(seed uint64) op.Array {
	if c.a.Format == shape.NCHW {
		return normal(seed, c.n, c.c, c.h, c.w)
	}
	return normal(seed, c.n, c.h, c.w, c.c)
}

func TestMaxPool2D(t *testing.T) {
	for _, c := range poolCases() {
		for _, kind := range []string{"normal", "ties", "NaN"} {
			t.Run(fmt.Sprintf("%+v %s", c, kind), func(t *testing.T) {
				x := c.input(1)
				for i, v := range x.Data.([]float32) {
					if kind == "ties" {
						x.Data.([]float32)[i] = float32(int(v * 1.5)) // few different numbers
					} else if kind == "NaN" && i%5 == 1 {
						x.Data.([]float32)[i] = nan32
					}
				}
				g, err := c.a.Geometry(x.Shape)
				require.NoError(t, err)
				y := reference(t, &op.MaxPool2D{PoolAttrs: c.a}, inputs{x})
				against(t, &op.MaxPool2D{PoolAttrs: c.a}, numtest.Elementwise, inputs{x}, func(e Env) (prepared, error) {
					k, err := NewMaxPool2D(e.Pool, g)
					return prepared{k, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
				})
				in := inputs{x, {Shape: g.Output(), Data: narrow(y)}, normal(2, g.Output()...)}
				against(t, &op.MaxPool2DGrad{PoolAttrs: c.a}, numtest.Reduction, in, func(e Env) (prepared, error) {
					k, err := NewMaxPool2DGrad(e.Pool, g)
					return prepared{k, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.f(1), in.f(2)) }}, err
				})
			})
		}
	}
}

func TestAvgPool2D(t *testing.T) {
	for _, c := range poolCases() {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x := c.input(1)
			g, err := c.a.Geometry(x.Shape)
			require.NoError(t, err)
			against(t, &op.AvgPool2D{PoolAttrs: c.a}, numtest.Reduction, inputs{x}, func(e Env) (prepared, error) {
				k, err := NewAvgPool2D(e.Pool, g)
				return prepared{k, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
			})
			o := &op.AvgPool2DGrad{PoolAttrs: c.a, InputShape: x.Shape}
			against(t, o, numtest.Reduction, inputs{normal(2, g.Output()...)}, func(e Env) (prepared, error) {
				k, err := NewAvgPool2DGrad(e.Pool, g)
				return prepared{k, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
			})
		})
	}
}

func TestGlobalAvgPoolPadCrop(t *testing.T) {
	for _, c := range poolCases() {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x, f := c.input(1), c.a.Format
			against(t, &op.GlobalAvgPool2D{Format: f}, numtest.Reduction, inputs{x}, func(e Env) (prepared, error) {
				k, err := NewGlobalAvgPool2D(e.Pool, f, c.n, c.h*c.w, c.c)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
			})
			o := &op.GlobalAvgPool2DGrad{Format: f, InputShape: x.Shape}
			against(t, o, numtest.Elementwise, inputs{normal(2, c.n, c.c)}, func(e Env) (prepared, error) {
				k, err := NewGlobalAvgPool2DGrad(e.Pool, f, c.n, c.h*c.w, c.c)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
			})
			for _, b := range [][4]int{{1, 1, 1, 1}, {2, 0, 1, 3}, {0, 0, 0, 0}} {
				pad := &op.ZeroPad2D{Top: b[0], Bottom: b[1], Left: b[2], Right: b[3], Format: f}
				against(t, pad, numtest.Elementwise, inputs{x}, func(e Env) (prepared, error) {
					k, err := NewZeroPad2D(e.Pool, f, c.n, c.h, c.w, c.c, b[0], b[1], b[2], b[3])
					return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
				})
				big := c
				big.h, big.w = c.h+b[0]+b[1], c.w+b[2]+b[3]
				crop := &op.Crop2D{Top: b[0], Bottom: b[1], Left: b[2], Right: b[3], Format: f}
				against(t, crop, numtest.Elementwise, inputs{big.input(3)}, func(e Env) (prepared, error) {
					k, err := NewCrop2D(e.Pool, f, c.n, c.h, c.w, c.c, b[0], b[1], b[2], b[3])
					return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
				})
			}
		})
	}
}

// Equal numbers round the same way at every addition: one chain of 12,544 of them is off by far more than a sum in runs.
func TestGlobalAvgPoolOfLargeImages(t *testing.T) {
	const size, c = 112, 5
	for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
		p := poolCase{2, size, size, c, op.PoolAttrs{Format: f}}
		x := p.input(1)
		for i := range x.Data.([]float32) {
			x.Data.([]float32)[i] = 0.1
		}
		against(t, &op.GlobalAvgPool2D{Format: f}, numtest.Reduction, inputs{x}, func(e Env) (prepared, error) {
			k, err := NewGlobalAvgPool2D(e.Pool, f, 2, size*size, c)
			return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
		})
	}
}

func TestPoolRefusesBadSizes(t *testing.T) {
	_, err := NewMaxPool2D(nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewMaxPool2DGrad(nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewAvgPool2D(nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewAvgPool2DGrad(nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewGlobalAvgPool2D(nil, shape.NHWC, 1, 0, 1)
	require.Error(t, err)
	_, err = NewGlobalAvgPool2DGrad(nil, shape.NHWC, 1, 0, 1)
	require.Error(t, err)
	_, err = NewZeroPad2D(nil, shape.NHWC, 1, 1, 1, 1, -1, 0, 0, 0)
	require.Error(t, err)
}

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

func poolInput[T Float](c poolCase, seed uint64) op.Array {
	return imagesOf[T](seed, c.a.Format, c.n, c.h, c.w, c.c)
}

func TestMaxPool2D(t *testing.T) { bothTypes(t, testMaxPool2D[float32], testMaxPool2D[float64]) }

func testMaxPool2D[T Float](t *testing.T) {
	for _, c := range poolCases() {
		for _, kind := range []string{"normal", "ties", "NaN"} {
			t.Run(fmt.Sprintf("%+v %s", c, kind), func(t *testing.T) {
				x := poolInput[T](c, 1)
				for i, v := range x.Data.([]T) {
					if kind == "ties" {
						x.Data.([]T)[i] = T(int(v * 1.5)) // few different numbers
					} else if kind == "NaN" && i%5 == 1 {
						x.Data.([]T)[i] = nan[T]()
					}
				}
				g, err := c.a.Geometry(x.Shape)
				require.NoError(t, err)
				y := reference(t, &op.MaxPool2D{PoolAttrs: c.a}, inputs[T]{x})
				against(t, &op.MaxPool2D{PoolAttrs: c.a}, numtest.Elementwise, inputs[T]{x}, func(e Env[T]) (prepared[T], error) {
					k, err := NewMaxPool2D[T](e.Pool, g)
					return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
				})
				in := inputs[T]{x, {Shape: g.Output(), Data: narrow[T](y)}, normal[T](2, g.Output()...)}
				against(t, &op.MaxPool2DGrad{PoolAttrs: c.a}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
					k, err := NewMaxPool2DGrad[T](e.Pool, g)
					return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1), in.f(2)) }}, err
				})
			})
		}
	}
}

func TestAvgPool2D(t *testing.T) { bothTypes(t, testAvgPool2D[float32], testAvgPool2D[float64]) }

func testAvgPool2D[T Float](t *testing.T) {
	for _, c := range poolCases() {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x := poolInput[T](c, 1)
			g, err := c.a.Geometry(x.Shape)
			require.NoError(t, err)
			against(t, &op.AvgPool2D{PoolAttrs: c.a}, numtest.Reduction, inputs[T]{x}, func(e Env[T]) (prepared[T], error) {
				k, err := NewAvgPool2D[T](e.Pool, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			})
			o := &op.AvgPool2DGrad{PoolAttrs: c.a, InputShape: x.Shape}
			against(t, o, numtest.Reduction, inputs[T]{normal[T](2, g.Output()...)}, func(e Env[T]) (prepared[T], error) {
				k, err := NewAvgPool2DGrad[T](e.Pool, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			})
		})
	}
}

func TestGlobalAvgPoolPadCrop(t *testing.T) {
	bothTypes(t, testGlobalAvgPoolPadCrop[float32], testGlobalAvgPoolPadCrop[float64])
}

func testGlobalAvgPoolPadCrop[T Float](t *testing.T) {
	for _, c := range poolCases() {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x, f := poolInput[T](c, 1), c.a.Format
			against(t, &op.GlobalAvgPool2D{Format: f}, numtest.Reduction, inputs[T]{x}, func(e Env[T]) (prepared[T], error) {
				k, err := NewGlobalAvgPool2D[T](e.Pool, f, c.n, c.h*c.w, c.c)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			})
			o := &op.GlobalAvgPool2DGrad{Format: f, InputShape: x.Shape}
			against(t, o, numtest.Elementwise, inputs[T]{normal[T](2, c.n, c.c)}, func(e Env[T]) (prepared[T], error) {
				k, err := NewGlobalAvgPool2DGrad[T](e.Pool, f, c.n, c.h*c.w, c.c)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			})
			for _, b := range [][4]int{{1, 1, 1, 1}, {2, 0, 1, 3}, {0, 0, 0, 0}} {
				pad := &op.ZeroPad2D{Top: b[0], Bottom: b[1], Left: b[2], Right: b[3], Format: f}
				against(t, pad, numtest.Elementwise, inputs[T]{x}, func(e Env[T]) (prepared[T], error) {
					k, err := NewZeroPad2D[T](e.Pool, f, c.n, c.h, c.w, c.c, b[0], b[1], b[2], b[3])
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
				})
				big := c
				big.h, big.w = c.h+b[0]+b[1], c.w+b[2]+b[3]
				crop := &op.Crop2D{Top: b[0], Bottom: b[1], Left: b[2], Right: b[3], Format: f}
				against(t, crop, numtest.Elementwise, inputs[T]{poolInput[T](big, 3)}, func(e Env[T]) (prepared[T], error) {
					k, err := NewCrop2D[T](e.Pool, f, c.n, c.h, c.w, c.c, b[0], b[1], b[2], b[3])
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
				})
			}
		})
	}
}

// Equal numbers round the same way at every addition: one chain of 12,544 of them is off by far more than a sum in runs.
// Their mean is known without the reference, whose own chain shows in float64.
func TestGlobalAvgPoolOfLargeImages(t *testing.T) {
	bothTypes(t, testGlobalAvgPoolOfLargeImages[float32], testGlobalAvgPoolOfLargeImages[float64])
}

func testGlobalAvgPoolOfLargeImages[T Float](t *testing.T) {
	const size, c = 112, 5
	for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
		x := imagesOf[T](1, f, 2, size, size, c)
		for i := range x.Data.([]T) {
			x.Data.([]T)[i] = 0.1
		}
		want := make([]float64, 2*c)
		for i := range want {
			want[i] = float64(T(0.1))
		}
		verify(t, inputs[T]{x}, []result{{want, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewGlobalAvgPool2D[T](e.Pool, f, 2, size*size, c)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
		})
	}
}

func TestPoolRefusesBadSizes(t *testing.T) {
	bothTypes(t, testPoolRefusesBadSizes[float32], testPoolRefusesBadSizes[float64])
}

func testPoolRefusesBadSizes[T Float](t *testing.T) {
	_, err := NewMaxPool2D[T](nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewMaxPool2DGrad[T](nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewAvgPool2D[T](nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewAvgPool2DGrad[T](nil, op.PoolGeometry{})
	require.ErrorContains(t, err, "not the geometry")
	_, err = NewGlobalAvgPool2D[T](nil, shape.NHWC, 1, 0, 1)
	require.Error(t, err)
	_, err = NewGlobalAvgPool2DGrad[T](nil, shape.NHWC, 1, 0, 1)
	require.Error(t, err)
	_, err = NewZeroPad2D[T](nil, shape.NHWC, 1, 1, 1, 1, -1, 0, 0, 0)
	require.Error(t, err)
}

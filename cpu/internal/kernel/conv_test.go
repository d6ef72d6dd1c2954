package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

type convCase struct {
	n, h, w, c, kh, kw, f int
	a                     op.ConvAttrs
	way                   string // that is forced, if it is not empty
}

func (c convCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d k%dx%dx%d %v %s", c.n, c.h, c.w, c.c, c.kh, c.kw, c.f, c.a, c.way)
}

func convCases() []convCase {
	same, valid := shape.Padding{Mode: shape.Same}, shape.Padding{}
	odd := shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}
	wide := shape.Padding{Mode: shape.Explicit, Top: 4, Bottom: 5, Left: 6, Right: 4}
	s := func(h, w int) [2]int { return [2]int{h, w} }
	cases := []convCase{
		{1, 1, 1, 1, 1, 1, 1, op.ConvAttrs{}, ""},
		{2, 5, 7, 3, 3, 3, 5, op.ConvAttrs{}, ""},
		{2, 5, 7, 3, 3, 3, 5, op.ConvAttrs{Padding: same}, ""},
		{3, 9, 8, 16, 3, 3, 17, op.ConvAttrs{Padding: same}, ""},
		{1, 8, 8, 64, 3, 3, 64, op.ConvAttrs{Padding: same}, ""},
		{2, 2, 2, 40, 3, 3, 33, op.ConvAttrs{Padding: same}, ""},
		{2, 6, 5, 8, 1, 1, 9, op.ConvAttrs{}, ""},
		{2, 6, 5, 8, 1, 1, 9, op.ConvAttrs{Strides: s(2, 2)}, ""},
		{2, 7, 5, 8, 1, 1, 9, op.ConvAttrs{Strides: s(2, 3), Padding: same}, ""},
		{1, 1, 1, 70, 1, 1, 30, op.ConvAttrs{Padding: odd}, ""},
		{2, 15, 13, 3, 7, 7, 6, op.ConvAttrs{Strides: s(2, 2), Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}, ""},
		{2, 9, 11, 4, 3, 3, 6, op.ConvAttrs{Strides: s(2, 2), Padding: same}, ""},
		{2, 9, 11, 4, 2, 3, 6, op.ConvAttrs{Strides: s(2, 1), Padding: odd}, ""},
		{1, 9, 11, 4, 3, 2, 6, op.ConvAttrs{Strides: s(3, 5), Padding: valid}, ""},
		{1, 9, 11, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(2, 3), Padding: same}, ""},
		{1, 9, 11, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(2, 2), Strides: s(2, 3), Padding: same}, ""},
		{1, 9, 12, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(3, 2), Strides: s(2, 2), Padding: odd}, ""},
		{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide}, ""},
		{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide, Strides: s(2, 2)}, ""},
		{2, 6, 7, 6, 3, 3, 9, op.ConvAttrs{Groups: 3, Padding: same}, ""},
		{2, 6, 7, 8, 3, 3, 4, op.ConvAttrs{Groups: 2, Padding: odd, Strides: s(2, 2)}, ""},
		{2, 6, 7, 8, 1, 1, 4, op.ConvAttrs{Groups: 2}, ""},
		{2, 6, 7, 5, 3, 3, 5, op.ConvAttrs{Groups: 5, Padding: same}, ""},
		{2, 6, 7, 5, 3, 3, 10, op.ConvAttrs{Groups: 5, Padding: odd, Strides: s(2, 1), Dilations: s(1, 2)}, ""},
		{2, 6, 21, 20, 3, 3, 20, op.ConvAttrs{Groups: 5, Padding: odd}, ""},
		{2, 7, 6, 8, 3, 2, 8, op.ConvAttrs{Groups: 2, Padding: same, Strides: s(2, 2)}, ""},
		{1, 5, 40, 12, 3, 3, 18, op.ConvAttrs{Groups: 3, Padding: same}, ""},
		{1, 9, 13, 300, 3, 3, 300, op.ConvAttrs{Groups: 300, Padding: same, Strides: s(1, 2)}, ""},
		{1, 9, 9, 6, 3, 3, 6, op.ConvAttrs{Groups: 2, Padding: odd, Strides: s(2, 3), Dilations: s(3, 2)}, ""},
		{2, 4, 4, 4, 3, 3, 8, op.ConvAttrs{Strides: s(7, 6), Padding: same}, ""},
		{5, 13, 12, 20, 5, 4, 35, op.ConvAttrs{Padding: same}, ""},
		{1, 1, 1, 300, 3, 3, 20, op.ConvAttrs{Padding: same}, ""},
	}
	paddings := []shape.Padding{same, valid, odd}
	if testing.Short() { // goroutines share the work in the same way whatever the padding
		paddings = paddings[2:]
	}
	for _, p := range paddings { // by tiles of 4×4 outputs, whole and in part
		a := op.ConvAttrs{Padding: p}
		cases = append(cases, convCase{1, 6, 6, 16, 3, 3, 16, a, byWinograd}, convCase{2, 7, 6, 3, 3, 3, 5, a, byWinograd},
			convCase{1, 9, 13, 17, 3, 3, 70, a, byWinograd}, convCase{5, 8, 8, 40, 3, 3, 33, a, byWinograd})
	}
	cases = append(cases, convCase{2, 4, 4, 300, 3, 3, 100, op.ConvAttrs{Padding: same}, byWinograd}, convCase{1, 1, 1, 8, 3, 3, 8, op.ConvAttrs{Padding: wide}, byWinograd})
	same7 := op.ConvAttrs{Strides: s(2, 2), Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}
	for _, p := range []shape.Padding{same, valid, odd} { // by rows of results, in bands of images and without
		for stride := 1; stride <= 2; stride++ {
			a := op.ConvAttrs{Padding: p, Strides: s(stride, stride)}
			cases = append(cases, convCase{1, 13, 11, 1, 3, 3, 5, a, byRows}, convCase{3, 9, 30, 3, 3, 3, 17, a, byRows})
		}
		cases = append(cases, convCase{1, 17, 29, 3, 7, 7, 33, op.ConvAttrs{Padding: p, Strides: s(2, 2)}, byRows})
	}
	cases = append(cases, convCase{1, 45, 41, 3, 7, 7, 64, same7, byRows}, convCase{2, 24, 26, 1, 7, 7, 70, op.ConvAttrs{Padding: same}, byRows},
		convCase{1, 20, 13, 16, 3, 3, 40, op.ConvAttrs{Padding: same, Dilations: s(2, 1)}, byRows}, convCase{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide}, byRows},
		convCase{5, 9, 8, 20, 4, 1, 3, op.ConvAttrs{Strides: s(3, 2), Dilations: s(1, 2)}, byRows})
	if testing.Short() { // the largest is slow under the race detector; this is still cut into parts for several workers
		large := &cases[slices.IndexFunc(cases, func(c convCase) bool { return c.kh == 5 })]
		large.n, large.kh, large.kw = 4, 3, 3
	}
	for _, c := range cases { // every case in both layouts and, where it may be, in every way
		c.a.Format = shape.NCHW
		cases = append(cases, c)
		if c.way == "" && c.h*c.w <= 42 {
			c.a.Format, c.way = shape.NHWC, byTaps
			cases = append(cases, c)
		}
	}
	return cases
}

func convInput[T Float](c convCase, seed uint64) op.Array {
	return imagesOf[T](seed, c.a.Format, c.n, c.h, c.w, c.c)
}

// imagesOf is n images of normal numbers.
func imagesOf[T Float](seed uint64, f shape.Layout, n, h, w, c int) op.Array {
	if f == shape.NCHW {
		return normal[T](seed, n, c, h, w)
	}
	return normal[T](seed, n, h, w, c)
}

func convFilter[T Float](c convCase, seed uint64) op.Array {
	return normal[T](seed, c.kh, c.kw, c.c/max(c.a.Groups, 1), c.f)
}

func (c convCase) geometry(t testing.TB) op.ConvGeometry {
	g, err := c.a.Geometry(convInput[float32](c, 1).Shape, convFilter[float32](c, 1).Shape)
	require.NoError(t, err)
	return g
}

// force makes a case be computed as it says, if it says so, until the test ends.
func force(t testing.TB, c convCase) {
	keep := forcedWay
	t.Cleanup(func() { forcedWay = keep })
	forcedWay = c.way
}

func TestConv2D(t *testing.T) { products(t, testConv2D[float32], testConv2D[float64]) }

func testConv2D[T Float](t *testing.T) {
	for _, c := range convCases() {
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			in := inputs[T]{convInput[T](c, 1), convFilter[T](c, 2)}
			against(t, &op.Conv2D{ConvAttrs: c.a}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2D[T](e, g, ConvOptions{})
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1), nil, nil) }}, err
			})
		})
	}
}

func TestConv2DBackwardInput(t *testing.T) {
	products(t, testConv2DBackwardInput[float32], testConv2DBackwardInput[float64])
}

func testConv2DBackwardInput[T Float](t *testing.T) {
	for _, c := range convCases() {
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			in := inputs[T]{normal[T](1, g.Output()...), convFilter[T](c, 2)}
			o := &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: g.Input()}
			against(t, o, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DBackwardInput[T](e, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			})
		})
	}
}

func TestConv2DBackwardFilter(t *testing.T) {
	products(t, testConv2DBackwardFilter[float32], testConv2DBackwardFilter[float64])
}

func testConv2DBackwardFilter[T Float](t *testing.T) {
	for _, c := range convCases() {
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			in := inputs[T]{convInput[T](c, 1), normal[T](2, g.Output()...)}
			o := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}
			against(t, o, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DBackwardFilter[T](e, g)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			})
		})
	}
}

// A NaN in one element reaches exactly the outputs whose windows see it.
func TestConv2DPropagatesNaN(t *testing.T) {
	bothTypes(t, testConv2DPropagatesNaN[float32], testConv2DPropagatesNaN[float64])
}

func testConv2DPropagatesNaN[T Float](t *testing.T) {
	c := convCase{1, 6, 6, 4, 3, 3, 5, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}
	g := c.geometry(t)
	x := convInput[T](c, 1)
	x.Data.([]T)[(2*6+3)*4+1] = nan[T]()
	in := inputs[T]{x, convFilter[T](c, 2)}
	against(t, &op.Conv2D{ConvAttrs: c.a}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
		k, err := NewConv2D[T](e, g, ConvOptions{})
		return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1), nil, nil) }}, err
	})
}

// Blocks of the patch matrix may be asked for in any cut.
func TestPatchesBlock(t *testing.T) {
	bothTypes(t, testPatchesBlock[float32], testPatchesBlock[float64])
}

func testPatchesBlock[T Float](t *testing.T) {
	for _, c := range convCases() {
		if c.a.Format == shape.NCHW {
			continue
		}
		g := c.geometry(t)
		x := convInput[T](c, 1).Data.([]T)
		for group := range g.Groups {
			cg := g.C / g.Groups
			taps := forwardTaps(g)
			p := newPatches[T](g.H.In, g.W.In, g.C, group*cg, cg, g.H.Out, g.W.Out, g.H.Stride, g.W.Stride, taps)
			p.x = x
			at := func(r, k int) T {
				n, i, j := r/(g.H.Out*g.W.Out), r/g.W.Out%g.H.Out, r%g.W.Out
				tp := taps[k/cg]
				h, w := i*g.H.Stride+tp.dh, j*g.W.Stride+tp.dw
				if h < 0 || h >= g.H.In || w < 0 || w >= g.W.In {
					return 0
				}
				return x[((n*g.H.In+h)*g.W.In+w)*g.C+group*cg+k%cg]
			}
			rows, cols := g.N*g.H.Out*g.W.Out, len(taps)*cg
			if testing.Short() && rows*cols > 20000 { // one goroutine: nothing for the race detector
				continue
			}
			for _, b := range [][2]int{{1, 1}, {3, 5}, {7, 4}, {12, 16}, {rows, cols}} {
				nr, nc := min(b[0], rows), min(b[1], cols)
				for r0 := 0; r0 < rows; r0 += nr {
					for c0 := 0; c0 < cols; c0 += nc {
						nr, nc := min(nr, rows-r0), min(nc, cols-c0)
						ld := nc + 3
						dst, check := guarded[T]((nr-1)*ld + nc)
						for i := range dst {
							dst[i] = 777
						}
						p.Block(dst, ld, r0, nr, c0, nc)
						check(t)
						for r := range nr {
							for k := range nc {
								if want := at(r0+r, c0+k); dst[r*ld+k] != want {
									t.Fatalf("%v: block of %d×%d at (%d, %d): element (%d, %d) is %v, want %v", c, nr, nc, r0, c0, r, k, dst[r*ld+k], want)
								}
							}
							for k := nc; k < ld && r < nr-1; k++ {
								require.Equal(t, T(777), dst[r*ld+k], "%v: wrote between rows", c)
							}
						}
					}
				}
				if rows*cols > 4000 && b[0] < 12 {
					break // small cuts of large matrices take long and show nothing new
				}
			}
		}
	}
}

func TestConvRefusesBadGeometry(t *testing.T) {
	bothTypes(t, testConvRefusesBadGeometry[float32], testConvRefusesBadGeometry[float64])
}

func testConvRefusesBadGeometry[T Float](t *testing.T) {
	e := Env[T]{}
	good := convCase{1, 4, 4, 4, 3, 3, 4, op.ConvAttrs{}, ""}.geometry(t)
	for name, spoil := range map[string]func(*op.ConvGeometry){
		"nothing": func(g *op.ConvGeometry) { *g = op.ConvGeometry{} },
		"groups":  func(g *op.ConvGeometry) { g.Groups = 3 },
		"stride":  func(g *op.ConvGeometry) { g.H.Stride = 0 },
		"output":  func(g *op.ConvGeometry) { g.W.Out = 0 },
	} {
		g := good
		spoil(&g)
		_, err := NewConv2D[T](e, g, ConvOptions{})
		require.ErrorContains(t, err, "not the geometry", name)
		_, err = NewConv2DBackwardInput[T](e, g)
		require.ErrorContains(t, err, "not the geometry", name)
		_, err = NewConv2DBackwardFilter[T](e, g)
		require.ErrorContains(t, err, "not the geometry", name)
	}
}

func TestTransposeAndPermute(t *testing.T) {
	bothTypes(t, testTransposeAndPermute[float32], testTransposeAndPermute[float64])
}

func testTransposeAndPermute[T Float](t *testing.T) {
	for _, c := range []struct{ dims, axes []int }{
		{[]int{1}, []int{0}}, {[]int{5}, []int{0}}, {[]int{33, 65}, []int{1, 0}}, {[]int{2, 3, 4, 5}, []int{0, 3, 1, 2}},
		{[]int{3, 35, 34, 6}, []int{0, 2, 3, 1}}, {[]int{2, 3, 4, 5}, []int{3, 2, 1, 0}}, {[]int{2, 3, 4, 5}, []int{0, 2, 1, 3}},
		{[]int{2, 1, 4, 1, 7}, []int{4, 3, 2, 1, 0}}, {[]int{1, 1}, []int{1, 0}}, {[]int{4, 5, 6}, []int{0, 1, 2}}, {[]int{4, 5, 6}, []int{1, 0, 2}},
		{[]int{7, 3, 3, 70}, []int{2, 3, 0, 1}}, {[]int{64, 3, 64, 5}, []int{0, 3, 2, 1}},
		{[]int{70, 33, 3, 3}, []int{2, 3, 1, 0}}, {[]int{3, 3, 33, 70}, []int{3, 2, 0, 1}}, {[]int{600, 5, 3, 3}, []int{2, 3, 1, 0}}, {[]int{2, 3, 2, 3, 600}, []int{0, 4, 3, 1, 2}},
		{[]int{5, 40, 6, 45}, []int{1, 3, 0, 2}},
	} {
		t.Run(fmt.Sprint(c.dims, c.axes), func(t *testing.T) {
			against(t, &op.Permute{Axes: c.axes}, numtest.Elementwise, inputs[T]{normal[T](1, c.dims...)}, func(e Env[T]) (prepared[T], error) {
				k, err := NewPermute[T](e.Pool, c.dims, c.axes)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			})
		})
	}
	for _, c := range []struct{ dims, axes []int }{{[]int{2, 3}, []int{0}}, {[]int{2, 3}, []int{0, 0}}, {[]int{2, 3}, []int{0, 2}}, {[]int{2, 0}, []int{0, 1}}} {
		_, err := NewPermute[T](nil, c.dims, c.axes)
		require.Error(t, err)
	}
}

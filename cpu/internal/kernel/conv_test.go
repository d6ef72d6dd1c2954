package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

func TestConv2D(t *testing.T) { products(t, testConv2D[float32], testConv2D[float64]) }

func testConv2D[T Float](t *testing.T) {
	for i, c := range convCases() {
		if !inShare[T](i) {
			continue
		}
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
	for i, c := range convCases() {
		if !inShare[T](i) {
			continue
		}
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
	for i, c := range convCases() {
		if !inShare[T](i) {
			continue
		}
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
	numtest.Sequential(t)
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
			for _, b := range [][2]int{{1, 1}, {3, 5}, {7, 4}, {12, 16}, {rows, cols}} {
				nr, nc := min(b[0], rows), min(b[1], cols)
				if rows*cols/(nr*nc) > 2000 { // smaller images are cut so
					continue
				}
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

package op

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// poolGeometries are poolings worth testing: name, attributes, x in NHWC.
var poolGeometries = []struct {
	name  string
	attrs PoolAttrs
	x     tensor.Shape
}{
	{"keras default", PoolAttrs{}, tensor.Shape{2, 4, 6, 3}},
	{"keras default, odd size", PoolAttrs{}, tensor.Shape{1, 5, 7, 2}},
	{"one pixel", PoolAttrs{Pool: [2]int{1, 1}}, tensor.Shape{1, 1, 1, 1}},
	{"same, odd size", PoolAttrs{Padding: Padding{Mode: Same}}, tensor.Shape{1, 5, 7, 2}},
	{"overlapping 3/2", PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}}, tensor.Shape{2, 7, 8, 2}},
	{"overlapping 3/2 same", PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 6, 7, 2}},
	{"strides 2 and 1", PoolAttrs{Pool: [2]int{2, 3}, Strides: [2]int{2, 1}}, tensor.Shape{1, 5, 6, 2}},
	{"stride larger than window", PoolAttrs{Pool: [2]int{1, 2}, Strides: [2]int{3, 3}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 8, 7, 2}},
	{"same, window larger than image", PoolAttrs{Pool: [2]int{5, 7}, Strides: [2]int{1, 1}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 2, 3, 2}},
	{"asymmetric padding", PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 1}, Padding: Padding{Mode: Explicit, Top: 2, Left: 1, Right: 2}}, tensor.Shape{2, 5, 4, 2}},
}

// poolCases are the poolings and their gradients at every geometry in both layouts.
func poolCases() (cases []spatialCase) {
	for _, c := range poolGeometries {
		for _, f := range []Layout{NHWC, NCHW} {
			a := c.attrs
			a.Format = f
			x := imageShape(f, c.x[0], c.x[1], c.x[2], c.x[3])
			g, err := a.Geometry(x)
			if err != nil {
				panic(err)
			}
			y, name := g.Output(), fmt.Sprintf("%s, %v", c.name, f)
			cases = append(cases,
				spatialCase{name, &MaxPool2D{PoolAttrs: a}, []tensor.Shape{x}},
				spatialCase{name, &MaxPool2DGrad{PoolAttrs: a}, []tensor.Shape{x, y, y}},
				spatialCase{name, &MaxPool2DGather{PoolAttrs: a}, []tensor.Shape{x, y, x}},
				spatialCase{name, &AvgPool2D{PoolAttrs: a}, []tensor.Shape{x}},
				spatialCase{name, &AvgPool2DGrad{PoolAttrs: a, InputShape: x}, []tensor.Shape{y}})
		}
	}
	return cases
}

// TestPoolsAreTheirDefinition compares with windows written down element by element.
func TestPoolsAreTheirDefinition(t *testing.T) {
	for _, c := range poolGeometries {
		for _, format := range []Layout{NHWC, NCHW} {
			t.Run(fmt.Sprintf("%s/%v", c.name, format), func(t *testing.T) {
				a := c.attrs
				a.Format = format
				x := randomArray(tensor.Float64, 1, imageShape(format, c.x[0], c.x[1], c.x[2], c.x[3]))
				g, err := a.Geometry(x.Shape)
				require.NoError(t, err)
				require.Equal(t, []int(x.Shape), []int(g.Input()))
				largest, average := reference(t, &MaxPool2D{PoolAttrs: a}, x), reference(t, &AvgPool2D{PoolAttrs: a}, x)
				for n := range g.N {
					for i := range g.H.Out {
						for j := range g.W.Out {
							for ch := range g.C {
								most, sum, count := math.Inf(-1), 0.0, 0.0
								for p := range g.H.Kernel {
									for q := range g.W.Kernel {
										row, column := i*g.H.Stride+p-g.H.Before, j*g.W.Stride+q-g.W.Before
										if row < 0 || row >= g.H.In || column < 0 || column >= g.W.In {
											continue
										}
										v := at(x, format, n, row, column, ch)
										most, sum, count = max(most, v), sum+v, count+1
									}
								}
								require.Equal(t, most, at(largest, format, n, i, j, ch))
								require.InDelta(t, sum/count, at(average, format, n, i, j, ch), 1e-15)
							}
						}
					}
				}
			})
		}
	}
}

func TestMaxPool2DTiesAndNaN(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		x      []float64 // one window of 2×2
		y      float64
		winner int
	}{
		{"all equal: the first", []float64{3, 3, 3, 3}, 3, 0},
		{"two equal: the first of them", []float64{1, 5, 0, 5}, 5, 1},
		{"zeros of either sign are equal", []float64{math.Copysign(0, -1), 0, -1, 0}, math.Copysign(0, -1), 0},
		{"all negative", []float64{-4, -3, -2, -9}, -2, 2},
		{"all minus infinity", []float64{-inf, -inf, -inf, -inf}, -inf, 0},
		{"NaN beats infinity", []float64{inf, 1, nan, inf}, nan, 2},
		{"the first NaN", []float64{1, nan, nan, 9}, nan, 1},
		{"NaN first", []float64{nan, 1, 2, 3}, nan, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := Array{tensor.Shape{1, 2, 2, 1}, c.x}
			y := reference(t, &MaxPool2D{}, x)
			require.Equal(t, fmt.Sprint(c.y), fmt.Sprint(y.Data.([]float64)[0]))
			want := make([]float64, 4)
			want[c.winner] = 7
			dy := Array{tensor.Shape{1, 1, 1, 1}, []float64{7}}
			require.Equal(t, want, reference(t, &MaxPool2DGrad{}, x, y, dy).Data)
			places := Array{x.Shape, []float64{0, 1, 2, 3}}
			require.Equal(t, []float64{float64(c.winner)}, reference(t, &MaxPool2DGather{}, x, y, places).Data)
		})
	}
}

// TestOverlappingMaximaAdd checks that an element that is the maximum of several windows gets all their gradients.
func TestOverlappingMaximaAdd(t *testing.T) {
	a := PoolAttrs{Strides: [2]int{1, 1}}
	x := Array{tensor.Shape{1, 3, 3, 1}, []float32{0, 0, 0, 0, 9, 0, 0, 0, 0}}
	y := reference(t, &MaxPool2D{PoolAttrs: a}, x)
	require.Equal(t, []float32{9, 9, 9, 9}, y.Data)
	dy := Array{y.Shape, []float32{1, 2, 3, 4}}
	require.Equal(t, []float32{0, 0, 0, 0, 10, 0, 0, 0, 0}, reference(t, &MaxPool2DGrad{PoolAttrs: a}, x, y, dy).Data)
}

func TestAvgPool2DLeavesPaddingOut(t *testing.T) {
	x := Array{tensor.Shape{1, 3, 3, 1}, []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}}
	for _, p := range []Padding{{Mode: Same}, {Mode: Explicit, Top: 1, Left: 1, Bottom: 1, Right: 1}} {
		for _, v := range reference(t, &AvgPool2D{PoolAttrs: PoolAttrs{Padding: p}}, x).Data.([]float32) {
			require.Equal(t, float32(1), v)
		}
	}
}

func TestPoolStrings(t *testing.T) {
	require.Equal(t, "MaxPool2D(pool 2x2, strides 2x2, valid, NHWC)", (&MaxPool2D{}).String())
	require.Equal(t, "AvgPool2DGrad(pool 3x1, strides 3x2, same, NCHW, input (1, 2, 3, 4))", (&AvgPool2DGrad{PoolAttrs: PoolAttrs{
		Pool: [2]int{3, 1}, Strides: [2]int{0, 2}, Padding: Padding{Mode: Same}, Format: NCHW}, InputShape: tensor.Shape{1, 2, 3, 4}}).String())
}

func TestPoolErrors(t *testing.T) {
	x, y := tensor.Shape{2, 8, 6, 3}, tensor.Shape{2, 4, 3, 3}
	pool := func(rows, columns int) PoolAttrs { return PoolAttrs{Pool: [2]int{rows, columns}} }
	for _, c := range []struct {
		name        string
		op          Op
		in          []tensor.Shape
		axis        int
		wanted, got string
	}{
		{"rank", &MaxPool2D{}, []tensor.Shape{{8, 6, 3}}, NoAxis, "4 axes", "3 axes"},
		{"empty", &AvgPool2D{}, []tensor.Shape{{2, 8, 0, 3}}, 2, "without empty axes", "0"},
		{"window larger than rows", &MaxPool2D{PoolAttrs: pool9()}, []tensor.Shape{x}, 1, "at least 9 elements", "8"},
		{"window larger than columns", &AvgPool2D{PoolAttrs: pool(1, 7)}, []tensor.Shape{x}, 2, "at least 7 elements", "6"},
		{"negative window", &MaxPool2D{PoolAttrs: pool(-2, 2)}, []tensor.Shape{x}, 1, "kernel of at least 1", "-2"},
		{"negative window, padded", &MaxPool2D{PoolAttrs: PoolAttrs{Pool: [2]int{-2, 2}, Padding: Padding{Mode: Explicit}}}, []tensor.Shape{x}, 1, "kernel of at least 1", "-2"},
		{"absurd window", &MaxPool2D{PoolAttrs: pool(1, 1<<62)}, []tensor.Shape{x}, NoAxis, "a window of at most", "4611686018427387904"},
		{"negative stride", &MaxPool2D{PoolAttrs: PoolAttrs{Strides: [2]int{2, -2}}}, []tensor.Shape{x}, 2, "positive stride", "-2"},
		{"padding as large as the window", &MaxPool2D{PoolAttrs: PoolAttrs{Padding: Padding{Mode: Explicit, Right: 2}}}, []tensor.Shape{x}, 2, "padding smaller than the window of 2", "2"},
		{"negative padding", &MaxPool2D{PoolAttrs: PoolAttrs{Padding: Padding{Mode: Explicit, Right: -1}}}, []tensor.Shape{x}, 2, "padding of at least 0", "-1"},
		{"unknown format", &MaxPool2D{PoolAttrs: PoolAttrs{Format: 3}}, []tensor.Shape{x}, NoAxis, "NHWC or NCHW", "Layout(3)"},
		{"y of another shape", &MaxPool2DGrad{}, []tensor.Shape{x, x, y}, 1, "y of shape (2, 4, 3, 3)", "(2, 8, 6, 3)"},
		{"dy of another shape", &MaxPool2DGrad{}, []tensor.Shape{x, y, x}, 1, "input 2 of shape (2, 4, 3, 3)", "(2, 8, 6, 3)"},
		{"rank of dy", &MaxPool2DGrad{}, []tensor.Shape{x, y, {2, 4}}, NoAxis, "input 2 of shape (2, 4, 3, 3)", "(2, 4)"},
		{"v of another shape", &MaxPool2DGather{}, []tensor.Shape{x, y, y}, 1, "input 2 of shape (2, 8, 6, 3)", "(2, 4, 3, 3)"},
		{"average: dy of another shape", &AvgPool2DGrad{InputShape: x}, []tensor.Shape{{2, 4, 3, 4}}, 3, "dy of shape (2, 4, 3, 3)", "(2, 4, 3, 4)"},
		{"average: no InputShape", &AvgPool2DGrad{}, []tensor.Shape{y}, NoAxis, "4 axes", "0 axes"},
		{"global: rank", &GlobalAvgPool2D{}, []tensor.Shape{{2, 3}}, NoAxis, "4 axes", "2 axes"},
		{"global: dy", &GlobalAvgPool2DGrad{InputShape: x}, []tensor.Shape{{2, 8}}, 1, "dy of shape (2, 3)", "(2, 8)"},
		{"global: no InputShape", &GlobalAvgPool2DGrad{}, []tensor.Shape{{2, 8}}, NoAxis, "InputShape of 4 axes", "0 axes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkShapeError(t, c.op, c.in, c.axis, c.wanted, c.got, true)
		})
	}
}

func pool9() PoolAttrs { return PoolAttrs{Pool: [2]int{9, 9}} }

// applyError applies an operation to nodes of the given shapes and returns the typed error it must fail with.
func applyError(t *testing.T, o Op, in []tensor.Shape) *shape.Error {
	t.Helper()
	g := gorgonia.NewGraph()
	nodes := make([]*gorgonia.Node, len(in))
	for i, s := range in {
		nodes[i] = gorgonia.NewTensor(g, tensor.Float32, len(s), gorgonia.WithShape(s...), gorgonia.WithName(fmt.Sprintf("input%d", i)))
	}
	_, err := Apply(o, nodes...)
	var se *shape.Error
	require.ErrorAs(t, err, &se)
	return se
}

package op

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// convGeometries are convolutions worth testing: name, attributes, x in NHWC, kernel.
var convGeometries = []struct {
	name  string
	attrs ConvAttrs
	x, w  tensor.Shape
}{
	{"keras default", ConvAttrs{}, tensor.Shape{2, 5, 4, 3}, tensor.Shape{3, 3, 3, 2}},
	{"one pixel, one channel, batch 1", ConvAttrs{}, tensor.Shape{1, 1, 1, 1}, tensor.Shape{1, 1, 1, 1}},
	{"1x1", ConvAttrs{}, tensor.Shape{2, 3, 5, 4}, tensor.Shape{1, 1, 4, 3}},
	{"1x1 stride 2", ConvAttrs{Strides: [2]int{2, 2}}, tensor.Shape{1, 5, 6, 3}, tensor.Shape{1, 1, 3, 2}},
	{"same", ConvAttrs{Padding: Padding{Mode: Same}}, tensor.Shape{2, 5, 4, 3}, tensor.Shape{3, 3, 3, 2}},
	{"same, even kernel", ConvAttrs{Padding: Padding{Mode: Same}}, tensor.Shape{1, 5, 4, 2}, tensor.Shape{2, 4, 2, 3}},
	{"same, stride 2, even size", ConvAttrs{Strides: [2]int{2, 2}, Padding: Padding{Mode: Same}}, tensor.Shape{2, 6, 4, 3}, tensor.Shape{3, 3, 3, 2}},
	{"same, stride 2, odd size", ConvAttrs{Strides: [2]int{2, 2}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 7, 5, 3}, tensor.Shape{3, 3, 3, 2}},
	{"same, kernel larger than image", ConvAttrs{Padding: Padding{Mode: Same}}, tensor.Shape{1, 2, 3, 2}, tensor.Shape{7, 5, 2, 2}},
	{"strides 2 and 1", ConvAttrs{Strides: [2]int{2, 1}}, tensor.Shape{1, 7, 5, 2}, tensor.Shape{3, 2, 2, 3}},
	{"stride larger than kernel", ConvAttrs{Strides: [2]int{3, 2}}, tensor.Shape{1, 8, 7, 2}, tensor.Shape{2, 1, 2, 3}},
	{"dilation 2", ConvAttrs{Dilations: [2]int{2, 2}}, tensor.Shape{1, 7, 6, 2}, tensor.Shape{3, 2, 2, 3}},
	{"dilations 1 and 3, same", ConvAttrs{Dilations: [2]int{1, 3}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 5, 8, 2}, tensor.Shape{3, 3, 2, 2}},
	{"stride and dilation", ConvAttrs{Strides: [2]int{2, 2}, Dilations: [2]int{2, 1}, Padding: Padding{Mode: Same}}, tensor.Shape{1, 9, 6, 2}, tensor.Shape{3, 3, 2, 2}},
	{"asymmetric padding", ConvAttrs{Strides: [2]int{2, 2}, Padding: Padding{Mode: Explicit, Top: 0, Bottom: 2, Left: 3, Right: 1}}, tensor.Shape{2, 5, 4, 2}, tensor.Shape{3, 3, 2, 3}},
	{"window in the padding only", ConvAttrs{Padding: Padding{Mode: Explicit, Top: 4}}, tensor.Shape{1, 3, 2, 2}, tensor.Shape{2, 2, 2, 1}},
	{"resnet stem", ConvAttrs{Strides: [2]int{2, 2}, Padding: Padding{Mode: Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}, tensor.Shape{1, 9, 8, 3}, tensor.Shape{7, 7, 3, 4}},
	{"two groups", ConvAttrs{Groups: 2, Padding: Padding{Mode: Same}}, tensor.Shape{2, 4, 5, 6}, tensor.Shape{3, 3, 3, 4}},
	{"depthwise", ConvAttrs{Groups: 3, Padding: Padding{Mode: Same}}, tensor.Shape{2, 5, 4, 3}, tensor.Shape{3, 3, 1, 3}},
	{"depthwise, multiplier 2, stride 2", ConvAttrs{Groups: 3, Strides: [2]int{2, 2}}, tensor.Shape{1, 5, 7, 3}, tensor.Shape{3, 3, 1, 6}},
}

// convCases are the three operations at every geometry in both layouts.
func convCases() (cases []spatialCase) {
	for _, c := range convGeometries {
		for _, f := range []Layout{NHWC, NCHW} {
			a := c.attrs
			a.Format = f
			x := imageShape(f, c.x[0], c.x[1], c.x[2], c.x[3])
			g, err := a.Geometry(x, c.w)
			if err != nil {
				panic(err)
			}
			name := fmt.Sprintf("%s, %v", c.name, f)
			cases = append(cases,
				spatialCase{name, &Conv2D{ConvAttrs: a}, []tensor.Shape{x, c.w}},
				spatialCase{name, &Conv2DBackwardInput{ConvAttrs: a, InputShape: x}, []tensor.Shape{g.Output(), c.w}},
				spatialCase{name, &Conv2DBackwardFilter{ConvAttrs: a, FilterShape: c.w}, []tensor.Shape{x, g.Output()}})
		}
	}
	return cases
}

// at reads x[n,i,j,c], 0 outside the image.
func at(x Array, f Layout, n, i, j, c int) float64 {
	h, w, ch := f.Axes()
	if i < 0 || i >= x.Shape[h] || j < 0 || j >= x.Shape[w] {
		return 0
	}
	index := [4]int{0: n}
	index[h], index[w], index[ch] = i, j, c
	p := 0
	for axis, d := range x.Shape {
		p = p*d + index[axis]
	}
	return x.Data.([]float64)[p]
}

// TestConv2DIsItsFormula compares with the sum in Conv2D's documentation, written down term by term.
func TestConv2DIsItsFormula(t *testing.T) {
	for _, c := range convCases() {
		o, ok := c.op.(*Conv2D)
		if !ok {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			in := c.inputs(t, tensor.Float64)
			x, w := in[0], in[1]
			y := reference(t, o, x, w)
			g, err := o.Geometry(x.Shape, w.Shape)
			require.NoError(t, err)
			require.Equal(t, []int(x.Shape), []int(g.Input()))
			require.Equal(t, []int(w.Shape), []int(g.Filter()))
			require.Equal(t, []int(y.Shape), []int(g.Output()))
			perGroup := w.Shape[2]
			for n := range g.N {
				for i := range g.H.Out {
					for j := range g.W.Out {
						for f := range g.F {
							want := 0.0
							for p := range g.H.Kernel {
								for q := range g.W.Kernel {
									for c := range perGroup {
										want += at(x, o.Format, n, i*g.H.Stride+p*g.H.Dilation-g.H.Before, j*g.W.Stride+q*g.W.Dilation-g.W.Before,
											f/(g.F/g.Groups)*perGroup+c) * w.Data.([]float64)[((p*g.W.Kernel+q)*perGroup+c)*g.F+f]
									}
								}
							}
							require.InDelta(t, want, at(y, o.Format, n, i, j, f), 1e-12)
						}
					}
				}
			}
		})
	}
}

// TestConv2DByHand is an example small enough to check on paper: Keras's "same" at stride 2 pads bottom and right only.
func TestConv2DByHand(t *testing.T) {
	x := Array{tensor.Shape{1, 2, 2, 1}, []float32{1, 2, 3, 4}}
	w := Array{tensor.Shape{3, 3, 1, 1}, []float32{1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8}}
	o := &Conv2D{ConvAttrs: ConvAttrs{Strides: [2]int{2, 2}, Padding: Padding{Mode: Same}}}
	require.Equal(t, []float32{1 + 20 + 3000 + 40000}, reference(t, o, x, w).Data)
	require.Equal(t, "Conv2D(strides 2x2, dilations 1x1, groups 1, same, NHWC)", o.String())
	require.Equal(t, "strides 1x2, dilations 3x4, groups 5, explicit(6,7,8,9), NCHW", ConvAttrs{Strides: [2]int{0, 2}, Dilations: [2]int{3, 4},
		Groups: 5, Padding: Padding{Mode: Explicit, Top: 6, Bottom: 7, Left: 8, Right: 9}, Format: NCHW}.String())
}

func TestConv2DFloat32SumsInFloat64(t *testing.T) {
	x := Array{tensor.Shape{1, 1, 1, 3}, []float32{1e8, 1, -1e8}}
	w := Array{tensor.Shape{1, 1, 3, 1}, []float32{1, 1, 1}}
	require.Equal(t, []float32{1}, reference(t, &Conv2D{}, x, w).Data)
}

func TestConv2DErrors(t *testing.T) {
	x, w := tensor.Shape{2, 8, 8, 6}, tensor.Shape{3, 3, 6, 4}
	explicit := func(top int) ConvAttrs { return ConvAttrs{Padding: Padding{Mode: Explicit, Top: top}} }
	for _, c := range []struct {
		name       string
		op         Op
		in         []tensor.Shape
		axis       int
		wanted     string
		got        string
		wantRemedy bool
	}{
		{"channels", &Conv2D{}, []tensor.Shape{{2, 8, 8, 5}, w}, 3, "6 input channels (kernel 3×3 of 6 channels × 1 groups)", "5", true},
		{"channels in NCHW", &Conv2D{ConvAttrs: ConvAttrs{Format: NCHW}}, []tensor.Shape{x, w}, 1, "6 input channels", "8", true},
		{"groups do not divide channels", &Conv2D{ConvAttrs: ConvAttrs{Groups: 4}}, []tensor.Shape{x, {3, 3, 1, 4}}, 3, "input channels that 4 groups divide", "6", true},
		{"groups do not divide filters", &Conv2D{ConvAttrs: ConvAttrs{Groups: 3}}, []tensor.Shape{x, {3, 3, 2, 4}}, 3, "filters that 3 groups divide", "4", true},
		{"groups with an ungrouped kernel", &Conv2D{ConvAttrs: ConvAttrs{Groups: 2}}, []tensor.Shape{x, w}, 3, "12 input channels", "6", true},
		{"negative groups", &Conv2D{ConvAttrs: ConvAttrs{Groups: -1}}, []tensor.Shape{x, w}, NoAxis, "at least 1 group", "-1", true},
		{"rank of x", &Conv2D{}, []tensor.Shape{{8, 8, 6}, w}, NoAxis, "(batch, rows, columns, channels)", "3 axes", true},
		{"rank of x in NCHW", &Conv2D{ConvAttrs: ConvAttrs{Format: NCHW}}, []tensor.Shape{{6}, w}, NoAxis, "(batch, channels, rows, columns)", "1 axes", true},
		{"rank of w", &Conv2D{}, []tensor.Shape{x, {3, 3, 6}}, NoAxis, "a kernel of 4 axes", "3 axes", true},
		{"empty batch", &Conv2D{}, []tensor.Shape{{0, 8, 8, 6}, w}, 0, "without empty axes", "0", true},
		{"no filters", &Conv2D{}, []tensor.Shape{x, {3, 3, 6, 0}}, 3, "a kernel", "0", true},
		{"window larger than the rows", &Conv2D{}, []tensor.Shape{{2, 2, 8, 6}, w}, 1, "an input of at least 3 elements with padding", "2", true},
		{"window larger than the columns", &Conv2D{ConvAttrs: ConvAttrs{Dilations: [2]int{1, 4}}}, []tensor.Shape{x, w}, 2, "an input of at least 9 elements", "8", true},
		{"negative stride", &Conv2D{ConvAttrs: ConvAttrs{Strides: [2]int{-1, 1}}}, []tensor.Shape{x, w}, 1, "positive stride and dilation", "-1", true},
		{"negative padding", &Conv2D{ConvAttrs: explicit(-1)}, []tensor.Shape{x, w}, 1, "padding of at least 0", "-1", true},
		{"absurd padding", &Conv2D{ConvAttrs: explicit(1 << 62)}, []tensor.Shape{x, w}, NoAxis, "padding up to", "4611686018427387904", false},
		{"absurd kernel", &Conv2D{}, []tensor.Shape{x, {1 << 40, w[1], w[2], w[3]}}, NoAxis, "a window", "1099511627776", false},
		{"unknown format", &Conv2D{ConvAttrs: ConvAttrs{Format: 7}}, []tensor.Shape{x, w}, NoAxis, "NHWC or NCHW", "Layout(7)", true},
		{"unknown padding", &Conv2D{ConvAttrs: ConvAttrs{Padding: Padding{Mode: 7}}}, []tensor.Shape{x, w}, 1, "padding mode", "7", true},
		{"dy of another size", &Conv2DBackwardInput{InputShape: x}, []tensor.Shape{{2, 6, 5, 4}, w}, 2, "dy of shape (2, 6, 6, 4)", "(2, 6, 5, 4)", true},
		{"no InputShape", &Conv2DBackwardInput{}, []tensor.Shape{{2, 6, 6, 4}, w}, NoAxis, "4 axes", "0 axes", true},
		{"dy of another batch", &Conv2DBackwardFilter{FilterShape: w}, []tensor.Shape{x, {1, 6, 6, 4}}, 0, "dy of shape (2, 6, 6, 4)", "(1, 6, 6, 4)", true},
		{"no FilterShape", &Conv2DBackwardFilter{}, []tensor.Shape{x, {2, 6, 6, 4}}, NoAxis, "a kernel of 4 axes", "0 axes", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkShapeError(t, c.op, c.in, c.axis, c.wanted, c.got, c.wantRemedy)
		})
	}
}

// checkShapeError applies an operation to nodes of the given shapes, which must fail with a typed error that names the
// nodes, and checks that error.
func checkShapeError(t *testing.T, o Op, in []tensor.Shape, axis int, wanted, got string, remedy bool) {
	t.Helper()
	se := applyError(t, o, in)
	require.Equal(t, o.Kind(), se.Op)
	require.Equal(t, axis, se.Axis)
	require.Contains(t, se.Wanted, wanted)
	require.Contains(t, se.Got, got)
	require.Len(t, se.Shapes, len(in))
	for i := range in {
		require.Equal(t, fmt.Sprintf("input%d", i), se.Inputs[i])
		require.Equal(t, shape.Format(in[i]), shape.Format(se.Shapes[i]))
	}
	if remedy {
		require.NotEmpty(t, se.Remedy)
	}
}

func TestIdleTapsOfBothAxes(t *testing.T) {
	attrs := ConvAttrs{Padding: Padding{Mode: Same}}
	g, err := attrs.Geometry(tensor.Shape{2, 1, 2, 4}, tensor.Shape{3, 5, 4, 6})
	require.NoError(t, err)
	cut, row, column, ok := g.WithoutIdleTaps()
	require.True(t, ok)
	require.Equal(t, [2]int{1, 1}, [2]int{row, column})
	require.Equal(t, tensor.Shape{1, 3, 4, 6}, cut.Filter())
	require.Equal(t, g.Input(), cut.Input())
	require.Equal(t, g.Output(), cut.Output())
}

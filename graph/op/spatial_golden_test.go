package op

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// eachGolden calls visit for every case of the named golden files, in both precisions.
func eachGolden(t *testing.T, files []string, visit func(t *testing.T, c *numtest.Case, dt tensor.Dtype)) {
	for _, file := range files {
		for _, c := range numtest.LoadGolden(t, "testdata/golden/"+file+".json").Cases {
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				t.Run(fmt.Sprintf("%s/%s/%v", file, c.Name, dt), func(t *testing.T) { visit(t, c.For(t), dt) })
			}
		}
	}
}

// pair returns an attribute of two integers.
func pair(c *numtest.Case, name string) [2]int { return [2]int(c.Ints(name)) }

// goldenLayout returns a case's layout.
func goldenLayout(t *testing.T, c *numtest.Case) Layout {
	switch name := c.Str("layout"); name {
	case "NHWC":
		return NHWC
	case "NCHW":
		return NCHW
	default:
		t.Fatalf("unknown layout %q", name)
		return 0
	}
}

// goldenPadding returns a case's padding.
func goldenPadding(t *testing.T, c *numtest.Case) Padding {
	switch name := c.Str("padding"); name {
	case "same":
		return Padding{Mode: Same}
	case "valid":
		return Padding{}
	case "explicit":
		p := c.Ints("pads")
		return Padding{Mode: Explicit, Top: p[0], Bottom: p[1], Left: p[2], Right: p[3]}
	default:
		t.Fatalf("unknown padding %q", name)
		return Padding{}
	}
}

// checkGolden differentiates y, a function of inputs of the case, with the case's dy, runs it on the stock machine, and
// compares y and the gradient of each input, called "d" and its name, with the file.
func checkGolden(t *testing.T, c *numtest.Case, dt tensor.Dtype, forward, backward numtest.Kind, names []string,
	build func(in []*gorgonia.Node) (*gorgonia.Node, error)) {
	t.Helper()
	g := gorgonia.NewGraph()
	input := func(name string) *gorgonia.Node {
		x := c.Tensor(name)
		return gorgonia.NewTensor(g, dt, len(x.Shape), gorgonia.WithShape(x.Shape...), gorgonia.WithName(name), gorgonia.WithValue(x.Dense(dt)))
	}
	var in gorgonia.Nodes
	for _, name := range names {
		in = append(in, input(name))
	}
	y, err := build(in)
	require.NoError(t, err)
	ds, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{input("dy")}, in)
	require.NoError(t, err)
	got := stock(t, g, append(gorgonia.Nodes{y}, ds...)...)
	numtest.AssertClose(t, c.Tensor("y"), got[0].Value(), numtest.GoldenTol(dt, forward), "y")
	for i, name := range names {
		numtest.AssertClose(t, c.Tensor("d"+name), got[i+1].Value(), numtest.GoldenTol(dt, backward), "d"+name)
	}
}

func TestGoldenConv2D(t *testing.T) {
	files := []string{"conv2d_same", "conv2d_same_strided", "conv2d_valid", "conv2d_valid_strided", "conv2d_explicit", "conv2d_groups", "conv2d_nchw"}
	eachGolden(t, files, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		a := ConvAttrs{Strides: pair(c, "strides"), Dilations: pair(c, "dilations"), Groups: c.Int("groups"),
			Padding: goldenPadding(t, c), Format: goldenLayout(t, c)}
		geometry, err := a.Geometry(c.Tensor("x").Shape, c.Tensor("w").Shape)
		require.NoError(t, err)
		require.Equal(t, c.Ints("pads"), []int{geometry.H.Before, geometry.H.After, geometry.W.Before, geometry.W.After})
		names := []string{"x", "w"}
		if c.Has("b") {
			names = append(names, "b")
		}
		_, _, channels := a.Format.Axes()
		checkGolden(t, c, dt, numtest.Reduction, numtest.Gradient, names, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := Apply(&Conv2D{ConvAttrs: a}, in[0], in[1])
			if err == nil && len(in) == 3 {
				y, err = Apply(&BiasAdd{Axis: channels}, y, in[2])
			}
			return y, err
		})
	})
}

func TestGoldenPool2D(t *testing.T) {
	for _, kind := range []string{"maxpool", "avgpool"} {
		eachGolden(t, []string{kind}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
			a := PoolAttrs{Pool: pair(c, "window"), Strides: pair(c, "strides"), Padding: goldenPadding(t, c), Format: goldenLayout(t, c)}
			geometry, err := a.Geometry(c.Tensor("x").Shape)
			require.NoError(t, err)
			require.Equal(t, c.Ints("pads"), []int{geometry.H.Before, geometry.H.After, geometry.W.Before, geometry.W.After})
			var o Op = &AvgPool2D{PoolAttrs: a}
			forward := numtest.Reduction
			if kind == "maxpool" {
				o, forward = &MaxPool2D{PoolAttrs: a}, numtest.Elementwise
			}
			checkGolden(t, c, dt, forward, numtest.Gradient, []string{"x"}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				return Apply(o, in...)
			})
		})
	}
}

func TestGoldenGlobalAvgPool2D(t *testing.T) {
	eachGolden(t, []string{"global_average_pool"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		o := &GlobalAvgPool2D{Format: goldenLayout(t, c)}
		checkGolden(t, c, dt, numtest.Reduction, numtest.Elementwise, []string{"x"}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return Apply(o, in...)
		})
	})
}

func TestGoldenZeroPad2D(t *testing.T) {
	eachGolden(t, []string{"zero_padding"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		p := c.Ints("pads")
		o := &ZeroPad2D{Top: p[0], Bottom: p[1], Left: p[2], Right: p[3], Format: goldenLayout(t, c)}
		checkGolden(t, c, dt, numtest.Elementwise, numtest.Elementwise, []string{"x"}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return Apply(o, in...)
		})
	})
}

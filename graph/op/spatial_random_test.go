package op

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// TestSpatialOpsNeverPanic throws random shapes and attributes, mostly senseless, at every operation: Infer must return
// a shape or a typed error, and what Infer accepts Reference must compute.
func TestSpatialOpsNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	number := func() int { return rng.IntN(6) - 1 } // -1 … 4
	shapeOf := func() tensor.Shape {
		s := make(tensor.Shape, 4)
		if rng.IntN(8) == 0 {
			s = make(tensor.Shape, rng.IntN(6))
		}
		for i := range s {
			s[i] = rng.IntN(5)
			if rng.IntN(4) > 0 {
				s[i]++
			}
		}
		return s
	}
	two := func() [2]int { return [2]int{number(), number()} }
	padding := func() Padding {
		return Padding{Mode: PadMode(rng.IntN(4)), Top: number(), Bottom: number(), Left: number(), Right: number()}
	}
	layout := func() Layout { return Layout(rng.IntN(20) / 9) }
	conv := func() ConvAttrs {
		return ConvAttrs{Strides: two(), Dilations: two(), Groups: number(), Padding: padding(), Format: layout()}
	}
	pool := func() PoolAttrs {
		return PoolAttrs{Pool: two(), Strides: two(), Padding: padding(), Format: layout()}
	}
	makers := []func() Op{
		func() Op { return &Conv2D{ConvAttrs: conv()} },
		func() Op { return &Conv2DBackwardInput{ConvAttrs: conv(), InputShape: shapeOf()} },
		func() Op { return &Conv2DBackwardFilter{ConvAttrs: conv(), FilterShape: shapeOf()} },
		func() Op { return &MaxPool2D{PoolAttrs: pool()} },
		func() Op { return &MaxPool2DGrad{PoolAttrs: pool()} },
		func() Op { return &MaxPool2DGather{PoolAttrs: pool()} },
		func() Op { return &AvgPool2D{PoolAttrs: pool()} },
		func() Op { return &AvgPool2DGrad{PoolAttrs: pool(), InputShape: shapeOf()} },
		func() Op { return &GlobalAvgPool2D{Format: layout()} },
		func() Op { return &GlobalAvgPool2DGrad{Format: layout(), InputShape: shapeOf()} },
		func() Op {
			return &ZeroPad2D{Top: number(), Bottom: number(), Left: number(), Right: number(), Format: layout()}
		},
		func() Op {
			return &Crop2D{Top: number(), Bottom: number(), Left: number(), Right: number(), Format: layout()}
		},
		func() Op { return &BiasAdd{Axis: 2 * number()} },
		func() Op { return &BiasGrad{Axis: 2 * number()} },
		func() Op { return &ChannelBroadcast{Axis: 2 * number(), Shape: shapeOf()} },
		func() Op { return &ChannelAffine{Axis: 2 * number(), Shift: make([]float64, rng.IntN(4))} },
		func() Op { return &Permute{Axes: rng.Perm(4 + rng.IntN(2))} },
	}
	accepted := map[string]int{}
	for range 2000 {
		for _, m := range makers {
			o := m()
			shapes := make([]tensor.Shape, o.Arity())
			for i := range shapes {
				shapes[i] = shapeOf()
			}
			if c, ok := fitting(o, shapes); ok && rng.IntN(2) == 0 {
				shapes = c
			}
			s, err := o.Infer(shapes)
			if err != nil {
				var se *ShapeError
				require.ErrorAs(t, err, &se)
				require.Equal(t, o.Kind(), se.Op)
				require.NotEmpty(t, se.Wanted)
				require.NotEmpty(t, se.Got)
				continue
			}
			in := make([]Array, len(shapes))
			for i, s := range shapes {
				in[i] = randomArray(tensor.Float32, 1, s)
			}
			out, err := NewArray(tensor.Float32, s)
			require.NoError(t, err)
			require.NoError(t, o.Reference(out, in), "%v %v", o, shapes)
			accepted[o.Kind()]++
		}
	}
	for _, m := range makers {
		require.Greater(t, accepted[m().Kind()], 20, m().Kind())
	}
}

// fitting returns input shapes that suit each other, where chance would seldom find them.
func fitting(o Op, in []tensor.Shape) ([]tensor.Shape, bool) {
	switch o := o.(type) {
	case *Conv2D:
		o.Groups = 1
		if _, _, _, c, err := images(in[0], o.Format, "x"); err == nil && len(in[1]) == 4 {
			return []tensor.Shape{in[0], {in[1][0], in[1][1], c, in[1][3]}}, true
		}
	case *Conv2DBackwardInput:
		o.Groups = 1
		if _, _, _, c, err := images(o.InputShape, o.Format, "x"); err == nil && len(in[1]) == 4 {
			w := tensor.Shape{in[1][0], in[1][1], c, in[1][3]}
			g, err := o.Geometry(o.InputShape, w)
			return []tensor.Shape{g.Output(), w}, err == nil
		}
	case *Conv2DBackwardFilter:
		o.Groups = 1
		if _, _, _, c, err := images(in[0], o.Format, "x"); err == nil && len(o.FilterShape) == 4 {
			o.FilterShape[2] = c
			g, err := o.Geometry(in[0], o.FilterShape)
			return []tensor.Shape{in[0], g.Output()}, err == nil
		}
	case *MaxPool2DGrad:
		g, err := o.Geometry(in[0])
		return []tensor.Shape{in[0], g.Output(), g.Output()}, err == nil
	case *MaxPool2DGather:
		g, err := o.Geometry(in[0])
		return []tensor.Shape{in[0], g.Output(), in[0]}, err == nil
	case *AvgPool2DGrad:
		g, err := o.Geometry(o.InputShape)
		return []tensor.Shape{g.Output()}, err == nil
	case *GlobalAvgPool2DGrad:
		n, _, _, c, err := images(o.InputShape, o.Format, "x")
		return []tensor.Shape{{n, c}}, err == nil
	case *BiasAdd:
		axis, err := resolveAxis(in[0], o.Axis, "x")
		return []tensor.Shape{in[0], {append(in[0], 0)[axis]}}, err == nil
	case *ChannelBroadcast:
		axis, err := resolveAxis(o.Shape, o.Axis, "x")
		return []tensor.Shape{{append(o.Shape, 0)[axis]}}, err == nil
	}
	return nil, false
}

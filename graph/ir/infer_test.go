package ir_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/internal/shape"
)

type shapes = []tensor.Shape

func TestInfer(t *testing.T) {
	conv := ir.Im2Col{Kernel: [2]int{3, 2}, Pad: [2]int{1, 0}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}}
	for _, c := range []struct {
		o    ir.Op
		in   shapes
		want tensor.Shape
	}{
		{&ir.Repeat{Axis: 0, Times: 3}, shapes{{}}, tensor.Shape{3}},
		{&ir.Repeat{Axis: 2, Times: 3}, shapes{{}}, tensor.Shape{1, 1, 3}},
		{&ir.Repeat{Axis: 1, Times: 3}, shapes{{4}}, tensor.Shape{4, 3}},
		{&ir.Repeat{Axis: 3, Times: 3}, shapes{{4, 1}}, tensor.Shape{4, 1, 1, 3}},
		{&ir.Repeat{Axis: 1, Times: 3}, shapes{{2, 4, 5}}, tensor.Shape{2, 12, 5}},
		{&ir.Slice{Axis: 0, Start: 1, End: 2, Step: 1}, shapes{{3}}, tensor.ScalarShape()},
		{&ir.Slice{Axis: 1, Start: 1, End: 2, Step: 1}, shapes{{3, 4, 1}}, tensor.Shape{3, 1}},
		{&ir.Slice{Axis: 1, Start: 1, End: 4, Step: 2}, shapes{{3, 4}}, tensor.Shape{3}}, // Gorgonia rounds down
		{&ir.Slice{Axis: 1, Start: 0, End: 9, Step: 2}, shapes{{3, 4}}, tensor.Shape{3, 2}},
		{&ir.SliceGrad{Slice: &ir.Slice{Axis: 1, Start: 1, End: 2, Step: 1}, InputShape: tensor.Shape{3, 4}}, shapes{{3, 1}}, tensor.Shape{3, 4}},
		{&ir.Concat{Axis: 1}, shapes{{2, 3}, {2, 1}}, tensor.Shape{2, 4}},
		{&ir.At{Coordinates: []int{1, 2}}, shapes{{2, 3}}, tensor.ScalarShape()},
		{&ir.Gather{Axis: 1}, shapes{{2, 3}, {7, 1}}, tensor.Shape{2, 7}},
		{&ir.GatherGrad{Axis: 0, InputShape: tensor.Shape{3, 4}}, shapes{{5, 4}, {5}}, tensor.Shape{3, 4}},
		{&ir.DiagFlat{}, shapes{{2, 3}}, tensor.Shape{6, 6}},
		{&ir.Cast{To: tensor.Int}, shapes{{2, 3}}, tensor.Shape{2, 3}},
		{&ir.Upsample{Scale: 3}, shapes{{1, 2, 3, 4}}, tensor.Shape{1, 2, 9, 12}},
		{&ir.UpsampleGrad{Scale: 3}, shapes{{1, 2, 9, 12}}, tensor.Shape{1, 2, 3, 4}},
		{&ir.Reduce{}, shapes{{2, 3}}, tensor.ScalarShape()},
		{&ir.Reduce{Axes: []int{0, 2}}, shapes{{2, 1, 3}}, tensor.Shape{1}},
		{&ir.BatchMatMul{TransA: true}, shapes{{2, 5, 3, 4}, {2, 5, 3, 6}}, tensor.Shape{2, 5, 4, 6}},
		{&ir.BatchMatMul{TransB: true}, shapes{{3, 4}, {6, 4}}, tensor.Shape{3, 6}},
		{&conv, shapes{{2, 3, 6, 7}}, tensor.Shape{2, 3, 5, 18}},
		{&ir.Col2Im{Im2Col: conv, InputShape: tensor.Shape{2, 3, 6, 7}}, shapes{{2, 3, 5, 18}}, tensor.Shape{2, 3, 6, 7}},
		{&ir.GroupNorm{Groups: 2}, shapes{{3, 4}}, tensor.Shape{3, 4}},
		{&ir.GroupNormGrad{Groups: 2}, shapes{{3, 4, 5}, {3, 4, 5}}, tensor.Shape{3, 4, 5}},
		{&ir.Random{B: 1, Shape: tensor.Shape{3}}, shapes{{}}, tensor.Shape{3}},
	} {
		got, err := c.o.Infer(c.in)
		require.NoError(t, err, "%v", c.o)
		require.True(t, shape.Equal(c.want, got), "%v: %v, not %v", c.o, got, c.want)
	}
}

func TestInferRefuses(t *testing.T) {
	conv := ir.Im2Col{Kernel: [2]int{3, 3}}
	images := tensor.Shape{1, 2, 4, 4}
	for _, c := range []struct {
		o    ir.Op
		in   shapes
		want string
	}{
		{&ir.Repeat{Axis: 0}, shapes{{3}}, "Times of at least 1, got 0"},
		{&ir.Repeat{Axis: -1, Times: 2}, shapes{{3}}, "Axis of at least 0, got -1"},
		{&ir.Repeat{Axis: 2, Times: 2}, shapes{{3, 2}}, "an axis of a tensor with 2 axes, got 2"},
		{&ir.Slice{Axis: 1, Start: 0, End: 1, Step: 1}, shapes{{3}}, "an axis of a tensor with 1 axes, got 1"},
		{&ir.Slice{Start: 3, End: 4, Step: 1}, shapes{{3}}, "within 0:3 that is not empty, got 3:4 on axis 0"},
		{&ir.Slice{Start: -1, End: 4, Step: 1}, shapes{{3}}, "got -1:4"},
		{&ir.Slice{Start: 2, End: 2, Step: 1}, shapes{{3}}, "got 2:2"},
		{&ir.Slice{Start: 0, End: 2}, shapes{{3}}, "Step of at least 1"},
		{&ir.SliceGrad{Slice: &ir.Slice{Start: 0, End: 2, Step: 1}, InputShape: tensor.Shape{3}}, shapes{{3}}, "a gradient of shape (2,), got (3,)"},
		{&ir.Concat{}, shapes{}, "at least 1 input"},
		{&ir.Concat{Axis: 1}, shapes{{2, 3}, {3, 3}}, "input 1 with 2 as in input 0, got 3 on axis 0"},
		{&ir.Concat{Axis: 1}, shapes{{2, 3}, {2}}, "input 1 of 2 axes, got (2,)"},
		{&ir.Concat{Axis: -1}, shapes{{2, 3}}, "an axis of a tensor with 2 axes, got -1"},
		{&ir.At{Coordinates: []int{1}}, shapes{{2, 3}}, "an input of 1 axes"},
		{&ir.At{Coordinates: []int{1, 3}}, shapes{{2, 3}}, "a coordinate from 0 to 2, got 3 on axis 1"},
		{&ir.Gather{Axis: 2}, shapes{{2, 3}, {4}}, "an axis of a tensor with 2 axes"},
		{&ir.Gather{}, shapes{{2, 3}, {4, 2}}, "a vector of indices, got (4, 2)"},
		{&ir.GatherGrad{InputShape: tensor.Shape{2, 3}}, shapes{{5, 3}, {4}}, "a gradient of shape (4, 3), got (5, 3)"},
		{&ir.Cast{To: tensor.String}, shapes{{2}}, "To of float32, float64 or int"},
		{&ir.Upsample{Scale: 2}, shapes{{2, 3, 4}}, "images of 4 axes"},
		{&ir.Upsample{}, shapes{images}, "Scale of at least 1"},
		{&ir.UpsampleGrad{Scale: 3}, shapes{{1, 2, 6, 4}}, "a multiple of Scale 3, got 4 on axis 3"},
		{&ir.Reduce{Axes: []int{2}}, shapes{{2, 3}}, "an axis of a tensor with 2 axes, got 2"},
		{&ir.Reduce{Axes: []int{1, 0}}, shapes{{2, 3}}, "sorted axes, each once, got [1 0]"},
		{&ir.Reduce{Axes: []int{1, 1}}, shapes{{2, 3}}, "sorted axes, each once, got [1 1]"},
		{&ir.Reduce{Fn: 9}, shapes{{2, 3}}, "a known reduction, got ReduceFn(9)"},
		{&ir.BatchMatMul{}, shapes{{2, 3, 4}, {2, 3, 4}}, "second matrices with 4 rows, got 3"},
		{&ir.BatchMatMul{}, shapes{{2, 3, 4}, {3, 4, 5}}, "equal leading axes, here 2, got 3 on axis 0"},
		{&ir.BatchMatMul{}, shapes{{3}, {3}}, "two inputs of as many axes"},
		{&conv, shapes{{1, 2, 2, 4}}, "at least 3 elements"},
		{&conv, shapes{{2, 2, 4}}, "images of 4 axes"},
		{&ir.Col2Im{Im2Col: conv, InputShape: images}, shapes{{1, 2, 2, 9}}, "patches of shape (1, 2, 2, 18), got (1, 2, 2, 9)"},
		{&ir.GroupNorm{Groups: 3}, shapes{{2, 4}}, "divisible by Groups 3, got 4 on axis 1"},
		{&ir.GroupNorm{}, shapes{{2, 4}}, "divisible by Groups 0"},
		{&ir.GroupNorm{Groups: 2, Epsilon: -1}, shapes{{2, 4}}, "Epsilon of at least 0, got -1"},
		{&ir.GroupNorm{Groups: 1}, shapes{{4}}, "at least 2 axes"},
		{&ir.GroupNormGrad{Groups: 2}, shapes{{2, 4}, {2, 3}}, "a gradient of shape (2, 4), got (2, 3)"},
		{&ir.Random{Shape: tensor.Shape{2}}, shapes{{1}}, "a number of the run of 0 axes"},
		{&ir.Random{Shape: tensor.Shape{2, 0}}, shapes{{}}, "without empty axes, got (2, 0)"},
		{&ir.Random{From: ir.Binomial, A: -1}, shapes{{}}, "trials, got -1"},
		{&ir.Random{From: ir.Binomial, A: 1, B: 1.5}, shapes{{}}, "a probability from 0 to 1, got 1.5"},
		{&ir.Random{From: 7}, shapes{{}}, "a known distribution, got Distribution(7)"},
		{&ir.Random{Shape: tensor.Shape{1 << 20, 1 << 20}}, shapes{{}}, "at most 2³² elements"},
	} {
		got, err := c.o.Infer(c.in)
		var se *shape.Error
		require.ErrorAs(t, err, &se, "%v gives %v", c.o, got)
		require.Equal(t, c.o.Kind(), se.Op)
		require.ErrorContains(t, err, c.want)
	}
}

// Empty axes and another number of inputs are refused by every operation.
func TestInferRefusesEmptyAxes(t *testing.T) {
	for _, o := range all {
		if s, ok := o.(*ir.SliceGrad); ok {
			s.Slice = &ir.Slice{}
		}
		for _, in := range []shapes{{{2, 0, 3, 4}, {2}}, {{2, 0, 3, 4}}, {{2}, {2}, {2}, {0}}} {
			_, err := o.Infer(in)
			var se *shape.Error
			require.ErrorAs(t, err, &se, "%v of %v", o, in)
		}
	}
}

// Kind is the name of the struct, and String tells apart operations that differ in any attribute.
func TestKindAndString(t *testing.T) {
	for _, o := range all {
		v := reflect.ValueOf(o).Elem()
		require.Equal(t, v.Type().Name(), o.Kind())
		require.Contains(t, o.String(), o.Kind())
		changeFields(t, o, v)
	}
}

func changeFields(t *testing.T, o ir.Op, v reflect.Value) {
	for i := range v.NumField() {
		f, name := v.Field(i), fmt.Sprintf("%s.%s", o.Kind(), v.Type().Field(i).Name)
		before, old := o.String(), reflect.ValueOf(f.Interface())
		switch x := f.Addr().Interface().(type) {
		case *int:
			*x = 77
		case *bool:
			*x = true
		case *float64:
			*x = 1.0000000000000002
		case *uint64:
			*x = 77
		case *[]int:
			*x = []int{77}
		case *tensor.Shape:
			*x = tensor.Shape{77}
		case *[2]int:
			*x = [2]int{0, 77}
		case *ir.ReduceFn:
			*x = ir.ReduceMax
		case *ir.Distribution:
			*x = ir.Gaussian
		case *tensor.Dtype:
			f.Set(reflect.ValueOf(tensor.Float64))
		case **ir.Slice:
			*x = &ir.Slice{Axis: 77}
		case *ir.Im2Col:
			changeFields(t, o, f)
			continue
		default:
			t.Fatalf("%s has type %T, which this test does not know", name, x)
		}
		require.NotEqual(t, before, o.String(), "%s is not printed", name)
		f.Set(old)
	}
}

package enginetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// OpCases are the operations of package graph/ir that capture makes of Gorgonia's own, on elements of type dt: small
// odd shapes, the axis at every position, and shapes that are large enough to be cut.
func OpCases(dt tensor.Dtype) []OpCase {
	var cs []OpCase
	add := func(kind numtest.Kind, o ir.Op, in ...OpInput) {
		name := fmt.Sprint(o)
		for _, i := range in {
			name += fmt.Sprintf(" %v", i.Shape)
		}
		cs = append(cs, OpCase{Name: name, Op: o, In: in, Kind: kind})
	}
	move := func(o ir.Op, in ...OpInput) { add(numtest.Elementwise, o, in...) }
	moveCases(move)
	selectCases(add, dt)
	reduceCases(add)
	windowCases(add, dt)
	for _, r := range []ir.Random{
		{From: ir.Uniform, A: -2, B: 5, Shape: tensor.Shape{3, 5}, Seed: 7, Stream: 1},
		{From: ir.Uniform, A: 0, B: 1, Shape: tensor.Shape{40001}, Seed: 7, Stream: 2},
		{From: ir.Gaussian, A: 1, B: 3, Shape: tensor.Shape{4, 5, 7}, Seed: 8, Stream: 3},
		{From: ir.Gaussian, A: 0, B: 0.1, Shape: tensor.Shape{123, 457}, Seed: 8, Stream: 1 << 40},
		{From: ir.Binomial, A: 10.9, B: 0.3, Shape: tensor.Shape{99}, Seed: 9},
		{From: ir.Binomial, A: 1, B: 0.5, Shape: tensor.Shape{}, Seed: 9},
	} {
		move(&r, intsOf(1000))
	}
	return cs
}

func moveCases(move func(o ir.Op, in ...OpInput)) {
	for _, c := range []struct {
		axis, times int
		shape       []int
	}{
		{0, 3, nil}, {2, 40001, nil}, {0, 4, []int{5}}, {1, 7, []int{5}}, {2, 3, []int{5, 1}}, {0, 2, []int{1, 6}},
		{0, 3, []int{2, 3, 5}}, {1, 3, []int{2, 3, 5}}, {2, 3, []int{2, 3, 5}}, {1, 1, []int{2, 3}},
		{0, 70, []int{1, 1000}}, {1, 300, []int{300, 1}}, {1, 2, []int{7, 1, 20000}}, {1, 129, []int{64, 1, 9}}, {1, 3, []int{20000, 2}},
	} {
		move(&ir.Repeat{Axis: c.axis, Times: c.times}, floatsOf(c.shape...))
	}
	for _, c := range []struct {
		ir.Slice
		shape []int
	}{
		{ir.Slice{Axis: 0, Start: 2, End: 5, Step: 1}, []int{7}}, {ir.Slice{Axis: 0, Start: 1, End: 7, Step: 2}, []int{7}},
		{ir.Slice{Axis: 0, Start: 6, End: 7, Step: 1}, []int{7}}, {ir.Slice{Axis: 0, Start: 0, End: 9, Step: 3}, []int{7}},
		{ir.Slice{Axis: 0, Start: 1, End: 3, Step: 1}, []int{4, 3, 5}}, {ir.Slice{Axis: 1, Start: 1, End: 3, Step: 1}, []int{4, 3, 5}},
		{ir.Slice{Axis: 2, Start: 0, End: 4, Step: 1}, []int{4, 3, 5}}, {ir.Slice{Axis: 2, Start: 0, End: 4, Step: 2}, []int{4, 3, 5}},
		{ir.Slice{Axis: 1, Start: 1, End: 7, Step: 3}, []int{3, 8, 5}}, {ir.Slice{Axis: 1, Start: 2, End: 3, Step: 1}, []int{4, 3, 5}},
		{ir.Slice{Axis: 1, Start: 7, End: 8, Step: 1}, []int{30011, 9}}, {ir.Slice{Axis: 1, Start: 100, End: 40000, Step: 1}, []int{3, 50001}},
		{ir.Slice{Axis: 0, Start: 3, End: 50001, Step: 7}, []int{50001}}, {ir.Slice{Axis: 1, Start: 1, End: 301, Step: 2}, []int{201, 302, 3}},
		{ir.Slice{Axis: 0, Start: 1, End: 5, Step: 2}, []int{6, 20011}}, {ir.Slice{Axis: 1, Start: 1, End: 8, Step: 3, RoundUp: true}, []int{3, 8, 5}},
		{ir.Slice{Axis: 0, Start: 2, End: 6, Step: 5, RoundUp: true}, []int{6, 3}},
	} {
		s := c.Slice
		move(&s, floatsOf(c.shape...))
		y, err := s.Infer([]tensor.Shape{c.shape})
		if err != nil {
			panic(err) // a mistake in the table
		}
		move(&ir.SliceGrad{Slice: &s, InputShape: c.shape}, floatsOf(y...))
	}
	move(&ir.Concat{}, floatsOf(3))
	move(&ir.Concat{}, floatsOf(3), floatsOf(1), floatsOf(5))
	for axis := range 3 {
		shapes := [2][]int{{2, 3, 4}, {2, 3, 4}}
		shapes[1][axis] = 7
		move(&ir.Concat{Axis: axis}, floatsOf(shapes[0]...), floatsOf(shapes[1]...), floatsOf(shapes[0]...))
	}
	move(&ir.Concat{Axis: 1}, floatsOf(20011, 1), floatsOf(20011, 9), floatsOf(20011, 2))
	move(&ir.Concat{Axis: 1}, floatsOf(3, 30011), floatsOf(3, 5), floatsOf(3, 17001))
	move(&ir.At{Coordinates: []int{1, 2, 0}}, floatsOf(2, 3, 4))
	move(&ir.DiagFlat{}, floatsOf(1))
	move(&ir.DiagFlat{}, floatsOf(3, 5))
	move(&ir.DiagFlat{}, floatsOf(301))
	for _, scale := range []int{1, 2, 3} {
		move(&ir.Upsample{Scale: scale}, floatsOf(2, 3, 4, 5))
		move(&ir.Upsample{Scale: scale}, floatsOf(3, 11, 33, 31))
	}
}

type addCase = func(kind numtest.Kind, o ir.Op, in ...OpInput)

func selectCases(add addCase, dt tensor.Dtype) {
	for _, c := range []struct {
		axis, count int
		shape       []int
	}{
		{0, 5, []int{3}}, {0, 4, []int{3, 5}}, {1, 1, []int{3, 5}}, {0, 9, []int{4, 2, 3}}, {1, 9, []int{4, 2, 3}}, {2, 9, []int{4, 2, 3}},
		{0, 40001, []int{100}}, {0, 3001, []int{501, 33}}, {1, 70, []int{13, 29, 100}}, {0, 3, []int{5, 20011}},
	} {
		dy := append([]int(nil), c.shape...)
		dy[c.axis] = c.count
		indices := intsOf(c.shape[c.axis], c.count)
		add(numtest.Elementwise, &ir.Gather{Axis: c.axis}, floatsOf(c.shape...), indices)
		add(numtest.Reduction, &ir.GatherGrad{Axis: c.axis, InputShape: c.shape}, floatsOf(dy...), indices)
	}
	add(numtest.Elementwise, &ir.Gather{Axis: 1}, floatsOf(3, 5), intsOf(5, 4, 1))
	other := tensor.Float32
	if dt == tensor.Float32 {
		other = tensor.Float64
	}
	for _, n := range []int{1, 7, 40001} {
		add(numtest.Elementwise, &ir.Cast{To: dt}, OpInput{Shape: tensor.Shape{n}, Dtype: other})
		add(numtest.Elementwise, &ir.Cast{To: dt}, intsOf(1000, n))
	}
}

func reduceCases(add addCase) {
	for _, fn := range []ir.ReduceFn{ir.ReduceSum, ir.ReduceMax, ir.ReduceMean} {
		for set := range 1 << 4 { // all sets of axes
			var axes []int
			for axis := range 4 {
				if set>>axis&1 != 0 {
					axes = append(axes, axis)
				}
			}
			add(numtest.Reduction, &ir.Reduce{Fn: fn, Axes: axes}, floatsOf(3, 5, 2, 7))
		}
		for _, c := range []struct{ axes, shape []int }{
			{nil, []int{}}, {[]int{0}, []int{1}}, {nil, []int{1, 1}}, {[]int{1}, []int{4, 1, 3}}, {nil, []int{100003}},
			{[]int{1}, []int{3, 100003}}, {[]int{1}, []int{20011, 5}}, {[]int{0}, []int{20011, 5}}, {[]int{0}, []int{1000, 1111}},
			{[]int{0}, []int{3, 50021}}, {[]int{1}, []int{5, 1000, 33}}, {[]int{1}, []int{5000, 3, 7}}, {[]int{0, 2, 3}, []int{8, 17, 33, 31}},
			{[]int{0, 2}, []int{41, 9, 50, 19}}, {[]int{1, 3}, []int{41, 9, 50, 19}}, {[]int{0, 2, 4}, []int{7, 5, 11, 13, 9}},
			{[]int{0, 1}, []int{64, 65, 40}}, {[]int{1, 3, 5}, []int{5, 4, 3, 2, 1, 6}},
		} {
			add(numtest.Reduction, &ir.Reduce{Fn: fn, Axes: c.axes}, floatsOf(c.shape...))
		}
		spoiled := floatsOf(7, 40, 30)
		spoiled.NaN = []int{0, 1199, 1200, 3000, 8399}
		for _, axes := range [][]int{{0}, {1}, {2}, {0, 2}, {1, 2}, nil} {
			add(numtest.Reduction, &ir.Reduce{Fn: fn, Axes: axes}, spoiled)
		}
	}
}

func windowCases(add addCase, dt tensor.Dtype) {
	for _, o := range []ir.Im2Col{
		{Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}},
		{Kernel: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}},
		{Kernel: [2]int{2, 3}, Pad: [2]int{0, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}},
		{Kernel: [2]int{5, 4}, Pad: [2]int{4, 3}, Stride: [2]int{3, 2}, Dilation: [2]int{1, 1}},
		{Kernel: [2]int{3, 3}, Pad: [2]int{7, 9}, Stride: [2]int{2, 2}, Dilation: [2]int{4, 3}}, // windows that see padding alone
	} {
		for _, x := range []tensor.Shape{{1, 1, 5, 6}, {2, 3, 9, 7}, {1, 19, 23, 31}, {5, 16, 28, 28}} {
			if x[2]+2*o.Pad[0] <= (o.Kernel[0]-1)*o.Dilation[0] {
				continue
			}
			y, err := o.Infer([]tensor.Shape{x})
			if err != nil {
				panic(err) // a mistake in the table
			}
			add(numtest.Elementwise, &o, floatsOf(x...))
			add(numtest.Reduction, &ir.Col2Im{Im2Col: o, InputShape: x}, floatsOf(y...))
		}
	}
	for _, scale := range []int{1, 2, 3} {
		add(numtest.Reduction, &ir.UpsampleGrad{Scale: scale}, floatsOf(2, 3, 4*scale, 5*scale))
		add(numtest.Reduction, &ir.UpsampleGrad{Scale: scale}, floatsOf(3, 11, 33*scale, 31*scale))
	}
	for _, groups := range []int{1, 2, 6} {
		for _, x := range [][]int{{3, 6}, {2, 6, 5}, {2, 12, 7, 9}, {1, 6, 130, 131}} {
			add(numtest.Reduction, &ir.GroupNorm{Groups: groups, Epsilon: 1e-5}, floatsOf(x...))
			add(numtest.Gradient, &ir.GroupNormGrad{Groups: groups, Epsilon: 1e-5}, floatsOf(x...), floatsOf(x...))
			if dt != tensor.Float32 {
				continue // what follows would show the rounding of the reference's mean
			}
			far := floatsOf(x...) // a mean that is no float32 number, far from 0
			far.Plus = 5000
			add(numtest.Reduction, &ir.GroupNorm{Groups: groups, Epsilon: 1e-5}, far)
			add(numtest.Gradient, &ir.GroupNormGrad{Groups: groups, Epsilon: 1e-5}, far, floatsOf(x...))
		}
	}
	for _, transA := range []bool{false, true} {
		for _, transB := range []bool{false, true} {
			o := &ir.BatchMatMul{TransA: transA, TransB: transB}
			for _, g := range [][]int{{1, 3, 5, 4}, {7, 1, 1, 1}, {4, 5, 1, 7}, {6, 17, 31, 9}, {13, 64, 40, 50}, {2, 190, 170, 180}} {
				a, b := []int{g[0], g[1], g[3]}, []int{g[0], g[3], g[2]}
				if transA {
					a[1], a[2] = a[2], a[1]
				}
				if transB {
					b[1], b[2] = b[2], b[1]
				}
				add(numtest.Reduction, o, floatsOf(a...), floatsOf(b...))
			}
		}
	}
	add(numtest.Reduction, &ir.BatchMatMul{}, floatsOf(3, 4), floatsOf(4, 5))
	add(numtest.Reduction, &ir.BatchMatMul{}, floatsOf(2, 3, 4, 5), floatsOf(2, 3, 5, 6))
}

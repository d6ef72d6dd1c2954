package graph_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/enginetest"
)

func linAlgCases() (all []stockCase) {
	add := func(name string, build func(b *enginetest.B) (*node, nodes)) {
		all = append(all, stockCase{name: name, build: build})
	}
	two := func(f binaryFn, a, c []int) func(b *enginetest.B) (*node, nodes) {
		return func(b *enginetest.B) (*node, nodes) {
			x, y := b.Input("x", a...), b.Input("y", c...)
			return must(f(x, y)), nodes{x, y}
		}
	}
	add("MatMul", two(gorgonia.Mul, []int{3, 5}, []int{5, 7}))
	add("MatMul of a row", two(gorgonia.Mul, []int{1, 5}, []int{5, 7}))
	add("MatMul to a column", two(gorgonia.Mul, []int{3, 5}, []int{5, 1}))
	add("MatVec", two(gorgonia.Mul, []int{3, 5}, []int{5}))
	add("VecMat", two(gorgonia.Mul, []int{3}, []int{3, 5}))
	add("Dot", two(gorgonia.Mul, []int{5}, []int{5}))
	add("OuterProd", func(b *enginetest.B) (*node, nodes) { // its gradient does not build
		return must(gorgonia.OuterProd(b.Input("x", 3), b.Input("y", 5))), nil
	})
	for _, trans := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		add(fmt.Sprintf("BatchedMatMul %v", trans), func(b *enginetest.B) (*node, nodes) {
			a, c := []int{2, 3, 5}, []int{2, 5, 4}
			if trans[0] {
				a = []int{2, 5, 3}
			}
			if trans[1] {
				c = []int{2, 4, 5}
			}
			x, y := b.Input("x", a...), b.Input("y", c...)
			return must(gorgonia.BatchedMatMul(x, y, trans[0], trans[1])), nodes{x, y}
		})
	}
	// Transposed products of matrices are made by Grad only: the gradients of a product's gradients have all of them.
	add("MatMul with a transposed factor", func(b *enginetest.B) (*node, nodes) {
		x, w := b.Input("x", 4, 3), b.Input("w", 3, 2)
		cost := must(gorgonia.Sum(must(gorgonia.Square(must(gorgonia.Mul(x, w))))))
		grads, err := gorgonia.Grad(cost, x, w)
		require.NoError(b.T, err)
		return must(gorgonia.Add(must(gorgonia.Sum(must(gorgonia.Square(grads[0])))), must(gorgonia.Sum(must(gorgonia.Square(grads[1])))))), nil
	})
	dot := func(name string, aAxes, bAxes, a, c []int) {
		add("Tensordot "+name, two(func(x, y *node) (*node, error) { return gorgonia.Tensordot(aAxes, bAxes, x, y) }, a, c))
		all[len(all)-1].do = true
	}
	dot("one axis", []int{1}, []int{0}, []int{3, 4}, []int{4, 5})
	dot("first axes", []int{0}, []int{0}, []int{4, 3}, []int{4, 5})
	dot("middle axis", []int{1}, []int{2}, []int{2, 3, 4}, []int{5, 2, 3})
	return all
}

func shapeCases() (all []stockCase) {
	add := func(name string, build func(b *enginetest.B) (*node, nodes)) {
		all = append(all, stockCase{name: name, build: build})
	}
	one := func(name string, f func(x *node) (*node, error), dims ...int) {
		add(name, func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", dims...)
			return must(f(x)), nodes{x}
		})
	}
	forward := func(name string, f func(x *node) (*node, error), dims ...int) {
		add(name, func(b *enginetest.B) (*node, nodes) { return must(f(b.Input("x", dims...))), nil })
	}
	one("Reshape", func(x *node) (*node, error) { return gorgonia.Reshape(x, tensor.Shape{5, 6}) }, 2, 3, 5)
	one("Reshape to a column", func(x *node) (*node, error) { return gorgonia.Reshape(x, tensor.Shape{6, 1}) }, 2, 3)
	one("Ravel", gorgonia.Ravel, 2, 3, 2)
	one("Transpose", func(x *node) (*node, error) { return gorgonia.Transpose(x) }, 3, 5)
	for _, p := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		one(fmt.Sprintf("Transpose %v", p), func(x *node) (*node, error) { return gorgonia.Transpose(x, p...) }, 2, 3, 4)
	}
	one("Transpose to channels last", func(x *node) (*node, error) { return gorgonia.Transpose(x, 0, 2, 3, 1) }, 2, 3, 4, 5)
	for _, s := range []struct {
		dims []int
		by   []tensor.Slice
	}{
		{[]int{7}, []tensor.Slice{gorgonia.S(2, 5)}},
		{[]int{7}, []tensor.Slice{gorgonia.S(3)}},
		{[]int{7}, []tensor.Slice{gorgonia.S(1, 5, 2)}},
		{[]int{5, 4}, []tensor.Slice{gorgonia.S(1, 4)}},
		{[]int{5, 4}, []tensor.Slice{nil, gorgonia.S(1, 3)}},
		{[]int{5, 4}, []tensor.Slice{gorgonia.S(2), gorgonia.S(1, 3)}},
		{[]int{5, 4}, []tensor.Slice{gorgonia.S(0, 4, 2)}},
		{[]int{5, 6}, []tensor.Slice{nil, gorgonia.S(0, 6, 3)}},
		{[]int{2, 3, 4}, []tensor.Slice{nil, gorgonia.S(1), gorgonia.S(1, 3)}},
		{[]int{2, 3, 4}, []tensor.Slice{nil, nil, gorgonia.S(3)}},
		{[]int{2, 3, 4, 5}, []tensor.Slice{nil, gorgonia.S(0, 2), gorgonia.S(2), gorgonia.S(1, 4)}},
	} {
		one(fmt.Sprintf("Slice %v of %v", s.by, s.dims), func(x *node) (*node, error) { return gorgonia.Slice(x, s.by...) }, s.dims...)
	}
	for axis := range 3 {
		add(fmt.Sprintf("Concat axis %d", axis), func(b *enginetest.B) (*node, nodes) {
			var in nodes
			for i, n := range []int{2, 1, 3} {
				dims := []int{2, 3, 4}
				dims[axis] = n
				in = append(in, b.Input(fmt.Sprint("x", i), dims...))
			}
			return must(gorgonia.Concat(axis, in...)), in
		})
	}
	add("Concat of one", func(b *enginetest.B) (*node, nodes) {
		x := b.Input("x", 2, 3)
		return must(gorgonia.Exp(must(gorgonia.Concat(0, x)))), nodes{x}
	})
	type broadcast = func(a, b *node, left, right []byte) (*node, error)
	for _, f := range []named[broadcast]{{"BroadcastAdd", gorgonia.BroadcastAdd}, {"BroadcastSub", gorgonia.BroadcastSub},
		{"BroadcastHadamardProd", gorgonia.BroadcastHadamardProd}, {"BroadcastHadamardDiv", gorgonia.BroadcastHadamardDiv}} {
		for _, c := range []struct {
			a, b        []int
			left, right []byte
		}{
			{[]int{4, 5}, []int{5}, nil, []byte{0}},
			{[]int{4, 5}, []int{4}, nil, []byte{1}},
			{[]int{5}, []int{4, 5}, []byte{0}, nil},
			{[]int{4, 1}, []int{4, 5}, []byte{1}, nil},
			{[]int{2, 3, 4}, []int{2, 4}, nil, []byte{1}},
			{[]int{2, 3, 4, 5}, []int{3, 5}, nil, []byte{0, 2}},
			{[]int{2, 3, 4}, []int{1, 3, 1}, nil, []byte{0, 2}},
			{[]int{4, 1}, []int{1, 5}, []byte{1}, []byte{0}},
		} {
			add(fmt.Sprintf("%s %v %v", f.name, c.a, c.b), func(b *enginetest.B) (*node, nodes) {
				x, y := b.Positive("x", c.a...), b.Positive("y", c.b...)
				return must(f.f(x, y, c.left, c.right)), nodes{x, y}
			})
		}
	}
	forward("At", func(x *node) (*node, error) { return gorgonia.At(x, 1, 2) }, 2, 3)
	forward("At of 4 axes", func(x *node) (*node, error) { return gorgonia.At(x, 1, 2, 0, 3) }, 2, 3, 4, 5)
	forward("DiagFlat", gorgonia.DiagFlat, 5)
	forward("DiagFlat of a matrix", gorgonia.DiagFlat, 2, 3)
	forward("SizeOf", func(x *node) (*node, error) {
		return gorgonia.HadamardProd(must(gorgonia.SizeOf(1, x)), must(gorgonia.Sum(x)))
	}, 2, 3)
	for axis := range 3 {
		add(fmt.Sprintf("ByIndices axis %d", axis), func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", 3, 4, 5)
			return must(gorgonia.ByIndices(x, b.Labels("which", 7, 3), axis)), nodes{x}
		})
		all[len(all)-1].do = axis == 0 // wrong on the others
	}
	for _, dims := range [][]int{{7}, {3, 5}, {2, 3, 4}, {2, 3, 4, 5}} {
		for mask := 1; mask < 1<<len(dims); mask++ {
			var axes []int
			for axis := range dims {
				if mask>>axis&1 == 1 {
					axes = append(axes, axis)
				}
			}
			for _, f := range []named[func(*node, ...int) (*node, error)]{{"Sum", gorgonia.Sum}, {"Mean", gorgonia.Mean}, {"Max", gorgonia.Max}} {
				reduce := func(x *node) (*node, error) { return f.f(x, axes...) }
				if name := fmt.Sprintf("%s %v over %v", f.name, dims, axes); f.name == "Max" && len(axes) == len(dims) {
					forward(name, reduce, dims...) // the gradient does not build
				} else {
					one(name, reduce, dims...)
				}
			}
		}
	}
	one("Sum of a size of 1", func(x *node) (*node, error) { return gorgonia.Sum(x, 1) }, 3, 1, 2)
	one("Sum of axes out of order", func(x *node) (*node, error) { return gorgonia.Sum(x, 2, 0) }, 3, 4, 2)
	return all
}

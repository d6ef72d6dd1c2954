package graph_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/enginetest"
)

// stockCase is a graph of stock operations, built by Gorgonia's own functions.
type stockCase struct {
	name  string
	build func(b *enginetest.B) (y *gorgonia.Node, wrt gorgonia.Nodes) // y is differentiated if there is a wrt
	host  bool                                                         // it has an operation that is left to Gorgonia
	do    bool                                                         // compare with Do, which is right in this form, and not with a plain loop
	only  []tensor.Dtype                                               // element types, if not both
}

type (
	node  = gorgonia.Node
	nodes = gorgonia.Nodes
)

var must = gorgonia.Must

// named are functions by name.
type named[F any] struct {
	name string
	f    F
}

var unaryFns = []named[func(*node) (*node, error)]{
	{"Abs", gorgonia.Abs}, {"Sign", gorgonia.Sign}, {"Ceil", gorgonia.Ceil}, {"Floor", gorgonia.Floor}, {"Sin", gorgonia.Sin},
	{"Cos", gorgonia.Cos}, {"Exp", gorgonia.Exp}, {"Log", gorgonia.Log}, {"Log2", gorgonia.Log2}, {"Neg", gorgonia.Neg},
	{"Square", gorgonia.Square}, {"Sqrt", gorgonia.Sqrt}, {"Inverse", gorgonia.Inverse}, {"InverseSqrt", gorgonia.InverseSqrt},
	{"Cube", gorgonia.Cube}, {"Tanh", gorgonia.Tanh}, {"Sigmoid", gorgonia.Sigmoid}, {"Log1p", gorgonia.Log1p},
	{"Expm1", gorgonia.Expm1}, {"Softplus", gorgonia.Softplus},
}

// noUnaryGrad are the functions that Gorgonia does not differentiate.
var noUnaryGrad = []string{"Sign", "Ceil", "Floor"}

type binaryFn = func(a, b *node) (*node, error)

var arithmeticFns = []named[binaryFn]{{"Add", gorgonia.Add}, {"Sub", gorgonia.Sub}, {"HadamardProd", gorgonia.HadamardProd},
	{"HadamardDiv", gorgonia.HadamardDiv}, {"Pow", gorgonia.Pow}}

var comparisonFns = []named[func(a, b *node, retSame bool) (*node, error)]{{"Lt", gorgonia.Lt}, {"Gt", gorgonia.Gt},
	{"Lte", gorgonia.Lte}, {"Gte", gorgonia.Gte}, {"Eq", gorgonia.Eq}, {"Ne", gorgonia.Ne}}

// operands are two inputs in the four combinations of tensor and scalar. Some elements of the tensors are equal, for the
// comparisons.
func operands(b *enginetest.B, aScalar, bScalar bool) (x, y *node) {
	x, y = b.Filled("x", []float32{0.5, 1.25, 2, 0.75, 1, 1.5}, 2, 3), b.Filled("y", []float32{1.5, 1.25, 0.25, 3, 1, 0.5}, 2, 3)
	if aScalar {
		x = b.Scalar("a", 1.25)
	}
	if bScalar {
		y = b.Scalar("b", 1.25)
	}
	return x, y
}

func formName(aScalar, bScalar bool) string {
	return [2]string{"tensor", "scalar"}[truth(aScalar)] + " " + [2]string{"tensor", "scalar"}[truth(bScalar)]
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func elementwiseCases() (all []stockCase) {
	for _, u := range unaryFns {
		for _, scalar := range []bool{false, true} {
			all = append(all, stockCase{name: u.name + map[bool]string{true: " of a scalar", false: ""}[scalar], build: func(b *enginetest.B) (*node, nodes) {
				x := b.Positive("x", 3, 5)
				if scalar {
					x = b.Scalar("x", 0.625)
				}
				for _, no := range noUnaryGrad {
					if no == u.name {
						return must(u.f(x)), nil
					}
				}
				return must(u.f(x)), nodes{x}
			}, do: true})
		}
	}
	for _, form := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		for _, f := range arithmeticFns {
			all = append(all, stockCase{name: f.name + " " + formName(form[0], form[1]), build: func(b *enginetest.B) (*node, nodes) {
				x, y := operands(b, form[0], form[1])
				return must(f.f(x, y)), nodes{x, y}
			}})
		}
		for _, f := range comparisonFns {
			for _, same := range []bool{true, false} {
				all = append(all, stockCase{name: fmt.Sprintf("%s %s retSame %v", f.name, formName(form[0], form[1]), same),
					build: func(b *enginetest.B) (*node, nodes) {
						x, y := operands(b, form[0], form[1])
						return must(f.f(x, y, same)), nil
					}})
			}
		}
	}
	for _, f := range arithmeticFns[:4] {
		all = append(all, stockCase{name: f.name + " of ints", build: func(b *enginetest.B) (*node, nodes) {
			return must(f.f(b.Int("i", 42), b.Int("j", 5))), nil
		}})
	}
	add := func(name string, build func(b *enginetest.B) (*node, nodes)) {
		all = append(all, stockCase{name: name, build: build})
	}
	add("Add of vectors of ints", func(b *enginetest.B) (*node, nodes) {
		return must(gorgonia.Add(b.Labels("i", 7, 9), b.Labels("j", 7, 9))), nil
	})
	add("MinBetween", func(b *enginetest.B) (*node, nodes) {
		x, y := operands(b, false, false)
		return must(gorgonia.MinBetween(x, y)), nil
	})
	add("MaxBetween", func(b *enginetest.B) (*node, nodes) {
		x, y := operands(b, false, false)
		return must(gorgonia.MaxBetween(x, y)), nil
	})
	add("Rectify", func(b *enginetest.B) (*node, nodes) {
		x := b.Input("x", 3, 7)
		return must(gorgonia.Rectify(x)), nodes{x}
	})
	add("LeakyRelu", func(b *enginetest.B) (*node, nodes) {
		x := b.Input("x", 3, 7)
		return must(gorgonia.LeakyRelu(x, 0.2)), nodes{x}
	})
	add("Mish", func(b *enginetest.B) (*node, nodes) {
		x := b.Input("x", 3, 7)
		return must(gorgonia.Mish(x)), nodes{x}
	})
	add("BinaryXent", func(b *enginetest.B) (*node, nodes) {
		x := must(gorgonia.Sigmoid(b.Input("x", 3, 7)))
		return must(gorgonia.BinaryXent(x, b.Filled("y", []float32{1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1}, 3, 7))), nil
	})
	add("Norm", func(b *enginetest.B) (*node, nodes) {
		x := b.Positive("x", 3, 7)
		return must(gorgonia.Norm(x, 1, 3)), nodes{x}
	})
	add("identity", func(b *enginetest.B) (*node, nodes) {
		x := b.Input("x", 3, 7)
		return must(gorgonia.Exp(must(gorgonia.ApplyOp(gorgonia.Iop{}, x)))), nil
	})
	for _, to := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		add(fmt.Sprintf("ConvType to int and %v", to), func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", 3, 7)
			return must(gorgonia.ConvType(must(gorgonia.ConvType(x, b.Dt, tensor.Int)), tensor.Int, to)), nil
		})
	}
	return all
}

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

func imageCases() (all []stockCase) {
	add := func(name string, build func(b *enginetest.B) (*node, nodes)) {
		all = append(all, stockCase{name: name, build: build})
	}
	one := func(name string, f func(x *node) (*node, error), dims ...int) {
		add(name, func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", dims...)
			return must(f(x)), nodes{x}
		})
	}
	for _, c := range []struct {
		k                     tensor.Shape
		pad, stride, dilation []int
	}{
		{tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		{tensor.Shape{1, 1}, []int{0, 0}, []int{1, 1}, []int{1, 1}},
		{tensor.Shape{3, 2}, []int{0, 1}, []int{2, 1}, []int{1, 1}},
		{tensor.Shape{2, 3}, []int{2, 1}, []int{1, 2}, []int{2, 2}},
		{tensor.Shape{3, 3}, []int{0, 0}, []int{3, 3}, []int{1, 1}},
	} {
		name := fmt.Sprintf("%v pad %v stride %v dilation %v", c.k, c.pad, c.stride, c.dilation)
		one("Im2Col "+name, func(x *node) (*node, error) {
			return gorgonia.Im2Col(x, c.k, tensor.Shape(c.pad), tensor.Shape(c.stride), tensor.Shape(c.dilation))
		}, 2, 3, 7, 8)
		add("Conv2d "+name, func(b *enginetest.B) (*node, nodes) {
			x, w := b.Input("x", 2, 3, 7, 8), b.Input("w", 4, 3, c.k[0], c.k[1])
			return must(gorgonia.Conv2d(x, w, c.k, c.pad, c.stride, c.dilation)), nodes{x, w}
		})
	}
	add("Conv1d", func(b *enginetest.B) (*node, nodes) {
		x, w := b.Input("x", 2, 3, 1, 9), b.Input("w", 4, 3, 1, 3)
		return must(gorgonia.Conv1d(x, w, 3, 1, 2, 1)), nodes{x, w}
	})
	for _, p := range []struct {
		pad    []int
		stride []int
	}{{[]int{0, 0}, []int{2, 2}}, {[]int{1, 0}, []int{1, 2}}, {[]int{1, 1}, []int{2, 1}},
		{[]int{0, 1, 0, 1}, []int{2, 2}}, {[]int{1, 0, 1, 1}, []int{1, 2}}} {
		name := fmt.Sprintf("pad %v stride %v", p.pad, p.stride)
		one("MaxPool2D "+name, func(x *node) (*node, error) { return gorgonia.MaxPool2D(x, tensor.Shape{2, 3}, p.pad, p.stride) }, 2, 3, 7, 8)
		all[len(all)-1].do = true
		one("AveragePool2D "+name, func(x *node) (*node, error) {
			return gorgonia.AveragePool2D(x, tensor.Shape{2, 3}, p.pad, p.stride)
		}, 2, 3, 7, 8)
	}
	one("MaxPool1D", func(x *node) (*node, error) { return gorgonia.MaxPool1D(x, 3, 1, 2) }, 2, 3, 1, 9)
	one("AveragePool1D", func(x *node) (*node, error) { return gorgonia.AveragePool1D(x, 3, 1, 2) }, 2, 3, 1, 9)
	add("GlobalAveragePool2D", func(b *enginetest.B) (*node, nodes) { // Grad panics
		return must(gorgonia.GlobalAveragePool2D(b.Input("x", 2, 3, 5, 4))), nil
	})
	for scale := 1; scale <= 3; scale++ {
		one(fmt.Sprintf("Upsample2D by %d", scale), func(x *node) (*node, error) { return gorgonia.Upsample2D(x, scale) }, 2, 3, 3, 4)
	}
	return all
}

func normCases() (all []stockCase) {
	for _, c := range []struct{ x, scale []int }{{[]int{3, 4, 5, 2}, []int{1, 4, 1, 1}}, {[]int{7, 4}, []int{1, 4}}, {[]int{1, 4, 3, 3}, []int{1, 4, 1, 1}}} {
		all = append(all, stockCase{name: fmt.Sprintf("BatchNorm %v", c.x), build: func(b *enginetest.B) (*node, nodes) {
			x, gamma, beta := b.Input("x", c.x...), b.Positive("gamma", c.scale...), b.Input("beta", c.scale...)
			y, _, _, o, err := gorgonia.BatchNorm(x, gamma, beta, 0.3, 1e-3)
			require.NoError(b.T, err)
			mean, variance := o.Stats()
			for i, t := range []tensor.Tensor{mean, variance} {
				require.NoError(b.T, tensor.Copy(t, b.Positive(fmt.Sprint("statistics", i), 4).Value().(tensor.Tensor)))
			}
			return y, nodes{x, gamma, beta}
		}})
	}
	for _, groups := range []int{1, 2, 4} {
		all = append(all, stockCase{name: fmt.Sprintf("GroupNorm %d groups", groups), do: true, build: func(b *enginetest.B) (*node, nodes) {
			x, gamma, beta := b.Input("x", 3, 4, 5, 2), b.Positive("gamma", 1, 4, 1, 1), b.Input("beta", 1, 4, 1, 1)
			return must(gorgonia.GroupNorm(x, gamma, beta, groups, 4, 1e-3)), nodes{x, gamma, beta}
		}})
	}
	for _, f := range []named[func(x *node, axes ...int) (*node, error)]{{"SoftMax", gorgonia.SoftMax}, {"LogSoftMax", gorgonia.LogSoftMax}} {
		for _, dims := range [][]int{{5}, {3, 5}, {5, 1}, {1, 5}, {2, 3, 4}, {2, 3, 4, 5}} {
			for axis := -1; axis < len(dims); axis++ {
				for _, large := range []bool{false, true} {
					// The gradient of a column goes along the last axis, the result along the first.
					column := len(dims) == 2 && dims[1] == 1 && axis < 0
					all = append(all, stockCase{name: fmt.Sprintf("%s %v axis %d large %v", f.name, dims, axis, large), do: !large && !column,
						build: func(b *enginetest.B) (*node, nodes) {
							in := b.Input("x", dims...)
							x := in
							if large {
								x = must(gorgonia.HadamardProd(x, gorgonia.NewConstant(map[tensor.Dtype]any{tensor.Float32: float32(300), tensor.Float64: 3000.0}[b.Dt])))
							}
							if axis < 0 {
								return must(f.f(x)), nodes{in}
							}
							return must(f.f(x, axis)), nodes{in}
						}})
				}
			}
		}
	}
	for _, rate := range []float64{0, 0.25, 0.5} {
		all = append(all, stockCase{name: fmt.Sprintf("Dropout %v", rate), build: func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", 5, 7)
			return must(gorgonia.Dropout(x, rate)), nodes{x}
		}})
	}
	return all
}

// hostCases are operations that Gorgonia computes.
func hostCases() []stockCase {
	return []stockCase{
		{name: "Sparsemax", host: true, build: func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", 3, 5)
			return must(gorgonia.Sparsemax(x)), nodes{x}
		}},
		{name: "CTCLoss", host: true, build: func(b *enginetest.B) (*node, nodes) {
			ints := func(name string, shape []int, x ...int) *node {
				return gorgonia.NewTensor(b.G, tensor.Int, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
					gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))))
			}
			x := b.Input("x", 4, 2, 3)
			logits := must(gorgonia.LogSoftMax(x))
			y := must(gorgonia.CTCLoss(logits, ints("targets", []int{2, 2}, 1, 2, 2, 1), ints("lengths", []int{2}, 4, 4),
				ints("target lengths", []int{2}, 2, 2), gorgonia.ReductionMean))
			return y, nil
		}},
		{name: "YOLOv3", host: true, only: []tensor.Dtype{tensor.Float32}, build: func(b *enginetest.B) (*node, nodes) {
			x := b.Input("x", 1, 14, 3, 3)
			return must(gorgonia.YOLOv3(x, []float32{10, 13, 16, 30}, []int{0, 1}, 96, 2, 0.7)), nil
		}},
	}
}

func randomCases() []stockCase {
	var all []stockCase
	for _, f := range []named[func(*gorgonia.ExprGraph, tensor.Dtype, float64, float64, ...int) *node]{
		{"UniformRandomNode", gorgonia.UniformRandomNode}, {"GaussianRandomNode", gorgonia.GaussianRandomNode}, {"BinomialRandomNode", gorgonia.BinomialRandomNode}} {
		all = append(all, stockCase{name: f.name, build: func(b *enginetest.B) (*node, nodes) {
			return must(gorgonia.HadamardProd(b.Input("x", 3, 5), f.f(b.G, b.Dt, 3, 0.5, 3, 5))), nil
		}})
	}
	return all
}

func stockCases() []stockCase {
	var all []stockCase
	for _, cases := range [][]stockCase{elementwiseCases(), linAlgCases(), shapeCases(), imageCases(), normCases(), hostCases(), randomCases()} {
		all = append(all, cases...)
	}
	return all
}

package graph_test

import (
	"fmt"

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

func stockCases() []stockCase {
	var all []stockCase
	for _, cases := range [][]stockCase{elementwiseCases(), linAlgCases(), shapeCases(), imageCases(), normCases(), hostCases(), randomCases()} {
		all = append(all, cases...)
	}
	return all
}

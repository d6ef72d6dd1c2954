package graph_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/enginetest"
)

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

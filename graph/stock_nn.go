package graph

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Images are (n, c, h, w) in stock Gorgonia.

func im2col(a attributes) ir.Im2Col {
	return ir.Im2Col{Kernel: a.pair("h", "w"), Pad: a.pair("padH", "padW"), Stride: a.pair("strideH", "strideW"),
		Dilation: a.pair("dilationH", "dilationW")}
}

func lowerIm2Col(l *lowering, a attributes) *Value {
	o := im2col(a)
	return l.emit(&o, l.in[0])
}

func lowerCol2Im(l *lowering, a attributes) *Value {
	return l.emit(&ir.Col2Im{Im2Col: im2col(a), InputShape: tensor.Shape{a.int("unpaddedB"), a.int("unpaddedC"), a.int("unpaddedH"), a.int("unpaddedW")}},
		l.in[0])
}

func pooling(a attributes) op.PoolAttrs {
	return op.PoolAttrs{Pool: a.pair("h", "w"), Strides: a.pair("strideH", "strideW"), Format: shape.NCHW,
		Padding: shape.Padding{Mode: shape.Explicit, Top: a.int("padNorth"), Bottom: a.int("padSouth"), Left: a.int("padWest"), Right: a.int("padEast")}}
}

// maxPooling is pooling as stock maxima have it. Padding given as four numbers pads at the bottom with what it calls north and at
// the top with what it calls south, and so with west and east: programs such as Gorgonia's example of YOLO v2 chose their numbers
// by what came out.
func maxPooling(a attributes) op.PoolAttrs {
	o := pooling(a)
	if a.bool("explicitPadding") {
		o.Padding.Top, o.Padding.Bottom = o.Padding.Bottom, o.Padding.Top
		o.Padding.Left, o.Padding.Right = o.Padding.Right, o.Padding.Left
	}
	return o
}

func lowerMaxPool(l *lowering, a attributes) *Value {
	return l.emit(&op.MaxPool2D{PoolAttrs: maxPooling(a)}, l.in[0])
}

// lowerMaxPoolGrad takes x, y, dy.
func lowerMaxPoolGrad(l *lowering, a attributes) *Value {
	return l.emit(&op.MaxPool2DGrad{PoolAttrs: maxPooling(a)}, l.in...)
}

func lowerAvgPool(l *lowering, a attributes) *Value {
	return l.emit(&op.AvgPool2D{PoolAttrs: pooling(a)}, l.in[0])
}

// lowerAvgPoolGrad takes x, y, dy.
func lowerAvgPoolGrad(l *lowering, a attributes) *Value {
	return l.emit(&op.AvgPool2DGrad{PoolAttrs: pooling(a), InputShape: l.in[0].Shape.Clone()}, l.in[2])
}

func lowerGlobalAvgPool(l *lowering, _ attributes) *Value {
	return l.reshape(l.emit(&op.GlobalAvgPool2D{Format: shape.NCHW}, l.in[0]), l.out.Shape...)
}

func lowerUpsample(l *lowering, a attributes) *Value {
	return l.emit(&ir.Upsample{Scale: a.int("stride") + 1}, l.in[0])
}

// lowerUpsampleGrad takes x, y, dy.
func lowerUpsampleGrad(l *lowering, a attributes) *Value {
	return l.emit(&ir.UpsampleGrad{Scale: a.int("stride") + 1}, l.in[2])
}

// softmaxAxis is the axis that stock Gorgonia's SoftMax normalises: the one that was named, else the last; the first of
// a vector or a column.
func softmaxAxis(s tensor.Shape, a attributes) int {
	axis := len(s) - 1
	if s.IsColVec() || s.IsVector() && !s.IsRowVec() {
		axis = 0
	}
	if k := a.int("axis"); k != -1 {
		axis = k
	}
	return axis
}

// asRows brings an axis of v last and makes a matrix of it; fromRows is the way back.
func (l *lowering) asRows(v *Value, axis int) *Value {
	if v == nil || axis < 0 || axis >= len(v.Shape) {
		return nil
	}
	n := v.Shape[axis]
	return l.reshape(l.permute(v, toLast(len(v.Shape), axis)...), v.Len()/max(n, 1), n)
}

func (l *lowering) fromRows(v *Value, s tensor.Shape, axis int) *Value {
	if v == nil {
		return nil
	}
	axes := toLast(len(s), axis)
	permuted, back := make([]int, len(s)), make([]int, len(s))
	for i, a := range axes {
		permuted[i], back[a] = s[a], i
	}
	return l.permute(l.reshape(v, permuted...), back...)
}

// toLast is the permutation of n axes that brings one behind the others.
func toLast(n, axis int) []int {
	var axes []int
	for i := range n {
		if i != axis {
			axes = append(axes, i)
		}
	}
	return append(axes, axis)
}

func lowerSoftmax(l *lowering, a attributes) *Value {
	x := l.in[0]
	if !isFloat(x.Dtype) || len(x.Shape) == 0 {
		return nil
	}
	axis := softmaxAxis(x.Shape, a)
	var instr Instr = &op.Softmax{}
	if a.bool("isLog") {
		instr = &op.LogSoftmax{}
	}
	return l.fromRows(l.emit(instr, l.asRows(x, axis)), x.Shape, axis)
}

// lowerSoftmaxGrad takes x, y, dy.
func lowerSoftmaxGrad(l *lowering, a attributes) *Value {
	y := l.in[1]
	if !isFloat(y.Dtype) || len(y.Shape) == 0 {
		return nil
	}
	axis := softmaxAxis(y.Shape, a)
	var instr Instr = &op.SoftmaxGrad{}
	if a.bool("isLog") {
		instr = &op.LogSoftmaxGrad{}
	}
	return l.fromRows(l.emit(instr, l.asRows(y, axis), l.asRows(l.in[2], axis)), y.Shape, axis)
}

package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Im2Col lays the patches of images out as rows, channels outermost: column c·KH·KW + kh·KW + kw. Padding is zeros on
// both sides. In: x (n, c, h, w); out: y (n, oh, ow, c·KH·KW). Stock Gorgonia: im2colOp.
type Im2Col struct{ Kernel, Pad, Stride, Dilation [2]int }

// Kind is "Im2Col".
func (o *Im2Col) Kind() string { return "Im2Col" }
func (o *Im2Col) String() string {
	return fmt.Sprintf("Im2Col(kernel %v, pad %v, stride %v, dilation %v)", o.Kernel, o.Pad, o.Stride, o.Dilation)
}

// Spans returns the geometry of the window in height and width over images of shape x (n, c, h, w).
func (o *Im2Col) Spans(x tensor.Shape) (h, w shape.Span, err error) {
	return o.spans(o.Kind(), []tensor.Shape{x}, x)
}

func (o *Im2Col) spans(kind string, in []tensor.Shape, x tensor.Shape) (h, w shape.Span, err error) {
	if err := firstOf(wantFull(kind, in, x), wantDims(kind, in, x, 4, "images")); err != nil {
		return h, w, err
	}
	var s [2]shape.Span
	for i := range s {
		if s[i], err = shape.Along(x[2+i], o.Kernel[i], o.Stride[i], o.Dilation[i], shape.Explicit, o.Pad[i], o.Pad[i]); err != nil {
			return h, w, &shape.Error{Op: kind, Axis: 2 + i, Wanted: "a window that fits the images", Got: err.Error(), Shapes: in,
				Remedy: "check Kernel, Pad, Stride and Dilation"}
		}
	}
	return s[0], s[1], nil
}

// columns is the shape of the patches of images of shape x.
func columns(x tensor.Shape, h, w shape.Span) tensor.Shape {
	return tensor.Shape{x[0], h.Out, w.Out, x[1] * h.Kernel * w.Kernel}
}

// Infer returns (n, oh, ow, c·KH·KW).
func (o *Im2Col) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	h, w, err := o.spans(o.Kind(), in, in[0])
	if err != nil {
		return nil, err
	}
	return columns(in[0], h, w), nil
}

// Compute computes y with plain loops.
func (o *Im2Col) Compute(out, in []op.Array) error {
	from, err := o.locate(in[0].Shape)
	if err != nil {
		return err
	}
	return take(out[0], in[0], from)
}

// locate returns the map from the elements of the patches to those of images of shape x; −1 is padding.
func (o *Im2Col) locate(x tensor.Shape) (func(int) int, error) {
	h, w, err := o.Spans(x)
	if err != nil {
		return nil, err
	}
	width := x[1] * h.Kernel * w.Kernel
	return func(i int) int {
		patch, col := i/width, i%width
		c, kh, kw := col/(h.Kernel*w.Kernel), col/w.Kernel%h.Kernel, col%w.Kernel
		n, oh, ow := patch/(h.Out*w.Out), patch/w.Out%h.Out, patch%w.Out
		row, column := oh*h.Stride-h.Before+kh*h.Dilation, ow*w.Stride-w.Before+kw*w.Dilation
		if row < 0 || row >= h.In || column < 0 || column >= w.In {
			return -1
		}
		return ((n*x[1]+c)*h.In+row)*w.In + column
	}, nil
}

// Col2Im adds patches up to images of InputShape (n, c, h, w): the gradient of Im2Col. In: dy; out: dx. Stock Gorgonia:
// col2imOp.
type Col2Im struct {
	Im2Col
	InputShape tensor.Shape
}

// Kind is "Col2Im".
func (o *Col2Im) Kind() string { return "Col2Im" }
func (o *Col2Im) String() string {
	return fmt.Sprintf("Col2Im(%v, input %s)", &o.Im2Col, shape.Format(o.InputShape))
}

// Infer returns InputShape.
func (o *Col2Im) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	h, w, err := o.spans(o.Kind(), in, o.InputShape)
	if err != nil {
		return nil, err
	}
	return o.InputShape.Clone(), wantShape(o.Kind(), in, in[0], columns(o.InputShape, h, w), "patches")
}

// Compute computes dx with plain loops.
func (o *Col2Im) Compute(out, in []op.Array) error {
	to, err := o.locate(o.InputShape)
	if err != nil {
		return err
	}
	return put(out[0], in[0], to)
}

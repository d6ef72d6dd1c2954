package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv2DBackwardInput is the gradient of [Conv2D] with respect to its input: the transposed convolution. Inputs: dy of
// the shape of Conv2D's result, w (kh,kw,C/groups,F). Result: dx of shape InputShape, the shape of Conv2D's x. That
// shape is an attribute because a stride greater than 1 leaves it ambiguous.
type Conv2DBackwardInput struct {
	salted
	ConvAttrs
	InputShape tensor.Shape // (N,H,W,C) or (N,C,H,W)
}

func (o *Conv2DBackwardInput) Kind() string { return "Conv2DBackwardInput" }
func (o *Conv2DBackwardInput) String() string {
	return fmt.Sprintf("Conv2DBackwardInput(%v, input %s)", o.ConvAttrs, shape.Format(o.InputShape))
}
func (o *Conv2DBackwardInput) Arity() int            { return 2 }
func (o *Conv2DBackwardInput) Type() hm.Type         { return sameType(2) }
func (o *Conv2DBackwardInput) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Conv2DBackwardInput) Hashcode() uint32      { return hashcode(o) }
func (o *Conv2DBackwardInput) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Conv2DBackwardInput) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Conv2DBackwardInput) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns InputShape.
func (o *Conv2DBackwardInput) Infer(in []tensor.Shape) (tensor.Shape, error) {
	g, err := o.geometry(o.InputShape, in[1])
	if err != nil {
		return nil, fillFrom(err, o.Kind(), "InputShape", o.InputShape, in)
	}
	return o.InputShape.Clone(), wantShape(o, in, 0, g.Output(), "dy",
		"give InputShape "+shape.Format(o.InputShape)+" and the other attributes of the forward convolution")
}

// SymDiff returns the derivatives of dx with respect to dy and w; d has the shape of dx.
func (o *Conv2DBackwardInput) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	dy, w := in[0], in[1]
	ddy, err := Apply(&Conv2D{ConvAttrs: o.ConvAttrs}, d, w)
	if err != nil {
		return nil, err
	}
	dw, err := Apply(&Conv2DBackwardFilter{ConvAttrs: o.ConvAttrs, FilterShape: w.Shape()}, d, dy)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{ddy, dw}, nil
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *Conv2DBackwardInput) Reference(out Array, in []Array) error {
	g, err := o.Geometry(o.InputShape, in[1].Shape)
	if err != nil {
		return err
	}
	dx := make([]float64, Len(out.Shape))
	convBackwardInput(g, dx, wideImages(in[0], g.Format), wide(in[1]))
	storeImages(out, g.Format, dx)
	return nil
}

// Conv2DBackwardFilter is the gradient of [Conv2D] with respect to its kernel. Inputs: x, dy of the shape of Conv2D's
// result. Result: dw of shape FilterShape, (kh,kw,C/groups,F).
type Conv2DBackwardFilter struct {
	salted
	ConvAttrs
	FilterShape tensor.Shape // (kh,kw,C/groups,F)
}

func (o *Conv2DBackwardFilter) Kind() string { return "Conv2DBackwardFilter" }
func (o *Conv2DBackwardFilter) String() string {
	return fmt.Sprintf("Conv2DBackwardFilter(%v, filter %s)", o.ConvAttrs, shape.Format(o.FilterShape))
}
func (o *Conv2DBackwardFilter) Arity() int            { return 2 }
func (o *Conv2DBackwardFilter) Type() hm.Type         { return sameType(2) }
func (o *Conv2DBackwardFilter) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Conv2DBackwardFilter) Hashcode() uint32      { return hashcode(o) }
func (o *Conv2DBackwardFilter) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Conv2DBackwardFilter) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Conv2DBackwardFilter) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns FilterShape.
func (o *Conv2DBackwardFilter) Infer(in []tensor.Shape) (tensor.Shape, error) {
	g, err := o.geometry(in[0], o.FilterShape)
	if err != nil {
		return nil, fillFrom(err, o.Kind(), "FilterShape", o.FilterShape, in)
	}
	return o.FilterShape.Clone(), wantShape(o, in, 1, g.Output(), "dy",
		"give FilterShape "+shape.Format(o.FilterShape)+" and the other attributes of the forward convolution")
}

// SymDiff returns the derivatives of dw with respect to x and dy; d has the shape of dw.
func (o *Conv2DBackwardFilter) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	x, dy := in[0], in[1]
	dx, err := Apply(&Conv2DBackwardInput{ConvAttrs: o.ConvAttrs, InputShape: x.Shape()}, dy, d)
	if err != nil {
		return nil, err
	}
	ddy, err := Apply(&Conv2D{ConvAttrs: o.ConvAttrs}, x, d)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dx, ddy}, nil
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *Conv2DBackwardFilter) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape, o.FilterShape)
	if err != nil {
		return err
	}
	dw := make([]float64, Len(out.Shape))
	convBackwardFilter(g, dw, wideImages(in[0], g.Format), wideImages(in[1], g.Format))
	store(out, dw)
	return nil
}

package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// MaxPool2DGrad is the gradient of [MaxPool2D]. Inputs: its x, its result y, and dy of the shape of y. Result: dx of the
// shape of x, which adds each element of dy to the first maximum of its window in row-major order; a NaN counts as
// maximum. TensorFlow on the CPU and PyTorch choose the same one of several equal maxima.
type MaxPool2DGrad struct {
	salted
	PoolAttrs
}

func (o *MaxPool2DGrad) Kind() string          { return "MaxPool2DGrad" }
func (o *MaxPool2DGrad) String() string        { return "MaxPool2DGrad(" + o.PoolAttrs.String() + ")" }
func (o *MaxPool2DGrad) Arity() int            { return 3 }
func (o *MaxPool2DGrad) Type() hm.Type         { return sameType(3) }
func (o *MaxPool2DGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MaxPool2DGrad) Hashcode() uint32      { return hashcode(o) }
func (o *MaxPool2DGrad) DiffWRT(int) []bool    { return []bool{false, false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *MaxPool2DGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MaxPool2DGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of x.
func (o *MaxPool2DGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := o.check(o, in); err != nil {
		return nil, err
	}
	return in[0].Clone(), nil
}

// check compares inputs 1 and 2 with the shape that pooling input 0 gives.
func (a PoolAttrs) check(o Op, in []tensor.Shape) error {
	y, err := inferPool(o, a, in)
	if err != nil {
		return err
	}
	const remedy = "give the attributes of the forward pooling"
	if err := wantShape(o, in, 1, y, "y", remedy); err != nil {
		return err
	}
	return wantShape(o, in, 2, y, "input 2", remedy)
}

// SymDiff is the second derivative: dx is linear in dy, and does not change with x while the maxima stay where they are.
func (o *MaxPool2DGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&MaxPool2DGather{PoolAttrs: o.PoolAttrs}, in[0], in[1], d)
	return gorgonia.Nodes{nil, nil, g}, err
}

// Reference computes the operation with plain loops; it finds the maxima again from x and does not look at y.
func (o *MaxPool2DGrad) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape)
	if err != nil {
		return err
	}
	dx, dy := make([]float64, Len(out.Shape)), wideImages(in[2], g.Format)
	for i, at := range maxPositions(g, wideImages(in[0], g.Format)) {
		dx[at] += dy[i]
	}
	storeImages(out, g.Format, dx)
	return nil
}

// MaxPool2DGather takes from v, of the shape of x, the elements at the places where [MaxPool2D] finds its maxima in x:
// the derivative of [MaxPool2DGrad], needed for second derivatives only. Inputs: x, y, v. Result: the shape of y.
type MaxPool2DGather struct {
	salted
	PoolAttrs
}

func (o *MaxPool2DGather) Kind() string          { return "MaxPool2DGather" }
func (o *MaxPool2DGather) String() string        { return "MaxPool2DGather(" + o.PoolAttrs.String() + ")" }
func (o *MaxPool2DGather) Arity() int            { return 3 }
func (o *MaxPool2DGather) Type() hm.Type         { return sameType(3) }
func (o *MaxPool2DGather) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MaxPool2DGather) Hashcode() uint32      { return hashcode(o) }
func (o *MaxPool2DGather) DiffWRT(int) []bool    { return []bool{false, false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *MaxPool2DGather) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MaxPool2DGather) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of y.
func (o *MaxPool2DGather) Infer(in []tensor.Shape) (tensor.Shape, error) {
	y, err := inferPool(o, o.PoolAttrs, in)
	if err != nil {
		return nil, err
	}
	if err := wantShape(o, in, 1, y, "y", "give the attributes of the forward pooling"); err != nil {
		return nil, err
	}
	return y, wantSame(o, in, 0, 2)
}

// SymDiff returns the gradient with respect to v.
func (o *MaxPool2DGather) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&MaxPool2DGrad{PoolAttrs: o.PoolAttrs}, in[0], in[1], d)
	return gorgonia.Nodes{nil, nil, g}, err
}

// Reference computes the operation with plain loops.
func (o *MaxPool2DGather) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape)
	if err != nil {
		return err
	}
	y, v := make([]float64, Len(out.Shape)), wideImages(in[2], g.Format)
	for i, at := range maxPositions(g, wideImages(in[0], g.Format)) {
		y[i] = v[at]
	}
	storeImages(out, g.Format, y)
	return nil
}

// AvgPool2DGrad is the gradient of [AvgPool2D]. Input: dy of the shape of AvgPool2D's result. Result: dx of shape
// InputShape, the shape of AvgPool2D's x, where each element of dy is shared equally among the elements of its window
// that lie inside the image.
type AvgPool2DGrad struct {
	salted
	PoolAttrs
	InputShape tensor.Shape // (N,H,W,C) or (N,C,H,W)
}

func (o *AvgPool2DGrad) Kind() string { return "AvgPool2DGrad" }
func (o *AvgPool2DGrad) String() string {
	return fmt.Sprintf("AvgPool2DGrad(%v, input %s)", o.PoolAttrs, shape.Format(o.InputShape))
}
func (o *AvgPool2DGrad) Arity() int            { return 1 }
func (o *AvgPool2DGrad) Type() hm.Type         { return sameType(1) }
func (o *AvgPool2DGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AvgPool2DGrad) Hashcode() uint32      { return hashcode(o) }
func (o *AvgPool2DGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *AvgPool2DGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AvgPool2DGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns InputShape.
func (o *AvgPool2DGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	g, err := o.geometry(o.InputShape)
	if err != nil {
		return nil, fillFrom(err, o.Kind(), "InputShape", o.InputShape, in)
	}
	return o.InputShape.Clone(), wantShape(o, in, 0, g.Output(), "dy",
		"give InputShape "+shape.Format(o.InputShape)+" and the other attributes of the forward pooling")
}

// SymDiff is the second derivative: dx is linear in dy.
func (o *AvgPool2DGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&AvgPool2D{PoolAttrs: o.PoolAttrs}, d))
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *AvgPool2DGrad) Reference(out Array, in []Array) error {
	g, err := o.Geometry(o.InputShape)
	if err != nil {
		return err
	}
	dx, dy := make([]float64, Len(out.Shape)), wideImages(in[0], g.Format)
	eachWindow(g, func(outPos int, inside []int) {
		share := 1 / float64(len(inside))
		for _, inPos := range inside {
			for c := range g.C {
				dx[inPos*g.C+c] += dy[outPos*g.C+c] * share
			}
		}
	})
	storeImages(out, g.Format, dx)
	return nil
}

package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// GlobalAvgPool2D averages every channel over all rows and columns: Keras's GlobalAveragePooling2D. Input: x (N,H,W,C),
// or (N,C,H,W) in Format NCHW. Result: (N,C).
type GlobalAvgPool2D struct {
	salted
	Format shape.Layout
}

func (o *GlobalAvgPool2D) Kind() string          { return "GlobalAvgPool2D" }
func (o *GlobalAvgPool2D) String() string        { return fmt.Sprintf("GlobalAvgPool2D(%v)", o.Format) }
func (o *GlobalAvgPool2D) Arity() int            { return 1 }
func (o *GlobalAvgPool2D) Type() hm.Type         { return signature(tensorType(4), tensorType(2)) }
func (o *GlobalAvgPool2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *GlobalAvgPool2D) Hashcode() uint32      { return hashcode(o) }
func (o *GlobalAvgPool2D) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *GlobalAvgPool2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *GlobalAvgPool2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns (N,C).
func (o *GlobalAvgPool2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	n, _, _, c, err := images(in[0], o.Format, "an input")
	if err != nil {
		return nil, fill(err, o.Kind(), in...)
	}
	return tensor.Shape{n, c}, nil
}

// SymDiff returns GlobalAvgPool2DGrad(dy).
func (o *GlobalAvgPool2D) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&GlobalAvgPool2DGrad{Format: o.Format, InputShape: in[0].Shape()}, dy))
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *GlobalAvgPool2D) Reference(out Array, in []Array) error {
	n, h, w, c, err := images(in[0].Shape, o.Format, "an input")
	if err != nil {
		return fill(err, o.Kind(), in[0].Shape)
	}
	x, y := wideImages(in[0], o.Format), make([]float64, n*c)
	for b := range n {
		mean := y[b*c:][:c]
		for p := range h * w {
			for ch, v := range x[(b*h*w+p)*c:][:c] {
				mean[ch] += v
			}
		}
		for ch := range mean {
			mean[ch] /= float64(h * w)
		}
	}
	store(out, y)
	return nil
}

// GlobalAvgPool2DGrad is the gradient of [GlobalAvgPool2D]. Input: dy (N,C). Result: dx of shape InputShape, every
// element dy/(H·W).
type GlobalAvgPool2DGrad struct {
	salted
	Format     shape.Layout
	InputShape tensor.Shape // (N,H,W,C) or (N,C,H,W)
}

func (o *GlobalAvgPool2DGrad) Kind() string { return "GlobalAvgPool2DGrad" }
func (o *GlobalAvgPool2DGrad) String() string {
	return fmt.Sprintf("GlobalAvgPool2DGrad(%v, input %s)", o.Format, shape.Format(o.InputShape))
}
func (o *GlobalAvgPool2DGrad) Arity() int            { return 1 }
func (o *GlobalAvgPool2DGrad) Type() hm.Type         { return signature(tensorType(2), tensorType(4)) }
func (o *GlobalAvgPool2DGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *GlobalAvgPool2DGrad) Hashcode() uint32      { return hashcode(o) }
func (o *GlobalAvgPool2DGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *GlobalAvgPool2DGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *GlobalAvgPool2DGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns InputShape.
func (o *GlobalAvgPool2DGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	n, _, _, c, err := images(o.InputShape, o.Format, "InputShape")
	if err != nil {
		return nil, fillFrom(err, o.Kind(), "InputShape", o.InputShape, in)
	}
	return o.InputShape.Clone(), wantShape(o, in, 0, tensor.Shape{n, c}, "dy",
		"give InputShape "+shape.Format(o.InputShape)+" and Format of the forward pooling")
}

// SymDiff is the second derivative: dx is linear in dy.
func (o *GlobalAvgPool2DGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&GlobalAvgPool2D{Format: o.Format}, d))
}

// Reference computes the operation with plain loops.
func (o *GlobalAvgPool2DGrad) Reference(out Array, in []Array) error {
	n, h, w, c, err := images(o.InputShape, o.Format, "InputShape")
	if err != nil {
		return fill(err, o.Kind(), in[0].Shape)
	}
	dy, dx := wide(in[0]), make([]float64, Len(out.Shape))
	for b := range n {
		for p := range h * w {
			for ch, d := range dy[b*c:][:c] {
				dx[(b*h*w+p)*c+ch] = d / float64(h*w)
			}
		}
	}
	storeImages(out, o.Format, dx)
	return nil
}

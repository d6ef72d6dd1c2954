package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// ZeroPad2D surrounds images with zeros: Keras's ZeroPadding2D. Input: x (N,H,W,C), or (N,C,H,W) in Format NCHW. Result:
// the same layout with Top+H+Bottom rows and Left+W+Right columns. Widths are in elements and must not be negative.
type ZeroPad2D struct {
	salted
	Top, Bottom, Left, Right int
	Format                   shape.Layout
}

func (o *ZeroPad2D) Kind() string          { return "ZeroPad2D" }
func (o *ZeroPad2D) String() string        { return "ZeroPad2D(" + o.border().String() + ")" }
func (o *ZeroPad2D) Arity() int            { return 1 }
func (o *ZeroPad2D) Type() hm.Type         { return sameType(1) }
func (o *ZeroPad2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *ZeroPad2D) Hashcode() uint32      { return hashcode(o) }
func (o *ZeroPad2D) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *ZeroPad2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *ZeroPad2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

func (o *ZeroPad2D) border() border { return border{o.Top, o.Bottom, o.Left, o.Right, o.Format} }

// Infer returns the shape of the padded images.
func (o *ZeroPad2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.border().infer(o, in, 1)
}

// SymDiff returns Crop2D(dy).
func (o *ZeroPad2D) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&Crop2D{Top: o.Top, Bottom: o.Bottom, Left: o.Left, Right: o.Right, Format: o.Format}, dy))
}

// Reference computes the operation with plain loops.
func (o *ZeroPad2D) Reference(out Array, in []Array) error {
	y := make([]float64, Len(out.Shape))
	x := wide(in[0])
	o.border().eachRun(out.Shape, in[0].Shape, func(large, small, run int) {
		copy(y[large:][:run], x[small:][:run])
	})
	store(out, y)
	return nil
}

// Crop2D cuts a border off images: Keras's Cropping2D, and the gradient of [ZeroPad2D]. Input: x (N,H,W,C), or (N,C,H,W)
// in Format NCHW. Result: the same layout with H−Top−Bottom rows and W−Left−Right columns, at least one of each.
type Crop2D struct {
	salted
	Top, Bottom, Left, Right int
	Format                   shape.Layout
}

func (o *Crop2D) Kind() string          { return "Crop2D" }
func (o *Crop2D) String() string        { return "Crop2D(" + o.border().String() + ")" }
func (o *Crop2D) Arity() int            { return 1 }
func (o *Crop2D) Type() hm.Type         { return sameType(1) }
func (o *Crop2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Crop2D) Hashcode() uint32      { return hashcode(o) }
func (o *Crop2D) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Crop2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Crop2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) { return inferShape(o, ds) }

func (o *Crop2D) border() border { return border{o.Top, o.Bottom, o.Left, o.Right, o.Format} }

// Infer returns the shape of the cropped images.
func (o *Crop2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.border().infer(o, in, -1)
}

// SymDiff returns ZeroPad2D(dy).
func (o *Crop2D) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&ZeroPad2D{Top: o.Top, Bottom: o.Bottom, Left: o.Left, Right: o.Right, Format: o.Format}, dy))
}

// Reference computes the operation with plain loops.
func (o *Crop2D) Reference(out Array, in []Array) error {
	y := make([]float64, Len(out.Shape))
	x := wide(in[0])
	o.border().eachRun(in[0].Shape, out.Shape, func(large, small, run int) {
		copy(y[small:][:run], x[large:][:run])
	})
	store(out, y)
	return nil
}

// border is what ZeroPad2D adds and Crop2D takes away.
type border struct {
	top, bottom, left, right int
	format                   shape.Layout
}

func (b border) String() string {
	return fmt.Sprintf("%d,%d,%d,%d, %v", b.top, b.bottom, b.left, b.right, b.format)
}

// infer adds sign times the border to the shape of input 0.
func (b border) infer(o Op, in []tensor.Shape, sign int) (tensor.Shape, error) {
	n, h, w, c, err := images(in[0], b.format, "an input")
	if err != nil {
		return nil, fill(err, o.Kind(), in...)
	}
	for _, v := range []int{b.top, b.bottom, b.left, b.right} {
		if v < 0 || v > maxWindow {
			return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("widths from 0 to %d", maxWindow),
				Got: fmt.Sprint(v), Shapes: in, Remedy: "to go the other way, swap ZeroPad2D and Crop2D"}
		}
	}
	ha, wa, _ := b.format.Axes()
	oh, ow := h+sign*(b.top+b.bottom), w+sign*(b.left+b.right)
	for i, d := range []int{oh, ow} {
		if d < 1 {
			return nil, &shape.Error{Op: o.Kind(), Axis: []int{ha, wa}[i], Wanted: fmt.Sprintf("more than %d elements to crop", []int{h - oh, w - ow}[i]),
				Got: fmt.Sprint([]int{h, w}[i]), Shapes: in, Remedy: "crop less"}
		}
	}
	return imageShape(b.format, n, oh, ow, c), nil
}

// eachRun calls visit with the offsets, in the larger and in the smaller image batch, of every contiguous run of
// elements that both have.
func (b border) eachRun(large, small tensor.Shape, visit func(largeAt, smallAt, run int)) {
	ha, wa, _ := b.format.Axes()
	planes, inner := small[0], small[3] // NHWC: a pixel's channels are contiguous
	if b.format == shape.NCHW {
		planes, inner = small[0]*small[1], 1
	}
	run := small[wa] * inner
	for p := range planes {
		for r := range small[ha] {
			visit(((p*large[ha]+r+b.top)*large[wa]+b.left)*inner, (p*small[ha]+r)*run, run)
		}
	}
}

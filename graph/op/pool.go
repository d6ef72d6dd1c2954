package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// PoolAttrs are the attributes that the two-dimensional poolings share. The zero value is Keras's default: windows of
// 2×2 side by side, padding "valid", channels last.
type PoolAttrs struct {
	Pool    [2]int        // window along rows and columns; 0 means 2
	Strides [2]int        // step along rows and columns; 0 means the window, as in Keras
	Padding shape.Padding // padding never wins a maximum and never counts in an average; it must be smaller than the window
	Format  shape.Layout  // order of the axes of x and y
}

// PoolGeometry is a pooling with all defaults resolved. Sizes are in elements.
type PoolGeometry struct {
	N, C   int        // images, channels
	H, W   shape.Span // rows and columns: input, output, window (Kernel), stride, padding
	Format shape.Layout
}

// Input returns the shape of x, (N, H, W, C) or (N, C, H, W).
func (g PoolGeometry) Input() tensor.Shape { return imageShape(g.Format, g.N, g.H.In, g.W.In, g.C) }

// Output returns the shape of y, (N, H', W', C) or (N, C, H', W').
func (g PoolGeometry) Output() tensor.Shape { return imageShape(g.Format, g.N, g.H.Out, g.W.Out, g.C) }

// resolved replaces zeros by defaults.
func (a PoolAttrs) resolved() (pool, strides [2]int) {
	pool, strides = orDefault(a.Pool, 2), a.Strides
	for i, s := range strides {
		if s == 0 {
			strides[i] = pool[i]
		}
	}
	return pool, strides
}

// String prints all attributes, defaults resolved.
func (a PoolAttrs) String() string {
	p, s := a.resolved()
	return fmt.Sprintf("pool %dx%d, strides %dx%d, %v, %v", p[0], p[1], s[0], s[1], a.Padding, a.Format)
}

// Geometry checks the shape of x, (N,H,W,C) or (N,C,H,W), and resolves all defaults. The error is a *[shape.Error].
func (a PoolAttrs) Geometry(x tensor.Shape) (PoolGeometry, error) {
	g, err := a.geometry(x)
	if err != nil {
		return PoolGeometry{}, fill(err, "Pool2D", x)
	}
	return g, nil
}

func (a PoolAttrs) geometry(x tensor.Shape) (g PoolGeometry, err *shape.Error) {
	n, rows, columns, c, err := images(x, a.Format, "an input")
	if err != nil {
		return g, err
	}
	pool, strides := a.resolved()
	for i, p := range pool {
		if p > maxWindow {
			return g, &shape.Error{Axis: shape.NoAxis, Wanted: fmt.Sprintf("a window of at most %d", maxWindow), Got: fmt.Sprint(p),
				Remedy: "to pool whole images use GlobalAvgPool2D"}
		}
		before, after := a.Padding.Top, a.Padding.Bottom
		if i == 1 {
			before, after = a.Padding.Left, a.Padding.Right
		}
		// A window that lies in the padding entirely would have neither maximum nor average.
		if pad := max(before, after); a.Padding.Mode == shape.Explicit && p > 0 && pad >= p {
			ha, wa, _ := a.Format.Axes()
			return g, &shape.Error{Axis: [2]int{ha, wa}[i], Wanted: fmt.Sprintf("padding smaller than the window of %d", p),
				Got: fmt.Sprint(pad), Remedy: "pad less, or use ZeroPad2D if zeros shall count"}
		}
	}
	g = PoolGeometry{N: n, C: c, Format: a.Format}
	g.H, g.W, err = spans(rows, columns, pool, strides, [2]int{}, a.Padding, a.Format)
	return g, err
}

// inferPool checks x, which is input 0, and returns the shape of y.
func inferPool(o Op, a PoolAttrs, in []tensor.Shape) (tensor.Shape, error) {
	g, err := a.geometry(in[0])
	if err != nil {
		return nil, fill(err, o.Kind(), in...)
	}
	return g.Output(), nil
}

// MaxPool2D takes the maximum of each window: Keras's MaxPooling2D. Input: x (N,H,W,C), or (N,C,H,W) in Format NCHW.
// Result: y of the same layout, with H' = ceil(H/stride) for Same, else (H+top+bottom−window)/stride+1. A NaN counts as
// the maximum, so that a diverged network shows.
type MaxPool2D struct {
	salted
	PoolAttrs
}

func (o *MaxPool2D) Kind() string          { return "MaxPool2D" }
func (o *MaxPool2D) String() string        { return "MaxPool2D(" + o.PoolAttrs.String() + ")" }
func (o *MaxPool2D) Arity() int            { return 1 }
func (o *MaxPool2D) Type() hm.Type         { return sameType(1) }
func (o *MaxPool2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MaxPool2D) Hashcode() uint32      { return hashcode(o) }
func (o *MaxPool2D) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *MaxPool2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MaxPool2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of y.
func (o *MaxPool2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return inferPool(o, o.PoolAttrs, in)
}

// SymDiff returns MaxPool2DGrad(x, y, dy).
func (o *MaxPool2D) SymDiff(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&MaxPool2DGrad{PoolAttrs: o.PoolAttrs}, in[0], y, dy))
}

// Reference computes the operation with plain loops.
func (o *MaxPool2D) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape)
	if err != nil {
		return err
	}
	x, y := wideImages(in[0], g.Format), make([]float64, Len(out.Shape))
	for i, at := range maxPositions(g, x) {
		y[i] = x[at]
	}
	storeImages(out, g.Format, y)
	return nil
}

// AvgPool2D takes the average of each window: Keras's AveragePooling2D. Padding is left out of the average: the sum of
// the elements inside the image is divided by their number. Shapes as for [MaxPool2D].
type AvgPool2D struct {
	salted
	PoolAttrs
}

func (o *AvgPool2D) Kind() string          { return "AvgPool2D" }
func (o *AvgPool2D) String() string        { return "AvgPool2D(" + o.PoolAttrs.String() + ")" }
func (o *AvgPool2D) Arity() int            { return 1 }
func (o *AvgPool2D) Type() hm.Type         { return sameType(1) }
func (o *AvgPool2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AvgPool2D) Hashcode() uint32      { return hashcode(o) }
func (o *AvgPool2D) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *AvgPool2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AvgPool2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of y.
func (o *AvgPool2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return inferPool(o, o.PoolAttrs, in)
}

// SymDiff returns AvgPool2DGrad(dy).
func (o *AvgPool2D) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&AvgPool2DGrad{PoolAttrs: o.PoolAttrs, InputShape: in[0].Shape()}, dy))
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *AvgPool2D) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape)
	if err != nil {
		return err
	}
	x, y := wideImages(in[0], g.Format), make([]float64, Len(out.Shape))
	eachWindow(g, func(outPos int, inside []int) {
		for c := range g.C {
			sum := 0.0
			for _, inPos := range inside {
				sum += x[inPos*g.C+c]
			}
			y[outPos*g.C+c] = sum / float64(len(inside))
		}
	})
	storeImages(out, g.Format, y)
	return nil
}

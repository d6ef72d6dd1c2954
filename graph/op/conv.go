package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// ConvAttrs are the attributes that a two-dimensional convolution and its two backward operations share. The zero
// value is Keras's default Conv2D: stride 1, no dilation, one group, padding "valid", channels last.
type ConvAttrs struct {
	Strides   [2]int        // step along rows and columns; 0 means 1
	Dilations [2]int        // distance of neighbouring kernel taps along rows and columns; 0 means 1
	Groups    int           // channel groups that do not see each other; 0 means 1; equal to the channels: depthwise
	Padding   shape.Padding // zeros around the image; Same as in Keras, the smaller half first
	Format    shape.Layout  // order of the axes of x and y; the kernel is always (rows, columns, in/groups, out)
}

// ConvGeometry is a convolution with all defaults resolved. Sizes are in elements.
type ConvGeometry struct {
	N, C, F, Groups int        // images, input channels, output channels, groups
	H, W            shape.Span // rows and columns: input, output, kernel, stride, dilation, padding
	Format          shape.Layout
}

// Input returns the shape of x, (N, H, W, C) or (N, C, H, W).
func (g ConvGeometry) Input() tensor.Shape { return imageShape(g.Format, g.N, g.H.In, g.W.In, g.C) }

// Output returns the shape of y, (N, H', W', F) or (N, F, H', W').
func (g ConvGeometry) Output() tensor.Shape { return imageShape(g.Format, g.N, g.H.Out, g.W.Out, g.F) }

// Filter returns the shape of the kernel, (rows, columns, C/Groups, F).
func (g ConvGeometry) Filter() tensor.Shape {
	return tensor.Shape{g.H.Kernel, g.W.Kernel, g.C / max(g.Groups, 1), g.F}
}

// WithoutIdleTaps is the same convolution with a smaller kernel, if taps at its borders meet nothing but padding, as 8 of 9 do over images of
// one pixel: what is left begins at tap (row, column) of the kernel. The gradient of the others is 0. See [shape.Span.WithoutIdleTaps].
func (g ConvGeometry) WithoutIdleTaps() (cut ConvGeometry, row, column int, ok bool) {
	var rows, columns bool
	cut = g
	cut.H, row, rows = g.H.WithoutIdleTaps()
	cut.W, column, columns = g.W.WithoutIdleTaps()
	return cut, row, column, rows || columns
}

// String prints all attributes, defaults resolved.
func (a ConvAttrs) String() string {
	s, d := orDefault(a.Strides, 1), orDefault(a.Dilations, 1)
	return fmt.Sprintf("strides %dx%d, dilations %dx%d, groups %d, %v, %v", s[0], s[1], d[0], d[1], max(a.Groups, 1), a.Padding, a.Format)
}

// Geometry checks the shapes of x, (N,H,W,C) or (N,C,H,W), and of the kernel w, (kh,kw,C/groups,F), against each other
// and resolves all defaults. The error is a *[shape.Error].
func (a ConvAttrs) Geometry(x, w tensor.Shape) (ConvGeometry, error) {
	g, err := a.geometry(x, w)
	if err != nil {
		return ConvGeometry{}, fill(err, "Conv2D", x, w)
	}
	return g, nil
}

func (a ConvAttrs) geometry(x, w tensor.Shape) (g ConvGeometry, err *shape.Error) {
	n, rows, columns, c, err := images(x, a.Format, "an input")
	if err != nil {
		return g, err
	}
	if len(w) != 4 {
		return g, &shape.Error{Axis: shape.NoAxis, Wanted: "a kernel of 4 axes (rows, columns, channels/groups, filters)",
			Got: fmt.Sprintf("%d axes", len(w)), Remedy: "reshape the kernel"}
	}
	for axis, d := range w {
		if d < 1 {
			return g, &shape.Error{Axis: axis, Wanted: "a kernel (rows, columns, channels/groups, filters) without empty axes",
				Got: fmt.Sprint(d), Remedy: "give the kernel at least one element along every axis"}
		}
	}
	if a.Groups < 0 {
		return g, &shape.Error{Axis: shape.NoAxis, Wanted: "at least 1 group", Got: fmt.Sprint(a.Groups), Remedy: "leave Groups out"}
	}
	g = ConvGeometry{N: n, C: c, F: w[3], Groups: max(a.Groups, 1), Format: a.Format}
	_, _, ca := a.Format.Axes()
	switch {
	case g.C%g.Groups != 0:
		return g, &shape.Error{Axis: ca, Wanted: fmt.Sprintf("input channels that %d groups divide", g.Groups), Got: fmt.Sprint(g.C),
			Remedy: "choose Groups as a divisor of the input's channels"}
	case g.F%g.Groups != 0:
		return g, &shape.Error{Axis: 3, Wanted: fmt.Sprintf("a number of filters that %d groups divide", g.Groups), Got: fmt.Sprint(g.F),
			Remedy: "choose the kernel's last axis as a multiple of Groups"}
	case g.C != w[2]*g.Groups:
		return g, &shape.Error{Axis: ca, Wanted: fmt.Sprintf("%d input channels (kernel %d×%d of %d channels × %d groups)",
			w[2]*g.Groups, w[0], w[1], w[2], g.Groups), Got: fmt.Sprint(g.C),
			Remedy: fmt.Sprintf("make axis 2 of the kernel channels/groups = %d, or check Format %v", g.C/g.Groups, a.Format)}
	}
	g.H, g.W, err = spans(rows, columns, [2]int{w[0], w[1]}, a.Strides, a.Dilations, a.Padding, a.Format)
	return g, err
}

// Conv2D is the two-dimensional convolution (cross-correlation) of deep learning, without bias: Keras's Conv2D and,
// with as many groups as channels, DepthwiseConv2D.
//
// Inputs: x (N,H,W,C), or (N,C,H,W) in Format NCHW; kernel w (kh,kw,C/groups,F), in both formats. Result: y
// (N,H',W',F) or (N,F,H',W') with
//
//	y[n,i,j,f] = Σ x[n, i·stride+p·dilation−top, j·stride+q·dilation−left, c] · w[p,q,c,f]
//
// summed over p, q and the channels c of f's group, where x outside the image is 0. Output channel f belongs to group
// f/(F/groups), as in TensorFlow and PyTorch. H' is ceil(H/stride) for Same, else
// (H+top+bottom−(kh−1)·dilation−1)/stride+1.
type Conv2D struct {
	salted
	ConvAttrs
}

func (o *Conv2D) Kind() string          { return "Conv2D" }
func (o *Conv2D) String() string        { return "Conv2D(" + o.ConvAttrs.String() + ")" }
func (o *Conv2D) Arity() int            { return 2 }
func (o *Conv2D) Type() hm.Type         { return sameType(2) }
func (o *Conv2D) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Conv2D) Hashcode() uint32      { return hashcode(o) }
func (o *Conv2D) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Conv2D) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Conv2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) { return inferShape(o, ds) }

// Infer returns the shape of y.
func (o *Conv2D) Infer(in []tensor.Shape) (tensor.Shape, error) {
	g, err := o.Geometry(in[0], in[1])
	if err != nil {
		return nil, err
	}
	return g.Output(), nil
}

// SymDiff returns the gradients with respect to x and w: a convolution is linear in both.
func (o *Conv2D) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w := in[0], in[1]
	dx, err := Apply(&Conv2DBackwardInput{ConvAttrs: o.ConvAttrs, InputShape: x.Shape()}, dy, w)
	if err != nil {
		return nil, err
	}
	dw, err := Apply(&Conv2DBackwardFilter{ConvAttrs: o.ConvAttrs, FilterShape: w.Shape()}, x, dy)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dx, dw}, nil
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *Conv2D) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	y := make([]float64, Len(out.Shape))
	convForward(g, y, wideImages(in[0], g.Format), wide(in[1]))
	storeImages(out, g.Format, y)
	return nil
}

package op

import (
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// maxWindow bounds windows, strides, dilations and paddings, so that no sum of them overflows. No sensible window comes near.
const maxWindow = 1 << 24

// orDefault replaces zeros by an attribute's default.
func orDefault(pair [2]int, def int) [2]int {
	for i := range pair {
		if pair[i] == 0 {
			pair[i] = def
		}
	}
	return pair
}

// images checks that s is a full batch of images of a known layout and returns its sizes. The error has Op and Shapes
// still to be filled in.
func images(s tensor.Shape, f shape.Layout, what string) (n, h, w, c int, err *shape.Error) {
	if f != shape.NHWC && f != shape.NCHW {
		return 0, 0, 0, 0, &shape.Error{Axis: shape.NoAxis, Wanted: "format NHWC or NCHW", Got: fmt.Sprintf("Layout(%d)", uint8(f)),
			Remedy: "leave Format out for Keras's channels_last"}
	}
	if len(s) != 4 {
		axes := "(batch, rows, columns, channels)"
		if f == shape.NCHW {
			axes = "(batch, channels, rows, columns)"
		}
		return 0, 0, 0, 0, &shape.Error{Axis: shape.NoAxis, Wanted: what + " of 4 axes " + axes, Got: fmt.Sprintf("%d axes", len(s)),
			Remedy: "reshape it before this operation"}
	}
	for axis, d := range s {
		if d < 1 {
			return 0, 0, 0, 0, &shape.Error{Axis: axis, Wanted: what + " without empty axes", Got: fmt.Sprint(d),
				Remedy: "leave empty batches out"}
		}
	}
	ha, wa, ca := f.Axes()
	return s[0], s[ha], s[wa], s[ca], nil
}

// imageShape is the inverse of images.
func imageShape(f shape.Layout, n, h, w, c int) tensor.Shape {
	if f == shape.NCHW {
		return tensor.Shape{n, c, h, w}
	}
	return tensor.Shape{n, h, w, c}
}

// spans resolves a window along rows and columns. The error has Op and Shapes still to be filled in.
func spans(h, w int, kernel, strides, dilations [2]int, p shape.Padding, f shape.Layout) (hs, ws shape.Span, err *shape.Error) {
	ha, wa, _ := f.Axes()
	for _, v := range [...]int{kernel[0], kernel[1], strides[0], strides[1], dilations[0], dilations[1], p.Top, p.Bottom, p.Left, p.Right} {
		if v > maxWindow {
			return hs, ws, &shape.Error{Axis: shape.NoAxis, Wanted: fmt.Sprintf("a window, strides, dilations and padding up to %d", maxWindow),
				Got: fmt.Sprint(v), Remedy: "correct this attribute"}
		}
	}
	hs, e := shape.Along(h, kernel[0], strides[0], dilations[0], p.Mode, p.Top, p.Bottom)
	if e != nil {
		return hs, ws, spanError(e, ha)
	}
	ws, e = shape.Along(w, kernel[1], strides[1], dilations[1], p.Mode, p.Left, p.Right)
	if e != nil {
		return hs, ws, spanError(e, wa)
	}
	return hs, ws, nil
}

// spanError types the plain error of shape.Along, which reads "want …, got …".
func spanError(err error, axis int) *shape.Error {
	wanted, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), "want "), ", got ")
	remedy := "correct this attribute"
	if strings.HasPrefix(wanted, "an input") {
		remedy = "use a smaller window, padding Same, or larger images"
	}
	return &shape.Error{Axis: axis, Wanted: wanted, Got: got, Remedy: remedy}
}

// fill completes an error of images or spans.
func fill(err *shape.Error, kind string, shapes ...tensor.Shape) error {
	err.Op, err.Shapes = kind, shapes
	return err
}

// fillFrom is fill for an error about an attribute that stands in for an input, such as InputShape.
func fillFrom(err *shape.Error, kind, attribute string, s tensor.Shape, shapes []tensor.Shape) error {
	err.Remedy = fmt.Sprintf("check attribute %s %s; %s", attribute, shape.Format(s), err.Remedy)
	return fill(err, kind, shapes...)
}

// wantShape checks that input i has exactly the shape want; what says whose shape that is, remedy what to do.
func wantShape(o Op, in []tensor.Shape, i int, want tensor.Shape, what, remedy string) error {
	if shape.Equal(in[i], want) {
		return nil
	}
	return &shape.Error{Op: o.Kind(), Axis: firstDifference(in[i], want), Wanted: what + " of shape " + shape.Format(want),
		Got: shape.Format(in[i]), Shapes: in, Remedy: remedy}
}

package onnx

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// window is what convolutions and poolings have in common, of two axes; a one-dimensional one has a first axis of size 1.
type window struct {
	kernel, strides, dilations, before, after, in [2]int
	asked                                         [2]int // the padding behind that the file asks for
	oneD                                          bool
}

// window reads the attributes of a window over x (batch, channels, …). kernel is that of the weights, nil where the attribute says it.
func (c *call) window(x, kernel []int) (w window) {
	dims := len(x) - 2
	if dims != 1 && dims != 2 {
		c.fail("", "input of shape %s: only one- and two-dimensional windows are supported (3 or 4 axes)", format(x))
		return w
	}
	declared := c.attrInts("kernel_shape")
	if kernel == nil {
		kernel = declared
	} else if declared != nil && len(declared) == len(kernel) {
		for i := range kernel {
			if kernel[i] != declared[i] {
				c.fail("", "kernel_shape is %v, the weights say %v", declared, kernel)
			}
		}
	}
	strides, dilations, pads := c.attrInts("strides"), c.attrInts("dilations"), c.attrInts("pads")
	auto := c.attrString("auto_pad", "NOTSET")
	two := func(list []int, what string, def, least, at int) (out [2]int) {
		out = [2]int{def, def}
		if list == nil {
			return out
		}
		if len(list) < at+dims {
			c.fail("", "%s %v doesn't suit %d axes", what, list, dims)
			return out
		}
		for i := range dims {
			v := list[at+i]
			if v < least || v > 1<<24 {
				c.fail("", "%s %v must be %d or more, and not huge", what, list, least)
			}
			out[2-dims+i] = v
		}
		return out
	}
	if len(kernel) != dims {
		c.fail("", "kernel_shape %v doesn't suit an input of shape %s", kernel, format(x))
		return w
	}
	w.oneD = dims == 1
	w.kernel = two(kernel, "kernel_shape", 1, 1, 0)
	w.strides = two(strides, "strides", 1, 1, 0)
	w.dilations = two(dilations, "dilations", 1, 1, 0)
	w.before, w.after = two(pads, "pads", 0, 0, 0), two(pads, "pads", 0, 0, dims)
	w.in = [2]int{1, x[len(x)-1]}
	if dims == 2 {
		w.in[0] = x[2]
	}
	switch auto {
	case "NOTSET", "":
		return w
	case "VALID", "SAME_UPPER", "SAME_LOWER":
	default:
		c.fail("", "auto_pad %q is unknown", auto)
	}
	w.before, w.after = [2]int{}, [2]int{}
	if auto == "VALID" {
		return w
	}
	for i, n := range w.in {
		out := (n + w.strides[i] - 1) / w.strides[i]
		w.before[i], w.after[i] = split(max((out-1)*w.strides[i]+w.reach(i)-n, 0), auto == "SAME_LOWER")
	}
	return w
}

// split halves a padding; of an odd one the larger half comes last, or first.
func split(total int, largerFirst bool) (before, after int) {
	before = total / 2
	if largerFirst {
		before = total - before
	}
	return before, total - before
}

// reach is how many elements the window spans along axis i.
func (w window) reach(i int) int { return (w.kernel[i]-1)*w.dilations[i] + 1 }

func (w window) padding() shape.Padding {
	if w.before == [2]int{} && w.after == [2]int{} {
		return shape.Padding{Mode: shape.Valid}
	}
	return shape.Padding{Mode: shape.Explicit, Top: w.before[0], Bottom: w.after[0], Left: w.before[1], Right: w.after[1]}
}

func (w window) convAttrs(groups int) op.ConvAttrs {
	return op.ConvAttrs{Strides: w.strides, Dilations: w.dilations, Groups: groups, Padding: w.padding(), Format: shape.NCHW}
}

// images gives x (batch, channels, length) a row.
func (c *call) images(x *gorgonia.Node) *gorgonia.Node {
	if c.err != nil || x.Dims() != 3 {
		return x
	}
	s := x.Shape()
	return c.reshape(x, []int{s[0], s[1], 1, s[2]})
}

// line takes the row away again.
func (c *call) line(y *gorgonia.Node, oneD bool) *gorgonia.Node {
	if c.err != nil || !oneD {
		return y
	}
	s := y.Shape()
	return c.reshape(y, []int{s[0], s[1], s[3]})
}

// conv is Conv: x (batch, channels, …), w (filters, channels/group, …), bias (filters).
func conv(c *call) {
	groups := c.attrInt("group", 1)
	if !c.want(2, 3) {
		return
	}
	k := c.shape(1)
	if len(k) != len(c.shape(0)) || len(k) < 3 {
		c.fail("", "weights of shape %s don't suit an input of shape %s", format(k), format(c.shape(0)))
		return
	}
	w := c.window(c.shape(0), k[2:])
	if groups < 1 {
		c.fail("", "group must be at least 1, is %d", groups)
	}
	y := c.op(&op.Conv2D{ConvAttrs: w.convAttrs(groups)}, c.images(c.x(0)), c.filter(1))
	c.set(c.line(c.bias(y, 2), w.oneD))
}

// bias adds input i, if it is there, to the channels of y.
func (c *call) bias(y *gorgonia.Node, i int) *gorgonia.Node {
	if !c.has(i) {
		return y
	}
	return c.op(&op.BiasAdd{Axis: 1}, y, c.param(i))
}

// convTranspose is ConvTranspose: x (batch, channels, …), w (channels, filters/group, …), bias (filters). It is the gradient, with
// respect to its input, of the convolution that makes x's channels of the filters.
func convTranspose(c *call) {
	groups := c.attrInt("group", 1)
	outputPadding, outputShape, auto := c.attrInts("output_padding"), c.attrInts("output_shape"), c.attrString("auto_pad", "NOTSET")
	if !c.want(2, 3) {
		return
	}
	x, k := c.shape(0), c.shape(1)
	if len(k) != len(x) || len(k) < 3 {
		c.fail("", "weights of shape %s don't suit an input of shape %s", format(k), format(x))
		return
	}
	w := c.window(x, k[2:])
	if c.err != nil {
		return
	}
	if groups < 1 || k[0] != x[1] || k[0]%groups != 0 {
		c.fail("", "weights of shape %s and group %d don't suit an input of shape %s", format(k), groups, format(x))
		return
	}
	dims := len(x) - 2
	var out [2]int
	for i := range out {
		at := i - (2 - dims) // of the attributes
		extra := 0
		if at >= 0 && outputPadding != nil {
			if len(outputPadding) != dims || outputPadding[at] < 0 || outputPadding[at] >= w.strides[i] && outputPadding[at] != 0 {
				c.fail("", "output_padding %v must be smaller than the strides %v", outputPadding, w.strides[2-dims:])
				return
			}
			extra = outputPadding[at]
		}
		whole := w.strides[i]*(w.in[i]-1) + extra + w.reach(i)
		switch {
		case at >= 0 && outputShape != nil:
			if len(outputShape) != dims && len(outputShape) != dims+2 {
				c.fail("", "output_shape %v doesn't suit %d axes", outputShape, dims)
				return
			}
			out[i] = outputShape[len(outputShape)-dims+at]
			w.before[i], w.after[i] = split(max(whole-out[i], 0), auto != "SAME_UPPER") // here NOTSET means SAME_LOWER
		case auto == "SAME_UPPER" || auto == "SAME_LOWER":
			out[i] = w.in[i] * w.strides[i]
			w.before[i], w.after[i] = split(max(whole-out[i], 0), auto == "SAME_LOWER")
		default:
			out[i] = whole - w.before[i] - w.after[i]
		}
		if whole < 1 || out[i] < 1 || out[i] > maxSize {
			c.fail("", "its result would have the size %d along an axis", out[i])
			return
		}
	}
	y := c.op(&op.Conv2DBackwardInput{ConvAttrs: w.convAttrs(groups), InputShape: []int{x[0], k[1] * groups, out[0], out[1]}}, c.images(c.x(0)), c.filter(1))
	c.set(c.line(c.bias(y, 2), w.oneD))
}

package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// libraryConvolution is the pass through cuDNN, between the conversions that it needs: the filter's axes, images that are not
// channels last, rounding to bfloat16 of what is not kept so, and further channels for images that have few.
func (b *Builder) libraryConvolution(c convolution) []Command {
	g := c.g
	if c.gradient.transposed && !b.writesWhole(c) {
		return b.inKerasOrder(c, b.libraryConvolution)
	}
	rounded := b.Precision == BF16 && c.dt == tensor.Float32
	call := &Convolution{Pass: c.pass, Dtype: c.dt, Precision: b.Precision, N: g.N, H: g.H.In, W: g.W.In, C: g.C, K: g.F, R: g.H.Kernel, S: g.W.Kernel,
		OH: g.H.Out, OW: g.W.Out, Stride: [2]int{g.H.Stride, g.W.Stride}, Dilation: [2]int{g.H.Dilation, g.W.Dilation},
		Top: g.H.Before, Bottom: g.H.After, Left: g.W.Before, Right: g.W.After, Groups: g.Groups,
		X: c.x, Filter: c.w, Y: c.y, Bias: c.bias, ReLU: c.relu, Rounded: rounded, Sums: c.sums, Residual: c.residual, Mask: c.mask, Select: c.selects}
	var before, after []Command
	if g.Format == shape.NCHW {
		// use gives the call an operand with channels last.
		use := func(p *Pointer, dims tensor.Shape, written bool) {
			ours := *p
			*p = b.Scratch(int64(dims.TotalSize()) * int64(c.dt.Size()))
			if written {
				after = append(after, b.permute(c.dt, ours, *p, tensor.Shape{dims[0], dims[2], dims[3], dims[1]}, []int{0, 3, 1, 2}))
			} else {
				before = append(before, b.permute(c.dt, *p, ours, dims, []int{0, 2, 3, 1}))
			}
		}
		use(&call.X, g.Input(), c.pass == BackwardInput)
		use(&call.Y, g.Output(), c.pass == Forward)
	}
	filter := c.packedOf(c.filter, b.padded(c), rounded)
	if filter.Padded > filter.Channels {
		y := b.Scratch(filter.images(g.N * g.H.In * g.W.In))
		before = append(before, b.padChannels(filter, y, call.X, c.xNarrow, g.N*g.H.In*g.W.In, g.C))
		call.X, call.C, c.xNarrow = y, filter.Padded, rounded
	}
	if rounded {
		round := func(p *Pointer, narrow bool, dims tensor.Shape, written bool) {
			if written && !narrow {
				wide := *p
				*p = b.Scratch(2 * int64(dims.TotalSize()))
				after = append([]Command{b.fromBFloat16(wide, *p, dims.TotalSize())}, after...)
			} else if !written {
				*p = b.rounded(*p, narrow, dims, &before)
			}
		}
		round(&call.X, c.xNarrow, g.Input(), c.pass == BackwardInput)
		round(&call.Y, c.yNarrow, g.Output(), c.pass == Forward)
	}
	switch {
	case c.gradient.transposed:
		call.Filter, after = b.asStored(c, filter, after)
	case c.pass == BackwardFilter:
		call.Filter = b.Scratch(filter.Bytes())
		after = append(after, b.unpacking(filter, c.w, call.Filter))
	default:
		call.Filter = b.laid(filter, c.w, &before)
	}
	return append(append(before, call), after...)
}

// padded is the number of input channels for which cuDNN has tensor-core engines: images of up to seven channels, such as a
// network's first, are given further ones of zeros. The gradient of the images would then need a copy, so it goes without.
func (b *Builder) padded(c convolution) int {
	channels := c.g.C / c.g.Groups
	if c.g.Groups > 1 || c.pass == BackwardInput || c.dt != tensor.Float32 {
		return channels
	}
	switch {
	case b.Precision == BF16 && channels < 8:
		return 8
	case b.Precision == TF32 && channels < 4:
		return 4
	}
	return channels
}

// images is the memory of so many pixels with the filter's padded channels.
func (p Packed) images(pixels int) int64 {
	size := int64(p.Dtype.Size())
	if p.Rounded {
		size = 2
	}
	return size * int64(p.Padded) * int64(pixels)
}

package nn

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// field returns the positions and the channels of the only input: a batch of sequences (rank 1: steps), of images (rank 2:
// rows, columns) or of volumes (rank 3: depth, rows, columns), whose channels are last or first by the format.
func (s *Spec) field(rank int) (spatial []int, channels int, err error) {
	in := s.Inputs[0]
	if len(in) != rank+1 {
		remedy := "add a Reshape before it"
		if len(in) == 1 {
			remedy = "move it before the Flatten, or " + remedy
		}
		return nil, 0, badShape(remedy, "wants %s (%d axes with the batch), input has %d",
			[]string{"sequences", "images", "volumes"}[rank-1], rank+2, len(in)+1)
	}
	if s.Format == ChannelsFirst {
		return in[1:], in[0], nil
	}
	return in[:rank], in[rank], nil
}

// fieldShape is the inverse of field.
func (s *Spec) fieldShape(spatial []int, channels int) Shape {
	if s.Format == ChannelsFirst {
		return append(Shape{channels}, spatial...)
	}
	return append(append(Shape{}, spatial...), channels)
}

// slide returns the number of a window's positions along each axis of a field.
func slide(what string, spatial, size, strides, dilations []int, padding Padding) ([]int, error) {
	out := make([]int, len(spatial))
	for i, n := range spatial {
		mode, before := shape.Explicit, 0
		switch {
		case padding == Causal && len(spatial) == 1:
			before = (size[i] - 1) * max(dilations[i], 1)
		default:
			var err error
			if mode, err = padding.mode(); err != nil {
				return nil, err
			}
		}
		if strides[i] < 0 || dilations[i] < 0 {
			return nil, badArgument("use 0 for the default", "Strides and Dilations must not be negative, are %v and %v", show(strides), show(dilations))
		}
		if max(size[i], strides[i], dilations[i]) > maxReach || (size[i]-1)*max(dilations[i], 1) > maxReach {
			return nil, badArgument("correct the one that is too large", "a dilated %s and Strides must be at most %d, %s, Strides and Dilations are %v, %v and %v",
				what, maxReach, what, show(size), show(strides), show(dilations))
		}
		span, err := shape.Along(n, size[i], strides[i], dilations[i], mode, before, 0)
		if err != nil {
			reach := shape.Span{Kernel: size[i], Dilation: max(dilations[i], 1)}.Reach()
			return nil, badShape(`use padding "same", a larger input or fewer pooling layers before it`,
				"%s %s wants at least %d %s, input has %d", what, times(size), reach, axisName(i, len(spatial)), n)
		}
		out[i] = span.Out
	}
	return out, nil
}

// maxReach bounds windows, strides and dilations, so that no sum or product of two overflows.
const maxReach = 1 << 24

// axisName is what messages call axis i of a field of that rank.
func axisName(i, rank int) string {
	switch rank {
	case 1:
		return "steps"
	case 2:
		return []string{"rows", "columns"}[i]
	}
	return []string{"slices", "rows", "columns"}[i]
}

// times prints sizes as "3×3".
func times(sizes []int) string {
	parts := make([]string, len(sizes))
	for i, n := range sizes {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, "×")
}

// show is what a message prints of an argument: a number of layers of one axis, a list of others.
func show(sizes []int) any {
	if len(sizes) == 1 {
		return sizes[0]
	}
	return sizes
}

// stepsAxis is the axis of a batch of sequences along which the steps lie.
func (c *Context) stepsAxis() int {
	if c.Format == ChannelsFirst {
		return 2
	}
	return 1
}

// asImages makes a batch of sequences one of images with a single row, so that the kernels of images run on it.
func (c *Context) asImages(x *gorgonia.Node) *gorgonia.Node {
	if x == nil || c.err != nil {
		return nil
	}
	s := x.Shape()
	if c.Format == ChannelsFirst {
		return c.view(x, s[0], s[1], 1, s[2])
	}
	return c.view(x, s[0], 1, s[1], s[2])
}

// view gives all elements of a node, a weight for instance, another full shape.
func (c *Context) view(x *gorgonia.Node, to ...int) *gorgonia.Node {
	if x == nil || c.err != nil {
		return nil
	}
	if Shape(x.Shape()).equal(to) {
		return x
	}
	return c.Op(&op.Reshape{From: x.Shape().Clone(), To: tensor.Shape(to).Clone()}, x)
}

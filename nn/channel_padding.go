package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// ChannelPadding adds channels of zeros before and after those of an image: (None, rows, columns, channels) becomes
// (None, rows, columns, Before + channels + After), or channels first. Keras has no such layer and uses
// Lambda(lambda x: tf.pad(x, …)), hence the class "Lambda" in summaries. It is the zero-padding shortcut ("option A") of
// He et al., "Deep Residual Learning for Image Recognition" (2015).
type ChannelPadding struct {
	Before, After int // channels of zeros; not negative
	Name          string
}

// Identity implements [Layer].
func (l ChannelPadding) Identity() (class, name string) { return "Lambda", l.Name }

// Infer implements [Layer].
func (l ChannelPadding) Infer(s *Spec) (Shape, error) {
	if min(l.Before, l.After) < 0 || max(l.Before, l.After) > maxElements {
		return nil, badArgument("use small numbers, 0 or more", "Before and After must not be negative or huge, are %d and %d", l.Before, l.After)
	}
	spatial, channels, err := s.field(2)
	if err != nil {
		return nil, err
	}
	return s.fieldShape(spatial, channels+l.Before+l.After), nil
}

// Apply implements [Layer]. Seen as an image of one channel whose columns (rows, if channels come first) are the channels,
// the result is a border of zeros.
func (l ChannelPadding) Apply(c *Context) *gorgonia.Node {
	x, in := c.Inputs[0], c.InputShapes[0]
	if l.Before+l.After == 0 || x == nil {
		return x
	}
	pad, flat := op.ZeroPad2D{Left: l.Before, Right: l.After}, Shape{in[0] * in[1], in[2], 1}
	if c.Format == ChannelsFirst {
		pad, flat = op.ZeroPad2D{Top: l.Before, Bottom: l.After}, Shape{in[0], in[1] * in[2], 1}
	}
	return c.reshape(c.Op(&pad, c.reshape(x, flat)), c.OutputShape)
}

package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv3D is a convolution of volumes, such as films: a Conv2D with depth in front of rows and columns. Input (None, depth,
// rows, columns, channels), or channels first; result likewise with Filters channels. Weights: kernel (depth, rows, columns,
// channels/Groups, Filters) and bias (Filters,). It is a Conv2D of each slice with its neighbours along the depth for
// further channels, which takes memory for as many copies of the input as the kernel is deep.
type Conv3D struct {
	Filters    int          // filters: number of output channels; required
	Kernel     [3]int       // kernel_size: depth, rows, columns; required; see K3
	Strides    [3]int       // strides; 0 means 1
	Dilations  [3]int       // dilation_rate; 0 means 1
	Groups     int          // groups; 0 means 1
	Padding    Padding      // padding; Valid by default
	NoBias     bool         // use_bias=False
	Activation Nonlinearity // activation; Linear by default

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l Conv3D) Identity() (class, name string) { return "Conv3D", l.Name }

// Infer implements [Layer].
func (l Conv3D) Infer(s *Spec) (Shape, error) {
	if l.Kernel[0] > maxTaps {
		return nil, badArgument("use a smaller kernel", "Kernel may be %d slices deep at most, is %d", maxTaps, l.Kernel[0])
	}
	return conv{filters: l.Filters, groups: l.Groups, kernel: l.Kernel[:], strides: l.Strides[:], dilations: l.Dilations[:],
		padding: l.Padding, noBias: l.NoBias, activation: l.Activation,
		kernelOf: ways{l.KernelInitializer, l.KernelRegularizer, l.KernelConstraint},
		biasOf:   ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l Conv3D) Apply(c *Context) *gorgonia.Node {
	x, w := op.Try(c.Inputs[0], c.err), op.Try(c.Weight("kernel"), c.err)
	if x.Err() != nil || w.Err() != nil {
		return nil
	}
	if c.Format == ChannelsFirst {
		x = x.Permute(0, 2, 3, 4, 1)
	}
	images := l.neighbours(x, max(l.Groups, 1))
	k := w.Shape()
	kernel := w.Permute(1, 2, 0, 3, 4).Reshape(k[1], k[2], k[0]*k[3], k[4])
	y := c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int(l.Strides[1:]), Dilations: [2]int(l.Dilations[1:]), Groups: l.Groups,
		Padding: l.Padding.resolved()}}, c.Expr(images), c.Expr(kernel))
	if !l.NoBias {
		y = c.Op(&op.BiasAdd{Axis: -1}, y, c.Weight("bias"))
	}
	if c.Format == ChannelsLast {
		return c.view(l.Activation.apply(c, y), append([]int{x.Shape()[0]}, c.OutputShape...)...)
	}
	o := c.OutputShape
	y = c.view(y, x.Shape()[0], o[1], o[2], o[3], o[0])
	return l.Activation.apply(c, c.Op(&op.Permute{Axes: []int{0, 4, 1, 2, 3}}, y))
}

// maxTaps bounds the copies that neighbours makes, and the operations that make them.
const maxTaps = 1 << 10

// neighbours turns volumes (n, depth, rows, columns, channels) into images (n·out, rows, columns, channels·kernel depth): for
// each of the positions of the kernel along the depth, the slices below it. The channels of a group stay together.
func (l Conv3D) neighbours(x op.Expr, groups int) op.Expr {
	s := x.Shape()
	n, depth, rows, columns, channels := s[0], s[1], s[2], s[3], s[4]
	span, err := shape.Along(depth, l.Kernel[0], l.Strides[0], l.Dilations[0], l.Padding.resolved().Mode, 0, 0)
	if err != nil {
		return op.Try(nil, err)
	}
	padded := x.Reshape(n, depth, 1, rows*columns*channels)
	if span.Before+span.After > 0 {
		padded = padded.Apply(&op.ZeroPad2D{Top: span.Before, Bottom: span.After})
	}
	taps := make([]op.Expr, span.Kernel)
	for t := range taps {
		from := t * span.Dilation
		taps[t] = padded.Stride(1, from, from+(span.Out-1)*span.Stride+1, span.Stride).
			Reshape(n*span.Out*rows*columns*groups, 1, channels/groups)
	}
	return op.Join(1, taps...).Reshape(n*span.Out, rows, columns, channels*span.Kernel)
}

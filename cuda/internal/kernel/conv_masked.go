package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	register(map[string]Prepare{"FusedConv2DBackwardInput": prepareMasked}, tensor.Float32)
	registerNarrow(map[string]narrowing{"FusedConv2DBackwardInput": {gains: true,
		in:  func(s *graph.Step, i int) bool { return i != 1 && formatOf(s.Instr) == shape.NHWC },
		out: func(s *graph.Step, i int) bool { return i == 0 && formatOf(s.Instr) == shape.NHWC }}})
}

// JoinsReLUGrad implements graph.ReLUGradJoiner: it takes the steps as one that may be one call of cuDNN, if their result has so many bytes
// or more. With all digits of float32 cuDNN has no engine on tensor cores for it, and for groups none worth its compilation.
func JoinsReLUGrad(s *graph.Step, p Precision, least int64) bool {
	f := s.Instr.(*graph.FusedConv2DBackwardInput)
	x := s.Out[0]
	if p == FP32 || x.Dtype != tensor.Float32 || f.Grad.Format != shape.NHWC || f.Grad.Groups > 1 {
		return false
	}
	c, err := inputGradient(s)
	if err != nil || c.g.C == 0 || !c.countable() {
		return false
	}
	bytes := int64(x.Bytes())
	if p == BF16 {
		bytes /= 2
	}
	return bytes >= least
}

// inputGradient is the convolution of a step that begins with the gradient of one's input.
func inputGradient(s *graph.Step) (convolution, error) {
	o := s.Instr.(*graph.FusedConv2DBackwardInput).Grad
	g, err := o.Geometry(o.InputShape, s.In[1].Shape)
	return convolution{pass: BackwardInput, dt: s.Out[0].Dtype, g: g, x: Out(0), w: In(1), y: In(0),
		filter: s.In[1], xNarrow: s.Out[0].Narrow, yNarrow: s.In[0].Narrow}, err
}

// prepareMasked is the gradient of a convolution's input, masked by a ReLU, and the sums of its channels: the gradient, and one sweep that
// reads it again and masks and sums; or gradient and mask by cuDNN, and a sweep that sums alone. The first is followed without a measurement:
// cuDNN's engines for the second are compiled when they are asked for, and whether they are as fast as its best is not known. Where the ReLU's
// result or the gradient would have to be a copy of what lies in memory, the first is the only one.
func prepareMasked(b *Builder, s *graph.Step) ([]Command, error) {
	c, err := inputGradient(s)
	if err != nil {
		return nil, err
	}
	var ways []alternative
	for _, w := range b.convolutionWays(c) {
		ways = append(ways, alternative{w.name, func() []Command { return append(w.list(), b.maskAndSum(s)...) }})
	}
	if len(ways) == 0 { // sizes that only the host counts far enough for
		return nil, nil
	}
	if c.dt == tensor.Float32 && c.g.Format == shape.NHWC && c.g.Groups <= 1 && c.g.N > 0 && c.g.C > 0 && c.countable() &&
		(b.Precision == TF32 && !s.In[2].Narrow || b.Precision == BF16 && c.xNarrow && s.In[2].Narrow) {
		ways = append(ways, alternative{"cuDNN with ReLU gradient", func() []Command { return b.maskedConvolution(c, s) }})
	}
	return b.choice(ways...), nil
}

// maskAndSum is one sweep over the gradient where the convolution has written it.
func (b *Builder) maskAndSum(s *graph.Step) []Command {
	x, y := s.Out[0], s.In[2]
	if !s.Instr.(*graph.FusedConv2DBackwardInput).Bias {
		d := storage{}.as("SX", y).as("SZ", x).as("SY", x)
		return []Command{b.packed("elementwise.cu", "relu_grad", x.Dtype, d, x.Len(), packOf(x.Len(), y, x), Out(0), In(2), Out(0))}
	}
	return b.biasSums(s, channelsOf(x.Shape, channelOf(s)), images{"SY": y, "SDY": x, "SDX": x}, "bias_grad_relu", Out(1), Out(0), In(2), Out(0))
}

// channelOf is the axis of an image's channels.
func channelOf(s *graph.Step) int {
	_, _, channel := formatOf(s.Instr).Axes()
	return channel
}

// maskedConvolution masks by cuDNN.
func (b *Builder) maskedConvolution(c convolution, s *graph.Step) []Command {
	mask := In(2)
	c.mask = &mask
	list := b.libraryConvolution(c)
	if s.Instr.(*graph.FusedConv2DBackwardInput).Bias {
		x := s.Out[0]
		list = append(list, b.biasSums(s, channelsOf(x.Shape, channelOf(s)), images{"SDY": x}, "bias_grad", Out(1), Out(0))...)
	}
	return list
}

// Masks says whether a value is what a step masks a gradient with. Where alternatives are compared it has zeros and NaN, so that a way is left
// out that takes these for numbers above 0.
func Masks(s *graph.Step, v *graph.Value) bool {
	_, ok := s.Instr.(*graph.FusedConv2DBackwardInput)
	return ok && v.Root() == s.In[2].Root()
}

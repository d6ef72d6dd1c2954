package kernel

import (
	"fmt"

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
	if err != nil {
		return convolution{}, err
	}
	return convolution{pass: BackwardInput, dt: s.Out[0].Dtype, g: g, x: Out(0), w: In(1), y: In(0),
		filter: s.In[1], xNarrow: s.Out[0].Narrow, yNarrow: s.In[0].Narrow}.withoutIdleTaps(), nil
}

// prepareMasked is the gradient of a convolution's input, masked by a ReLU, and the sums of its channels: the gradient, and one sweep that
// reads it again and masks and sums; or gradient and mask by cuDNN, and a sweep that sums alone; or all of it by cuDNN. The first is followed
// without a measurement: cuDNN's engines for the others are compiled when they are asked for, and whether they are as fast as its best is not
// known. Where the ReLU's result or the gradient would have to be a copy of what lies in memory, the first is the only one.
//
// cuDNN masks by a selection, which is exact; its own gradient of a ReLU, one operation less, comes behind, and only a measurement that finds it
// both faster and equal follows it.
func prepareMasked(b *Builder, s *graph.Step) ([]Command, error) {
	c, err := inputGradient(s)
	if err != nil {
		return nil, err
	}
	var ways []alternative
	for _, w := range b.convolutionWays(c) {
		ways = append(ways, alternative{w.name, func() []Command {
			after := b.maskAndSum(s, oneWave) // whose working memory comes first: behind the convolution's it would lie behind what own kernels would need
			return append(w.list(), after...)
		}})
	}
	if len(ways) == 0 { // sizes that only the host counts far enough for
		return nil, nil
	}
	if c.dt == tensor.Float32 && c.g.Format == shape.NHWC && c.g.Groups <= 1 && c.g.N > 0 && c.g.C > 0 && c.countable() &&
		(b.Precision == TF32 && !s.In[2].Narrow || b.Precision == BF16 && c.xNarrow && s.In[2].Narrow) {
		bySelection := c
		bySelection.selects = true
		ways = append(ways, alternative{"cuDNN with selection", func() []Command { return b.maskedConvolution(bySelection, s) }})
		if s.Instr.(*graph.FusedConv2DBackwardInput).Bias && b.sumsByLibrary(c) {
			summed, sums := bySelection, Out(1)
			summed.sums = &sums
			ways = append(ways, alternative{"cuDNN with selection and sums", func() []Command { return b.maskedConvolution(summed, s) }})
		}
		ways = append(ways, alternative{"cuDNN with ReLU gradient", func() []Command { return b.maskedConvolution(c, s) }})
	}
	if s.Instr.(*graph.FusedConv2DBackwardInput).Bias { // with the first of the convolution's ways alone, so that they do not multiply
		first := b.convolutionWays(c)[0]
		for _, h := range b.biasSharings(s, channelsOf(s.Out[0].Shape, channelOf(s)), maskedImages(s))[1:] {
			ways = append(ways, alternative{fmt.Sprintf("%s, %s", first.name, h), func() []Command {
				after := b.maskAndSum(s, h)
				return append(first.list(), after...)
			}})
		}
	}
	return b.choice(ways...), nil
}

// sumsByLibrary says whether cuDNN may be worth trying for the sums of a masked gradient. In a fixed order it adds on a Hopper with an engine of
// the GPUs before alone, by which all but the layers of few channels, bound by memory, are expected to lose more than a sweep costs.
func (b *Builder) sumsByLibrary(c convolution) bool {
	const few = 64
	return b.AnyOrder || b.Capability < 90 || c.g.C <= few
}

// maskAndSum is one sweep over the gradient where the convolution has written it, with the sums shared so.
func (b *Builder) maskAndSum(s *graph.Step, h sharing) []Command {
	x, y := s.Out[0], s.In[2]
	if !s.Instr.(*graph.FusedConv2DBackwardInput).Bias {
		d := storage{}.as("SX", y).as("SZ", x).as("SY", x)
		return []Command{b.packed("elementwise.cu", "relu_grad", x.Dtype, d, x.Len(), packOf(x.Len(), y, x), Out(0), In(2), Out(0))}
	}
	return b.sharedBiasSums(s, channelsOf(x.Shape, channelOf(s)), maskedImages(s), h, "bias_grad_relu", Out(1), Out(0), In(2), Out(0))
}

// maskedImages are what maskAndSum sweeps over.
func maskedImages(s *graph.Step) images {
	return images{"SY": s.In[2], "SDY": s.Out[0], "SDX": s.Out[0]}
}

// channelOf is the axis of an image's channels.
func channelOf(s *graph.Step) int {
	_, _, channel := formatOf(s.Instr).Axes()
	return channel
}

// maskedConvolution masks by cuDNN, which may sum as well.
func (b *Builder) maskedConvolution(c convolution, s *graph.Step) []Command {
	mask := In(2)
	c.mask = &mask
	list := b.libraryConvolution(c)
	if s.Instr.(*graph.FusedConv2DBackwardInput).Bias && c.sums == nil {
		x := s.Out[0]
		list = append(list, b.biasSums(s, channelsOf(x.Shape, channelOf(s)), images{"SDY": x}, "bias_grad", Out(1), Out(0))...)
	}
	return list
}

// maskedNaN is the place of the one NaN in the gradient that a masked step gets where alternatives are compared, −1 for none, and how many elements
// of its result may be NaN by that, from the first on: it is in the first row of the first image that counts, so that it is in few of them, and most
// of those are masked. Otherwise every sum of a bias's gradient would be NaN whoever computes it.
func maskedNaN(s *graph.Step) (at, reached int64) {
	c, err := inputGradient(s)
	if err != nil || c.g.Format != shape.NHWC || s.In[0].Len() == 0 {
		return -1, 0
	}
	first := func(a shape.Span) (o, last int) { // the first place whose last tap is not in the padding in front, and that tap
		over := (a.Kernel-1)*a.Dilation - a.Before
		o = min((max(-over, 0)+a.Stride-1)/a.Stride, a.Out-1)
		return o, min(o*a.Stride+over, a.In-1)
	}
	row, last := first(c.g.H)
	column, _ := first(c.g.W)
	column = max(column, c.g.W.Out/2)
	return (int64(row)*int64(c.g.W.Out)+int64(column))*int64(c.g.F) + int64(c.g.F/2), int64(last+1) * int64(c.g.W.In) * int64(c.g.C)
}

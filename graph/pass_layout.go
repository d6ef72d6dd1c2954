package graph

import (
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// channelsLast moves regions of a graph of channels_first images into the layout that kernels like best. They begin at
// convolutions. Wherever an operation reads an image that is the permutation of a channels-last one, it is computed on that
// one, and its result permuted; permutations that nobody needs any more are dropped. What is left are a few at the borders:
// where images come in, and where they are flattened.
//
// Of the images that stay bound to nodes only those behind the last convolution, pooling or product keep their layout: the
// predictions of a net that makes images. The permutations of all others would cost more than they are worth.
func channelsLast(p *program, _ Engine) {
	markHeads(p)
	l := &layouts{last: map[*Value]*Value{}}
	sweepSteps(p, l.rule)
	sweepSteps(p, simplifyShape)
}

// markHeads marks the images of the forward pass that lead to no more layers.
func markHeads(p *program) {
	begin := math.MaxInt // of the backward pass
	for _, s := range p.steps {
		if n := s.Out[0].Node; n != nil && inGradients(n) {
			begin = min(begin, s.rank)
		}
	}
	leads := map[*Value]bool{}
	for _, s := range slices.Backward(p.steps) {
		if s.rank >= begin {
			continue
		}
		if isLayer(s.Instr) || slices.ContainsFunc(s.Out, func(v *Value) bool { return leads[v] }) {
			for _, v := range s.In {
				leads[v] = true
			}
		}
	}
	for _, s := range p.steps {
		for _, v := range s.Out {
			v.head = v.soft && s.rank < begin && len(v.Shape) == 4 && !leads[v]
		}
	}
}

func isLayer(instr Instr) bool {
	switch instr.(type) {
	case *op.Conv2D, *op.MatMul, *op.MaxPool2D, *op.AvgPool2D, *op.GlobalAvgPool2D, *op.BatchMean, *op.BatchNorm, *op.BatchNormInference,
		*ir.BatchMatMul, *ir.GroupNorm, *ir.Im2Col:
		return true
	}
	return false
}

// layouts knows, for images (n, c, h, w), the same images (n, h, w, c).
type layouts struct{ last map[*Value]*Value }

func (l *layouts) rule(w *sweep, s *Step) {
	if o, ok := s.Instr.(*op.Permute); ok {
		switch {
		case slices.Equal(o.Axes, toNCHW):
			l.last[s.Out[0]] = s.In[0]
		case slices.Equal(o.Axes, toNHWC):
			if v := l.last[s.In[0]]; v != nil {
				name := v.Name // of the layer that computes it, and not of the one that wanted it in this order
				w.replace(v)
				v.Name = name
			}
		}
		return
	}
	if len(s.Out) != 1 || !isFloat(s.Out[0].Dtype) {
		return
	}
	instr, in := l.begin(w, s)
	if instr == nil && slices.ContainsFunc(s.In, func(v *Value) bool { return l.last[v] != nil }) {
		instr, in = l.translate(w, s)
	}
	if instr == nil {
		return
	}
	v := w.emit(instr, in...)
	if v == nil {
		return
	}
	if _, filter := instr.(*op.Conv2DBackwardFilter); filter || len(s.Out[0].Shape) != 4 { // the same in both layouts, as vectors of channels are
		w.replace(v)
		return
	}
	back := w.emit(&op.Permute{Axes: toNCHW}, v)
	if w.replace(back); w.replaced {
		l.last[back] = v
	}
}

// image returns the channels-last form of v, permuting it if need be.
func (l *layouts) image(w *sweep, v *Value) *Value {
	if len(v.Shape) != 4 {
		return nil
	}
	if l.last[v] == nil {
		u := w.permute(v, toNHWC...)
		if u == nil {
			return nil
		}
		l.last[v] = u
	}
	return l.last[v]
}

// images translates the operands at the given places, and leaves the others.
func (l *layouts) images(w *sweep, s *Step, at ...int) []*Value {
	in := slices.Clone(s.In)
	for _, i := range at {
		in[i] = l.image(w, in[i])
	}
	return in
}

// begin translates the operations that are worth permuting their images for. Filters are the same in both layouts.
func (l *layouts) begin(w *sweep, s *Step) (Instr, []*Value) {
	switch o := s.Instr.(type) {
	case *op.Conv2D:
		if o.Format == shape.NCHW {
			return &op.Conv2D{ConvAttrs: convLast(o.ConvAttrs)}, l.images(w, s, 0)
		}
	case *op.Conv2DBackwardInput:
		if o.Format == shape.NCHW {
			return &op.Conv2DBackwardInput{ConvAttrs: convLast(o.ConvAttrs), InputShape: shapeLast(o.InputShape)}, l.images(w, s, 0)
		}
	case *op.Conv2DBackwardFilter:
		if o.Format == shape.NCHW {
			return &op.Conv2DBackwardFilter{ConvAttrs: convLast(o.ConvAttrs), FilterShape: o.FilterShape}, l.images(w, s, 0, 1)
		}
	case *op.GlobalAvgPool2DGrad:
		if o.Format == shape.NCHW {
			return &op.GlobalAvgPool2DGrad{InputShape: shapeLast(o.InputShape)}, s.In
		}
	}
	return nil, nil
}

func convLast(a op.ConvAttrs) op.ConvAttrs {
	a.Format = shape.NHWC
	return a
}

func poolLast(a op.PoolAttrs) op.PoolAttrs {
	a.Format = shape.NHWC
	return a
}

// shapeLast is the shape of an image (n, c, h, w) with the channels last.
func shapeLast(s tensor.Shape) tensor.Shape { return tensor.Shape{s[0], s[2], s[3], s[1]} }

// translate returns the operation on channels-last images that s is on channels-first ones; nil if there is none, or if it
// would not pay.
func (l *layouts) translate(w *sweep, s *Step) (Instr, []*Value) {
	switch o := s.Instr.(type) {
	case *op.ReLU, *op.Scale, *ir.Unary:
		return o, l.images(w, s, 0)
	case *op.Add, *op.Mul, *op.ReLUGrad:
		return o, l.images(w, s, 0, 1)
	case *ir.Binary:
		return o, l.broadcast(w, s)
	case *op.MaxPool2D:
		if o.Format == shape.NCHW {
			return &op.MaxPool2D{PoolAttrs: poolLast(o.PoolAttrs)}, l.images(w, s, 0)
		}
	case *op.MaxPool2DGrad:
		if o.Format == shape.NCHW {
			return &op.MaxPool2DGrad{PoolAttrs: poolLast(o.PoolAttrs)}, l.images(w, s, 0, 1, 2)
		}
	case *op.AvgPool2D:
		if o.Format == shape.NCHW {
			return &op.AvgPool2D{PoolAttrs: poolLast(o.PoolAttrs)}, l.images(w, s, 0)
		}
	case *op.AvgPool2DGrad:
		if o.Format == shape.NCHW {
			return &op.AvgPool2DGrad{PoolAttrs: poolLast(o.PoolAttrs), InputShape: shapeLast(o.InputShape)}, l.images(w, s, 0)
		}
	case *op.GlobalAvgPool2D:
		if o.Format == shape.NCHW {
			return &op.GlobalAvgPool2D{}, l.images(w, s, 0)
		}
	case *op.ZeroPad2D:
		if o.Format == shape.NCHW {
			return &op.ZeroPad2D{Top: o.Top, Bottom: o.Bottom, Left: o.Left, Right: o.Right}, l.images(w, s, 0)
		}
	case *op.Crop2D:
		if o.Format == shape.NCHW {
			return &op.Crop2D{Top: o.Top, Bottom: o.Bottom, Left: o.Left, Right: o.Right}, l.images(w, s, 0)
		}
	case *ir.Concat:
		if len(s.Out[0].Shape) == 4 {
			at := make([]int, len(s.In))
			for i := range at {
				at[i] = i
			}
			return &ir.Concat{Axis: lastAxis[o.Axis]}, l.images(w, s, at...)
		}
	case *ir.Reduce:
		return l.reduce(w, s, o)
	}
	return l.translateChannels(w, s)
}

// lastAxis is where the axes of (n, c, h, w) are in (n, h, w, c).
var lastAxis = []int{0, 3, 1, 2}

// translateChannels is translate for the operations along the axis of channels.
func (l *layouts) translateChannels(w *sweep, s *Step) (Instr, []*Value) {
	channels := func(axis, image int) bool { return len(s.In[image].Shape) == 4 && axisOf(axis, s.In[image].Shape) == 1 }
	const last = 3
	switch o := s.Instr.(type) {
	case *op.BiasAdd:
		if channels(o.Axis, 0) {
			return &op.BiasAdd{Axis: last}, l.images(w, s, 0)
		}
	case *op.BiasGrad:
		if channels(o.Axis, 0) {
			return &op.BiasGrad{Axis: last}, l.images(w, s, 0)
		}
	case *op.ChannelAffine:
		if channels(o.Axis, 0) {
			return &op.ChannelAffine{Axis: last, Scale: o.Scale, Shift: o.Shift}, l.images(w, s, 0)
		}
	case *op.BatchMean:
		if channels(o.Axis, 0) {
			return &op.BatchMean{Axis: last}, l.images(w, s, 0)
		}
	case *op.BatchVariance:
		if channels(o.Axis, 0) {
			return &op.BatchVariance{Axis: last}, l.images(w, s, 0)
		}
	case *op.BatchNorm:
		if channels(o.Axis, 0) {
			return &op.BatchNorm{Axis: last, Epsilon: o.Epsilon}, l.images(w, s, 0)
		}
	case *op.BatchNormInference:
		if channels(o.Axis, 0) {
			return &op.BatchNormInference{Axis: last, Epsilon: o.Epsilon}, l.images(w, s, 0)
		}
	case *op.BatchNormGradScale:
		if channels(o.Axis, 0) {
			return &op.BatchNormGradScale{Axis: last, Epsilon: o.Epsilon}, l.images(w, s, 0, 3)
		}
	case *op.BatchNormGradInput:
		if channels(o.Axis, 0) {
			return &op.BatchNormGradInput{Axis: last, Epsilon: o.Epsilon}, l.images(w, s, 0, 4)
		}
	case *op.BatchNormInferenceGradInput:
		if channels(o.Axis, 2) {
			return &op.BatchNormInferenceGradInput{Axis: last, Epsilon: o.Epsilon}, l.images(w, s, 2)
		}
	}
	return nil, nil
}

// broadcast translates the operands of an elementwise operation: images, scalars, and what is stretched to an image.
func (l *layouts) broadcast(w *sweep, s *Step) []*Value {
	if len(s.Out[0].Shape) != 4 {
		return nil
	}
	in := slices.Clone(s.In)
	for i, v := range in {
		switch {
		case len(v.Shape) == 0:
		case len(v.Shape) == 4:
			in[i] = l.image(w, v)
		default:
			return nil
		}
	}
	return in
}

// reduce translates reductions whose result is the same in both layouts: those that do not leave channels and pixels.
func (l *layouts) reduce(w *sweep, s *Step, o *ir.Reduce) (Instr, []*Value) {
	if len(s.In[0].Shape) != 4 || len(s.Out[0].Shape) == 4 {
		return nil, nil
	}
	left, _ := otherAxes(s.In[0].Shape, o.Axes)
	if len(o.Axes) > 0 && slices.Contains(left, 1) && (slices.Contains(left, 2) || slices.Contains(left, 3)) {
		return nil, nil
	}
	var axes []int
	for _, a := range o.Axes {
		axes = append(axes, lastAxis[a])
	}
	slices.Sort(axes)
	return &ir.Reduce{Fn: o.Fn, Axes: axes}, l.images(w, s, 0)
}

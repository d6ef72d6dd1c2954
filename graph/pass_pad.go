package graph

import (
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// absorbPadding lets convolutions see the border of zeros that a ZeroPad2D puts around their images, forward and backward:
//
//	Conv2D(ZeroPad2D(x), w)                   → Conv2D(x, w) with more padding
//	Conv2DBackwardFilter(ZeroPad2D(x), dy)    → Conv2DBackwardFilter(x, dy) with more padding
//	Crop2D(Conv2DBackwardInput(dy, w))        → Conv2DBackwardInput(dy, w) with more padding
func absorbPadding(p *program, _ Engine) {
	sweepSteps(p, func(w *sweep, s *Step) {
		switch o := s.Instr.(type) {
		case *op.Conv2D:
			if x, a, ok := w.unpadded(s.In[0], o.ConvAttrs); ok {
				w.change(&op.Conv2D{ConvAttrs: a}, x, s.In[1])
			}
		case *op.Conv2DBackwardFilter:
			if x, a, ok := w.unpadded(s.In[0], o.ConvAttrs); ok {
				w.change(&op.Conv2DBackwardFilter{ConvAttrs: a, FilterShape: o.FilterShape}, x, s.In[1])
			}
		case *op.Crop2D:
			g := w.producer(s.In[0])
			if g == nil || !w.only(s.In[0]) {
				return
			}
			if b, ok := g.Instr.(*op.Conv2DBackwardInput); ok {
				if a, ok := morePadding(b.ConvAttrs, o.Format, o.Top, o.Bottom, o.Left, o.Right); ok {
					w.change(&op.Conv2DBackwardInput{ConvAttrs: a, InputShape: s.Out[0].Shape.Clone()}, g.In...)
				}
			}
		}
	})
}

// unpadded returns the images inside of the border, and the attributes with which a convolution sees the same.
func (w *sweep) unpadded(v *Value, a op.ConvAttrs) (*Value, op.ConvAttrs, bool) {
	s := w.producer(v)
	if s == nil {
		return nil, a, false
	}
	o, ok := s.Instr.(*op.ZeroPad2D)
	if !ok {
		return nil, a, false
	}
	a, ok = morePadding(a, o.Format, o.Top, o.Bottom, o.Left, o.Right)
	return s.In[0], a, ok
}

// morePadding adds to the padding of a convolution, unless that depends on the size of the images.
func morePadding(a op.ConvAttrs, f shape.Layout, top, bottom, left, right int) (op.ConvAttrs, bool) {
	if a.Format != f {
		return a, false
	}
	p := a.Padding
	switch p.Mode {
	case shape.Valid:
		p = shape.Padding{Mode: shape.Explicit}
	case shape.Explicit:
	default:
		return a, false
	}
	p.Top, p.Bottom, p.Left, p.Right = p.Top+top, p.Bottom+bottom, p.Left+left, p.Right+right
	a.Padding = p
	return a, true
}

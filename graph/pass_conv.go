package graph

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// recogniseConv finds the convolutions that gorgonia.Conv2d spells out, patches = Im2Col(x) as rows times filters as columns,
// and the two products of its gradient. Each becomes one convolution, channels last, so that patches never exist in
// memory; the permutations around it are the layout pass's to cancel. Where a patch is one pixel, the patches are the image,
// channels last, and the products stay what they are: they read the filters as they lie.
func recogniseConv(p *program, _ Engine) {
	sweepSteps(p, func(w *sweep, s *Step) {
		switch o := s.Instr.(type) {
		case *ir.Im2Col:
			if pixelwise(o) {
				w.replace(w.permute(s.In[0], toNHWC...))
			}
		case *op.MatMul:
			switch {
			case !o.TransA && o.TransB:
				w.replace(w.convForward(s.In[0], s.In[1], s.Out[0].Shape))
			case o.TransA && !o.TransB:
				w.replace(w.convFilter(s.In[0], s.In[1], s.Out[0].Shape))
			}
		case *ir.Col2Im:
			if pixelwise(&o.Im2Col) {
				w.replace(w.permute(s.In[0], toNCHW...))
			} else {
				w.replace(w.convInput(o, s.In[0], s.In[0].Shape))
			}
		}
	})
}

// pixelwise says that every pixel is a patch.
func pixelwise(o *ir.Im2Col) bool {
	one := [2]int{1, 1}
	return o.Kernel == one && o.Stride == one && o.Pad == [2]int{}
}

// patches is an Im2Col in the form of a convolution.
type patches struct {
	attrs op.ConvAttrs
	x     *Value       // (n, h, w, c)
	out   tensor.Shape // n, oh, ow of the images that the patches are of
	c     int
	k     [2]int
}

func convAttrs(o *ir.Im2Col) op.ConvAttrs {
	return op.ConvAttrs{Strides: o.Stride, Dilations: o.Dilation, Format: shape.NHWC,
		Padding: shape.Padding{Mode: shape.Explicit, Top: o.Pad[0], Bottom: o.Pad[0], Left: o.Pad[1], Right: o.Pad[1]}}
}

// patchesOf says what patches v is, if it is a reshape of an Im2Col to a row a patch.
func (w *sweep) patchesOf(v *Value) *patches {
	col := w.p.through(v)
	s := w.producer(col)
	if s == nil || len(v.Shape) != 2 || v.Shape[1] != col.Shape[len(col.Shape)-1] {
		return nil
	}
	o, ok := s.Instr.(*ir.Im2Col)
	if !ok {
		return nil
	}
	return &patches{attrs: convAttrs(o), x: s.In[0], out: col.Shape[:3], c: s.In[0].Shape[1], k: o.Kernel}
}

// Axes of images and filters in stock Gorgonia's order and in ours.
var (
	toNHWC = []int{0, 2, 3, 1}
	toNCHW = []int{0, 3, 1, 2}
	toHWIO = []int{2, 3, 1, 0} // from (out, in, rows, columns)
	toOIHW = []int{3, 2, 0, 1}
)

// filters returns the matrix (out, in·rows·columns) as a filter of ours.
func (w *sweep) filters(m *Value, c int, k [2]int) *Value {
	if len(m.Shape) != 2 || m.Shape[1] != c*k[0]*k[1] {
		return nil
	}
	return w.permute(w.reshape(m, m.Shape[0], c, k[0], k[1]), toHWIO...)
}

func (w *sweep) convForward(rows, m *Value, to tensor.Shape) *Value {
	pt := w.patchesOf(rows)
	if pt == nil {
		return nil
	}
	f := w.filters(m, pt.c, pt.k)
	if f == nil {
		return nil
	}
	return w.reshape(w.emit(&op.Conv2D{ConvAttrs: pt.attrs}, w.permute(pt.x, toNHWC...), f), to...)
}

func (w *sweep) convFilter(dy, rows *Value, to tensor.Shape) *Value {
	pt := w.patchesOf(rows)
	if pt == nil || len(dy.Shape) != 2 {
		return nil
	}
	n := dy.Shape[1]
	images := w.reshape(dy, pt.out[0], pt.out[1], pt.out[2], n)
	dw := w.emit(&op.Conv2DBackwardFilter{ConvAttrs: pt.attrs, FilterShape: tensor.Shape{pt.k[0], pt.k[1], pt.c, n}},
		w.permute(pt.x, toNHWC...), images)
	return w.reshape(w.permute(dw, toOIHW...), to...)
}

// convInput takes the gradient of patches of shape cols: dy times the filters, or the sum of such, where convolutions share
// their patches.
func (w *sweep) convInput(o *ir.Col2Im, dcol *Value, cols tensor.Shape) *Value {
	rows := w.p.through(dcol)
	s := w.producer(rows)
	if s == nil || len(cols) != 4 {
		return nil
	}
	if _, ok := s.Instr.(*op.Add); ok && w.only(rows) {
		return w.emit(&op.Add{}, w.convInput(o, s.In[0], cols), w.convInput(o, s.In[1], cols))
	}
	if m, ok := s.Instr.(*op.MatMul); !ok || m.TransA || m.TransB || rows.Shape[1] != cols[3] {
		return nil
	}
	in := o.InputShape
	f := w.filters(s.In[1], in[1], o.Kernel)
	if f == nil {
		return nil
	}
	dy := w.reshape(s.In[0], cols[0], cols[1], cols[2], s.In[0].Shape[1])
	dx := w.emit(&op.Conv2DBackwardInput{ConvAttrs: convAttrs(&o.Im2Col), InputShape: tensor.Shape{in[0], in[2], in[3], in[1]}}, dy, f)
	return w.permute(dx, toNCHW...)
}

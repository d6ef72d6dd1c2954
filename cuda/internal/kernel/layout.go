package kernel

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	register(map[string]Prepare{
		"Permute":   preparePermute,
		"Repeat":    prepareRepeat,
		"ZeroPad2D": prepareZeroPad2D,
		"Crop2D":    prepareCrop2D,
		"Upsample":  prepareUpsample,
		"Im2Col":    prepareIm2Col,
	}, allTypes...)
	registerFloats(map[string]Prepare{
		"Col2Im":       prepareCol2Im,
		"UpsampleGrad": prepareUpsampleGrad,
	})
	registerNarrow(map[string]narrowing{
		"ZeroPad2D": {in: operands(0), out: operands(0)},
		"Crop2D":    {in: operands(0), out: operands(0)},
	})
}

// preparePermute returns no commands for tensors of more axes than the kernels take.
func preparePermute(b *Builder, s *graph.Step) ([]Command, error) {
	c := b.permute(s.Out[0].Dtype, Out(0), In(0), s.In[0].Shape, s.Instr.(*op.Permute).Axes)
	if c == nil {
		return nil, nil
	}
	return []Command{c}, nil
}

// y = x in i of a kernel of move.cu or window.cu, a loop over the elements of y.
func moving(b *Builder, s *graph.Step, file, name string, args ...any) ([]Command, error) {
	y := s.Out[0]
	return []Command{b.each(file, name, y.Dtype, y.Len(), append([]any{Out(0), In(0)}, args...)...)}, nil
}

func prepareRepeat(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.Repeat)
	_, inner := o.Rows(s.In[0].Shape)
	return moving(b, s, "layout.cu", "repeat", structOf(divideBy(inner)), structOf(divideBy(o.Times)))
}

func prepareZeroPad2D(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.ZeroPad2D)
	return border(b, s, o.Format, o.Top, o.Left)
}

func prepareCrop2D(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.Crop2D)
	return border(b, s, o.Format, -o.Top, -o.Left)
}

// border moves images that begin top rows and left columns further into y than into x.
func border(b *Builder, s *graph.Step, format shape.Layout, top, left int) ([]Command, error) {
	h, w, c := format.Axes()
	x, y, inner := s.In[0].Shape, s.Out[0].Shape, 1 // the elements of a pixel that follow each other
	if format == shape.NHWC {
		inner = x[c]
	}
	pack := packOf(inner, s.In[0], s.Out[0])
	inner /= pack
	return []Command{b.carried(s, "border", s.In[0], pack, s.Out[0].Len()/pack, Out(0), In(0), structOf(divideBy(y[w]*inner)),
		structOf(divideBy(y[h])), int64(x[w]*inner), int64(x[h]), int64(top), int64(left*inner))}, nil
}

func prepareUpsample(b *Builder, s *graph.Step) ([]Command, error) {
	scale, w := s.Instr.(*ir.Upsample).Scale, s.In[0].Shape[3]
	return moving(b, s, "layout.cu", "upsample", structOf(divideBy(w*scale)), structOf(divideBy(scale)), int64(w))
}

func prepareUpsampleGrad(b *Builder, s *graph.Step) ([]Command, error) {
	return moving(b, s, "window.cu", "upsample_grad", structOf(divideBy(s.Out[0].Shape[3])), int64(s.Instr.(*ir.UpsampleGrad).Scale))
}

func prepareIm2Col(b *Builder, s *graph.Step) ([]Command, error) {
	h, w, err := s.Instr.(*ir.Im2Col).Spans(s.In[0].Shape)
	if err != nil {
		return nil, err
	}
	return moving(b, s, "window.cu", "im2col", windowOf(s.In[0].Shape[1], h, w))
}

func prepareCol2Im(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.Col2Im)
	h, w, err := o.Spans(o.InputShape)
	if err != nil {
		return nil, err
	}
	return moving(b, s, "window.cu", "col2im", windowOf(o.InputShape[1], h, w))
}

// windowOf is struct Window of window.cu.
func windowOf(channels int, h, w shape.Span) Bytes {
	return structOf(struct {
		H, W, C, OH, OW, KH, KW, StrideH, StrideW divisor
		DilationH, DilationW, Top, Left           int64
	}{divideBy(h.In), divideBy(w.In), divideBy(channels), divideBy(h.Out), divideBy(w.Out), divideBy(h.Kernel), divideBy(w.Kernel),
		divideBy(h.Stride), divideBy(w.Stride), int64(h.Dilation), int64(w.Dilation), int64(h.Before), int64(w.Before)})
}

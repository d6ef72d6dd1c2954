package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	registerFloats(map[string]Prepare{
		"Conv2D":               prepareConv2D,
		"FusedConv2D":          prepareConv2D,
		"Conv2DBackwardInput":  prepareConv2DBackwardInput,
		"Conv2DBackwardFilter": prepareConv2DBackwardFilter,
	})
}

func prepareConv2D(b *Builder, s *graph.Step) ([]Command, error) {
	var conv *op.Conv2D
	var e epilogue
	switch i := s.Instr.(type) {
	case *op.Conv2D:
		conv = i
	case *graph.FusedConv2D:
		conv, e = i.Conv, epilogueOf(i.Bias, i.ReLU)
	}
	g, err := conv.Geometry(s.In[0].Shape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	return b.convolution(convolution{pass: Forward, dt: s.Out[0].Dtype, g: g, x: In(0), w: In(1), y: Out(0), epilogue: e}), nil
}

func prepareConv2DBackwardInput(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.Conv2DBackwardInput)
	g, err := o.Geometry(o.InputShape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	return b.convolution(convolution{pass: BackwardInput, dt: s.Out[0].Dtype, g: g, x: Out(0), w: In(1), y: In(0)}), nil
}

func prepareConv2DBackwardFilter(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.Conv2DBackwardFilter)
	g, err := o.Geometry(s.In[0].Shape, o.FilterShape)
	if err != nil {
		return nil, err
	}
	return b.convolution(convolution{pass: BackwardFilter, dt: s.Out[0].Dtype, g: g, x: In(0), w: Out(0), y: In(1)}), nil
}

// convolution is one of the three passes. The filter w is (kh, kw, cin/groups, cout); x and y are in the geometry's format.
type convolution struct {
	pass    Pass
	dt      tensor.Dtype
	g       op.ConvGeometry
	x, w, y Pointer
	epilogue
}

// convolution computes a pass. It returns none for sizes that only the host counts far enough for.
func (b *Builder) convolution(c convolution) []Command {
	if c.pointwise() {
		return b.product(c.asProduct())
	}
	if !c.countable() {
		return nil
	}
	if c.g.N == 0 {
		return b.ownConvolution(c)
	}
	start := b.work
	e := &Either{Try: b.libraryConvolution(c)}
	tried := b.work
	b.work = start // one of the two runs, so they share the working memory
	e.Else = b.ownConvolution(c)
	if tried-start > mostScratch {
		return e.Else
	}
	b.work = max(b.work, tried)
	return []Command{e}
}

// pointwise says whether the convolution is a product of matrices: pixels by filter.
func (c convolution) pointwise() bool {
	one := func(s shape.Span) bool { return s.Kernel == 1 && s.Stride == 1 && s.Before == 0 && s.After == 0 }
	return one(c.g.H) && one(c.g.W) && c.g.Groups == 1 && c.g.Format == shape.NHWC
}

func (c convolution) asProduct() product {
	pixels := c.g.N * c.g.H.In * c.g.W.In
	p := product{dt: c.dt, batch: 1, epilogue: c.epilogue}
	switch c.pass {
	case Forward:
		p.a, p.b, p.c, p.m, p.n, p.k = c.x, c.w, c.y, pixels, c.g.F, c.g.C
	case BackwardInput:
		p.a, p.b, p.c, p.m, p.n, p.k, p.transB = c.y, c.w, c.x, pixels, c.g.C, c.g.F, true
	case BackwardFilter:
		p.a, p.b, p.c, p.m, p.n, p.k, p.transA = c.x, c.y, c.w, c.g.C, c.g.F, pixels, true
	}
	return p
}

// countable says whether positions and taps are numbers that the kernels count in 32 bits; pixels and elements they count in 64.
func (c convolution) countable() bool {
	const most = 1 << 28
	for _, s := range []shape.Span{c.g.H, c.g.W} {
		if max(s.In+s.Before, s.Out*s.Stride, s.Reach()) > most {
			return false
		}
	}
	taps := c.g.H.Kernel * c.g.W.Kernel
	return c.g.H.In*c.g.W.In <= most && c.g.H.Out*c.g.W.Out <= most && taps <= most && max(c.g.C, c.g.F) <= most &&
		taps*max(c.g.C, c.g.F)/c.g.Groups <= most
}

// libraryConvolution is the pass through cuDNN, between the conversions that it needs: the filter's axes, images that are not
// channels last, and rounding to bfloat16.
func (b *Builder) libraryConvolution(c convolution) []Command {
	g := c.g
	call := &Convolution{Pass: c.pass, Dtype: c.dt, Precision: b.Precision, N: g.N, H: g.H.In, W: g.W.In, C: g.C, K: g.F, R: g.H.Kernel, S: g.W.Kernel,
		OH: g.H.Out, OW: g.W.Out, Stride: [2]int{g.H.Stride, g.W.Stride}, Dilation: [2]int{g.H.Dilation, g.W.Dilation},
		Top: g.H.Before, Bottom: g.H.After, Left: g.W.Before, Right: g.W.After, Groups: g.Groups,
		X: c.x, Filter: c.w, Y: c.y, Bias: c.bias, ReLU: c.relu}
	var before, after []Command
	// use gives the call an operand in the library's order of axes, which perm makes of ours.
	use := func(p *Pointer, dims tensor.Shape, written bool, perm, back []int) {
		ours := *p
		*p = b.Scratch(int64(op.Len(dims)) * int64(c.dt.Size()))
		theirs := make(tensor.Shape, len(dims))
		for i, a := range perm {
			theirs[i] = dims[a]
		}
		if written {
			after = append(after, b.permute(c.dt, ours, *p, theirs, back))
		} else {
			before = append(before, b.permute(c.dt, *p, ours, dims, perm))
		}
	}
	use(&call.Filter, g.Filter(), c.pass == BackwardFilter, []int{3, 0, 1, 2}, []int{1, 2, 3, 0})
	if g.Format == shape.NCHW {
		use(&call.X, g.Input(), c.pass == BackwardInput, []int{0, 2, 3, 1}, []int{0, 3, 1, 2})
		use(&call.Y, g.Output(), c.pass == Forward, []int{0, 2, 3, 1}, []int{0, 3, 1, 2})
	}
	if b.Precision == BF16 && c.dt == tensor.Float32 {
		call.Rounded = true
		round := func(p *Pointer, dims tensor.Shape, written bool) {
			wide, n := *p, op.Len(dims)
			*p = b.Scratch(2 * int64(n))
			if written {
				after = append([]Command{b.each("bf16.cu", "from_bfloat16", c.dt, n, wide, *p)}, after...)
			} else {
				before = append(before, b.each("bf16.cu", "to_bfloat16", c.dt, n, *p, wide))
			}
		}
		round(&call.X, g.Input(), c.pass == BackwardInput)
		round(&call.Filter, g.Filter(), c.pass == BackwardFilter)
		round(&call.Y, g.Output(), c.pass == Forward)
	}
	return append(append(before, call), after...)
}

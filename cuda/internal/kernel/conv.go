package kernel

import (
	"slices"

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
	images := func(in ...int) narrowing {
		channelsLast := func(s *graph.Step) bool { return formatOf(s.Instr) == shape.NHWC }
		return narrowing{gains: true,
			in: func(s *graph.Step, i int) bool { return slices.Contains(in, i) && channelsLast(s) },
			out: func(s *graph.Step, _ int) bool {
				if s.Instr.Kind() == "Conv2DBackwardFilter" { // as cuDNN writes it
					return s.Out[0].Transposed
				}
				return channelsLast(s)
			}}
	}
	registerNarrow(map[string]narrowing{"Conv2D": images(0), "FusedConv2D": images(0), "Conv2DBackwardInput": images(0), "Conv2DBackwardFilter": images(0, 1)})
}

// formatOf is the order of the axes of a convolution's images.
func formatOf(i graph.Instr) shape.Layout {
	switch o := i.(type) {
	case *op.Conv2D:
		return o.Format
	case *graph.FusedConv2D:
		return o.Conv.Format
	case *op.Conv2DBackwardInput:
		return o.Format
	case *graph.FusedConv2DBackwardInput:
		return o.Grad.Format
	}
	return i.(*op.Conv2DBackwardFilter).Format
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
	c := convolution{pass: Forward, dt: s.Out[0].Dtype, g: g, x: In(0), w: In(1), y: Out(0), epilogue: e,
		filter: s.In[1], xNarrow: s.In[0].Narrow, yNarrow: s.Out[0].Narrow}
	c = c.withBias(s).withoutIdleTaps()
	if len(s.Out) > 1 {
		return b.convolutionWithStats(c, s), nil
	}
	return b.convolution(c), nil
}

func prepareConv2DBackwardInput(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.Conv2DBackwardInput)
	g, err := o.Geometry(o.InputShape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	c := convolution{pass: BackwardInput, dt: s.Out[0].Dtype, g: g, x: Out(0), w: In(1), y: In(0),
		filter: s.In[1], xNarrow: s.Out[0].Narrow, yNarrow: s.In[0].Narrow}
	return b.convolution(c.withoutIdleTaps()), nil
}

func prepareConv2DBackwardFilter(b *Builder, s *graph.Step) ([]Command, error) {
	c, err := filterGradient(s)
	if err != nil {
		return nil, err
	}
	return b.convolution(c), nil
}

// filterGradient is the pass of an op.Conv2DBackwardFilter.
func filterGradient(s *graph.Step) (convolution, error) {
	o := s.Instr.(*op.Conv2DBackwardFilter)
	g, err := o.Geometry(s.In[0].Shape, o.FilterShape)
	if err != nil {
		return convolution{}, err
	}
	c := convolution{pass: BackwardFilter, dt: s.Out[0].Dtype, g: g, x: In(0), w: Out(0), y: In(1), xNarrow: s.In[0].Narrow, yNarrow: s.In[1].Narrow,
		gradient: storedGradient{s.Out[0].Transposed, s.Out[0].Narrow}}
	return c.withoutIdleTaps(), nil
}

// convolution is one of the three passes. The filter w is (kh, kw, cin/groups, cout); x and y are in the geometry's format.
type convolution struct {
	pass             Pass
	dt               tensor.Dtype
	g                op.ConvGeometry
	x, w, y          Pointer
	filter           *graph.Value // w, where it is read
	part             Part         // of w, the taps of g, where all has more: see withoutIdleTaps
	all              *op.ConvGeometry
	pixels           Pixels       // of the images that w is expanded for: see ofPixels
	biasOf           *graph.Value // the bias of the epilogue
	xNarrow, yNarrow bool         // what is bfloat16 in memory
	gradient         storedGradient
	sums, residual   *Pointer // what cuDNN gathers of y, and what it adds: see Convolution
	mask             *Pointer // what cuDNN masks x with
	selects          bool     // the mask does: see Convolution
	epilogue
}

// withBias says which operand the bias is.
func (c convolution) withBias(s *graph.Step) convolution {
	if c.bias != nil {
		c.biasOf = s.In[c.bias.Index]
	}
	return c
}

// convolution computes a pass. It returns none for sizes that only the host counts far enough for.
func (b *Builder) convolution(c convolution) []Command {
	if ways := b.convolutionWays(c); len(ways) > 0 {
		return b.choice(ways...)
	}
	return nil
}

// convolutionWays are the ways to compute a pass. What is a product of matrices is one through cuBLASLt, or a convolution: which is
// faster is measured.
func (b *Builder) convolutionWays(c convolution) []alternative {
	library := alternative{"cuDNN", func() []Command { return b.libraryConvolution(c) }}
	switch {
	case c.pointwise() && !c.needsEpilogue():
		ways := []alternative{{"product", func() []Command { return b.inKerasOrder(c, b.pointwiseProduct) }}}
		if c.dt == tensor.Float32 && c.g.N > 0 && c.g.C > 0 && c.countable() {
			ways = append(ways, library)
		}
		return ways
	case !c.countable():
		return nil
	case c.g.N == 0:
		return []alternative{{"own kernels", func() []Command { return b.inKerasOrder(c, b.ownConvolution) }}}
	}
	ways := []alternative{{"cuDNN", func() []Command { return b.libraryOrOwn(c) }}}
	if apart := (alternative{"cuDNN, then bias and ReLU", func() []Command { return b.convolutionThenEpilogue(c) }}); b.epilogueApart(c) && b.serves(apart) {
		ways = []alternative{apart, ways[0]}
	}
	few := alternative{"few channels", func() []Command { return b.inKerasOrder(c, b.fewConvolution) }}
	if b.serves(few) {
		ways = append([]alternative{few}, ways...)
	}
	return append(ways, b.tinyWays(c)...)
}

// serves says whether an alternative has commands, without keeping the working memory that they take.
func (b *Builder) serves(a alternative) bool {
	start := b.work
	defer func() { b.work = start }()
	return len(a.list()) > 0
}

// libraryOrOwn is a pass through cuDNN, else with our own kernels.
func (b *Builder) libraryOrOwn(c convolution) []Command {
	start := b.work
	e := &Either{Try: b.libraryConvolution(c)}
	tried := b.work
	b.work = start // one of the two runs, so they share the working memory
	e.Else = b.inKerasOrder(c, func(c convolution) []Command {
		if c.pointwise() {
			of, clear := c.alone()
			return append(clear, b.wideProduct(of.asProduct())...)
		}
		return b.wideConvolution(c)
	})
	if tried-start > mostScratch {
		return e.Else
	}
	b.work = max(b.work, tried)
	return []Command{e}
}

// needsEpilogue says whether a bias of float32 or a ReLU goes into results of bfloat16, which cuDNN does on the way and cuBLASLt does
// not.
func (c convolution) needsEpilogue() bool {
	return c.yNarrow && c.pass == Forward && (c.bias != nil || c.relu)
}

// wideConvolution is the pass with our own kernels, whose operands are float32: through copies of those that are not.
func (b *Builder) wideConvolution(c convolution) []Command {
	var before, after []Command
	read := func(p *Pointer, narrow *bool, dims tensor.Shape) {
		*p, *narrow = b.widened(*p, *narrow, dims, &before), false
	}
	write := func(p *Pointer, narrow *bool, dims tensor.Shape) {
		if *narrow {
			n := op.Len(dims)
			wide := b.Scratch(4 * int64(n))
			after = append(after, b.toBFloat16(*p, wide, n))
			*p, *narrow = wide, false
		}
	}
	x, y := read, read
	switch c.pass {
	case Forward:
		y = write
	case BackwardInput:
		x = write
	}
	x(&c.x, &c.xNarrow, c.g.Input())
	y(&c.y, &c.yNarrow, c.g.Output())
	return append(append(before, b.ownConvolution(c)...), after...)
}

// pointwise says whether the convolution is a product of matrices: pixels by filter.
func (c convolution) pointwise() bool {
	one := func(s shape.Span) bool { // one element has no neighbours for strides to pass over
		return s.Kernel == 1 && (s.Stride == 1 || s.In == 1) && s.Before == 0 && s.After == 0
	}
	return one(c.g.H) && one(c.g.W) && c.g.Groups == 1 && c.g.Format == shape.NHWC
}

// pointwiseProduct is a pass as a product.
func (b *Builder) pointwiseProduct(c convolution) []Command {
	of, clear := c.alone()
	return append(clear, b.product(of.asProduct())...)
}

// asProduct is a pass of one tap, which lies at w.
func (c convolution) asProduct() product {
	pixels := c.g.N * c.g.H.In * c.g.W.In
	p := product{dt: c.dt, batch: 1, epilogue: c.epilogue}
	filter := c.packedOf(c.filter, c.g.C, true)
	switch c.pass {
	case Forward:
		p.a, p.b, p.c, p.m, p.n, p.k = c.x, c.w, c.y, pixels, c.g.F, c.g.C
		p.aNarrow, p.cNarrow, p.packed = c.xNarrow, c.yNarrow, filter
	case BackwardInput:
		p.a, p.b, p.c, p.m, p.n, p.k, p.transB = c.y, c.w, c.x, pixels, c.g.C, c.g.F, true
		p.aNarrow, p.cNarrow, p.packed = c.yNarrow, c.xNarrow, filter
	case BackwardFilter:
		p.a, p.b, p.c, p.m, p.n, p.k, p.transA = c.x, c.y, c.w, c.g.C, c.g.F, pixels, true
		p.aNarrow, p.bNarrow = c.xNarrow, c.yNarrow
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

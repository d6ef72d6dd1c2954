package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	registerFloats(map[string]Prepare{"FusedConv2DAdd": prepareConv2DAdd})
	channelsLast := func(s *graph.Step) bool { return formatOf(s.Instr) == shape.NHWC }
	registerNarrow(map[string]narrowing{"FusedConv2DAdd": {gains: true,
		in: func(s *graph.Step, i int) bool {
			return (i == 0 || i == residualOf(s.Instr.(*graph.FusedConv2D))) && channelsLast(s)
		},
		out: func(s *graph.Step, _ int) bool { return channelsLast(s) }}})
}

// residualOf is the number of the operand that is added to the result.
func residualOf(f *graph.FusedConv2D) int {
	if f.Bias {
		return 3
	}
	return 2
}

// Apart says that no result of a step may be written over an operand, whatever the operation allows: a convolution writes its result, and a
// launch adds the residual then; nor does cuDNN say that the two may be the same memory.
func Apart(instr graph.Instr) bool {
	f, ok := instr.(*graph.FusedConv2D)
	return ok && f.Add
}

// prepareConv2DAdd is a convolution [+ bias] + residual [+ ReLU]: all of it by cuDNN, while the results are in registers, or with a launch
// behind the convolution that adds the residual. Without a measurement the former is done where tensor cores compute, as it reads and writes
// the fewest bytes; convolutions of float32 with all its digits take the time of their arithmetic. For groups cuDNN proposes
// none with tensor cores, for float64 none at all.
func prepareConv2DAdd(b *Builder, s *graph.Step) ([]Command, error) {
	f := s.Instr.(*graph.FusedConv2D)
	g, err := f.Conv.Geometry(s.In[0].Shape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	r := residualOf(f)
	c := convolution{pass: Forward, dt: s.Out[0].Dtype, g: g, x: In(0), w: In(1), y: Out(0), epilogue: epilogueOf(f.Bias, false),
		filter: s.In[1], xNarrow: s.In[0].Narrow, yNarrow: s.Out[0].Narrow}.withBias(s).withoutIdleTaps()
	add := residual{In(r), s.In[r], s.Out[0], f.ReLU}
	ways := b.addingWays(c, add)
	if len(ways) == 0 { // sizes that only the host counts far enough for
		return nil, nil
	}
	whole := alternative{"cuDNN with residual", func() []Command { return b.residualConvolution(c, add) }}
	switch {
	case !b.serves(whole):
	case b.Precision == FP32 || g.Groups > 1:
		ways = append(ways, whole)
	default:
		ways = append([]alternative{whole}, ways...)
	}
	return b.choice(ways...), nil
}

// residual is what is added to a convolution's result y, before the ReLU if there is one.
type residual struct {
	at   Pointer
	x, y *graph.Value
	relu bool
}

// addTo is y ← from + residual, then ReLU. From may be y.
func (b *Builder) addTo(r residual, from Pointer, narrow bool) Command {
	name := "add"
	if r.relu {
		name = "add_relu"
	}
	read := &graph.Value{Dtype: r.y.Dtype, Narrow: narrow}
	d := storage{}.as("SX", read).as("SZ", r.x).as("SY", r.y)
	return b.packed("elementwise.cu", name, r.y.Dtype, d, r.y.Len(), packOf(r.y.Len(), read, r.x, r.y), Out(0), from, r.at)
}

// addingWays are those with a launch that adds. cuBLASLt, which adds no bias to bfloat16, leaves float32 for it, so that what is added up
// is not rounded before.
func (b *Builder) addingWays(c convolution, r residual) (ways []alternative) {
	of := b.convolutionWays(c)
	if c.pointwise() && c.yNarrow {
		ways = append(ways, alternative{"product", func() []Command {
			wide := c
			wide.y, wide.yNarrow = b.Scratch(4*int64(r.y.Len())), false
			return append(b.pointwiseProduct(wide), b.addTo(r, wide.y, false))
		}})
		of = []alternative{{"cuDNN", func() []Command { return b.libraryOrOwn(c) }}}
	}
	for _, w := range of {
		ways = append(ways, alternative{w.name, func() []Command { return append(w.list(), b.addTo(r, c.y, c.yNarrow)) }})
	}
	return ways
}

// residualConvolution is all of it through cuDNN, and nothing where the residual or the result would be a copy of what lies in memory, or
// that takes very much working memory.
func (b *Builder) residualConvolution(c convolution, r residual) []Command {
	if c.dt != tensor.Float32 || c.g.Format != shape.NHWC || c.g.N == 0 || c.g.C == 0 || !c.countable() ||
		b.Precision == BF16 && !(c.yNarrow && r.x.Narrow) {
		return nil
	}
	start := b.work
	c.residual, c.relu = &r.at, r.relu
	list := b.libraryConvolution(c)
	if b.work-start > mostScratch {
		return nil
	}
	return list
}

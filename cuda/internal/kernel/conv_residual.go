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
		in:  func(s *graph.Step, i int) bool { return (i == 0 || i == residualOf(s.Instr.(*graph.FusedConv2D))) && channelsLast(s) },
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

// prepareConv2DAdd is a convolution [+ bias] + residual [+ ReLU]. cuDNN does all of it while the results are in registers: without a
// measurement that is what is done, as it reads and writes the fewest bytes. Where it has no engine for that, as for float64 and for
// float32 without tensor cores, a launch adds the residual to what the convolution wrote.
func prepareConv2DAdd(b *Builder, s *graph.Step) ([]Command, error) {
	f, y, r := s.Instr.(*graph.FusedConv2D), s.Out[0], residualOf(s.Instr.(*graph.FusedConv2D))
	g, err := f.Conv.Geometry(s.In[0].Shape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	c := convolution{pass: Forward, dt: y.Dtype, g: g, x: In(0), w: In(1), y: Out(0), epilogue: epilogueOf(f.Bias, false),
		filter: s.In[1], xNarrow: s.In[0].Narrow, yNarrow: y.Narrow}
	var ways []alternative
	whole := alternative{"cuDNN with residual", func() []Command { return b.residualConvolution(c, s.In[r], In(r), f.ReLU) }}
	if b.serves(whole) {
		ways = append(ways, whole)
	}
	name := "add"
	if f.ReLU {
		name = "add_relu"
	}
	for _, w := range b.convolutionWays(c) {
		ways = append(ways, alternative{w.name, func() []Command {
			d := storage{}.as("SX", y).as("SZ", s.In[r]).as("SY", y)
			return append(w.list(), b.packed("elementwise.cu", name, y.Dtype, d, y.Len(), packOf(y.Len(), y, s.In[r]), Out(0), Out(0), In(r)))
		}})
	}
	if len(ways) == 0 || ways[len(ways)-1].name == whole.name { // sizes that only the host counts far enough for
		return nil, nil
	}
	return b.choice(ways...), nil
}

// residualConvolution is a convolution through cuDNN that adds a residual, and nothing where it would not be one of what lies in memory, or
// takes very much working memory.
func (b *Builder) residualConvolution(c convolution, residual *graph.Value, at Pointer, relu bool) []Command {
	rounded := b.Precision == BF16
	if c.dt != tensor.Float32 || c.g.Format != shape.NHWC || c.g.N == 0 || c.g.C == 0 || !c.countable() || rounded && !(c.yNarrow && residual.Narrow) {
		return nil
	}
	start := b.work
	c.residual, c.relu = &at, relu
	list := b.libraryConvolution(c)
	if b.work-start > mostScratch {
		return nil
	}
	return list
}

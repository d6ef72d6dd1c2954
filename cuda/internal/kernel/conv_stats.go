package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	register(map[string]Prepare{"FusedConv2DStats": prepareConv2D}, tensor.Float32)
	registerNarrow(map[string]narrowing{"FusedConv2DStats": {gains: true,
		in:  func(s *graph.Step, i int) bool { return i == 0 && formatOf(s.Instr) == shape.NHWC },
		out: func(s *graph.Step, i int) bool { return i == 0 && formatOf(s.Instr) == shape.NHWC }}})
}

// Fuses says whether there are kernels for fused steps of a kind. Convolutions gather the statistics of their results only if they round:
// of those with all digits of their type the statistics are to have these, too, which sums of squares may lose.
func Fuses(kind string, dt tensor.Dtype, p Precision) bool {
	return Has(kind, dt) && (kind != "FusedConv2DStats" || p != FP32)
}

// GatherBytes is from how many bytes of its result on a convolution may gather sums. To read fewer takes a GPU two microseconds, about what
// the launch takes that makes statistics of the sums, and cuDNN compiles such a convolution for a second.
const GatherBytes = 8 << 20

// convolutionWithStats is a forward pass and the mean and variance of its result's channels: by a launch that reads the result, or of sums
// that cuDNN gathers while it writes it.
func (b *Builder) convolutionWithStats(c convolution, s *graph.Step) []Command {
	_, _, channel := c.g.Format.Axes()
	v := channelsOf(s.Out[0].Shape, channel)
	var ways []alternative
	for _, w := range b.convolutionWays(c) {
		ways = append(ways, alternative{w.name, func() []Command {
			return append(w.list(), b.stats(s.Out[0], Out(0), Out(1), b.perChannel(c.dt, v), Out(2), v)...)
		}})
	}
	if len(ways) == 0 {
		return nil
	}
	// Of a result that is rounded on the way to memory and is float32 there, the sums would be of something else. cuDNN's engines add them
	// in any order, whether they say so or not (seen with 9.14 on an H200).
	if b.AnyOrder && c.g.Format == shape.NHWC && c.g.Groups == 1 && (b.Precision == TF32 || c.yNarrow) && int64(s.Out[0].StoredBytes()) >= b.Gather {
		ways = append(ways, alternative{"cuDNN with statistics", func() []Command { return b.gathering(c, s) }})
	}
	return b.choice(ways...)
}

// gathering is a convolution through cuDNN that gathers sums, and what makes statistics of them.
func (b *Builder) gathering(c convolution, s *graph.Step) []Command {
	sums := b.Scratch(2 * 4 * int64(c.g.F))
	c.sums = &sums
	var d storage
	return append(b.libraryConvolution(c), &Launch{Source: File("stats_of_sums.cu", c.dt, d.as("SY", s.Out[0])...), Name: "stats_of_sums",
		Grid: Dim3{X: c.g.F}, Block: Dim3{X: threads},
		Args: []any{Out(1), Out(2), sums, Out(0), int64(c.g.N) * int64(c.g.H.Out) * int64(c.g.W.Out), int32(c.g.F)}})
}

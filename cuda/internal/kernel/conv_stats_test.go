package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// statsStep is a convolution with the statistics of its result.
func statsStep(t *testing.T, x, w tensor.Shape, a op.ConvAttrs, bias bool) *graph.Step {
	g, err := a.Geometry(x, w)
	require.NoError(t, err)
	dt := tensor.Float32
	s := &graph.Step{Instr: &graph.FusedConv2D{Conv: &op.Conv2D{ConvAttrs: a}, Bias: bias, Stats: true},
		In: []*graph.Value{valueOf(dt, x...), valueOf(dt, w...)}, Out: []*graph.Value{valueOf(dt, g.Output()...), valueOf(dt, g.F), valueOf(dt, g.F)}}
	if bias {
		s.In = append(s.In, valueOf(dt, g.F))
	}
	return s
}

// namesOf are those of the ways of the only command, none if it is no Choice.
func namesOf(list []Command) (names []string) {
	if len(list) == 1 {
		if c, ok := list[0].(*Choice); ok {
			for _, w := range c.Ways {
				names = append(names, w.Name)
			}
		}
	}
	return names
}

// Which ways there are to convolve and have the statistics, by precision and by what is bfloat16 in memory.
func TestConvolutionsWithStatistics(t *testing.T) {
	both, three := []string{"cuDNN", "cuDNN with statistics"}, []string{"product", "cuDNN", "cuDNN with statistics"}
	for _, c := range convCases {
		for _, bias := range []bool{false, true} {
			a := c.a
			s := statsStep(t, c.x, c.w, a, bias)
			plain := a.Format == shape.NHWC && a.Groups <= 1
			pointwise := c.name == "pointwise"
			for _, p := range []Precision{FP32, TF32, BF16} {
				if p == FP32 {
					require.False(t, Fuses(s.Instr.Kind(), tensor.Float32, p))
					continue
				}
				for _, narrow := range []bool{false, true} {
					if narrow && p != BF16 {
						continue
					}
					of := copyOf(s)
					if narrow {
						of = narrowed(of)
						require.Equal(t, []bool{a.Format == shape.NHWC, false, false}, []bool{of.Out[0].Narrow, of.Out[1].Narrow, of.Out[2].Narrow})
					}
					b := builderFor(p)
					names := namesOf(commandsOf(t, b, of))
					if len(names) > 0 && names[0] == "few channels" {
						require.True(t, plain && c.x[3] <= mostFewChannels, c.name)
						names = names[1:]
					}
					switch {
					case !plain || p == BF16 && !narrow:
						require.NotContains(t, names, "cuDNN with statistics", c.name)
					case pointwise && (!bias || p == TF32):
						require.Equal(t, three, names, c.name)
					default:
						require.Equal(t, both, names, c.name)
					}
				}
			}
		}
	}
	small := builderFor(TF32)
	small.Gather = GatherBytes
	require.Empty(t, namesOf(commandsOf(t, small, statsStep(t, tensor.Shape{8, 28, 28, 64}, tensor.Shape{3, 3, 64, 64}, op.ConvAttrs{}, false))))
	require.Equal(t, both, namesOf(commandsOf(t, small, statsStep(t, tensor.Shape{64, 28, 28, 64}, tensor.Shape{3, 3, 64, 64}, op.ConvAttrs{}, false))))
	small.AnyOrder = false
	require.Empty(t, namesOf(commandsOf(t, small, statsStep(t, tensor.Shape{64, 28, 28, 64}, tensor.Shape{3, 3, 64, 64}, op.ConvAttrs{}, false))), "the same bits in every run")
	require.False(t, Fuses("FusedConv2DStats", tensor.Float64, TF32))
	require.True(t, Fuses("FusedConv2D", tensor.Float64, FP32))
}

// Without a measurement a convolution with statistics does what the two steps do that it stands for.
func TestFirstWayOfStatistics(t *testing.T) {
	s := statsStep(t, tensor.Shape{8, 28, 28, 64}, tensor.Shape{3, 3, 64, 128}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, false)
	list := commandsOf(t, builderFor(TF32), s)[0].(*Choice).Ways[0].List
	require.Len(t, list, 2)
	require.IsType(t, &Either{}, list[0])
	require.Equal(t, "stats", list[1].(*Launch).Name)
}

// Ways share working memory, and one that wants too much is left out.
func TestChoices(t *testing.T) {
	b := builderFor(FP32)
	way := func(name string, bytes int64, commands int) alternative {
		return alternative{name, func() []Command { b.Scratch(bytes); return make([]Command, commands) }}
	}
	b.Scratch(100)
	list := b.choice(way("a", 1000, 1), way("b", 5000, 1), way("none", 9000, 0), way("large", mostScratch+1, 1))
	require.Equal(t, []string{"a", "b"}, namesOf(list))
	c := list[0].(*Choice)
	require.Equal(t, []int64{256 + 1024, 256 + 5120}, []int64{c.Ways[0].Work, c.Ways[1].Work})
	require.Equal(t, int64(256+5120), b.Work())
	require.Len(t, b.choice(way("a", 2*mostScratch, 3), way("none", 0, 0)), 3, "one way is no choice")
	require.Equal(t, int64(256+5120+2*mostScratch), b.Work())
}

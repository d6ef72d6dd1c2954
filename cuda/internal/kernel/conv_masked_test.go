package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
	"github.com/stheno-ml/stheno/train"
)

// maskingWays are those by which cuDNN masks the gradient, and may sum it.
func maskingWays(bias bool) []string {
	if bias {
		return []string{"cuDNN with selection", "cuDNN with selection and sums", "cuDNN with ReLU gradient"}
	}
	return []string{"cuDNN with selection", "cuDNN with ReLU gradient"}
}

// maskedStep is the gradient of a convolution's input, masked by a ReLU, with or without the sums of its channels.
func maskedStep(t *testing.T, x, w tensor.Shape, a op.ConvAttrs, bias bool) *graph.Step {
	g, err := a.Geometry(x, w)
	require.NoError(t, err)
	dt := tensor.Float32
	s := stepOf(&graph.FusedConv2DBackwardInput{Grad: &op.Conv2DBackwardInput{ConvAttrs: a, InputShape: x}, Bias: bias}, valueOf(dt, x...),
		valueOf(dt, g.Output()...), valueOf(dt, w...), valueOf(dt, x...))
	if bias {
		s.Out = append(s.Out, valueOf(dt, g.C))
	}
	return s
}

// Which ways there are to compute and mask it, by precision and by what is bfloat16 in memory; those of the gradient alone come first.
func TestMaskedInputGradients(t *testing.T) {
	for _, c := range convCases {
		for _, bias := range []bool{false, true} {
			s := maskedStep(t, c.x, c.w, c.a, bias)
			fused := c.a.Format == shape.NHWC && c.a.Groups <= 1
			for _, p := range []Precision{FP32, TF32, BF16} {
				require.Equal(t, fused && p != FP32, JoinsReLUGrad(s, p, 0), "%s %s", c.name, p)
				for _, narrow := range []bool{false, true} {
					if narrow && p != BF16 {
						continue
					}
					of := copyOf(s)
					if narrow {
						of = narrowed(of)
						last := c.a.Format == shape.NHWC
						require.Equal(t, []bool{last, false, last, last}, []bool{of.In[0].Narrow, of.In[1].Narrow, of.In[2].Narrow, of.Out[0].Narrow})
						require.False(t, bias && of.Out[1].Narrow)
					}
					list := commandsOf(t, builderFor(p), of)
					alone := stepOf(of.Instr.(*graph.FusedConv2DBackwardInput).Grad, copyOf(of).Out[0], copyOf(of).In[:2]...)
					alone.In[0].Narrow, alone.Out[0].Narrow = of.In[0].Narrow, of.Out[0].Narrow
					want := namesOf(commandsOf(t, builderFor(p), alone))
					if fused && p != FP32 && (p == TF32 || narrow) {
						if len(want) == 0 {
							want = []string{"cuDNN"}
						}
						want = append(want, maskingWays(bias)...)
					}
					require.Equal(t, want, namesOf(list), "%s %s narrow %t", c.name, p, narrow)
					if len(want) > 0 {
						list = list[0].(*Choice).Ways[0].List
					}
					last := "relu_grad"
					if bias {
						last = "bias_grad_relu"
					}
					require.Equal(t, last, list[len(list)-1].(*Launch).Name, "what is followed without a measurement")
				}
			}
		}
	}
}

// Gradient and mask are one call of cuDNN, behind which the sums read what it has written, unless they are a part of the call.
func TestOneCallMasks(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, bias := range []bool{false, true} {
		s := narrowed(maskedStep(t, tensor.Shape{8, 28, 28, 64}, tensor.Shape{3, 3, 64, 128}, same, bias))
		ways := commandsOf(t, builderFor(BF16), s)[0].(*Choice).Ways
		first := ways[0].List
		for _, c := range Calls(first) {
			require.Nil(t, c.(*Convolution).Mask)
		}
		names := maskingWays(bias)
		ways = ways[len(ways)-len(names):]
		for i, name := range names {
			require.Equal(t, name, ways[i].Name)
			list := ways[i].List
			if gathers := strings.HasSuffix(name, "sums"); bias && !gathers {
				sums := list[len(list)-1].(*Launch)
				require.Equal(t, "bias_grad", sums.Name)
				require.True(t, hasDefine(sums.Source, "SDY bf16"))
				list = list[:len(list)-1]
			}
			call := list[len(list)-1].(*Convolution)
			require.Equal(t, []any{BackwardInput, In(2), Out(0), In(0)}, []any{call.Pass, *call.Mask, call.X, call.Y})
			require.Equal(t, strings.Contains(name, "selection"), call.Select)
			if strings.HasSuffix(name, "sums") {
				require.Equal(t, Out(1), *call.Sums)
			} else {
				require.Nil(t, call.Sums)
			}
			for _, c := range list[:len(list)-1] {
				require.Contains(t, c.(*Launch).Name, "pack", "only the filter is laid out anew")
			}
		}

		// A mask of float32 beside a gradient of bfloat16 is not rounded, and the other way around.
		for _, wide := range []int{0, 1} {
			mixed := narrowed(copyOf(s))
			[]*graph.Value{mixed.In[2], mixed.Out[0]}[wide].Narrow = false
			for _, name := range maskingWays(bias) {
				require.NotContains(t, namesOf(commandsOf(t, builderFor(BF16), mixed)), name)
			}
		}
	}
}

// In a fixed order sums are asked of cuDNN on a GPU before Hopper, or of few channels.
func TestSumsOfCuDNN(t *testing.T) {
	for _, c := range []struct {
		channels, capability int
		anyOrder, want       bool
	}{{64, 90, false, true}, {128, 90, false, false}, {128, 90, true, true}, {128, 80, false, true}} {
		same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
		s := narrowed(maskedStep(t, tensor.Shape{8, 8, 8, c.channels}, tensor.Shape{3, 3, c.channels, 128}, same, true))
		b := builderFor(BF16)
		b.Capability, b.AnyOrder = c.capability, c.anyOrder
		require.Equal(t, c.want, slices.Contains(namesOf(commandsOf(t, b, s)), maskingWays(true)[1]), "%+v", c)
	}
}

func TestWhatIsJoinedWithItsMask(t *testing.T) {
	x, w := tensor.Shape{64, 32, 32, 64}, tensor.Shape{3, 3, 64, 64}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	s := maskedStep(t, x, w, same, true)
	require.True(t, JoinsReLUGrad(s, BF16, GatherBytes))
	require.True(t, JoinsReLUGrad(s, TF32, 2*GatherBytes))
	require.False(t, JoinsReLUGrad(s, BF16, GatherBytes+1))
	require.False(t, JoinsReLUGrad(s, FP32, 0))
	far := op.ConvAttrs{Dilations: [2]int{1 << 24, 1}, Padding: shape.Padding{Mode: shape.Same}}
	require.False(t, JoinsReLUGrad(maskedStep(t, tensor.Shape{1, 4, 4, 1}, tensor.Shape{50, 1, 1, 1}, far, true), TF32, 0), "it would run on the host")
	wide := copyOf(s)
	wide.Out[0].Dtype = tensor.Float64
	require.False(t, JoinsReLUGrad(wide, TF32, 0))
	require.False(t, Has("FusedConv2DBackwardInput", tensor.Float64))
}

// Of what alternatives are compared with, the mask has zeros and NaN, and the gradient a NaN.
func TestNoiseOfMasks(t *testing.T) {
	s := maskedStep(t, tensor.Shape{2, 8, 8, 8}, tensor.Shape{3, 3, 8, 8}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, true)
	kind := func(s *graph.Step, v *graph.Value) any { return Noise(s, v, 0, 1).Args[2] }
	require.Equal(t, []any{int32(3), int32(0), int32(2), int32(0), int32(1)}, []any{kind(s, s.In[0]), kind(s, s.In[1]), kind(s, s.In[2]), kind(s, s.Out[0]), kind(s, s.Out[1])})
	require.Equal(t, int32(0), kind(stepOf(&op.ReLUGrad{}, s.Out[0], s.In[2], s.In[0]), s.In[2]))
}

// The NaN among the numbers of a gradient gets into results, and into the first of them alone, where the mask is told.
func TestPlaceOfNaN(t *testing.T) {
	cases := append(slices.Clone(convCases), convCases[0])
	padded := &cases[len(cases)-1] // further than the filter reaches
	padded.name, padded.x, padded.w = "padding around a pointwise one", tensor.Shape{1, 5, 6, 8}, tensor.Shape{1, 1, 8, 8}
	padded.a.Strides = [2]int{}
	counted := 0
	for _, c := range cases {
		s := maskedStep(t, c.x, c.w, c.a, true)
		at, reached := maskedNaN(s)
		if c.a.Format != shape.NHWC || s.In[0].Len() == 0 {
			require.Equal(t, []int64{-1, 0}, []int64{at, reached}, c.name)
			continue
		}
		g, err := c.a.Geometry(c.x, c.w)
		require.NoError(t, err)
		require.Less(t, at, int64(g.H.Out*g.W.Out*g.F), "%s: in the first image", c.name)
		row, column := int(at)/g.F/g.W.Out, int(at)/g.F%g.W.Out
		taps := 0
		for i := range g.H.Kernel {
			for j := range g.W.Kernel {
				h, w := row*g.H.Stride-g.H.Before+i*g.H.Dilation, column*g.W.Stride-g.W.Before+j*g.W.Dilation
				if h >= 0 && h < g.H.In && w >= 0 && w < g.W.In {
					require.Less(t, int64((h*g.W.In+w)*g.C), reached, c.name)
					taps++
				}
			}
		}
		require.NotZero(t, taps, c.name)
		require.Equal(t, Noise(s, s.In[0], 0, 1).Args[3], at)
		require.Equal(t, Noise(s, s.In[2], 0, 1).Args[3], reached)
		counted++
	}
	require.Greater(t, counted, 4)
}

// joiningPlanner plans as the CUDA engine does where there is cuDNN.
type joiningPlanner struct{ planner }

func (joiningPlanner) JoinsReLUGrad(s *graph.Step) bool { return JoinsReLUGrad(s, TF32, GatherBytes) }

// What VGG-16's training step does without a measurement is what it does step by step.
func TestJoinedMasksOfATrainingStep(t *testing.T) {
	a, err := arch.ByName("vgg16", arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	g, opts, err := train.StepGraph(m, train.SGD{}, 256, 1)
	require.NoError(t, err)
	plan := func(e graph.Engine) (p *graph.Plan, joined int) {
		p, err := graph.PlanFor(g, append(opts[:len(opts):len(opts)], graph.WithEngine(e))...)
		require.NoError(t, err)
		for _, s := range p.Steps {
			if s.Instr.Kind() == "FusedConv2DBackwardInput" {
				joined++
				names := namesOf(commandsOf(t, builderFor(TF32), s))
				require.Equal(t, append([]string{"cuDNN"}, maskingWays(true)...), names)
			}
		}
		return p, joined
	}
	apart, none := plan(planner{})
	p, joined := plan(joiningPlanner{})
	require.Zero(t, none)
	require.Equal(t, 8, joined, "of 12, the gradients of four have less than 8 MiB")
	require.Equal(t, launchesOf(t, apart), launchesOf(t, p))
	require.LessOrEqual(t, p.ArenaBytes, apart.ArenaBytes)
}

// joiningAll joins small gradients, too.
type joiningAll struct{ planner }

func (joiningAll) JoinsReLUGrad(s *graph.Step) bool { return JoinsReLUGrad(s, TF32, 0) }

// Where a join is not followed by cuDNN, it costs no launch more than the steps that it stands for: so a mask that would be one loop with what is
// behind it is not joined.
func TestJoinedMasksCostNoLaunch(t *testing.T) {
	joinedLaunches(t, "conv-relu-grad", "FusedConv2DBackwardInput", joiningAll{}, func(name string, apart, joined int) {
		require.Equal(t, apart, joined, name)
	})
}

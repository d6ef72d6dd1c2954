package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// transposer plans as the CUDA engine does with cuDNN, updates in groups among the rest.
type transposer struct {
	grouper
	precision Precision
}

func (e transposer) Transposes(s *graph.Step) (in, out []bool) {
	return builderFor(e.precision).Transposes(s)
}

func (e transposer) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	if e.precision != BF16 {
		return nil, nil, false
	}
	return Narrows(s)
}

// unpacking are the launches of a step, and of the preferred way with cuDNN, that bring a filter's gradient from one order into another.
func unpacking(list []Command) (names []string) {
	for _, c := range list {
		switch c := c.(type) {
		case *Launch:
			if c.Name == "unpack" || c.Name == "pack" {
				names = append(names, c.Name)
			}
		case *Either:
			names = append(names, unpacking(c.Try)...)
		case *Choice:
			names = append(names, unpacking(c.Ways[0].List)...)
		}
	}
	return names
}

// No gradient of a filter is brought into another order in front of the updates, but for those of other readers. The updates are still a few
// launches, of two kinds.
func TestTransposedGradientsOfATrainingStep(t *testing.T) {
	for _, c := range []struct {
		arch      string
		input     nn.Shape
		opt       train.Optimizer
		precision Precision
		gradients int // filters first
		unpacked  int
		update    string
		most      int // launches of updates by gradients that are
	}{
		{"vgg16", nn.Shape{32, 32, 3}, train.SGD{Momentum: 0.9}, BF16, 12, 0, "momentum_update", 3},
		{"vgg16", nn.Shape{32, 32, 3}, train.SGD{Momentum: 0.9}, FP32, 13, 0, "momentum_update", 3},
		{"resnet50", nn.Shape{224, 224, 3}, train.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4}, BF16, 19, 0, "momentum_update", 4},
		{"resnet50", nn.Shape{224, 224, 3}, train.Adam{}, TF32, 19, 0, "adam_update", 4},
		{"vgg16", nn.Shape{32, 32, 3}, train.SGD{}, BF16, 0, 12, "", 0},
		{"vgg16", nn.Shape{32, 32, 3}, train.Base{Optimizer: train.SGD{Momentum: 0.9}, ClipNorm: 1}, BF16, 0, 12, "", 0},
	} {
		a, err := arch.ByName(c.arch, arch.Config{Input: c.input})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, c.opt, 64, 1)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(opts, graph.WithEngine(transposer{precision: c.precision}))...)
		require.NoError(t, err)
		b, gradients, names := builderFor(c.precision), 0, []string{}
		for _, s := range p.Steps {
			commands, err := Commands(b, s)
			require.NoError(t, err)
			checkLaunches(t, b, s, commands)
			if s.Instr.Kind() == "Conv2DBackwardFilter" {
				names = append(names, unpacking(commands)...)
				if v := s.Out[0]; v.Transposed {
					require.Equal(t, c.precision == BF16, v.Narrow)
					require.Contains(t, p.String(), map[bool]string{true: "bf16", false: "f32"}[v.Narrow]+shape.Format(v.Shape)+" transposed @")
					gradients++
				}
			}
		}
		require.Equal(t, c.gradients, gradients, "%s, %T, %v", c.arch, c.opt, c.precision)
		require.Len(t, names, c.unpacked, "%s, %T, %v: %v", c.arch, c.opt, c.precision, names)
		if c.update == "" {
			continue
		}
		got := launchesOf(t, p)
		require.GreaterOrEqual(t, got[c.update+"_transposed_many"], 1, "%v", got)
		require.LessOrEqual(t, got[c.update+"_transposed_many"]+got[c.update+"_transposed"], c.most, "%v", got)
		require.LessOrEqual(t, got[c.update+"_many"]+got[c.update], c.most+1, "%v", got)
	}
}

// What is kept filters first is what cuDNN writes so, at no cost.
func TestTransposes(t *testing.T) {
	gradient := func(dt tensor.Dtype, a op.ConvAttrs, x, w []int) *graph.Step {
		g, err := a.Geometry(x, w)
		require.NoError(t, err)
		return stepOf(&op.Conv2DBackwardFilter{ConvAttrs: a, FilterShape: w}, valueOf(dt, w...), valueOf(dt, x...), valueOf(dt, g.Output()...))
	}
	f32, same := tensor.Float32, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []struct {
		why             string
		step            *graph.Step
		fp32, tf32, bf6 bool
	}{
		{"an ordinary filter", gradient(f32, same, []int{8, 6, 6, 32}, []int{3, 3, 32, 64}), true, true, true},
		{"odd sizes", gradient(f32, same, []int{1, 6, 5, 9}, []int{5, 3, 9, 7}), true, true, true},
		{"strides", gradient(f32, op.ConvAttrs{Strides: [2]int{2, 2}}, []int{8, 6, 6, 32}, []int{1, 1, 32, 64}), true, true, true},
		{"a product of matrices", gradient(f32, same, []int{8, 6, 6, 32}, []int{1, 1, 32, 64}), false, false, false},
		{"few channels, for our kernels", gradient(f32, same, []int{8, 6, 6, 3}, []int{3, 3, 3, 64}), true, false, false},
		{"few channels, which get further ones", gradient(f32, same, []int{8, 6, 6, 3}, []int{3, 3, 3, 7}), true, false, false},
		{"float64", gradient(tensor.Float64, same, []int{8, 6, 6, 32}, []int{3, 3, 32, 64}), false, false, false},
	} {
		for p, want := range map[Precision]bool{FP32: c.fp32, TF32: c.tf32, BF16: c.bf6} {
			b := builderFor(p)
			in, out := b.Transposes(c.step)
			require.Empty(t, in)
			require.Equal(t, want, len(out) > 0 && out[0], "%s, %v", c.why, p)
			require.Zero(t, b.Work(), c.why)
		}
	}
	v := valueOf(f32, 3, 3)
	for _, c := range []struct {
		instr graph.Instr
		at    int // of the gradient
	}{
		{&graph.MomentumUpdate{}, 2}, {&graph.AdamUpdate{}, 3}, {&graph.FusedUpdate{Update: &graph.MomentumUpdate{}, L2: 1}, 2},
		{&graph.FusedUpdate{Update: &graph.AdamUpdate{}, L2: 1}, 3}, {&op.Momentum{}, 0}, {&op.Descend{}, 0}, {&graph.AddL2Grad{}, 0}, {&op.Add{}, 0},
	} {
		in, out := builderFor(BF16).Transposes(stepOf(c.instr, v, v, v, v, v, v))
		require.Empty(t, out)
		want := make([]bool, c.at)
		if c.at > 0 {
			want = append(want, true)
		}
		require.Equal(t, want, append([]bool{}, in...), c.instr.Kind())
	}
	// The updates read bfloat16 in that order alone.
	step := stepOf(&graph.MomentumUpdate{}, v, v, v, valueOf(f32, 3, 3), valueOf(f32))
	in, _, _ := Narrows(step)
	require.NotContains(t, in, true)
	step.In[2].Transposed = true
	in, _, _ = Narrows(step)
	require.Equal(t, []bool{false, false, true, false}, in)
}

// The launches of such updates have the kernels' parameters, and a block for every tile.
func TestTransposedUpdates(t *testing.T) {
	for _, narrow := range []bool{false, true} {
		for _, s := range transposedSteps(narrow) {
			commands := commandsOf(t, builderFor(BF16), s)
			l := commands[len(commands)-1].(*Launch)
			require.True(t, strings.HasSuffix(l.Name, "_transposed"), l.Name)
			require.Equal(t, narrow, strings.Contains(l.Source.Name, "G bf16"))
			require.Equal(t, ceilDiv(3*3*33, 64)*ceilDiv(70, 32), l.Grid.X)
			require.True(t, Mergeable(l))
		}
	}
}

// transposedSteps are updates by gradients that are kept filters first.
func transposedSteps(narrow bool) (all []*graph.Step) {
	for _, i := range []graph.Instr{&graph.MomentumUpdate{Momentum: 0.9}, &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}} {
		s := &graph.Step{Instr: i}
		for range gradientOf(i) + 1 {
			s.In = append(s.In, valueOf(tensor.Float32, 3, 3, 33, 70))
		}
		g := s.In[gradientOf(i)]
		g.Transposed, g.Narrow = true, narrow
		s.Out, s.In = s.In[:gradientOf(i)], append(s.In, valueOf(tensor.Float32))
		if strings.HasPrefix(i.Kind(), "Adam") {
			s.In = append(s.In, valueOf(tensor.Int))
		}
		all = append(all, s)
	}
	return all
}

package kernel

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// planner plans as the CUDA engine does, without a device.
type planner struct{ graph.Null }

func (planner) Fuses(kind string, dt tensor.Dtype) bool   { return Fuses(kind, dt, TF32) }
func (planner) Gathers(bytes int, scarce bool) bool       { return Gathers(bytes, scarce) }
func (planner) Keeps(graph.Instr, tensor.Dtype, int) bool { return false }
func (planner) InPlace(i graph.Instr, dt tensor.Dtype, out, in int) bool {
	return Has(i.Kind(), dt) && graph.Elementwise(i, out, in) && !Apart(i)
}

// launchesOf counts the launches of a plan by the name of the kernel, after neighbours were merged.
func launchesOf(t *testing.T, p *graph.Plan) map[string]int {
	at, next := map[*graph.Value]Address{}, Address(1<<50)
	address := func(v *graph.Value) Address {
		r := v.Root()
		if r.Where != graph.External {
			return 1<<40 + Address(r.Offset)
		}
		if at[r] == 0 {
			at[r] = next
			next += Address(r.Bytes()+255) / 256 * 256
		}
		return at[r]
	}
	b, counts := builderFor(TF32), map[string]int{}
	var run []Resolved
	flush := func() {
		for _, l := range MergeUpdates(run, b.Multiprocessors) {
			counts[l.Name]++
		}
		run = nil
	}
	for _, s := range p.Steps {
		commands, err := Commands(b, s)
		require.NoError(t, err)
		if len(commands) == 1 {
			if c, ok := commands[0].(*Choice); ok {
				commands = c.Ways[0].List
			}
		}
		for _, c := range commands {
			l, ok := c.(*Launch)
			if _, check := c.(*Check); check {
				continue
			}
			if !ok || !Mergeable(l) {
				flush()
				if ok {
					counts[l.Name]++
				}
				continue
			}
			r := Resolved{Source: l.Source, Name: l.Name}
			for _, a := range l.Args {
				if x, ok := a.(Pointer); ok {
					switch x.Base {
					case OutBase:
						a = address(s.Out[x.Index]) + Address(x.Offset)
					case InBase:
						a = address(s.In[x.Index]) + Address(x.Offset)
					default:
						a = Address(1<<45 + x.Offset)
					}
				}
				r.Args = append(r.Args, a)
			}
			run = append(run, r)
		}
	}
	flush()
	return counts
}

// All that updates the parameters of a training step, and its penalties, is a handful of launches.
func TestLaunchesOfATrainingStep(t *testing.T) {
	noDecay := regexp.MustCompile("gamma|beta|bias")
	for _, c := range []struct {
		arch string
		opt  train.Optimizer
		want map[string]int // kernels of updates and of penalties
	}{
		{"resnet50", train.SGD{Momentum: 0.9, Nesterov: true}, map[string]int{"momentum_update_many": 1}},
		{"resnet50", train.SGD{}, map[string]int{"descend_many": 1, "add_l2_grad_many": 1}},
		{"resnet50", train.Adam{}, map[string]int{"adam_update_many": 1}},
		{"resnet50", train.AdamW{}, map[string]int{"adam_update_many": 1, "add_l2_grad_many": 1}},
		{"resnet50", train.Base{Optimizer: train.SGD{Momentum: 0.9, WeightDecay: 1e-4}, NoDecay: noDecay}, map[string]int{"momentum_update_many": 1}},
		{"resnet50", train.Base{Optimizer: train.SGD{Momentum: 0.9}, EMA: 0.999}, map[string]int{"momentum_update_many": 1}},
		{"vgg16", train.SGD{Momentum: 0.9}, map[string]int{"momentum_update_many": 1, "momentum_update": 1}}, // 64 MiB wait for nothing
		{"vgg16", train.Adam{WeightDecay: 1e-4}, map[string]int{"adam_update_many": 1, "adam_update": 1}},
	} {
		a, err := arch.ByName(c.arch, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, c.opt, 256, 1)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(opts, graph.WithEngine(planner{}))...)
		require.NoError(t, err)
		if c.arch == "resnet50" {
			c.want["l2_parts_many"], c.want["l2_join"], c.want["combine_many"] = 1, 1, 1
		}
		got := launchesOf(t, p)
		for name := range got {
			if _, ok := updates[strings.TrimSuffix(name, "_many")]; !ok && name != "l2_join" {
				delete(got, name)
			}
		}
		require.Equal(t, c.want, got, "%s, %T", c.arch, c.opt)
	}
}

// grouper plans as the CUDA engine does, with updates beside the backward pass.
type grouper struct{ planner }

func (grouper) GroupBytes() int          { return GroupBytes }
func (grouper) Beside(s *graph.Step) int { return Beside(s) }

// Updates that come beside the backward pass are a launch for every group, but for those of large parameters, and the last are at the end.
func TestGroupsOfUpdates(t *testing.T) {
	for _, c := range []struct {
		arch                string
		opt                 train.Optimizer
		name                string
		least, most, single int
	}{
		{"resnet50", train.SGD{Momentum: 0.9, Nesterov: true}, "momentum_update", 3, 5, 0}, {"resnet50", train.Adam{}, "adam_update", 3, 5, 0},
		{"vgg16", train.SGD{Momentum: 0.9}, "momentum_update", 2, 4, 1}, {"simplecnn", train.SGD{Momentum: 0.9}, "momentum_update", 1, 1, 0},
	} {
		a, err := arch.ByName(c.arch, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, c.opt, 64, 1)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(opts, graph.WithEngine(grouper{}))...)
		require.NoError(t, err)
		got := launchesOf(t, p)
		require.GreaterOrEqual(t, got[c.name+"_many"], c.least, "%s: %v", c.arch, got)
		require.LessOrEqual(t, got[c.name+"_many"], c.most, "%s: %v", c.arch, got)
		require.Equal(t, c.single, got[c.name], "%s: %v", c.arch, got)
		require.LessOrEqual(t, got["combine_many"], 2, "%s: averages come with the first gradients", c.arch)
		last := p.Steps[len(p.Steps)-1].Instr.Kind()
		require.True(t, strings.HasSuffix(last, "Update"), last)
		if c.arch == "resnet50" {
			require.Equal(t, "L2Penalties", p.Steps[0].Instr.Kind())
			require.Equal(t, 1, got["l2_parts_many"])
		}
	}
}

// The loss, its mean, its gradient and the counts of a step are one launch.
func TestScoresOfATrainingStep(t *testing.T) {
	a, err := arch.ByName("simplecnn", arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	g, opts, err := train.StepGraph(m, train.SGD{}, 4096, 1) // too many for a gradient that is known to be folded
	require.NoError(t, err)
	p, err := graph.PlanFor(g, append(opts, graph.WithEngine(planner{}))...)
	require.NoError(t, err)
	got := launchesOf(t, p)
	require.Equal(t, 1, got["fused_scores"])
	require.Equal(t, 1, got["spread"], "of the mean's gradient")
	require.Zero(t, got["softmax_cross_entropy"]+got["softmax_cross_entropy_grad"]+got["top_k"]+got["count_hits"]+got["reduce_sum"])
}

// What a ReLU masks behind a layer with a bias is summed while it is written; in front of a max pooling that is the smaller gradient.
func TestBiasesOfATrainingStep(t *testing.T) {
	a, err := arch.ByName("vgg16", arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	g, opts, err := train.StepGraph(m, train.SGD{}, 256, 1)
	require.NoError(t, err)
	p, err := graph.PlanFor(g, append(opts, graph.WithEngine(planner{}))...)
	require.NoError(t, err)
	got := launchesOf(t, p)
	require.Equal(t, 15, got["bias_grad_relu"])
	require.Equal(t, 1, got["bias_grad"], "of the last layer, which has no ReLU")
	require.Equal(t, 5, got["max_pool_grad_walk"])
	require.Zero(t, got["relu_grad"]+got["column_sums"]+got["max_pool_grad"])
	sums := 0
	for _, s := range p.Steps {
		if s.Instr.Kind() == "MaxPool2DGrad" {
			require.Equal(t, "ReLUGradBias", stepOfResult(p, s.In[2]).Instr.Kind())
			sums++
		}
	}
	require.Equal(t, 5, sums)
}

func stepOfResult(p *graph.Plan, v *graph.Value) *graph.Step {
	return p.Steps[slices.IndexFunc(p.Steps, func(s *graph.Step) bool { return slices.Contains(s.Out, v) })]
}

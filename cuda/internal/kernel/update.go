package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"MovingAverage": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.MovingAverage)
			return b.combine(s, "combine", o.Momentum, (1-o.Momentum)*o.Factor), nil
		},
		"WeightDecay": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.combine(s, "combine", 1, s.Instr.(*op.WeightDecay).Rate), nil
		},
		"AdamMean": func(b *Builder, s *graph.Step) ([]Command, error) {
			beta := s.Instr.(*op.AdamMean).Beta
			return b.combine(s, "combine", beta, 1-beta), nil
		},
		"AdamSquare": func(b *Builder, s *graph.Step) ([]Command, error) {
			beta := s.Instr.(*op.AdamSquare).Beta
			return b.combine(s, "combine_square", beta, 1-beta), nil
		},
		"Descend": func(b *Builder, s *graph.Step) ([]Command, error) {
			dt := s.Out[0].Dtype
			return []Command{b.update(s, "descend", Out(0), In(0), In(1), number(dt, 1), In(2))}, nil
		},
		"Momentum": func(b *Builder, s *graph.Step) ([]Command, error) {
			dt := s.Out[0].Dtype
			return []Command{b.update(s, "descend", Out(0), In(0), In(1), number(dt, s.Instr.(*op.Momentum).Momentum), In(2))}, nil
		},
		"Nesterov": func(b *Builder, s *graph.Step) ([]Command, error) {
			dt := s.Out[0].Dtype
			return []Command{b.update(s, "nesterov", Out(0), In(0), In(1), In(2), In(3), number(dt, s.Instr.(*op.Nesterov).Momentum))}, nil
		},
		"MomentumUpdate": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.optimize(s, s.Instr, 0), nil
		},
		"AdamStep": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.AdamStep), s.Out[0].Dtype
			return []Command{stepNumber(4), b.update(s, "adam_step", Out(0), In(0), In(1), In(2), In(3), In(4),
				o.Beta1, o.Beta2, number(dt, o.Epsilon))}, nil
		},
		"AdamUpdate": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.optimize(s, s.Instr, 0), nil
		},
		(&graph.FusedUpdate{}).Kind(): func(b *Builder, s *graph.Step) ([]Command, error) {
			f := s.Instr.(*graph.FusedUpdate)
			return b.optimize(s, f.Update, f.L2), nil
		},
		"AddL2Grad": func(b *Builder, s *graph.Step) ([]Command, error) {
			factor := 2 * s.Instr.(*graph.AddL2Grad).Lambda
			return []Command{b.update(s, "add_l2_grad", Out(0), In(0), In(1), In(2), number(s.Out[0].Dtype, factor))}, nil
		},
	})
}

// updateText is one unit: launches of its kernels can be one.
var updateText = read("update.cuh") + read("update.cu") + read("penalty.cu") + read("update_many.cu")

var updateSources = map[tensor.Dtype]Source{
	tensor.Float32: Text("update.cu", tensor.Float32, updateText),
	tensor.Float64: Text("update.cu", tensor.Float64, updateText),
}

// update launches a kernel of update.cu over the elements of a step's result; their number is the last argument.
func (b *Builder) update(s *graph.Step, name string, args ...any) *Launch {
	n := s.Out[0].Len()
	return &Launch{Source: updateSources[s.Out[0].Dtype], Name: name, Grid: Dim3{X: updates[name].blocks(ceilDiv(n, chunk), b.Multiprocessors)},
		Block: Dim3{X: threads}, Args: append(args, int64(n))}
}

// blocks is how many blocks an update of so many chunks has: one each, so that steps which run beside others soon find room. What a block
// does once, such as Adam's rate, is done by no more than it takes to fill the device, or for every fourth chunk.
func (e each) blocks(chunks, multiprocessors int) int {
	if e.once {
		chunks = min(chunks, max(8*max(multiprocessors, 1), ceilDiv(chunks, 4)))
	}
	return max(chunks, 1)
}

// optimize is a graph.MomentumUpdate or graph.AdamUpdate, behind the gradient of a penalty if lambda is not 0.
func (b *Builder) optimize(s *graph.Step, update graph.Instr, lambda float64) []Command {
	dt := s.Out[0].Dtype
	last := In(len(s.In) - 1) // with a penalty, the factor of its gradient; else something that is not looked at
	factor := number(dt, 2*lambda)
	switch o := update.(type) {
	case *graph.MomentumUpdate:
		ahead := int32(0)
		if o.Nesterov {
			ahead = 1
		}
		return []Command{b.updateBy(s, s.In[2], "momentum_update", []any{Out(0), Out(1), In(0), In(1), In(2), last, factor, number(dt, o.WeightDecay)},
			In(3), number(dt, o.Momentum), ahead)}
	case *graph.AdamUpdate:
		return []Command{stepNumber(5), b.updateBy(s, s.In[3], "adam_update", []any{Out(0), Out(1), Out(2), In(0), In(1), In(2), In(3), last, factor,
			number(dt, o.WeightDecay)}, In(4), In(5), o.Beta1, o.Beta2, number(dt, o.Epsilon))}
	}
	return nil
}

// combine is y ← α·a + β·b or β·b².
func (b *Builder) combine(s *graph.Step, name string, alpha, beta float64) []Command {
	dt := s.Out[0].Dtype
	return []Command{b.update(s, name, Out(0), In(0), In(1), number(dt, alpha), number(dt, beta))}
}

// stepNumber checks the number of an optimizer's step, of which op.AdamStep says that it starts at 1: at 0, the bias correction
// would divide by 0 and turn the weights into NaN.
func stepNumber(in int) *Check {
	return &Check{In: in, Fn: func(a op.Array) error {
		if t := a.Data.([]int)[0]; t < 1 {
			return fmt.Errorf("step number is %d, want at least 1; count the step before the update", t)
		}
		return nil
	}}
}

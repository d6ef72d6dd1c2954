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
			return []Command{b.update(s, "descend", Out(0), In(0), In(1), In(2), number(dt, 1))}, nil
		},
		"Momentum": func(b *Builder, s *graph.Step) ([]Command, error) {
			dt := s.Out[0].Dtype
			return []Command{b.update(s, "descend", Out(0), In(0), In(1), In(2), number(dt, s.Instr.(*op.Momentum).Momentum))}, nil
		},
		"Nesterov": func(b *Builder, s *graph.Step) ([]Command, error) {
			dt := s.Out[0].Dtype
			return []Command{b.update(s, "nesterov", Out(0), In(0), In(1), In(2), In(3), number(dt, s.Instr.(*op.Nesterov).Momentum))}, nil
		},
		"MomentumUpdate": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*graph.MomentumUpdate), s.Out[0].Dtype
			ahead := int32(0)
			if o.Nesterov {
				ahead = 1
			}
			return []Command{b.update(s, "momentum_update", Out(0), Out(1), In(0), In(1), In(2), In(3),
				number(dt, o.Momentum), number(dt, o.WeightDecay), ahead)}, nil
		},
		"AdamStep": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.AdamStep), s.Out[0].Dtype
			return []Command{stepNumber(4), b.update(s, "adam_step", Out(0), In(0), In(1), In(2), In(3), In(4),
				o.Beta1, o.Beta2, number(dt, o.Epsilon))}, nil
		},
		"AdamUpdate": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*graph.AdamUpdate), s.Out[0].Dtype
			return []Command{stepNumber(5), b.update(s, "adam_update", Out(0), Out(1), Out(2), In(0), In(1), In(2), In(3), In(4), In(5),
				o.Beta1, o.Beta2, number(dt, o.Epsilon), number(dt, o.WeightDecay))}, nil
		},
	})
}

// updateSources are the units of update.cu with update_many.cu.
var updateSources = map[tensor.Dtype]Source{
	tensor.Float32: Text("update.cu", tensor.Float32, read("update.cu")+read("update_many.cu")),
	tensor.Float64: Text("update.cu", tensor.Float64, read("update.cu")+read("update_many.cu")),
}

// update launches a kernel of update.cu over the elements of a step's result; their number is the last argument.
func (b *Builder) update(s *graph.Step, name string, args ...any) *Launch {
	n := s.Out[0].Len()
	grid, block := b.Each(n)
	return &Launch{Source: updateSources[s.Out[0].Dtype], Name: name, Grid: grid, Block: block, Args: append(args, int64(n))}
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

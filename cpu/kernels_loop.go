package cpu

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
)

func init() {
	registerBoth(map[string]entry{
		"Unary":  {buildUnary[float32], buildUnary[float64]},
		"Binary": {buildBinary[float32], buildBinary[float64]},
		"Loop":   {buildLoop[float32], buildLoop[float64]},
	})
}

// Operations alone are loops of one step.

func buildUnary[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	fn := s.Instr.(*ir.Unary).Fn
	return loopStep[T](b, s, &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply1(fn, ir.Register(0))}, Results: []int{1}})
}

func buildBinary[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	fn := s.Instr.(*ir.Binary).Fn
	return loopStep[T](b, s, &ir.Loop{Inputs: 2, Steps: []ir.LoopStep{ir.Apply2(fn, ir.Register(0), ir.Register(1))}, Results: []int{2}})
}

func buildLoop[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	return loopStep[T](b, s, s.Instr.(*ir.Loop))
}

func loopStep[T kernel.Float](b *builder, s *graph.Step, l *ir.Loop) (step, error) {
	shapes := make([]tensor.Shape, len(s.In))
	for i, v := range s.In {
		shapes[i] = v.Shape
	}
	over := func(result, input int) bool { return s.Out[result].Root() == s.In[input].Root() }
	k, err := kernel.NewLoop[T](b.pool, l, s.Out[0].Shape, shapes, over)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	y, x := operands(s)
	out, in := make([][]T, len(y)), make([][]T, len(x))
	return func(m *memory) error {
		all := floats[T](m)
		for i, id := range y {
			out[i] = all[id]
		}
		for i, id := range x {
			in[i] = all[id]
		}
		k.Run(out, in)
		return nil
	}, nil
}

package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	register(map[string]prepare{
		"ReLU": func(b *builder, s *graph.Step) (step, error) {
			return unary(s)(kernel.NewReLU(b.pool, s.Out[0].Len()))
		},
		"Scale": func(b *builder, s *graph.Step) (step, error) {
			return unary(s)(kernel.NewScale(b.pool, s.Out[0].Len(), s.Instr.(*op.Scale).Factor))
		},
		"ReLUGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary(s)(kernel.NewReLUGrad(b.pool, s.Out[0].Len()))
		},
		"Add": func(b *builder, s *graph.Step) (step, error) {
			return binary(s)(kernel.NewAdd(b.pool, s.Out[0].Len()))
		},
		"Mul": func(b *builder, s *graph.Step) (step, error) {
			return binary(s)(kernel.NewMul(b.pool, s.Out[0].Len()))
		},
		"Permute": func(b *builder, s *graph.Step) (step, error) {
			return unary(s)(kernel.NewPermute(b.pool, s.In[0].Shape, s.Instr.(*op.Permute).Axes))
		},
		"L2PenaltyGrad": func(b *builder, s *graph.Step) (step, error) {
			k, err := kernel.NewScaleBy(b.pool, s.Out[0].Len(), 2*s.Instr.(*op.L2PenaltyGrad).Lambda)
			y, w, g := s.Out[0].ID, s.In[0].ID, s.In[1].ID
			return func(m *memory) error {
				k.Run(m.f32[y], nil, m.f32[w], m.f32[g][0])
				return nil
			}, err
		},
		"AddL2Grad": func(b *builder, s *graph.Step) (step, error) {
			k, err := kernel.NewAddScaled(b.pool, s.Out[0].Len(), 2*s.Instr.(*graph.AddL2Grad).Lambda)
			return scalarTimes(k, s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID), err
		},
	})
}

// unaryKernel is a kernel y ← x.
type unaryKernel interface{ Run(y, x []float32) }

// binaryKernel is a kernel y ← a, b.
type binaryKernel interface{ Run(y, a, b []float32) }

// unary makes a step of a prepared kernel with one operand.
func unary(s *graph.Step) func(k unaryKernel, err error) (step, error) {
	y, x := s.Out[0].ID, s.In[0].ID
	return func(k unaryKernel, err error) (step, error) {
		return func(m *memory) error {
			k.Run(m.f32[y], m.f32[x])
			return nil
		}, err
	}
}

// binary makes a step of a prepared kernel with two operands.
func binary(s *graph.Step) func(k binaryKernel, err error) (step, error) {
	y, a, c := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(k binaryKernel, err error) (step, error) {
		return func(m *memory) error {
			k.Run(m.f32[y], m.f32[a], m.f32[c])
			return nil
		}, err
	}
}

// scalarTimes makes a step of a kernel y ← a, b and a scalar.
func scalarTimes(k *kernel.ScalarTimes, y, a, b, scalar int) step {
	return func(m *memory) error {
		k.Run(m.f32[y], m.f32[a], m.f32[b], m.f32[scalar][0])
		return nil
	}
}

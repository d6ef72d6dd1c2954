package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(elementwiseKernels[float32](), elementwiseKernels[float64]()) }

func elementwiseKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"ReLU": func(b *builder, s *graph.Step) (step, error) {
			return unary[T](s)(kernel.NewReLU[T](b.pool, s.Out[0].Len()))
		},
		"Scale": func(b *builder, s *graph.Step) (step, error) {
			return unary[T](s)(kernel.NewScale[T](b.pool, s.Out[0].Len(), s.Instr.(*op.Scale).Factor))
		},
		"ReLUGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewReLUGrad[T](b.pool, s.Out[0].Len()))
		},
		"Add": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewAdd[T](b.pool, s.Out[0].Len()))
		},
		"Mul": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewMul[T](b.pool, s.Out[0].Len()))
		},
		"Permute": func(b *builder, s *graph.Step) (step, error) {
			return unary[T](s)(kernel.NewPermute[T](b.pool, s.In[0].Shape, s.Instr.(*op.Permute).Axes))
		},
		"L2PenaltyGrad": func(b *builder, s *graph.Step) (step, error) {
			k, err := kernel.NewScaleBy[T](b.pool, s.Out[0].Len(), 2*s.Instr.(*op.L2PenaltyGrad).Lambda)
			y, w, g := s.Out[0].ID, s.In[0].ID, s.In[1].ID
			return func(m *memory) error {
				k.Run(floats[T](m)[y], nil, floats[T](m)[w], floats[T](m)[g][0])
				return nil
			}, err
		},
		"AddL2Grad": func(b *builder, s *graph.Step) (step, error) {
			k, err := kernel.NewAddScaled[T](b.pool, s.Out[0].Len(), 2*s.Instr.(*graph.AddL2Grad).Lambda)
			return scalarTimes[T](k, s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID), err
		},
	}
}

// unaryKernel is a kernel y ← x.
type unaryKernel[T kernel.Float] interface{ Run(y, x []T) }

// binaryKernel is a kernel y ← a, b.
type binaryKernel[T kernel.Float] interface{ Run(y, a, b []T) }

// unary makes a step of a prepared kernel with one operand.
func unary[T kernel.Float](s *graph.Step) func(k unaryKernel[T], err error) (step, error) {
	y, x := s.Out[0].ID, s.In[0].ID
	return func(k unaryKernel[T], err error) (step, error) {
		return func(m *memory) error {
			k.Run(floats[T](m)[y], floats[T](m)[x])
			return nil
		}, err
	}
}

// binary makes a step of a prepared kernel with two operands.
func binary[T kernel.Float](s *graph.Step) func(k binaryKernel[T], err error) (step, error) {
	y, a, c := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(k binaryKernel[T], err error) (step, error) {
		return func(m *memory) error {
			k.Run(floats[T](m)[y], floats[T](m)[a], floats[T](m)[c])
			return nil
		}, err
	}
}

// scalarTimes makes a step of a kernel y ← a, b and a scalar.
func scalarTimes[T kernel.Float](k *kernel.ScalarTimes[T], y, a, b, scalar int) step {
	return func(m *memory) error {
		k.Run(floats[T](m)[y], floats[T](m)[a], floats[T](m)[b], floats[T](m)[scalar][0])
		return nil
	}
}

package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(denseKernels[float32](), denseKernels[float64]()) }

func denseKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"MatMul":      buildMatMul[T],
		"FusedMatMul": buildMatMul[T],
		"Dropout":     buildDropout[T],
	}
}

func buildMatMul[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	var mul *op.MatMul
	var o kernel.MatMulOptions
	switch i := s.Instr.(type) {
	case *op.MatMul:
		mul = i
	case *graph.FusedMatMul:
		mul, o.Bias, o.ReLU = i.MatMul, i.Bias, i.ReLU
	}
	o.TransA, o.TransB = mul.TransA, mul.TransB
	depth := s.In[0].Shape[1]
	if o.TransA {
		depth = s.In[0].Shape[0]
	}
	k, err := kernel.NewMatMul[T](env[T](b), s.Out[0].Shape[0], s.Out[0].Shape[1], depth, o)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var bias []T
		if o.Bias {
			bias = floats[T](m)[in[2]]
		}
		k.Run(floats[T](m)[y], floats[T](m)[in[0]], floats[T](m)[in[1]], bias)
		return nil
	}, nil
}

func buildDropout[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Dropout)
	k, err := kernel.NewDropout[T](b.pool, s.Out[0].Len(), o.Rate, o.Seed, o.Stream)
	y, x, count := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], floats[T](m)[x], m.count(count))
		return nil
	}, err
}

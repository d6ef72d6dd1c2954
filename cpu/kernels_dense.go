package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	register(map[string]prepare{
		"MatMul":      buildMatMul,
		"FusedMatMul": buildMatMul,
		"Dropout":     buildDropout,
	})
}

func buildMatMul(b *builder, s *graph.Step) (step, error) {
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
	k, err := kernel.NewMatMul(b.env(), s.Out[0].Shape[0], s.Out[0].Shape[1], depth, o)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var bias []float32
		if o.Bias {
			bias = m.f32[in[2]]
		}
		k.Run(m.f32[y], m.f32[in[0]], m.f32[in[1]], bias)
		return nil
	}, nil
}

func buildDropout(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Dropout)
	k, err := kernel.NewDropout(b.pool, s.Out[0].Len(), o.Rate, o.Seed, o.Stream)
	y, x, count := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(m *memory) error {
		k.Run(m.f32[y], m.f32[x], m.count(count))
		return nil
	}, err
}

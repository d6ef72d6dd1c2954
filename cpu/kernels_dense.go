package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(denseKernels[float32](), denseKernels[float64]()) }

func denseKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"MatMul":             buildMatMul[T],
		"FusedMatMul":        buildMatMul[T],
		"FusedMatMulAdd":     buildMatMul[T],
		"FusedMatMulLoop":    buildMatMul[T],
		"FusedMatMulAddLoop": buildMatMul[T],
		"FoldNorm":           buildFoldNorm[T],
		"Dropout":            buildDropout[T],
	}
}

func buildMatMul[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	var mul *op.MatMul
	var o kernel.MatMulOptions
	switch i := s.Instr.(type) {
	case *op.MatMul:
		mul = i
	case *graph.FusedMatMul:
		mul, o.Bias, o.Add, o.ReLU, o.After = i.MatMul, i.Bias, i.Add, i.ReLU, i.After
	}
	o.TransA, o.TransB, o.Frozen = mul.TransA, mul.TransB, frozen(s)
	depth := s.In[0].Shape[1]
	if o.TransA {
		depth = s.In[0].Shape[0]
	}
	k, err := kernel.NewMatMul[T](env[T](b), s.Out[0].Shape[0], s.Out[0].Shape[1], depth, o)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	keeps[T](b, s, k)
	return productStep[T](s, o.Bias, o.Add, k.Run), nil
}

func buildFoldNorm[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.FoldNorm)
	c, err := channels(s, f.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewFoldNorm[T](b.pool, c, f.Epsilon)
	if err != nil {
		return nil, err
	}
	out, in := operands(s)
	return func(m *memory) error {
		v := floats[T](m)
		var bias []T
		if len(in) > 5 {
			bias = v[in[5]]
		}
		k.Run(v[out[0]], v[out[1]], v[in[0]], v[in[1]], v[in[2]], v[in[3]], v[in[4]], bias)
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

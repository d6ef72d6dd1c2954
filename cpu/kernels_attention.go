package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

func init() { registerFloats(attentionKernels[float32](), attentionKernels[float64]()) }

func attentionKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{"FusedAttention": buildAttention[T], "FusedAttentionGrad": buildAttentionGrad[T]}
}

func attended(s *graph.Step, within bool) kernel.AttentionShape {
	return kernel.AttentionShape(graph.AttendedOf(s.In[0].Shape, s.In[1].Shape, s.In[2].Shape, within))
}

func buildAttention[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.FusedAttention)
	k, err := kernel.NewAttention(env[T](b), attended(s, f.Within), kernel.AttentionOptions{Scale: f.Scale, Within: f.Within, Stats: f.Stats})
	if err != nil {
		return nil, err
	}
	needs(b, k)
	in, out := idsOf(s.In), idsOf(s.Out)
	return func(m *memory) error {
		v := floats[T](m)
		k.Run(v[out[0]], optional(v, out, 1), v[in[0]], v[in[1]], v[in[2]], optional(v, in, 3))
		return nil
	}, nil
}

func buildAttentionGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.FusedAttentionGrad)
	k, err := kernel.NewAttentionGrad(env[T](b), attended(s, f.Within), kernel.AttentionOptions{Scale: f.Scale, Within: f.Within})
	if err != nil {
		return nil, err
	}
	needs(b, k)
	in, out := idsOf(s.In), idsOf(s.Out)
	return func(m *memory) error {
		v := floats[T](m)
		k.Run(v[out[0]], v[out[1]], v[out[2]], v[in[0]], v[in[1]], v[in[2]], v[in[3]], v[in[4]], v[in[5]], optional(v, in, 6))
		return nil
	}, nil
}

// optional is value i of some, nil where there are not so many.
func optional[T kernel.Float](v [][]T, ids []int, i int) []T {
	if i >= len(ids) {
		return nil
	}
	return v[ids[i]]
}

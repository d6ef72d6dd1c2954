package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	register(map[string]prepare{
		"BiasAdd":                     buildBiasAdd,
		"BiasGrad":                    buildBiasGrad,
		"ChannelAffine":               buildChannelAffine,
		"BatchStats":                  buildBatchStats,
		"BatchNorm":                   buildBatchNorm,
		"BatchNormInference":          buildBatchNorm,
		"FusedBatchNorm":              buildBatchNorm,
		"BatchNormSums":               buildBatchNormSums,
		"BatchNormGradScale":          buildBatchNormGradScale,
		"BatchNormGradInput":          buildBatchNormGradInput,
		"FusedBatchNormGradInput":     buildBatchNormGradInput,
		"BatchNormInferenceGradInput": buildBatchNormInferenceGradInput,
	})
}

func buildBiasAdd(b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*op.BiasAdd).Axis)
	if err != nil {
		return nil, err
	}
	return binary(s)(kernel.NewBiasAdd(b.pool, c))
}

func buildChannelAffine(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.ChannelAffine)
	c, err := channels(s, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewChannelAffine(b.pool, c, o.Scale, o.Shift)
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(m.f32[y], m.f32[x], nil)
		return nil
	}, err
}

func buildBiasGrad(b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*op.BiasGrad).Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBiasGrad(b.pool, c)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	return unary(s)(k, nil)
}

func buildBatchStats(b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*graph.BatchStats).Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchStats(b.pool, c)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	mean, variance, x := s.Out[0].ID, s.Out[1].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(m.f32[mean], m.f32[variance], m.f32[x])
		return nil
	}, nil
}

func buildBatchNorm(b *builder, s *graph.Step) (step, error) {
	var f graph.FusedBatchNorm
	switch o := s.Instr.(type) {
	case *op.BatchNorm:
		f.Axis, f.Epsilon = o.Axis, o.Epsilon
	case *op.BatchNormInference:
		f.Axis, f.Epsilon = o.Axis, o.Epsilon
	case *graph.FusedBatchNorm:
		f = *o
	}
	c, err := channels(s, f.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNorm(b.pool, c, f.Epsilon, f.ReLU)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var residual []float32
		if f.Add {
			residual = m.f32[in[5]]
		}
		k.Run(m.f32[y], m.f32[in[0]], m.f32[in[1]], m.f32[in[2]], m.f32[in[3]], m.f32[in[4]], residual)
		return nil
	}, nil
}

func buildBatchNormSums(b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormSums)
	c, err := channels(s, f.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormSums(b.pool, c, f.Epsilon)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	dgamma, dbeta, in := s.Out[0].ID, s.Out[1].ID, idsOf(s.In)
	return func(m *memory) error {
		var y []float32
		if f.ReLU {
			y = m.f32[in[4]]
		}
		k.Run(m.f32[dgamma], m.f32[dbeta], m.f32[in[0]], m.f32[in[1]], m.f32[in[2]], m.f32[in[3]], y)
		return nil
	}, nil
}

// buildBatchNormGradScale is for a dgamma alone: where two batch norms are added, they share one dbeta, which the other
// one's BatchNormSums computes. The kernel's second result is dropped.
func buildBatchNormGradScale(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.BatchNormGradScale)
	c, err := channels(s, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormSums(b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	dropped := make([]float32, c.C)
	dgamma, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		k.Run(m.f32[dgamma], dropped, m.f32[in[0]], m.f32[in[1]], m.f32[in[2]], m.f32[in[3]], nil)
		return nil
	}, nil
}

func buildBatchNormGradInput(b *builder, s *graph.Step) (step, error) {
	var o *op.BatchNormGradInput
	masked := false
	switch i := s.Instr.(type) {
	case *op.BatchNormGradInput:
		o = i
	case *graph.FusedBatchNormGradInput:
		o, masked = i.Grad, true
	}
	c, err := channels(s, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormGradInput(b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	dx, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var y []float32
		if masked {
			y = m.f32[in[7]]
		}
		k.Run(m.f32[dx], nil, m.f32[in[0]], m.f32[in[1]], m.f32[in[2]], m.f32[in[3]], m.f32[in[4]], m.f32[in[5]], m.f32[in[6]], y)
		return nil
	}, nil
}

// buildBatchNormInferenceGradInput takes gamma, variance, dy: the other operands of the kernel are for training.
func buildBatchNormInferenceGradInput(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.BatchNormInferenceGradInput)
	c, err := kernel.ChannelsOf(s.Out[0].Shape, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormInferenceGradInput(b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	dx, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		k.Run(m.f32[dx], nil, nil, m.f32[in[0]], nil, m.f32[in[1]], m.f32[in[2]], nil, nil, nil)
		return nil
	}, nil
}

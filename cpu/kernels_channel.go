package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(channelKernels[float32](), channelKernels[float64]()) }

func channelKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"BiasAdd":                     buildBiasAdd[T],
		"BiasGrad":                    buildBiasGrad[T],
		"ChannelAffine":               buildChannelAffine[T],
		"BatchStats":                  buildBatchStats[T],
		"BatchNorm":                   buildBatchNorm[T],
		"BatchNormInference":          buildBatchNorm[T],
		"FusedBatchNorm":              buildBatchNorm[T],
		"BatchNormSums":               buildBatchNormSums[T],
		"BatchNormGradScale":          buildBatchNormGradScale[T],
		"BatchNormGradInput":          buildBatchNormGradInput[T],
		"FusedBatchNormGradInput":     buildBatchNormGradInput[T],
		"BatchNormInferenceGradInput": buildBatchNormInferenceGradInput[T],
	}
}

func buildBiasAdd[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*op.BiasAdd).Axis)
	if err != nil {
		return nil, err
	}
	return binary[T](s)(kernel.NewBiasAdd[T](b.pool, c))
}

func buildChannelAffine[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.ChannelAffine)
	c, err := channels(s, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewChannelAffine[T](b.pool, c, o.Scale, o.Shift)
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], floats[T](m)[x], nil)
		return nil
	}, err
}

func buildBiasGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*op.BiasGrad).Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBiasGrad[T](b.pool, c)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	return unary[T](s)(k, nil)
}

func buildBatchStats[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	c, err := channels(s, s.Instr.(*graph.BatchStats).Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchStats[T](b.pool, c)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	mean, variance, x := s.Out[0].ID, s.Out[1].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[mean], floats[T](m)[variance], floats[T](m)[x])
		return nil
	}, nil
}

func buildBatchNorm[T kernel.Float](b *builder, s *graph.Step) (step, error) {
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
	k, err := kernel.NewBatchNorm[T](b.pool, c, f.Epsilon, f.ReLU)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var residual []T
		if f.Add {
			residual = floats[T](m)[in[5]]
		}
		k.Run(floats[T](m)[y], floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]], floats[T](m)[in[4]], residual)
		return nil
	}, nil
}

func buildBatchNormSums[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormSums)
	c, err := channels(s, f.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormSums[T](b.pool, c, f.Epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	dgamma, dbeta, in := s.Out[0].ID, s.Out[1].ID, idsOf(s.In)
	return func(m *memory) error {
		var y []T
		if f.ReLU {
			y = floats[T](m)[in[4]]
		}
		k.Run(floats[T](m)[dgamma], floats[T](m)[dbeta], floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]], y)
		return nil
	}, nil
}

// buildBatchNormGradScale is for a dgamma alone: where two batch norms are added, they share one dbeta, which the other
// one's BatchNormSums computes. The kernel's second result is dropped.
func buildBatchNormGradScale[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.BatchNormGradScale)
	c, err := channels(s, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormSums[T](b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	dropped := make([]T, c.C)
	dgamma, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		k.Run(floats[T](m)[dgamma], dropped, floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]], nil)
		return nil
	}, nil
}

func buildBatchNormGradInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
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
	k, err := kernel.NewBatchNormGradInput[T](b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	dx, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		var y []T
		if masked {
			y = floats[T](m)[in[7]]
		}
		k.Run(floats[T](m)[dx], nil, floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]], floats[T](m)[in[4]], floats[T](m)[in[5]], floats[T](m)[in[6]], y)
		return nil
	}, nil
}

// buildBatchNormInferenceGradInput takes gamma, variance, dy: the other operands of the kernel are for training.
func buildBatchNormInferenceGradInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.BatchNormInferenceGradInput)
	c, err := kernel.ChannelsOf(s.Out[0].Shape, o.Axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormInferenceGradInput[T](b.pool, c, o.Epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	dx, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		k.Run(floats[T](m)[dx], nil, nil, floats[T](m)[in[0]], nil, floats[T](m)[in[1]], floats[T](m)[in[2]], nil, nil, nil)
		return nil
	}, nil
}

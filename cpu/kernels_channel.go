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
		"FusedBatchNormBound":         buildBatchNorm[T],
		"BatchNormReLUSums":           buildBatchNormReLUSums[T],
		"BatchNormReLUSumsBound":      buildBatchNormReLUSums[T],
		"BatchNormReLUGradInputBound": buildBatchNormReLUGradInput[T],
		"BatchNormJoinSums":           buildBatchNormJoinSums[T],
		"BatchNormGradScale":          buildBatchNormGradScale[T],
		"BatchNormGradInput":          buildBatchNormGradInput[T],
		"FusedBatchNormGradInput":     buildFusedBatchNormGradInput[T],
		"BatchNormReLUGradInput":      buildBatchNormReLUGradInput[T],
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
	if f.Most != 0 {
		k.Bound(f.Most)
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

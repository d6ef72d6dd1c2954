package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// The backward pass of batch norms.

// normSums makes a step of the sums over the channels of a step's first input. run gets the float memory of the step's
// results and inputs.
func normSums[T kernel.Float](b *builder, s *graph.Step, axis int, epsilon float64, run func(k *kernel.BatchNormSums[T], out, in []int, m [][]T)) (step, error) {
	c, err := channels(s, axis)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchNormSums[T](b.pool, c, epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	out, in := operands(s)
	return func(m *memory) error {
		run(k, out, in, floats[T](m))
		return nil
	}, nil
}

func buildBatchNormSums[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormSums)
	return normSums(b, s, f.Axis, f.Epsilon, func(k *kernel.BatchNormSums[T], out, in []int, m [][]T) {
		var y []T
		if f.ReLU {
			y = m[in[4]]
		}
		k.Run(m[out[0]], m[out[1]], m[in[0]], m[in[1]], m[in[2]], m[in[3]], y)
	})
}

func buildBatchNormReLUSums[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormReLUSums)
	return normSums(b, s, f.Axis, f.Epsilon, func(k *kernel.BatchNormSums[T], out, in []int, m [][]T) {
		if f.Most != 0 {
			k.RunBound(m[out[0]], m[out[1]], m[in[0]], m[in[1]], m[in[2]], m[in[3]], m[in[4]], m[in[5]], T(f.Most))
			return
		}
		k.RunReLU(m[out[0]], m[out[1]], m[in[0]], m[in[1]], m[in[2]], m[in[3]], m[in[4]], m[in[5]])
	})
}

func buildBatchNormJoinSums[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormJoinSums)
	return normSums(b, s, f.Axis, f.Epsilon, func(k *kernel.BatchNormSums[T], out, in []int, m [][]T) {
		k.RunJoin(m[out[0]], m[out[1]], m[out[2]], m[in[0]], m[in[1]], m[in[2]], m[in[3]], m[in[4]], m[in[5]])
	})
}

// buildBatchNormGradScale is for a dgamma alone: where two batch norms are added, they share one dbeta, which the other
// one's BatchNormSums computes. The kernel's second result is dropped.
func buildBatchNormGradScale[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.BatchNormGradScale)
	dropped := make([]T, s.Out[0].Len())
	return normSums(b, s, o.Axis, o.Epsilon, func(k *kernel.BatchNormSums[T], out, in []int, m [][]T) {
		k.Run(m[out[0]], dropped, m[in[0]], m[in[1]], m[in[2]], m[in[3]], nil)
	})
}

// normGradInput makes a step of the gradient with respect to a batch norm's input, as normSums does.
func normGradInput[T kernel.Float](b *builder, s *graph.Step, o *op.BatchNormGradInput, run func(k *kernel.BatchNormGradInput[T], dx int, in []int, m [][]T)) (step, error) {
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
		run(k, dx, in, floats[T](m))
		return nil
	}, nil
}

func buildBatchNormGradInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	return normGradInput(b, s, s.Instr.(*op.BatchNormGradInput), func(k *kernel.BatchNormGradInput[T], dx int, in []int, m [][]T) {
		k.Run(m[dx], m[in[0]], m[in[1]], m[in[2]], m[in[3]], m[in[4]], m[in[5]], m[in[6]], nil)
	})
}

func buildFusedBatchNormGradInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	return normGradInput(b, s, s.Instr.(*graph.FusedBatchNormGradInput).Grad, func(k *kernel.BatchNormGradInput[T], dx int, in []int, m [][]T) {
		k.Run(m[dx], m[in[0]], m[in[1]], m[in[2]], m[in[3]], m[in[4]], m[in[5]], m[in[6]], m[in[7]])
	})
}

func buildBatchNormReLUGradInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f := s.Instr.(*graph.BatchNormReLUGradInput)
	return normGradInput(b, s, f.Grad, func(k *kernel.BatchNormGradInput[T], dx int, in []int, m [][]T) {
		if f.Most != 0 {
			k.RunBound(m[dx], m[in[0]], m[in[1]], m[in[7]], m[in[2]], m[in[3]], m[in[4]], m[in[5]], m[in[6]], T(f.Most))
			return
		}
		k.RunReLU(m[dx], m[in[0]], m[in[1]], m[in[7]], m[in[2]], m[in[3]], m[in[4]], m[in[5]], m[in[6]])
	})
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
		k.Run(floats[T](m)[dx], nil, floats[T](m)[in[0]], nil, floats[T](m)[in[1]], floats[T](m)[in[2]], nil, nil, nil)
		return nil
	}, nil
}

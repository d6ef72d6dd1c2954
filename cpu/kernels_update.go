package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(updateKernels[float32](), updateKernels[float64]()) }

func updateKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"MovingAverage": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.MovingAverage)
			return binary[T](s)(kernel.NewCombine[T](b.pool, s.Out[0].Len(), o.Momentum, (1-o.Momentum)*o.Factor))
		},
		"WeightDecay": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewCombine[T](b.pool, s.Out[0].Len(), 1, s.Instr.(*op.WeightDecay).Rate))
		},
		"AdamMean": func(b *builder, s *graph.Step) (step, error) {
			beta := s.Instr.(*op.AdamMean).Beta
			return binary[T](s)(kernel.NewCombine[T](b.pool, s.Out[0].Len(), beta, 1-beta))
		},
		"AdamSquare": func(b *builder, s *graph.Step) (step, error) {
			beta := s.Instr.(*op.AdamSquare).Beta
			return binary[T](s)(kernel.NewCombineSquare[T](b.pool, s.Out[0].Len(), beta, 1-beta))
		},
		"Descend":  buildDescend[T],
		"Momentum": buildMomentum[T],
		"Nesterov": buildNesterov[T],
		"AdamStep": buildAdamStep[T],
	}
}

func buildDescend[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewAddScaled[T](b.pool, s.Out[0].Len(), -1)
	return scalarTimes[T](k, s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID), err
}

func buildMomentum[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewMomentumStep[T](b.pool, s.Out[0].Len(), s.Instr.(*op.Momentum).Momentum)
	y, v, g, lr := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], nil, floats[T](m)[v], floats[T](m)[g], floats[T](m)[lr][0])
		return nil
	}, err
}

func buildNesterov[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewMomentumStep[T](b.pool, s.Out[0].Len(), s.Instr.(*op.Nesterov).Momentum)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		k.Run(floats[T](m)[y], floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]][0])
		return nil
	}, err
}

// stepNumber returns the number of an optimizer's step, of which [op.AdamStep] says that it starts at 1: at 0, the bias
// correction would divide by 0 and turn the weights into NaN.
func (m *memory) stepNumber(id int) (int, error) {
	t := m.count(id)
	if t < 1 {
		return 0, fmt.Errorf("step number is %d, want at least 1; count the step before the update", t)
	}
	return t, nil
}

func buildAdamStep[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.AdamStep)
	k, err := kernel.NewAdamStep[T](b.pool, s.Out[0].Len(), o.Beta1, o.Beta2, o.Epsilon)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		t, err := m.stepNumber(in[4])
		if err != nil {
			return err
		}
		k.Run(floats[T](m)[y], floats[T](m)[in[0]], floats[T](m)[in[1]], floats[T](m)[in[2]], floats[T](m)[in[3]][0], t)
		return nil
	}, err
}

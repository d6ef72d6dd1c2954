package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

func init() { registerFloats(fusedUpdateKernels[float32](), fusedUpdateKernels[float64]()) }

func fusedUpdateKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"MomentumUpdate": buildFusedUpdate[T],
		"AdamUpdate":     buildFusedUpdate[T],
		"FusedUpdate":    buildFusedUpdate[T],
	}
}

// stepper is an optimizer's step of one parameter.
type stepper[T kernel.Float] interface {
	Apply(g []T)
	LastPenalty() T
}

// buildFusedUpdate prepares an update alone or with what surrounds it.
func buildFusedUpdate[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f, ok := s.Instr.(*graph.FusedUpdate)
	if !ok {
		f = &graph.FusedUpdate{Update: s.Instr}
	}
	k, begin, err := newStepper[T](b, f, s)
	if err != nil {
		return nil, err
	}
	g := s.In[f.State()].ID
	penalty := -1
	if f.Penalty != 0 {
		penalty = s.Out[f.State()].ID
	}
	return func(m *memory) error {
		if err := begin(m); err != nil {
			return err
		}
		k.Apply(floats[T](m)[g])
		if penalty >= 0 {
			floats[T](m)[penalty][0] = k.LastPenalty()
		}
		return nil
	}, nil
}

// newStepper makes the kernel of an update and what tells it the operands of a run, but for the gradient.
func newStepper[T kernel.Float](b *builder, f *graph.FusedUpdate, s *graph.Step) (stepper[T], func(m *memory) error, error) {
	n := s.Out[0].Len()
	out, in := operands(s)
	state, scalars := in[:f.State()], in[f.Scalars():]
	o := kernel.UpdateOptions{L2: f.L2, Penalty: f.Penalty}
	l2 := func(m *memory) T {
		if f.L2 == 0 {
			return 0
		}
		return floats[T](m)[in[len(in)-1]][0]
	}
	switch u := f.Update.(type) {
	case *graph.MomentumUpdate:
		o.WeightDecay = u.WeightDecay
		k, err := kernel.NewMomentumUpdate[T](b.pool, n, u.Momentum, u.Nesterov, o)
		return k, func(m *memory) error {
			all := floats[T](m)
			k.Begin(all[out[0]], all[out[1]], all[state[0]], all[state[1]], all[scalars[0]][0], l2(m))
			return nil
		}, err
	case *graph.AdamUpdate:
		o.WeightDecay = u.WeightDecay
		k, err := kernel.NewAdamUpdate[T](b.pool, n, u.Beta1, u.Beta2, u.Epsilon, o)
		return k, func(m *memory) error {
			t, err := m.stepNumber(scalars[1])
			if err != nil {
				return err
			}
			all := floats[T](m)
			k.Begin(all[out[0]], all[out[1]], all[out[2]], all[state[0]], all[state[1]], all[state[2]], all[scalars[0]][0], t, l2(m))
			return nil
		}, err
	}
	return nil, nil, fmt.Errorf("no kernel for the update %s", f.Update)
}

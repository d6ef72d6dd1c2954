package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// updateKinds are the kinds of updates, alone and with what surrounds them.
var updateKinds = []string{"MomentumUpdate", "AdamUpdate", "FusedUpdate", "FusedUpdateProduct", "FusedUpdatePenalty", "FusedUpdateProductPenalty"}

func init() { registerFloats(fusedUpdateKernels[float32](), fusedUpdateKernels[float64]()) }

func fusedUpdateKernels[T kernel.Float]() map[string]prepare {
	all := map[string]prepare{}
	for _, kind := range updateKinds {
		all[kind] = buildFusedUpdate[T]
	}
	return all
}

// buildFusedUpdate prepares an update alone or with what surrounds it.
func buildFusedUpdate[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	f, ok := s.Instr.(*graph.FusedUpdate)
	if !ok {
		f = &graph.FusedUpdate{Update: s.Instr}
	}
	k, begin, err := newUpdater[T](b, f, s)
	if err != nil {
		return nil, err
	}
	apply, err := applyGradient[T](b, f, s, k)
	if err != nil {
		return nil, err
	}
	penalty := -1
	if f.Penalty != 0 {
		penalty = s.Out[f.State()].ID
	}
	return func(m *memory) error {
		if err := begin(m); err != nil {
			return err
		}
		apply(m)
		if penalty >= 0 {
			floats[T](m)[penalty][0] = k.LastPenalty()
		}
		return nil
	}, nil
}

// applyGradient prepares what updates the parameter: the step k with a gradient that is there, or with one that a product makes.
func applyGradient[T kernel.Float](b *builder, f *graph.FusedUpdate, s *graph.Step, k kernel.Updater[T]) (func(m *memory), error) {
	x, y := s.In[f.State()], s.In[f.State()+1]
	switch grad := f.Grad.(type) {
	case nil:
		needs[T](b, k)
		return func(m *memory) { k.Apply(floats[T](m)[x.ID]) }, nil
	case *op.MatMul:
		depth := x.Shape[1]
		if grad.TransA {
			depth = x.Shape[0]
		}
		o := kernel.MatMulOptions{TransA: grad.TransA, TransB: grad.TransB}
		mul, err := kernel.NewMatMulUpdate(env[T](b), s.Out[0].Shape[0], s.Out[0].Shape[1], depth, o, k)
		if err != nil {
			return nil, err
		}
		needs[T](b, mul)
		return func(m *memory) { mul.Update(floats[T](m)[x.ID], floats[T](m)[y.ID]) }, nil
	case *op.Conv2DBackwardFilter:
		g, err := grad.Geometry(x.Shape, grad.FilterShape)
		if err != nil {
			return nil, err
		}
		filter, err := kernel.NewConv2DBackwardFilterUpdate(env[T](b), g, k)
		if err != nil {
			return nil, err
		}
		needs[T](b, filter)
		return func(m *memory) { filter.Update(floats[T](m)[x.ID], floats[T](m)[y.ID]) }, nil
	}
	return nil, fmt.Errorf("no kernel for the gradient %s of an update", f.Grad)
}

// newUpdater makes the kernel of an update and what tells it the operands of a run, but for the gradient.
func newUpdater[T kernel.Float](b *builder, f *graph.FusedUpdate, s *graph.Step) (kernel.Updater[T], func(m *memory) error, error) {
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

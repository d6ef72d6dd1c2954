package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// step finds the kernel of a step: one of ours for the element type, else the operation's reference, else the host.
func (b *builder) step(s *graph.Step) (step, error) {
	if k := kernels[s.Instr.Kind()].of(s.Out[0].Dtype); k != nil {
		return k(b, s)
	}
	switch o := s.Instr.(type) {
	case *graph.Copy:
		return copyStep(s), nil
	case op.Op:
		return referenceStep(s, o), nil
	case ir.Op:
		return computeStep(s, o), nil
	case *graph.HostOp:
		return hostStep(s, o), nil
	}
	return nil, fmt.Errorf("no kernel for %s on %v", s.Instr.Kind(), s.Out[0].Dtype)
}

func copyStep(s *graph.Step) step {
	in, out := s.In[0].ID, s.Out[0].ID
	return func(m *memory) error {
		op.Copy(m.arrays[out], m.arrays[in])
		return nil
	}
}

// referenceStep runs the plain loops of package graph/op on the program's memory.
func referenceStep(s *graph.Step, o op.Op) step {
	in := make([]op.Array, len(s.In))
	ids := idsOf(s.In)
	out := s.Out[0].ID
	return func(m *memory) error {
		for i, id := range ids {
			in[i] = m.arrays[id]
		}
		return o.Reference(m.arrays[out], in)
	}
}

// computeStep is referenceStep for the operations of package graph/ir.
func computeStep(s *graph.Step, o ir.Op) step {
	in, out := make([]op.Array, len(s.In)), make([]op.Array, len(s.Out))
	return func(m *memory) error {
		for i, v := range s.In {
			in[i] = m.arrays[v.ID]
		}
		for i, v := range s.Out {
			out[i] = m.arrays[v.ID]
		}
		return o.Compute(out, in)
	}
}

// hostStep runs an operation of Gorgonia's or the user's own through its Do. Some of Gorgonia's operations write to
// their inputs for a moment (a matmul transposes in place), so each gets copies.
func hostStep(s *graph.Step, h *graph.HostOp) step {
	ids := idsOf(s.In)
	out := s.Out[0].ID
	return func(m *memory) error {
		in := make([]op.Array, len(ids))
		for i, id := range ids {
			c, err := op.NewArray(m.arrays[id].Dtype(), m.arrays[id].Shape.Clone())
			if err != nil {
				return err
			}
			op.Copy(c, m.arrays[id])
			in[i] = c
		}
		return h.Compute(m.arrays[out], in)
	}
}

func idsOf(vs []*graph.Value) []int {
	ids := make([]int, len(vs))
	for i, v := range vs {
		ids[i] = v.ID
	}
	return ids
}

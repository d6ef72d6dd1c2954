package enginetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Reference is the engine that others are compared with: every step alone, in its own memory, by the plain loops of
// package graph/op.
type Reference struct{}

// Name is "reference".
func (Reference) Name() string { return "reference" }

// Fuses is false.
func (Reference) Fuses(string, tensor.Dtype) bool { return false }

// InPlace is false.
func (Reference) InPlace(graph.Instr, tensor.Dtype, int, int) bool { return false }

// Wrap uses data in place.
func (Reference) Wrap(data op.Array) (graph.Buffer, error) { return refBuffer{data}, nil }

// Close does nothing.
func (Reference) Close() error { return nil }

// Build allocates every value.
func (Reference) Build(p *graph.Plan) (graph.Program, error) {
	prog := &refProgram{plan: p, arrays: map[*graph.Value]op.Array{}}
	for _, v := range p.Values {
		if v.Root().Where == graph.External {
			continue
		}
		if v.Alias != nil {
			continue // a view: resolved at run time
		}
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			return nil, err
		}
		prog.arrays[v] = a
	}
	return prog, nil
}

type refBuffer struct{ data op.Array }

func (refBuffer) Upload(op.Array) error   { return nil }
func (refBuffer) Download(op.Array) error { return nil }
func (refBuffer) Close() error            { return nil }

type refProgram struct {
	plan   *graph.Plan
	arrays map[*graph.Value]op.Array
}

func (p *refProgram) Bind(v *graph.Value, b graph.Buffer) error {
	p.arrays[v] = b.(refBuffer).data
	return nil
}

func (p *refProgram) array(v *graph.Value) op.Array {
	a := p.arrays[v.Root()]
	return op.Array{Shape: v.Shape, Data: a.Data}
}

func (p *refProgram) Run() error {
	for i, s := range p.plan.Steps {
		in := make([]op.Array, len(s.In))
		for j, v := range s.In {
			in[j] = p.array(v)
		}
		out := p.array(s.Out[0])
		switch o := s.Instr.(type) {
		case op.Op:
			if err := o.Reference(out, in); err != nil {
				return fmt.Errorf("step %d, %s: %w", i, o, err)
			}
		default: // copies and Gorgonia's own operations: nothing else is made for an engine that fuses nothing
			results, err := expand(s, in)
			if err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			op.Copy(out, results[0])
		}
	}
	for _, a := range p.plan.Assigns {
		if a.New.Root() != a.Target {
			op.Copy(p.array(a.Target), p.array(a.New))
		}
	}
	return nil
}

func (p *refProgram) Close() error { return nil }

// Package reference is the engine that a benchmark's results are checked against: every step of an unfused plan alone, in memory of
// its own, in the element type of the plan. Convolutions and matrix products are products of package gonum, over patches that are
// written out; all other operations run the plain loops of package graph/op. It shares no kernel, no fusion and no memory plan with
// the engines that are timed, and is fast enough to run a whole training step of ResNet-50.
package reference

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// Engine is a graph.Engine for plans of float64 that were compiled with graph.WithoutPasses.
type Engine struct {
	// Check is asked before every step whether to go on; its error ends the run. Nil always goes on.
	Check func() error
}

// Name is "reference".
func (Engine) Name() string { return "reference" }

// Fuses is false.
func (Engine) Fuses(string, tensor.Dtype) bool { return false }

// InPlace is false.
func (Engine) InPlace(graph.Instr, tensor.Dtype, int, int) bool { return false }

// Wrap uses data in place.
func (Engine) Wrap(data op.Array) (graph.Buffer, error) { return buffer{data}, nil }

// Close does nothing.
func (Engine) Close() error { return nil }

// Build finds out when each value is read for the last time.
func (e Engine) Build(p *graph.Plan) (graph.Program, error) {
	for _, s := range p.Steps {
		switch s.Instr.(type) {
		case op.Op, ir.Op, *graph.HostOp, *graph.Copy:
		default: // a fused one
			return nil, fmt.Errorf("reference: %s is more than one operation of a graph; compile with graph.WithoutPasses", s.Instr)
		}
	}
	prog := &program{plan: p, check: e.Check, arrays: map[*graph.Value]op.Array{}, ends: make([][]*graph.Value, len(p.Steps))}
	last := map[*graph.Value]int{}
	for i, s := range p.Steps {
		for _, vs := range [][]*graph.Value{s.In, s.Out} {
			for _, v := range vs {
				last[v.Root()] = i
			}
		}
	}
	for _, a := range p.Assigns {
		delete(last, a.New.Root()) // read when all steps are over
	}
	for v, i := range last {
		if v.Where != graph.External {
			prog.ends[i] = append(prog.ends[i], v)
		}
	}
	return prog, nil
}

type buffer struct{ data op.Array }

func (buffer) Upload(op.Array) error   { return nil }
func (buffer) Download(op.Array) error { return nil }
func (buffer) Close() error            { return nil }

type program struct {
	plan   *graph.Plan
	check  func() error
	arrays map[*graph.Value]op.Array // of roots: those that are bound, and while they live the others
	ends   [][]*graph.Value          // by step: the values that nobody reads after it
}

// Bind implements graph.Program.
func (p *program) Bind(v *graph.Value, b graph.Buffer) error {
	own, ok := b.(buffer)
	if !ok {
		return fmt.Errorf("reference: a buffer of type %T belongs to another engine", b)
	}
	p.arrays[v] = own.data
	return nil
}

// Run implements graph.Program. The memory of a value is made when it is written and left to the garbage collector after its last
// reader: a run needs about what is alive at once.
func (p *program) Run() error {
	for i, s := range p.plan.Steps {
		if p.check != nil {
			if err := p.check(); err != nil {
				return err
			}
		}
		if err := p.step(s); err != nil {
			return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
		for _, v := range p.ends[i] {
			delete(p.arrays, v)
		}
	}
	for _, a := range p.plan.Assigns {
		if a.New.Root() != a.Target {
			op.Copy(p.array(a.Target), p.array(a.New))
		}
	}
	return nil
}

func (p *program) step(s *graph.Step) error {
	in, out := make([]op.Array, len(s.In)), make([]op.Array, len(s.Out))
	for i, v := range s.In {
		in[i] = p.array(v)
	}
	for i, v := range s.Out {
		root := v.Root()
		if _, ok := p.arrays[root]; !ok {
			a, err := op.NewArray(root.Dtype, root.Shape)
			if err != nil {
				return err
			}
			p.arrays[root] = a
		}
		out[i] = p.array(v)
	}
	switch o := s.Instr.(type) {
	case op.Op:
		return compute(o, out[0], in)
	case ir.Op:
		return o.Compute(out, in)
	case *graph.HostOp:
		for i, a := range in { // which it may write to for a moment
			c, err := op.NewArray(a.Dtype(), a.Shape)
			if err != nil {
				return err
			}
			op.Copy(c, a)
			in[i] = c
		}
		return o.Compute(out[0], in)
	}
	op.Copy(out[0], in[0])
	return nil
}

// array is the memory of a value, seen in its own shape.
func (p *program) array(v *graph.Value) op.Array {
	return op.Array{Shape: v.Shape, Data: p.arrays[v.Root()].Data}
}

// Close implements graph.Program.
func (p *program) Close() error {
	p.arrays = nil
	return nil
}

//go:build gpu && cgo && linux

package cuda

import (
	"fmt"
	"runtime/debug"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// hostStep runs an operation without a kernel on the host: its operands are brought there, its results to the device. The stream
// is waited for.
type hostStep struct {
	step    *graph.Step
	in, out []op.Array
	compute func(out, in []op.Array) error
}

func (m *maker) hostStep(s *graph.Step) (*hostStep, error) {
	h := &hostStep{step: s}
	switch o := s.Instr.(type) {
	case op.Op:
		h.compute = func(out, in []op.Array) error { return o.Reference(out[0], in) }
	case ir.Op:
		h.compute = o.Compute
	case *graph.HostOp:
		h.compute = func(out, in []op.Array) error { return o.Compute(out[0], in) }
	default:
		return nil, fmt.Errorf("no kernel for %s on %v", s.Instr.Kind(), s.Out[0].Dtype)
	}
	for _, v := range s.In {
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			return nil, err
		}
		h.in = append(h.in, a)
	}
	for _, v := range s.Out {
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			return nil, err
		}
		h.out = append(h.out, a)
	}
	return h, nil
}

// name says what a run copies between device and host, for profiles.
func (h *hostStep) name() string {
	in, out := 0, 0
	for _, a := range h.in {
		in += len(bytesOf(a))
	}
	for _, a := range h.out {
		out += len(bytesOf(a))
	}
	return fmt.Sprintf("host (%d bytes copied from the device, %d to it)", in, out)
}

func (h *hostStep) run(p *program) (err error) {
	for i, v := range h.step.In {
		if err := p.engine.staging.bring(h.in[i], v, p.address(v)); err != nil {
			return err
		}
	}
	if err := guarded(func() error { return h.compute(h.out, h.in) }); err != nil {
		return err
	}
	for i, v := range h.step.Out {
		b := bytesOf(h.out[i])
		if v.Narrow {
			b = raw(narrowed(h.out[i].Data.([]float32)))
		}
		if err := p.engine.staging.toDevice(p.address(v), b); err != nil {
			return err
		}
	}
	return nil
}

// panicked is a panic of an operation, which may be the caller's own code.
type panicked struct {
	error
	stack []byte
}

func (p *panicked) Unwrap() error { return p.error }

// guarded returns a panic of f as an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if ok {
				e = fmt.Errorf("panic: %w", e)
			} else {
				e = fmt.Errorf("panic: %v", r)
			}
			err = &panicked{e, debug.Stack()}
		}
	}()
	return f()
}

// check looks at integers that will be indices: at constants now, at an input's before the run begins, on the host; at others when
// their step's turn comes.
func (m *maker) check(c *kernel.Check) ([]action, error) {
	v, p, at := m.step_.In[c.In], m.program, m.at
	if r := v.Root(); r.Const != nil {
		return nil, c.Fn(*r.Const)
	} else if r.Where == graph.External && r.Input && !r.Variable {
		p.before = append(p.before, func() error {
			integers, err := p.bound[r].integers()
			if err != nil {
				return err
			}
			if err := c.Fn(integers); err != nil {
				return p.failed(at, err)
			}
			return nil
		})
		return nil, nil
	}
	a, err := op.NewArray(v.Dtype, v.Shape)
	if err != nil {
		return nil, err
	}
	return []action{&hostCheck{v, a, c.Fn}}, nil
}

// hostCheck brings integers to the host and looks at them.
type hostCheck struct {
	v    *graph.Value
	data op.Array
	fn   func(op.Array) error
}

func (h *hostCheck) run(p *program) error {
	if err := p.engine.staging.toHost(bytesOf(h.data), p.address(h.v)); err != nil {
		return err
	}
	return h.fn(h.data)
}

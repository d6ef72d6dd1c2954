package enginetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Checker is an engine that fuses and reuses memory wherever a plan can, and proves while it runs that the plan is
// sound. It keeps every value twice: where the plan puts it, in an arena that starts as NaN, and in memory of its own.
// Before a step reads an operand, the two must be equal bit by bit: a difference means that something was laid over a
// value that was still wanted, or that a step ran too early. Results are computed by the reference loops, fused
// operations by the operations they stand for, so that they equal those of [Reference] bit by bit.
type Checker struct {
	Probe bool // also put graph.Elementwise to the test, at every step
}

// ErrUnsound is wrapped by all that the checker finds wrong with a plan.
var ErrUnsound = errors.New("enginetest: the plan is unsound")

func unsound(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsound, fmt.Sprintf(format, args...))
}

// Name is "checker".
func (Checker) Name() string { return "checker" }

// Fuses is true: fused operations are taken apart again.
func (Checker) Fuses(string, tensor.Dtype) bool { return true }

// InPlace is whatever the operations allow by their meaning.
func (Checker) InPlace(instr graph.Instr, _ tensor.Dtype, out, in int) bool {
	return graph.Elementwise(instr, out, in)
}

// Keeps is true of weights.
func (Checker) Keeps(instr graph.Instr, _ tensor.Dtype, in int) bool { return graph.Weights(instr, in) }

// Wrap uses data in place.
func (Checker) Wrap(data op.Array) (graph.Buffer, error) { return refBuffer{data}, nil }

// Close does nothing.
func (Checker) Close() error { return nil }

// Build checks what can be seen without running: alignment, bounds, who writes what.
func (k Checker) Build(p *graph.Plan) (graph.Program, error) {
	made := map[*graph.Value]bool{}
	for i, v := range p.Values {
		if v.ID != i {
			return nil, unsound("value %d has ID %d", i, v.ID)
		}
		made[v] = v.Input || v.Const != nil
		if v.Alias != nil && v.Alias.Bytes() != v.Bytes() {
			return nil, unsound("%s of %d bytes shares the memory of %s of %d", v, v.Bytes(), v.Alias, v.Alias.Bytes())
		}
		if v.Where != v.Root().Where {
			return nil, unsound("%s is not where its memory's owner %s is", v, v.Root())
		}
		if r := v.Root(); r.Where == graph.Arena && (r.Offset%64 != 0 || r.Offset < 0 || r.Offset+r.Bytes() > p.ArenaBytes) {
			return nil, unsound("%s lies at %d..%d of an arena of %d bytes", r, r.Offset, r.Offset+r.Bytes(), p.ArenaBytes)
		}
	}
	computed := map[*graph.Value]bool{}
	for _, s := range p.Steps {
		for _, o := range s.Out {
			computed[o] = true
		}
	}
	for i, s := range p.Steps {
		if s.Once && i > 0 && !p.Steps[i-1].Once {
			return nil, unsound("step %d, which is run once, comes after others", i)
		}
		for _, v := range s.In {
			if o := origin(v, computed); o == nil || !made[o] {
				return nil, unsound("step %d reads %s before any step has made it", i, v)
			}
			if s.Once && !v.Fixed {
				return nil, unsound("step %d is run once and reads %s, which changes", i, v)
			}
		}
		for _, o := range s.Out {
			if made[o] {
				return nil, unsound("step %d writes %s, which exists already", i, o)
			}
			made[o] = true
		}
	}
	return &checked{plan: p, probe: k.Probe, computed: computed, bound: map[*graph.Value]op.Array{}, arena: make([]byte, p.ArenaBytes),
		shadow: map[*graph.Value]op.Array{}, stale: true}, nil
}

// origin follows a view, which no step computes, to the value it is a view of.
func origin(v *graph.Value, computed map[*graph.Value]bool) *graph.Value {
	for v != nil && !computed[v] && v.Alias != nil {
		v = v.Alias
	}
	return v
}

type checked struct {
	plan     *graph.Plan
	probe    bool
	computed map[*graph.Value]bool     // by a step; the others are inputs, constants and views
	bound    map[*graph.Value]op.Array // external memory
	arena    []byte
	shadow   map[*graph.Value]op.Array // the true values, in memory of their own
	stale    bool                      // steps that are Once run again
}

// Bind implements graph.Program.
func (c *checked) Bind(v *graph.Value, b graph.Buffer) error {
	if v.Alias != nil || v.Where != graph.External {
		return unsound("%s is bound and has no memory of its own", v)
	}
	c.bound[v] = b.(refBuffer).data
	c.stale = c.stale || v.Fixed
	return nil
}

// Refresh implements graph.Refresher.
func (c *checked) Refresh() { c.stale = true }

// begin fills the memory with NaN, but for what steps that are Once have left there for later runs, and forgets what it held.
func (c *checked) begin() {
	lasting := map[*graph.Value]bool{}
	for _, s := range c.plan.Steps {
		for i, v := range s.In {
			if v.Fixed && !s.Once && !graph.Weights(s.Instr, i) {
				lasting[v.Root()] = true
			}
		}
	}
	old := slices.Clone(c.arena)
	for i := range c.arena {
		c.arena[i] = 0xff // NaN in both float types
	}
	for v := range c.shadow {
		switch r := v.Root(); {
		case c.stale || !v.Fixed:
			delete(c.shadow, v)
		case lasting[r] && r.Where == graph.Arena:
			copy(c.arena[r.Offset:r.Offset+r.Bytes()], old[r.Offset:])
		}
	}
}

// Run implements graph.Program.
func (c *checked) Run() error {
	c.begin()
	for v, a := range c.bound {
		if v.Input || v.Const != nil {
			c.shadow[v] = clone(op.Array{Shape: v.Shape, Data: a.Data})
		} else {
			poison(a)
		}
	}
	for i, s := range c.plan.Steps {
		if s.Once && !c.stale {
			continue
		}
		if err := c.step(s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i, s.Instr, err)
		}
	}
	c.stale = false
	for _, a := range c.plan.Assigns {
		if err := c.intact(a.New); err != nil {
			return fmt.Errorf("update of %q: %w", a.Target.Name, err)
		}
		if a.New.Root() != a.Target {
			if err := c.intact(a.Target); err != nil {
				return fmt.Errorf("update of %q, whose old value was changed early: %w", a.Target.Name, err)
			}
			op.Copy(c.bound[a.Target], c.shadowOf(a.New))
			c.shadow[a.Target] = clone(c.shadowOf(a.New))
		}
	}
	for _, v := range c.plan.Outputs {
		if err := c.intact(v); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}

// Close implements graph.Program.
func (c *checked) Close() error { return nil }

func (c *checked) step(s *graph.Step) error {
	in := make([]op.Array, len(s.In))
	for i, v := range s.In {
		if taken := v.Fixed && !s.Once && graph.Weights(s.Instr, i); !taken {
			if err := c.intact(v); err != nil {
				return err
			}
		}
		in[i] = c.shadowOf(v)
	}
	out, err := expand(s, in)
	if err != nil {
		return err
	}
	if len(out) != len(s.Out) {
		return unsound("it has %d results, the plan says %d", len(out), len(s.Out))
	}
	if c.probe {
		if err := probe(s, in, out); err != nil {
			return err
		}
	}
	for k, v := range s.Out {
		if op.Len(out[k].Shape) != v.Len() || out[k].Dtype() != v.Dtype {
			return unsound("result %s is %v of shape %v, the plan says %v of %v", v, out[k].Dtype(), out[k].Shape, v.Dtype, v.Shape)
		}
		c.shadow[v] = op.Array{Shape: v.Shape, Data: out[k].Data}
		c.write(v, out[k])
	}
	for _, v := range s.Out { // siblings must not overwrite each other
		if err := c.intact(v); err != nil {
			return err
		}
	}
	return nil
}

func (c *checked) shadowOf(v *graph.Value) op.Array {
	return op.Array{Shape: v.Shape, Data: c.shadow[origin(v, c.computed)].Data}
}

// intact says whether the plan's memory still holds the value.
func (c *checked) intact(v *graph.Value) error {
	want := c.shadowOf(v)
	if want.Data == nil {
		return unsound("%s was never computed", v)
	}
	if have := c.memory(v); !slices.Equal(have, bytesOf(want)) {
		return unsound("%s %q, %v, was overwritten while it was still wanted", v, v.Name, v.Shape)
	}
	return nil
}

// memory returns what lies where the plan puts v.
func (c *checked) memory(v *graph.Value) []byte {
	if r := v.Root(); r.Where == graph.Arena {
		return c.arena[r.Offset : r.Offset+v.Bytes()]
	}
	return bytesOf(c.bound[v.Root()])
}

func (c *checked) write(v *graph.Value, a op.Array) {
	if r := v.Root(); r.Where == graph.Arena {
		copy(c.arena[r.Offset:], bytesOf(a))
		return
	}
	op.Copy(c.bound[v.Root()], a)
}

func bytesOf(a op.Array) []byte {
	var b []byte
	switch x := a.Data.(type) {
	case []float32:
		b = make([]byte, 0, 4*len(x))
		for _, f := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
		}
	case []float64:
		b = make([]byte, 0, 8*len(x))
		for _, f := range x {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
		}
	case []int:
		for _, k := range x {
			b = binary.LittleEndian.AppendUint64(b, uint64(k))
		}
	case []int32, []int64, []uint8, []bool:
		b, _ = binary.Append(nil, binary.LittleEndian, x)
	}
	return b
}

func poison(a op.Array) {
	switch x := a.Data.(type) {
	case []float32:
		for i := range x {
			x[i] = float32(math.NaN())
		}
	case []float64:
		for i := range x {
			x[i] = math.NaN()
		}
	case []int:
		for i := range x {
			x[i] = -1
		}
	}
}

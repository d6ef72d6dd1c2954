package graph

import (
	"maps"
	"reflect"
	"slices"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// lowering translates one node of a stock Gorgonia operation into steps. Gorgonia is careless with axes of size 1 and
// with scalars, so every step's result is inferred anew, and reshapes, which cost nothing, stand between what an operation
// gives and what the node says.
type lowering struct {
	c    *capturer
	n    *gorgonia.Node
	in   []*Value
	out  *Value
	rank int

	values, steps, assigns int // what the program had before, to take back a translation that failed
}

func (c *capturer) lower(n *gorgonia.Node, in []*Value, out *Value) *lowering {
	return &lowering{c: c, n: n, in: in, out: out, rank: c.rank[n], values: len(c.prog.values), steps: len(c.prog.steps), assigns: len(c.prog.assigns)}
}

// undo forgets all steps of the translation.
func (l *lowering) undo() {
	p := l.c.prog
	for _, s := range p.steps[l.steps:] {
		for _, o := range s.Out {
			delete(p.producer, o)
		}
	}
	p.steps, p.values, p.assigns = p.steps[:l.steps], p.values[:l.values], p.assigns[:l.assigns]
	gone := func(v *Value) bool { return v == nil || v.ID >= l.values }
	ofGone := func(_ *gorgonia.BatchNormOp, m *moments) bool { return gone(m.mean) }
	maps.DeleteFunc(l.c.moments, ofGone)
	maps.DeleteFunc(l.c.running, ofGone)
	if p.run != nil && gone(p.run) {
		p.run, p.counter = nil, nil
	}
}

func replaceValue(vs []*Value, old, now *Value) {
	for i, v := range vs {
		if v == old {
			vs[i] = now
		}
	}
}

// infer returns the shape that instr makes of its operands.
func infer(instr Instr, in []*Value) (tensor.Shape, bool) {
	shapes := make([]tensor.Shape, len(in))
	for i, v := range in {
		shapes[i] = v.Shape
	}
	var s tensor.Shape
	var err error
	switch o := instr.(type) {
	case op.Op:
		s, err = o.Infer(shapes)
	case ir.Op:
		s, err = o.Infer(shapes)
	default:
		return nil, false
	}
	return s, err == nil
}

// emit adds a step on values of the element type of its first operand, and returns its result; nil if the operation does
// not take the operands.
func (l *lowering) emit(instr Instr, in ...*Value) *Value {
	if len(in) == 0 || in[0] == nil {
		return nil
	}
	return l.emitAs(in[0].Dtype, instr, in...)
}

func (l *lowering) emitAs(dt tensor.Dtype, instr Instr, in ...*Value) *Value {
	if slices.Contains(in, nil) || !computes(instr, in[0].Dtype) {
		return nil
	}
	s, ok := infer(instr, in)
	if !ok {
		return nil
	}
	v := l.c.prog.newValue(l.out.Name, s, dt, nil)
	l.c.prog.addStep(&Step{Instr: instr, In: slices.Clone(in), Out: []*Value{v}, rank: l.rank})
	return v
}

// computes says whether an operation takes a first operand of element type dt. Stock Gorgonia's operations on other types run
// through their own Do.
func computes(instr Instr, dt tensor.Dtype) bool {
	switch instr.(type) {
	case *op.Reshape:
		return true
	case *ir.Repeat, *ir.Slice, *ir.Concat, *ir.At, *ir.Gather, *ir.DiagFlat: // they only move elements
		return isFloat(dt) || dt == tensor.Int || dt == tensor.Bool
	case *ir.Binary, *ir.Cast, *ir.Random: // random numbers are a function of the number of the run
		return isFloat(dt) || dt == tensor.Int
	}
	return isFloat(dt)
}

// reshape returns v in another shape of as many elements.
func (l *lowering) reshape(v *Value, to ...int) *Value {
	if v == nil || shape.Equal(v.Shape, to) {
		return v
	}
	return l.emit(&op.Reshape{From: v.Shape.Clone(), To: tensor.Shape(to).Clone()}, v)
}

// permute returns v with its axes in another order.
func (l *lowering) permute(v *Value, axes ...int) *Value {
	if v == nil {
		return nil
	}
	same := true
	for i, a := range axes {
		same = same && a == i
	}
	if same {
		return v
	}
	return l.emit(&op.Permute{Axes: axes}, v)
}

// constant returns a value whose n elements are all x.
func (l *lowering) filled(dt tensor.Dtype, x float64, dims ...int) *Value {
	a, err := op.NewArray(dt, tensor.Shape(dims))
	if err != nil {
		return nil
	}
	switch d := a.Data.(type) {
	case []float32:
		for i := range d {
			d[i] = float32(x)
		}
	case []float64:
		for i := range d {
			d[i] = x
		}
	case []int:
		for i := range d {
			d[i] = int(x)
		}
	}
	v := l.c.prog.newValue(l.out.Name, tensor.Shape(dims), dt, nil)
	v.Const = &a
	return v
}

// finish makes v the value of the node: the step that computed it computes the node's own value, or a reshape does where
// the node's shape differs in axes of size 1. It reports whether v can be that value.
func (l *lowering) finish(v *Value) bool {
	if v == nil || v.Dtype != l.out.Dtype || !shape.EqualButOnes(v.Shape, l.out.Shape) {
		l.undo()
		return false
	}
	p := l.c.prog
	if made := p.producer[v]; shape.Equal(v.Shape, l.out.Shape) && slices.Contains(p.steps[l.steps:], made) {
		for _, s := range p.steps[l.steps:] {
			replaceValue(s.In, v, l.out)
			replaceValue(s.Out, v, l.out)
		}
		delete(p.producer, v)
		p.producer[l.out] = made
		return true
	}
	p.addStep(&Step{Instr: &op.Reshape{From: v.Shape.Clone(), To: l.out.Shape.Clone()}, In: []*Value{v}, Out: []*Value{l.out}, rank: l.rank})
	return true
}

// attributes reads the unexported fields of a stock operation.
type attributes struct{ v reflect.Value }

// attributesOf looks into an operation, behind its pointer if it is one.
func attributesOf(o gorgonia.Op) attributes {
	v := reflect.ValueOf(o)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return attributes{v}
}

// typeName is the operation's type in Gorgonia's root package, "" for all others.
func (a attributes) typeName() string {
	if !a.v.IsValid() || a.v.Type().PkgPath() != stockPackage {
		return ""
	}
	return a.v.Type().Name()
}

func (a attributes) int(field string) int       { return int(a.v.FieldByName(field).Int()) }
func (a attributes) uint(field string) int      { return int(a.v.FieldByName(field).Uint()) }
func (a attributes) float(field string) float64 { return a.v.FieldByName(field).Float() }
func (a attributes) bool(field string) bool     { return a.v.FieldByName(field).Bool() }
func (a attributes) pair(h, w string) [2]int    { return [2]int{a.int(h), a.int(w)} }
func (a attributes) ints(field string) (is []int) {
	f := a.v.FieldByName(field)
	for i := range f.Len() {
		is = append(is, int(f.Index(i).Int()))
	}
	return is
}

// embedded returns the operation that a gradient's operation embeds under an exported name.
func embedded[T any](a attributes, field string) (*T, bool) {
	f := a.v.FieldByName(field)
	if !f.IsValid() || !f.CanInterface() {
		return nil, false
	}
	o, ok := f.Interface().(*T)
	return o, ok && o != nil
}

// identity is the address of the operation that a is, or that it embeds as a pointer under the given name: equal for an
// operation and its gradient.
func (a attributes) identity(field string) unsafe.Pointer {
	if a.v.Type().Name() == field {
		return a.v.Addr().UnsafePointer()
	}
	return a.v.FieldByName(field).UnsafePointer()
}

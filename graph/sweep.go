package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// sweep is one walk over the steps of a program in the order in which they depend on each other, as capture leaves them.
// A rule looks at a step whose operands are final, and leaves it, changes it, or puts values that other steps compute in
// the place of its results.
type sweep struct {
	p        *program
	steps    []*Step // the program's new steps
	now      map[*Value]*Value
	uses     map[*Value]int // how often steps, outputs and updates read a value, before the sweep
	outputs  map[*Value]bool
	step     *Step // the one at hand
	replaced bool
}

// rule looks at step s and changes the program through w.
type rule func(w *sweep, s *Step)

// sweepSteps walks over the program with a list of rules, of which the first that replaces a step has it.
func sweepSteps(p *program, rules ...rule) {
	w := newSweep(p)
	for _, s := range p.steps {
		w.visit(s, rules)
	}
	w.finish()
}

func newSweep(p *program) *sweep {
	w := &sweep{p: p, steps: make([]*Step, 0, len(p.steps)), now: map[*Value]*Value{}, uses: map[*Value]int{}, outputs: map[*Value]bool{}}
	for _, s := range p.steps {
		for _, v := range s.In {
			w.uses[v]++
		}
	}
	for _, v := range p.outputs {
		w.uses[v]++
		w.outputs[v] = true
	}
	for _, a := range p.assigns {
		w.uses[a.New]++
		w.outputs[a.New] = true
	}
	return w
}

func (w *sweep) visit(s *Step, rules []rule) {
	w.p.work++
	for i, v := range s.In {
		s.In[i] = w.resolve(v)
	}
	w.step, w.replaced = s, false
	for _, r := range rules {
		if r(w, s); w.replaced {
			return
		}
	}
	w.steps = append(w.steps, s)
}

// resolve returns what stands for v now.
func (w *sweep) resolve(v *Value) *Value {
	for w.now[v] != nil {
		v = w.now[v]
	}
	return v
}

// emit adds a step at the place of the one at hand, and returns its result, of the element type of its first operand; nil if
// the operation does not take the operands.
func (w *sweep) emit(instr Instr, in ...*Value) *Value {
	if len(in) == 0 || slices.Contains(in, nil) {
		return nil
	}
	s, ok := infer(instr, in)
	if !ok {
		return nil
	}
	out := w.step.Out[0]
	v := w.p.newValue(out.Name, s, in[0].Dtype, nil)
	n := &Step{Instr: instr, In: slices.Clone(in), Out: []*Value{v}, rank: w.step.rank}
	w.steps = append(w.steps, n)
	w.p.producer[v] = n
	return v
}

// reshape returns v in another shape of as many elements.
func (w *sweep) reshape(v *Value, to ...int) *Value {
	if v == nil || shape.Equal(v.Shape, to) {
		return v
	}
	if r := w.p.producer[v]; r != nil {
		if _, ok := r.Instr.(*op.Reshape); ok { // of a reshape: of what that is of
			return w.reshape(r.In[0], to...)
		}
	}
	return w.emit(&op.Reshape{From: v.Shape.Clone(), To: tensor.Shape(to).Clone()}, v)
}

// permute returns v with its axes in another order. Where only axes of size 1 move, that is a reshape.
func (w *sweep) permute(v *Value, axes ...int) *Value {
	if v == nil {
		return nil
	}
	to := make([]int, len(axes))
	last, moved := -1, false
	for i, a := range axes {
		to[i] = v.Shape[a]
		if v.Shape[a] != 1 {
			moved = moved || a < last
			last = a
		}
	}
	if !moved {
		return w.reshape(v, to...)
	}
	if r := w.p.producer[v]; r != nil {
		if o, ok := r.Instr.(*op.Permute); ok { // of a permutation: one
			both, same := make([]int, len(axes)), true
			for i, a := range axes {
				both[i] = o.Axes[a]
				same = same && both[i] == i
			}
			if same {
				return r.In[0]
			}
			return w.permute(r.In[0], both...)
		}
	}
	return w.emit(&op.Permute{Axes: axes}, v)
}

// replace makes v stand for the only result of the step at hand, which is dropped. It does nothing if v is nil or another
// kind of value.
func (w *sweep) replace(v *Value) {
	old := w.step.Out[0]
	if v == nil || len(w.step.Out) != 1 || v.Dtype != old.Dtype || !shape.Equal(v.Shape, old.Shape) {
		return
	}
	w.substitute(old, v)
	w.replaced = true
}

// substitute makes v stand for old from here on. The node of old, if its value is to stay bound, gets that of v.
func (w *sweep) substitute(old, v *Value) {
	w.now[old] = v
	delete(w.p.producer, old)
	if old.Node != nil && v.Node == nil && !v.Input && v.Const == nil {
		v.Node, v.Name, v.soft, v.head = old.Node, old.Name, old.soft, old.head
		old.head = false
		return
	}
	old.Alias = v
}

// change gives the step at hand another operation and other operands; its results stay what they are.
func (w *sweep) change(instr Instr, in ...*Value) {
	w.step.Instr, w.step.In = instr, in
}

// only says that nothing but one step reads v.
func (w *sweep) only(v *Value) bool { return w.uses[v] == 1 && !w.outputs[v] }

// producer returns the step that computes v, nil for inputs and constants.
func (w *sweep) producer(v *Value) *Step { return w.p.producer[v] }

func (w *sweep) finish() {
	p := w.p
	p.steps = w.steps
	for i, v := range p.outputs {
		p.outputs[i] = w.resolve(v)
	}
	for i, a := range p.assigns {
		p.assigns[i].New = w.resolve(a.New)
	}
	p.dropDead()
}

package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// fuseAfter lets a convolution or a matrix product do what an elementwise step does to its result and to nothing but numbers, such as
// swish or GELU, where the engine can. It comes behind the pass that makes loops: what they read besides, and hand out besides, decides.
func fuseAfter(p *program, e Engine) {
	r := newRewriter(p)
	readers, asked := p.readers()
	for _, s := range p.steps {
		instr, after := withAfter(s.Instr)
		y := s.Out[0]
		if instr == nil || asked[y] || y.soft || len(readers[y]) != 1 || !e.Fuses(instr.Kind(), y.Dtype) {
			continue
		}
		u := readers[y][0]
		l := p.loopOf(u, y)
		if l == nil {
			continue
		}
		*after = l
		out := u.Out[0]
		if !shape.Equal(out.Shape, y.Shape) { // behind a view
			if asked[out] {
				continue
			}
			out = p.newValue(out.Name, y.Shape, y.Dtype, out.Node)
			u.Out[0].Alias = out
		}
		r.replace(&Step{Instr: instr, In: s.In, Out: []*Value{out}}, u, s, u)
	}
	r.finish()
}

// withAfter returns a copy of a product that can have a loop behind it, with a loop to be filled in, and where; nil if it can have none.
func withAfter(instr Instr) (Instr, **ir.Loop) {
	var c *FusedConv2D
	var m *FusedMatMul
	switch o := instr.(type) {
	case *op.Conv2D:
		c = &FusedConv2D{Conv: o}
	case *FusedConv2D:
		f := *o
		c = &f
	case *op.MatMul:
		m = &FusedMatMul{MatMul: o}
	case *FusedMatMul:
		f := *o
		m = &f
	}
	switch {
	case c != nil && c.After == nil && !c.Stats:
		c.After = &ir.Loop{}
		return c, &c.After
	case m != nil && m.After == nil:
		m.After = &ir.Loop{}
		return m, &m.After
	}
	return nil, nil
}

// readers returns the steps that read each value, itself or views of it, by what the views are of; and what is asked for, as an output
// or as the new value of an update, with what it is a view of.
func (p *program) readers() (steps map[*Value][]*Step, asked map[*Value]bool) {
	steps, asked = make(map[*Value][]*Step, len(p.values)), map[*Value]bool{}
	for _, s := range p.steps {
		for _, v := range s.In {
			if r := v.Root(); !slices.Contains(steps[r], s) {
				steps[r] = append(steps[r], s)
			}
		}
	}
	ask := func(v *Value) { asked[v], asked[v.Root()] = true, true }
	for _, v := range p.outputs {
		ask(v)
	}
	for _, a := range p.assigns {
		ask(a.New)
	}
	return steps, asked
}

// loopOf returns what step u does to x as a loop of one input, nil if it reads anything else but numbers, or is none.
func (p *program) loopOf(u *Step, x *Value) *ir.Loop {
	if len(u.Out) != 1 || u.Out[0].Dtype != x.Dtype || u.Out[0].Len() != x.Len() {
		return nil
	}
	for _, v := range u.In {
		if _, isNumber := number(v.Root()); v.Dtype != x.Dtype || !isNumber && (v.Root() != x || v.Len() != x.Len()) {
			return nil
		}
	}
	switch o := u.Instr.(type) {
	case *ir.Loop:
		if o.Inputs != 1 || o.Shape != nil {
			return nil
		}
		return o
	case *ir.Unary, *ir.Binary, *op.Scale, *op.ReLU, *op.ReLUGrad, *op.Add, *op.Mul:
	default:
		return nil
	}
	w := &loopWriter{l: &looper{p: p, source: map[*Value]*Value{}}, shape: u.Out[0].Shape, registers: map[*Value]int{}}
	w.write(u)
	l := &ir.Loop{Results: []int{w.registers[u.Out[0]]}}
	w.finish(l)
	if l.Inputs != 1 || l.Shape != nil {
		return nil
	}
	return l
}

// activation is the end of a product's name: "+relu", or what ReLU, if it is there, and the loop behind it are known as, or the loop.
func activation(relu bool, after *ir.Loop) string {
	if after == nil {
		return suffix("+relu", relu)
	}
	if name := after.Known(relu); name != "" {
		return "+" + name
	}
	return suffix("+relu", relu) + "+l" + after.String()[1:] // loop(…)
}

package graph

import (
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// What stays the same from run to run: constants, resident inputs, and what is made of such alone.

// fixity knows which values of a program are fixed.
type fixity struct {
	p      *program
	wanted map[*Value]bool // outputs, new values of updates, what is left bound to nodes: made in every run, as others may write there
	steps  map[*Step]bool  // true: its results are fixed
	pure   map[*Step]bool  // of these, those that depend on constants alone
}

func newFixity(p *program) *fixity {
	f := &fixity{p: p, wanted: map[*Value]bool{}, steps: map[*Step]bool{}, pure: map[*Step]bool{}}
	want := func(v *Value) {
		for ; v != nil; v = v.Alias {
			f.wanted[v] = true
		}
	}
	for _, v := range p.outputs {
		want(v)
	}
	for _, a := range p.assigns {
		want(a.New)
	}
	for _, v := range p.values {
		if v.soft || v.Output {
			want(v)
		}
	}
	return f
}

// fixed says whether v is the same in every run.
func (f *fixity) fixed(v *Value) bool {
	r := v.Root()
	if r.Const != nil || r.Resident {
		return true
	}
	s := f.p.producer[r]
	return s != nil && f.once(s)
}

// once says whether all results of a step are fixed.
func (f *fixity) once(s *Step) bool {
	if known, ok := f.steps[s]; ok {
		return known
	}
	f.steps[s] = false // also ends the walk in a graph with a cycle, which order reports
	f.p.work += len(s.In)
	if len(s.In) == 0 {
		return false
	}
	switch s.Instr.(type) {
	case *HostOp, *ir.Slice, *ir.SliceGrad: // may have effects; may move
		return false
	}
	for _, v := range s.Out {
		if f.wanted[v] {
			return false
		}
	}
	pure := true
	for _, v := range s.In {
		if !f.fixed(v) {
			return false
		}
		r := v.Root()
		pure = pure && (r.Const != nil || f.pure[f.p.producer[r]])
	}
	f.steps[s], f.pure[s] = true, pure
	return true
}

// markOnce finds the steps that an engine which can tell them apart computes once, and what must last of their results.
func markOnce(p *program, e Engine) {
	k, ok := e.(Keeper)
	if !ok {
		return
	}
	f := newFixity(p)
	for _, s := range p.steps {
		if f.once(s) && !f.pure[s] {
			f.mark(s)
		}
	}
	for _, s := range p.steps {
		for i, v := range s.In {
			if k.Keeps(s.Instr, s.Out[0].Dtype, i) {
				f.markMaker(v)
			}
		}
	}
	for _, v := range p.values {
		r := v.Root()
		s := p.producer[r]
		v.Fixed = r.Const != nil || r.Resident || s != nil && s.Once
	}
	for _, s := range p.steps {
		for i, v := range s.In {
			if r := v.Root(); !s.Once && r.Fixed && !k.Keeps(s.Instr, s.Out[0].Dtype, i) {
				r.lasts = true
			}
		}
	}
}

// mark makes a step Once, and with it those that make what it reads of constants. Such steps are not Once for their own sake: a plan
// should not carry what it can make.
func (f *fixity) mark(s *Step) {
	if s.Once {
		return
	}
	s.Once = true
	for _, v := range s.In {
		f.markMaker(v)
	}
}

func (f *fixity) markMaker(v *Value) {
	if s := f.p.producer[v.Root()]; s != nil && f.once(s) {
		f.mark(s)
	}
}

// Takes says that the step reads v, one of its operands, from what the engine keeps, see [Keeper], not from where v was made.
func (s *Step) Takes(v *Value) bool {
	r := v.Root()
	return r.Fixed && !s.Once && !r.lasts
}

// Weights says whether input in of an operation is the filter of a convolution or the right factor of a matrix product, of which
// kernels like to have a packed copy. Engines use it to answer [Keeper.Keeps]. Convolutions with statistics are those of training, whose
// filters seldom stay as they are.
func Weights(instr Instr, in int) bool {
	switch i := instr.(type) {
	case *FusedConv2D:
		return in == 1 && !i.Stats
	case *op.Conv2D, *op.MatMul, *FusedMatMul:
		return in == 1
	}
	return false
}

package kernel

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Noise fills the memory of a step's operand or result with numbers between 0.5 and 1.5, those of vectors positive, as variances are, others
// of either sign. Where a step masks a gradient, zeros and NaN are among the numbers of the mask, so that a way is left out that takes these for
// numbers above 0, and one of the gradient is NaN, for a way that multiplies by the mask: NaN times 0 is NaN. See maskedNaN. Behind a pooling
// they are among what is pooled: see Related.
func Noise(s *graph.Step, v *graph.Value, at Address, seed uint32) Resolved {
	b := Builder{}
	kind, mark := int32(0), int64(0)
	_, conv := s.Instr.(*graph.FusedConv2DBackwardInput)
	_, pool := s.Instr.(*graph.FusedMaxPool2DGrad)
	switch {
	case conv && v == s.In[2].Root():
		kind = 2
		_, mark = maskedNaN(s)
	case conv && v == s.In[0].Root():
		kind = 3
		mark, _ = maskedNaN(s)
	case pool && v == s.In[0].Root():
		kind = 2
	case len(v.Shape) < 2:
		kind = 1
	}
	grid, block := b.Each(v.Len())
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "noise", Grid: grid, Block: block,
		Args: []any{at, seed, kind, mark, int64(v.Len())}}
}

// Related makes those operands of a step that other operands tell of what Noise has made of these: ways of a step may rely on that. At says
// where values are that have memory of their own.
func Related(s *graph.Step, at func(*graph.Value) Address) ([]Resolved, error) {
	f, ok := s.Instr.(*graph.FusedMaxPool2DGrad)
	if !ok {
		return nil, nil
	}
	pool := &graph.Step{Instr: &op.MaxPool2D{PoolAttrs: f.Grad.PoolAttrs}, In: s.In[:1], Out: s.In[1:2]}
	list, err := Commands(&Builder{}, pool)
	var all []Resolved
	for _, c := range list {
		l := c.(*Launch)
		r := Resolved{Source: l.Source, Name: l.Name, Grid: l.Grid, Block: l.Block}
		for _, a := range l.Args {
			switch a {
			case Out(0):
				a = at(pool.Out[0].Root())
			case In(0):
				a = at(pool.In[0].Root())
			}
			r.Args = append(r.Args, a)
		}
		all = append(all, r)
	}
	return all, err
}

// ComparedBytes is the memory that Compare writes to: of every block of CompareBlocks a number of float64. The first ComparedSums are to be added:
// how many elements differ; of those that are finite the squares of the differences, and those of the elements of a; and how many differ that are
// not. Behind them are the place of the first of the latter, −1 for none, and what a and b have there; then the greatest difference of the former,
// its place, and what they have there.
const (
	CompareBlocks   = 64
	ComparedSums    = 4
	ComparedNumbers = ComparedSums + 3 + 4 // as trial.cu has it
	ComparedBytes   = CompareBlocks * ComparedNumbers * 8
)

// Compare compares two memories that hold a value. NaN is equal to NaN.
func Compare(v *graph.Value, to, a, b Address) Resolved {
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "compare", Grid: Dim3{X: CompareBlocks}, Block: Dim3{X: threads},
		Args: []any{to, a, b, int64(v.Len())}}
}

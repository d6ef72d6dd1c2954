package kernel

import "github.com/stheno-ml/stheno/graph"

// Noise fills the memory of a step's operand or result with numbers between 0.5 and 1.5, those of vectors positive, as variances are, others
// of either sign. Where a step masks a gradient, zeros and NaN are among the numbers of the mask, so that a way is left out that takes these for
// numbers above 0, and one of the gradient is NaN, for a way that multiplies by the mask: NaN times 0 is NaN. See maskedNaN.
func Noise(s *graph.Step, v *graph.Value, at Address, seed uint32) Resolved {
	b := Builder{}
	kind, mark := int32(0), int64(0)
	_, ok := s.Instr.(*graph.FusedConv2DBackwardInput)
	switch {
	case ok && v == s.In[2].Root():
		kind = 2
		_, mark = maskedNaN(s)
	case ok && v == s.In[0].Root():
		kind = 3
		mark, _ = maskedNaN(s)
	case len(v.Shape) < 2:
		kind = 1
	}
	grid, block := b.Each(v.Len())
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "noise", Grid: grid, Block: block,
		Args: []any{at, seed, kind, mark, int64(v.Len())}}
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

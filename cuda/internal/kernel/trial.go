package kernel

import "github.com/stheno-ml/stheno/graph"

// Noise fills the memory of a step's operand or result with numbers between 0.5 and 1.5, those of vectors positive, as variances are, others
// of either sign. Among those of a mask, see Masks, are zeros and NaN.
func Noise(s *graph.Step, v *graph.Value, at Address, seed uint32) Resolved {
	b := Builder{}
	kind := int32(0)
	switch {
	case Masks(s, v):
		kind = 2
	case len(v.Shape) < 2:
		kind = 1
	}
	grid, block := b.Each(v.Len())
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "noise", Grid: grid, Block: block,
		Args: []any{at, seed, kind, int64(v.Len())}}
}

// ComparedBytes is the memory that Compare writes to: of every block of CompareBlocks how many elements differ, the squares of the
// differences, and those of the elements of a, as float64.
const (
	CompareBlocks = 64
	ComparedBytes = CompareBlocks * 3 * 8
)

// Compare compares two memories that hold a value.
func Compare(v *graph.Value, to, a, b Address) Resolved {
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "compare", Grid: Dim3{X: CompareBlocks}, Block: Dim3{X: threads},
		Args: []any{to, a, b, int64(v.Len())}}
}

package kernel

import "github.com/stheno-ml/stheno/graph"

// Noise fills a value's memory with numbers between 0.5 and 1.5, those of vectors positive, as variances are, others of either sign.
func Noise(v *graph.Value, at Address, seed uint32) Resolved {
	b := Builder{}
	positive := int32(0)
	if len(v.Shape) < 2 {
		positive = 1
	}
	grid, block := b.Each(v.Len())
	return Resolved{Source: File("trial.cu", v.Dtype, storage{}.as("S", v)...), Name: "noise", Grid: grid, Block: block,
		Args: []any{at, seed, positive, int64(v.Len())}}
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

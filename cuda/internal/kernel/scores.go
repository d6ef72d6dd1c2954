package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph"
)

// scoreCounts is struct Counts of softmax.cu.
type scoreCounts struct {
	To [graph.MostTopK]uint64
	K  [graph.MostTopK]int64
}

// tallyBytes is the size of struct Tally of softmax.cu.
const tallyBytes = 8 + 8*graph.MostTopK

// scoreBlocks is how many blocks make the tallies that the last of them adds up, for each multiprocessor: as many as run at once.
const scoreBlocks = 4

// fusedScores is all that a step makes of its scores in one launch.
func fusedScores(b *Builder, s *graph.Step) ([]Command, error) {
	f, x := s.Instr.(*graph.FusedScores), s.In[0]
	n, c := x.Shape[0], x.Shape[1]
	d, counts, next := storage{fmt.Sprint("TOPS ", len(f.TopK))}, scoreCounts{}, 0
	out := func() Pointer {
		next++
		return Out(next - 1)
	}
	kind, loss, dx, dloss := "TopKCorrect", Out(0), Out(0), In(0) // what is not asked for is not looked at
	if f.Loss {
		kind, loss, d = "SoftmaxCrossEntropy", out(), append(d, "LOSS")
	}
	if f.Mean {
		d = append(d, "MEAN")
	}
	if f.Grad {
		d = append(d.as("SDX", s.Out[next]), "GRAD")
		dx, dloss = out(), In(2)
	}
	var to []Pointer
	for i, k := range f.TopK {
		to, counts.K[i] = append(to, out()), int64(k)
	}
	block := rowThreads(c)
	blocks := max(min(ceilDiv(n, block.Y), scoreBlocks*max(b.Multiprocessors, 1)), 1)
	partial, counter := b.Scratch(int64(blocks)*tallyBytes), b.Counters(1)
	return []Command{labelsBelow(kind, 1, c), &Launch{Source: File("softmax.cu", x.Dtype, d...), Name: "fused_scores", Grid: Dim3{X: blocks}, Block: block,
		Args: []any{loss, dx, Table{Bytes: structOf(counts), At: to}, partial, counter, In(0), In(1), dloss, int64(n), int64(c)}}}, nil
}

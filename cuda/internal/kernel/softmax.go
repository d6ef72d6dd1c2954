package kernel

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"Softmax":        rows("softmax", In(0)),
		"SoftmaxGrad":    rows("softmax_grad", In(0), In(1)),
		"LogSoftmax":     rows("log_softmax", In(0)),
		"LogSoftmaxGrad": rows("log_softmax_grad", In(0), In(1)),
		"SoftmaxCrossEntropy": func(b *Builder, s *graph.Step) ([]Command, error) {
			return []Command{checkLabels(s), b.rows(s, "softmax_cross_entropy", Out(0), In(0), In(1))}, nil
		},
		"SoftmaxCrossEntropyGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			l := b.rows(s, "softmax_cross_entropy_grad", Out(0), In(0), In(1), In(2))
			l.Source = File("softmax.cu", s.Out[0].Dtype, storage{}.as("SDX", s.Out[0])...)
			return []Command{checkLabels(s), l}, nil
		},
		"CrossEntropy": func(b *Builder, s *graph.Step) ([]Command, error) {
			return []Command{checkLabels(s), b.eachRow(s, "cross_entropy", Out(0), In(0), In(1))}, nil
		},
		"CrossEntropyGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			return []Command{checkLabels(s), &Fill{To: Out(0), Bytes: int64(s.Out[0].Bytes())},
				b.eachRow(s, "cross_entropy_grad", Out(0), In(0), In(1), In(2))}, nil
		},
		"TopKCorrect": topKCorrect,
		"FusedScores": fusedScores,
	})
	registerNarrow(map[string]narrowing{
		"SoftmaxCrossEntropyGrad": {out: operands(0)},
		"FusedScores":             {out: func(s *graph.Step, i int) bool { return s.Instr.(*graph.FusedScores).Grad && i == 1 }},
	})
}

// checkLabels refuses labels, operand 1, that are no columns of operand 0.
func checkLabels(s *graph.Step) *Check { return labelsBelow(s.Instr.Kind(), 1, s.In[0].Shape[1]) }

// rows is a kernel of softmax.cu from operands to the result.
func rows(name string, in ...any) Prepare {
	return func(b *Builder, s *graph.Step) ([]Command, error) {
		return []Command{b.rows(s, name, append([]any{Out(0)}, in...)...)}, nil
	}
}

// rows launches a kernel that gives a warp or a block to each row of operand 0, n × c; n and c are its last arguments.
func (b *Builder) rows(s *graph.Step, name string, args ...any) *Launch {
	n, c := s.In[0].Shape[0], s.In[0].Shape[1]
	block := rowThreads(c)
	blocks := max(min((n+block.Y-1)/block.Y, 64*max(b.Multiprocessors, 1)), 1)
	return &Launch{Source: File("softmax.cu", s.In[0].Dtype), Name: name, Grid: Dim3{X: blocks}, Block: block,
		Args: append(args, int64(n), int64(c))}
}

// mostRowThreads is ROW_THREADS of softmax.cu.
const mostRowThreads = 1024

// rowThreads is a block of threads along a row of c elements, and along rows.
func rowThreads(c int) Dim3 {
	switch {
	case c > 16*threads:
		return Dim3{X: mostRowThreads, Y: 1}
	case c > threads:
		return Dim3{X: threads, Y: 1}
	}
	return Dim3{X: 32, Y: threads / 32} // a warp for each row
}

// eachRow launches a kernel that gives a thread to each row.
func (b *Builder) eachRow(s *graph.Step, name string, args ...any) *Launch {
	n, c := s.In[0].Shape[0], s.In[0].Shape[1]
	grid, block := b.Each(n)
	return &Launch{Source: File("softmax.cu", s.In[0].Dtype), Name: name, Grid: grid, Block: block, Args: append(args, int64(n), int64(c))}
}

// topKCorrect marks the rows and counts the marks.
func topKCorrect(b *Builder, s *graph.Step) ([]Command, error) {
	n := s.In[0].Shape[0]
	hits := b.Scratch(4 * int64(n))
	return []Command{
		checkLabels(s),
		b.rows(s, "top_k", hits, In(0), In(1), int64(s.Instr.(*op.TopKCorrect).K)),
		&Launch{Source: File("softmax.cu", s.Out[0].Dtype), Name: "count_hits", Grid: Dim3{X: 1}, Block: Dim3{X: threads},
			Args: []any{Out(0), hits, int64(n)}},
	}, nil
}

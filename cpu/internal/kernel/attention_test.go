package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
)

// An attention and the steps that it stands for, of a small and a base vision transformer and of a longer sequence.
func BenchmarkAttention(b *testing.B) {
	e := benchEnv[float32](b)
	for _, s := range []AttentionShape{{8, 6, 197, 197, 64, 64}, {64, 3, 65, 65, 64, 64}, {1, 12, 1024, 1024, 64, 64}} {
		items, flop := s.Batch*s.Heads, float64(s.Batch*s.Heads*s.Queries*s.Keys*(s.Size+s.ValueSize)*2)
		n := items * s.Queries * s.Size
		q, k, v, y := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range q {
			q[i], k[i], v[i] = float32(i%7)-3, float32(i%5)-2, float32(i%3)
		}
		a, err := NewAttention(e, s, AttentionOptions{Scale: 0.125, Within: true})
		require.NoError(b, err)
		a.SetScratch(make([]float32, a.Workspace()))
		b.Run(fmt.Sprintf("%v/fused", s), func(b *testing.B) {
			b.ReportMetric(flop/measure(b, e, func() { a.Run(y, nil, q, k, v) })/1e9, "GFLOP/s")
		})
		first, err := NewBatchMatMul(e, op.Products{Batch: items, M: s.Queries, N: s.Keys, K: s.Size}, false, true)
		require.NoError(b, err)
		first.SetScratch(make([]float32, first.Workspace()))
		soft, err := NewSoftmax[float32](e.Pool, items*s.Queries, s.Keys, false)
		require.NoError(b, err)
		second, err := NewBatchMatMul(e, op.Products{Batch: items, M: s.Queries, N: s.ValueSize, K: s.Keys}, false, false)
		require.NoError(b, err)
		second.SetScratch(make([]float32, second.Workspace()))
		scores := make([]float32, items*s.Queries*s.Keys)
		b.Run(fmt.Sprintf("%v/steps, without scale and permutations", s), func(b *testing.B) {
			b.ReportMetric(flop/measure(b, e, func() { first.Run(scores, q, k); soft.Run(scores, scores); second.Run(y, scores, v) })/1e9, "GFLOP/s")
		})
	}
}

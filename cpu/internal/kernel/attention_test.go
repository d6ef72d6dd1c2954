package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
)

var attentionShapes = []AttentionShape{
	{1, 1, 1, 1, 1, 1}, {2, 3, 5, 7, 4, 6}, {1, 2, 65, 65, 64, 64}, {3, 1, 33, 17, 16, 1}, {1, 5, 1, 40, 3, 19}, {1, 1, 20, 1, 8, 8},
	{1, 2, 45, 3001, 5, 3}, // queries in several blocks
}

func TestAttention(t *testing.T) { bothTypes(t, testAttention[float32], testAttention[float64]) }

func testAttention[T Float](t *testing.T) {
	for i, s := range attentionShapes {
		if !inShare[T](i) {
			continue
		}
		for _, within := range []bool{false, true} {
			o := AttentionOptions{Scale: 0.3, Within: within, Stats: true}
			in := attentionInputs[T](s)
			in[4] = map[bool][]T{true: normal[T](9, s.Queries*s.Keys).Data.([]T)}[within] // a mask in one of the layouts
			want := attend(s, o, in)
			withEnv(t, func(t *testing.T, e Env[T]) {
				got := runAttention(t, e, s, o, in)
				for j, name := range []string{"y", "stats", "dq", "dk", "dv"} {
					largest, worst := 1.0, 0.0
					for l, v := range want[j] {
						largest, worst = max(largest, math.Abs(v)), max(worst, math.Abs(float64(got[j][l])-v))
					}
					require.Less(t, worst, largest*map[int]float64{4: 5e-6, 8: 1e-13}[int(dtype[T]().Size())], "%s of %+v, within %t", name, s, within)
				}
			})
		}
	}
}

// One query has a NaN, which must not come to the others but by way of the gradients of keys and values; a key is so far from all queries that the
// exponentials of its scores would not fit.
func TestAttentionOfExtremes(t *testing.T) {
	s, o := AttentionShape{1, 2, 6, 9, 4, 4}, AttentionOptions{Scale: 1, Stats: true}
	in := attentionInputs[float32](s)
	in[0][2*4] = nan[float32]()
	for i := range 4 {
		in[1][3*4+i] = 1e4
	}
	want := attend(s, o, in)
	withEnv(t, func(t *testing.T, e Env[float32]) {
		got := runAttention(t, e, s, o, in)
		for i, v := range want[0] {
			require.Equal(t, math.IsNaN(v), math.IsNaN(float64(got[0][i])), "element %d: %v", i, got[0][i])
			if !math.IsNaN(v) {
				require.InDelta(t, v, got[0][i], 1e-3, "element %d", i)
			}
		}
		for _, v := range got[2][:2*4] { // the queries in front of it
			require.False(t, math.IsNaN(float64(v)))
		}
		for _, v := range got[2][2*4 : 3*4] {
			require.True(t, math.IsNaN(float64(v)))
		}
	})
}

func TestAttentionOfNothing(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		_, err := NewAttention(e, AttentionShape{1, 1, 0, 1, 1, 1}, AttentionOptions{})
		require.ErrorContains(t, err, "must be at least 1")
		_, err = NewAttentionGrad(e, AttentionShape{1, 1, 1, 1, 0, 1}, AttentionOptions{})
		require.ErrorContains(t, err, "must be at least 1")
		_, err = NewAttention(e, AttentionShape{1, 1, 1, 1, 1, 1}, AttentionOptions{Scale: 1e-50})
		require.ErrorContains(t, err, "which is 0")
	})
}

// attentionInputs are q, k, v and dy, and no mask.
func attentionInputs[T Float](s AttentionShape) (in [5][]T) {
	items := s.Batch * s.Heads
	for i, n := range []int{s.Queries * s.Size, s.Keys * s.Size, s.Keys * s.ValueSize, s.Queries * s.ValueSize} {
		in[i] = normal[T](uint64(i), items*n).Data.([]T)
	}
	return in
}

// runAttention returns y, stats, dq, dk and dv.
func runAttention[T Float](t *testing.T, e Env[T], s AttentionShape, o AttentionOptions, in [5][]T) (out [5][]T) {
	k, err := NewAttention(e, s, o)
	require.NoError(t, err)
	g, err := NewAttentionGrad(e, s, o)
	require.NoError(t, err)
	items := s.Batch * s.Heads
	for i, n := range []int{len(in[3]), 2 * items * s.Queries, len(in[0]), len(in[1]), len(in[2])} {
		var check func(testing.TB)
		out[i], check = guarded[T](n)
		defer check(t)
	}
	for i, w := range []interface {
		Workspace() int
		SetScratch([]T)
	}{k, g} {
		scratch, check := guarded[T](w.Workspace())
		for j := range scratch {
			scratch[j] = nan[T]()
		}
		w.SetScratch(scratch)
		if i == 0 {
			k.Run(out[0], out[1], in[0], in[1], in[2], in[4])
		} else {
			g.Run(out[2], out[3], out[4], in[0], in[1], in[2], out[0], in[3], out[1], in[4])
		}
		check(t)
	}
	return out
}

// attend computes the same with plain loops in float64.
func attend[T Float](s AttentionShape, o AttentionOptions, in [5][]T) (out [5][]float64) {
	items := s.Batch * s.Heads
	for i, n := range []int{len(in[3]), 2 * items * s.Queries, len(in[0]), len(in[1]), len(in[2])} {
		out[i] = make([]float64, n)
	}
	at := func(item, steps, size, step, i int) int {
		if o.Within {
			return ((item/s.Heads*steps+step)*s.Heads+item%s.Heads)*size + i
		}
		return (item*steps+step)*size + i
	}
	for item := range items {
		for r := range s.Queries {
			scores, top, total := make([]float64, s.Keys), math.Inf(-1), 0.0
			for c := range scores {
				for i := range s.Size {
					scores[c] += o.Scale * float64(in[0][at(item, s.Queries, s.Size, r, i)]) * float64(in[1][at(item, s.Keys, s.Size, c, i)])
				}
				if in[4] != nil {
					scores[c] += float64(in[4][r*s.Keys+c])
				}
				top = max(top, scores[c])
			}
			for c := range scores {
				scores[c] = math.Exp(scores[c] - top)
				total += scores[c]
			}
			out[1][2*(item*s.Queries+r)], out[1][2*(item*s.Queries+r)+1] = top, 1/total
			along, dp := 0.0, make([]float64, s.Keys)
			for c := range scores {
				scores[c] /= total
				for i := range s.ValueSize {
					v, dy := at(item, s.Keys, s.ValueSize, c, i), at(item, s.Queries, s.ValueSize, r, i)
					out[0][dy] += scores[c] * float64(in[2][v])
					out[4][v] += scores[c] * float64(in[3][dy])
					dp[c] += float64(in[3][dy]) * float64(in[2][v])
				}
				along += scores[c] * dp[c]
			}
			for c := range scores {
				ds := scores[c] * (dp[c] - along) * o.Scale
				for i := range s.Size {
					q, k := at(item, s.Queries, s.Size, r, i), at(item, s.Keys, s.Size, c, i)
					out[2][q] += ds * float64(in[1][k])
					out[3][k] += ds * float64(in[0][q])
				}
			}
		}
	}
	return out
}

// An attention and the steps that it stands for, of a small and a base vision transformer and of a longer sequence.
func BenchmarkAttention(b *testing.B) {
	e := benchEnv[float32](b)
	for _, s := range []AttentionShape{{8, 6, 197, 197, 64, 64}, {64, 3, 65, 65, 64, 64}, {1, 12, 1024, 1024, 64, 64}} {
		items, flop := s.Batch*s.Heads, float64(s.Batch*s.Heads*s.Queries*s.Keys*(s.Size+s.ValueSize)*2)
		in := attentionInputs[float32](s)
		y := make([]float32, len(in[3]))
		a, err := NewAttention(e, s, AttentionOptions{Scale: 0.125, Within: true})
		require.NoError(b, err)
		a.SetScratch(make([]float32, a.Workspace()))
		b.Run(fmt.Sprintf("%v/fused", s), func(b *testing.B) {
			b.ReportMetric(flop/measure(b, e, func() { a.Run(y, nil, in[0], in[1], in[2], nil) })/1e9, "GFLOP/s")
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
			b.ReportMetric(flop/measure(b, e, func() { first.Run(scores, in[0], in[1]); soft.Run(scores, scores); second.Run(y, scores, in[2]) })/1e9, "GFLOP/s")
		})
	}
}

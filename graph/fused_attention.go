package graph

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// FusedAttention is the attention softmax(Scale·q·kᵀ + mask)·v of the last two axes (Vaswani et al. 2017): BatchMatMul, Scale, Add, Softmax and
// BatchMatMul, whose scores, one for every pair of a query and a key, need not be in memory together. In: q (…, queries, d), k (…, keys, d),
// v (…, keys, e) and, if there is one, the mask (…, queries, keys), whose leading axes are 1: it is the same for all heads; out: y (…, queries, e)
// and, if Stats, what the gradient takes, (…, queries, 2): the largest of a query's scores and 1/Σ exp(score − largest). If Within is set, q, k,
// v and y are (batch, steps, heads, size), and the stats (batch, heads, queries, 2).
type FusedAttention struct {
	Scale         float64 // not 0, also in the elements' type
	Within, Stats bool
}

// Kind is "FusedAttention".
func (f *FusedAttention) Kind() string { return "FusedAttention" }

func (f *FusedAttention) String() string {
	return fmt.Sprintf("Attention(scale %.4g)", f.Scale) + suffix("+stats", f.Stats)
}

// FusedAttentionGrad is the gradient of a [FusedAttention], for which it computes the scores again. In: q, k, v, y, dy, the
// stats, and the mask, if there is one; out: dq, dk, dv. Within is as there.
type FusedAttentionGrad struct {
	Scale  float64
	Within bool
}

// Kind is "FusedAttentionGrad".
func (f *FusedAttentionGrad) Kind() string { return "FusedAttentionGrad" }

func (f *FusedAttentionGrad) String() string {
	return fmt.Sprintf("AttentionGrad(scale %.4g)", f.Scale)
}

// Attended are the sizes of an attention.
type Attended struct{ Batch, Heads, Queries, Keys, Size, ValueSize int }

// AttendedOf are the sizes of an attention of q, k and v. Heads in front of the steps are items like those of the batch.
func AttendedOf(q, k, v tensor.Shape, within bool) Attended {
	if within {
		return Attended{Batch: q[0], Heads: q[2], Queries: q[1], Keys: k[1], Size: q[3], ValueSize: v[3]}
	}
	steps := len(q) - 2
	return Attended{Batch: op.Len(q[:steps]), Heads: 1, Queries: q[steps], Keys: k[steps], Size: q[steps+1], ValueSize: v[steps+1]}
}

// flops of an attention, or of products that are so many times those of an attention.
func (a Attended) flops(times int64) int64 {
	pairs := product(a.Batch, a.Heads, a.Queries, a.Keys)
	return pairs * (times*int64(a.Size+a.ValueSize) + 5)
}

// turned are the axes of a permutation that moves heads out of the steps, and back.
func turned(o *op.Permute) bool {
	return len(o.Axes) == 4 && o.Axes[0] == 0 && o.Axes[1] == 2 && o.Axes[2] == 1 && o.Axes[3] == 3
}

package enginetest

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// attended is an attention of queries, keys and values of one batch, with the heads within the steps or in front of them.
func (b *B) attended(within bool, scale float64, heads, queries, keys int) (y, q, k, v *gorgonia.Node) {
	const batch, size, values = 2, 5, 3
	in := func(name string, steps, size int) (in, turned *gorgonia.Node) {
		if !within {
			in = b.Input(name, batch, heads, steps, size)
			return in, in
		}
		in = b.Input(name, batch, steps, heads, size)
		return in, b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, in)
	}
	q, queried := in("q", queries, size)
	k, keyed := in("k", keys, size)
	v, valued := in("v", keys, values)
	if y = b.weigh(b.node(op.Of(queried).BatchMatMul(op.Of(keyed), false, true)), scale, valued); within {
		y = b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, y)
	}
	return y, q, k, v
}

// weigh sums values, weighed by the softmax of scores.
func (b *B) weigh(scores *gorgonia.Node, scale float64, values *gorgonia.Node) *gorgonia.Node {
	return b.node(op.Of(b.softened(scores, scale)).BatchMatMul(op.Of(values), false, false))
}

func (b *B) softened(scores *gorgonia.Node, scale float64) *gorgonia.Node {
	s := scores.Shape().Clone()
	if scale != 1 {
		scores = b.Apply(&op.Scale{Factor: scale}, scores)
	}
	keys := s[len(s)-1]
	rows := b.Apply(&op.Reshape{From: s, To: []int{s.TotalSize() / keys, keys}}, scores)
	return b.Apply(&op.Reshape{From: rows.Shape().Clone(), To: s}, b.Apply(&op.Softmax{}, rows))
}

func attentionFusions() []FusionCase {
	const product, softmax, permute = " BatchMatMul(", " Softmax", " Permute"
	forward, gradient := []string{" Attention(scale"}, []string{" Attention(scale", " AttentionGrad("}
	parts := []string{product, softmax}
	return []FusionCase{
		fusion("attention", "inference", func(b *B) {
			y, _, _, _ := b.attended(false, 1, 2, 4, 7)
			b.out(y)
		}, forward, parts...),
		fusion("attention", "with a scale", func(b *B) {
			y, _, _, _ := b.attended(false, 0.5, 2, 4, 7)
			b.out(y)
		}, []string{" Attention(scale 0.5)"}, append(parts, " Scale")...),
		fusion("attention", "heads within the steps", func(b *B) {
			y, _, _, _ := b.attended(true, 1, 3, 4, 2)
			b.out(y)
		}, forward, append(parts, permute)...),
		fusion("attention", "gradient", func(b *B) {
			y, q, k, v := b.attended(false, 1, 2, 4, 7)
			b.Grads(b.out(y), q, k, v)
		}, gradient, parts...),
		fusion("attention", "gradient with a scale", func(b *B) {
			y, q, k, v := b.attended(false, 0.5, 2, 7, 4)
			b.Grads(b.out(y), q, k, v)
		}, gradient, parts...),
		fusion("attention", "gradient of heads within the steps", func(b *B) {
			y, q, k, v := b.attended(true, 0.5, 3, 4, 6)
			b.Grads(b.out(y), q, k, v)
		}, gradient, append(parts, permute)...),
		fusion("attention", "of one batch axis", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 6, 5), b.Input("v", 3, 6, 2)
			b.Grads(b.out(b.weigh(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true)), 1, v)), q, k, v)
		}, gradient, parts...),
		fusion("attention", "of itself", func(b *B) {
			x := b.Input("x", 3, 4, 5)
			b.out(b.weigh(b.node(op.Of(x).BatchMatMul(op.Of(x), false, true)), 1, x))
		}, forward, parts...),
		fusion("attention", "of itself, gradient", func(b *B) {
			x := b.Input("x", 3, 4, 5)
			b.Grads(b.out(b.weigh(b.node(op.Of(x).BatchMatMul(op.Of(x), false, true)), 1, x)), x)
		}, gradient, parts...),
		fusion("attention", "somebody wants the turned result", func(b *B) {
			y, _, _, _ := b.attended(true, 1, 3, 4, 2)
			b.out(b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, y)) // which is what the product gives
			b.out(y)
		}, forward, parts...),
		fusion("attention", "with a mask", func(b *B) {
			q, k, v, m := b.Input("q", 2, 3, 4, 5), b.Input("k", 2, 3, 6, 5), b.Input("v", 2, 3, 6, 2), b.Input("mask", 4, 6)
			s := b.node(op.Of(b.Apply(&op.Scale{Factor: 0.5}, b.node(op.Of(q).BatchMatMul(op.Of(k), false, true)))).Add(op.Of(m)))
			b.Grads(b.out(b.weigh(s, 1, v)), q, k, v)
		}, gradient, append(parts, " Scale")...),
		fusion("attention", "with a mask that has a gradient", func(b *B) {
			q, k, v, m := b.Input("q", 2, 3, 4, 5), b.Input("k", 2, 3, 6, 5), b.Input("v", 2, 3, 6, 2), b.Input("mask", 4, 6)
			b.Grads(b.out(b.weigh(b.node(op.Of(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))).Add(op.Of(m))), 1, v)), q, k, v, m)
		}, nil),
		fusion("attention", "with a mask for each head", func(b *B) {
			q, k, v, m := b.Input("q", 2, 3, 4, 5), b.Input("k", 2, 3, 6, 5), b.Input("v", 2, 3, 6, 2), b.Input("mask", 3, 4, 6)
			b.out(b.weigh(b.node(op.Of(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))).Add(op.Of(m))), 1, v))
		}, nil),
		fusion("attention", "with a mask in front", func(b *B) {
			q, k, v, m := b.Input("q", 1, 4, 5), b.Input("k", 1, 6, 5), b.Input("v", 1, 6, 2), b.Input("mask", 1, 4, 6)
			b.out(b.weigh(b.Apply(&op.Add{}, m, b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))), 1, v))
		}, forward, append(parts, " Add")...),
		fusion("attention", "with a mask behind, of one head", func(b *B) {
			q, k, v, m := b.Input("q", 1, 4, 5), b.Input("k", 1, 6, 5), b.Input("v", 1, 6, 2), b.Input("mask", 1, 4, 6)
			b.out(b.weigh(b.Apply(&op.Add{}, b.node(op.Of(q).BatchMatMul(op.Of(k), false, true)), m), 1, v))
		}, forward, append(parts, " Add")...),
		fusion("attention", "a query that the mask hides from all keys", func(b *B) {
			// Its scores are 0, so that float32 does not round them away beside the mask.
			numbers, mask := make([]float32, 2*3*5), make([]float32, 3*4)
			for i := range numbers {
				if i/5%3 != 1 {
					numbers[i] = float32(i%7) / 4
				}
			}
			for i := range 4 {
				mask[4+i] = -1e9
			}
			q, k, v := b.Filled("q", numbers, 2, 3, 5), b.Input("k", 2, 4, 5), b.Input("v", 2, 4, 2)
			s := b.node(op.Of(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))).Add(op.Of(b.Filled("mask", mask, 3, 4))))
			b.Grads(b.out(b.weigh(s, 1, v)), q, k, v)
		}, gradient, parts...),
		fusion("attention", "scaled by nothing", func(b *B) {
			y, q, k, v := b.attended(false, 0, 2, 4, 7)
			b.Grads(b.out(y), q, k, v)
		}, nil),
		fusion("attention", "of another", func(b *B) {
			y, _, _, _ := b.attended(true, 1, 3, 4, 4)
			x := b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, y)
			z := b.weigh(b.node(op.Of(x).BatchMatMul(op.Of(x), false, true)), 0.5, x)
			b.out(b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, z))
		}, []string{" Attention(scale 1)", " Attention(scale 0.5)"}, parts...),
		fusion("attention", "of another across", func(b *B) {
			y, _, _, _ := b.attended(true, 1, 3, 4, 4)
			z := b.weigh(b.node(op.Of(y).BatchMatMul(op.Of(y), false, true)), 0.5, y)
			b.out(b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, z))
		}, []string{" Attention(scale 1)", " Attention(scale 0.5)"}, parts...),
		fusion("attention", "the weights are wanted", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 6, 5), b.Input("v", 3, 6, 2)
			w := b.softened(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true)), 1)
			b.out(w)
			b.out(b.node(op.Of(w).BatchMatMul(op.Of(v), false, false)))
		}, nil),
		fusion("attention", "the scores are wanted", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 6, 5), b.Input("v", 3, 6, 2)
			s := b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))
			b.out(s)
			b.out(b.weigh(s, 1, v))
		}, forward, softmax),
		fusion("attention", "a gradient with respect to some", func(b *B) {
			y, q, _, _ := b.attended(false, 1, 2, 4, 7)
			b.Grads(b.out(y), q)
		}, nil),
		fusion("attention", "dropout", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 6, 5), b.Input("v", 3, 6, 2)
			w := b.Apply(&op.Scale{Factor: 2}, b.softened(b.node(op.Of(q).BatchMatMul(op.Of(k), false, true)), 1))
			b.out(b.node(op.Of(w).BatchMatMul(op.Of(v), false, false)))
		}, nil),
		fusion("attention", "a softmax over something else", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 6, 5), b.Input("v", 3, 6, 2)
			s := b.node(op.Of(q).BatchMatMul(op.Of(k), false, true))
			rows := b.Apply(&op.Reshape{From: s.Shape().Clone(), To: []int{6, 12}}, s)
			w := b.Apply(&op.Reshape{From: rows.Shape().Clone(), To: s.Shape().Clone()}, b.Apply(&op.Softmax{}, rows))
			b.out(b.node(op.Of(w).BatchMatMul(op.Of(v), false, false)))
		}, nil),
		fusion("attention", "other products", func(b *B) {
			q, k, v := b.Input("q", 3, 4, 5), b.Input("k", 3, 5, 6), b.Input("v", 3, 6, 2)
			b.out(b.weigh(b.node(op.Of(q).BatchMatMul(op.Of(k), false, false)), 1, v))
		}, nil),
	}
}

// attention computes an attention by its parts.
func (e *expansion) attention(scale float64, within bool, q, k, v, dy op.Array, mask []op.Array) (y, stats, dq, dk, dv op.Array) {
	turn := func(x op.Array) op.Array {
		if !within {
			return x
		}
		return e.apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, x)
	}
	matMul := func(a, b op.Array, transA, transB bool) op.Array {
		return e.apply(&op.BatchMatMul{TransA: transA, TransB: transB}, a, b)
	}
	q, k, v = turn(q), turn(k), turn(v)
	scores := e.apply(&op.Scale{Factor: scale}, matMul(q, k, false, true))
	if e.err != nil {
		return
	}
	s := scores.Shape
	if len(mask) > 0 {
		scores = e.compute(&graph.Step{Out: []*graph.Value{{Shape: s, Dtype: scores.Dtype()}}}, &ir.Binary{Fn: ir.Add}, []op.Array{scores, mask[0]})[0]
	}
	flat := func(x op.Array) op.Array {
		return op.Array{Shape: []int{op.Len(s[:len(s)-1]), s[len(s)-1]}, Data: x.Data}
	}
	full := func(x op.Array) op.Array { return op.Array{Shape: s, Data: x.Data} }
	weights := e.apply(&op.Softmax{}, flat(scores))
	if e.err != nil {
		return
	}
	stats = statsOf(flat(scores), weights, append(slices.Clone(s[:len(s)-1]), 2))
	y = turn(matMul(full(weights), v, false, false))
	if dy.Data == nil || e.err != nil {
		return
	}
	dy = turn(dy)
	ds := e.apply(&op.Scale{Factor: scale}, full(e.apply(&op.SoftmaxGrad{}, weights, flat(matMul(dy, v, false, true)))))
	return y, stats, turn(matMul(ds, k, false, false)), turn(matMul(ds, q, true, false)), turn(matMul(full(weights), dy, true, false))
}

// statsOf are, of each row, its largest element and 1/Σ exp(x − largest), which is the largest in its softmax.
func statsOf(rows, soft op.Array, s []int) op.Array {
	c := rows.Shape[1]
	if x, ok := rows.Data.([]float32); ok {
		return op.Array{Shape: s, Data: largest(x, soft.Data.([]float32), c)}
	}
	return op.Array{Shape: s, Data: largest(rows.Data.([]float64), soft.Data.([]float64), c)}
}

func largest[T float32 | float64](x, y []T, c int) (out []T) {
	for i := 0; i < len(x); i += c {
		out = append(out, slices.Max(x[i:i+c]), slices.Max(y[i:i+c]))
	}
	return out
}

func (e *expansion) attentionResults(f *graph.FusedAttention, in []op.Array) []op.Array {
	y, stats, _, _, _ := e.attention(f.Scale, f.Within, in[0], in[1], in[2], op.Array{}, in[3:])
	if f.Stats {
		return []op.Array{y, stats}
	}
	return []op.Array{y}
}

func (e *expansion) attentionGrads(f *graph.FusedAttentionGrad, in []op.Array) []op.Array {
	_, _, dq, dk, dv := e.attention(f.Scale, f.Within, in[0], in[1], in[2], in[4], in[6:])
	return []op.Array{dq, dk, dv}
}

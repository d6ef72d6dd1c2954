package kernel

import "github.com/stheno-ml/stheno/cpu/internal/gemm"

// AttentionGrad is the gradient of an [Attention]: see [graph.FusedAttentionGrad]. It computes the scores again, for some queries at a time; a
// head is one worker's.
type AttentionGrad[T Float] struct {
	attention[T]
	dq, dk, dv              []T
	q, k, v, y, stats, with []T
}

// NewAttentionGrad prepares the gradient.
func NewAttentionGrad[T Float](e Env[T], s AttentionShape, o AttentionOptions) (*AttentionGrad[T], error) {
	k := &AttentionGrad[T]{}
	if err := k.prepare(e, "AttentionGrad", s, o); err != nil {
		return nil, err
	}
	k.rows = even(s.Queries, max(k.rows/2, 8)) // two scores of each
	g, wide, tall := e.Gemm, s.Heads*s.Size, s.Heads*s.ValueSize
	k.lay(e.Pool.Threads(), g.PackedLen(s.Size, s.Keys)+g.PackedLen(s.Keys, s.Size), g.PackedLen(s.ValueSize, s.Keys), k.rows*s.Keys, k.rows*s.Keys,
		gemm.Args[T]{M: k.rows, N: s.Keys, K: s.Size, A: gemm.Operand[T]{LD: wide}, B: gemm.Operand[T]{Packed: true}},
		gemm.Args[T]{M: s.Keys, N: s.ValueSize, K: k.rows, Beta: 1, A: gemm.Operand[T]{Trans: true}, B: gemm.Operand[T]{LD: tall}, LDC: tall},
		gemm.Args[T]{M: k.rows, N: s.Keys, K: s.ValueSize, A: gemm.Operand[T]{LD: tall}, B: gemm.Operand[T]{Packed: true}},
		gemm.Args[T]{M: k.rows, N: s.Size, K: s.Keys, B: gemm.Operand[T]{Packed: true}, LDC: wide},
		gemm.Args[T]{M: s.Keys, N: s.Size, K: k.rows, Beta: 1, A: gemm.Operand[T]{Trans: true}, B: gemm.Operand[T]{LD: wide}, LDC: wide},
		gemm.Args[T]{M: 1, N: s.Keys, K: max(s.Size, s.ValueSize), B: gemm.Operand[T]{Trans: true}})
	k.tasks = splitInto(s.Batch*s.Heads, s.Batch*s.Heads)
	k.loop = newPhase(e.Pool, k.tasks.parts, k.part)
	return k, nil
}

// Run computes the gradients of q, k and v from that of the result y, and from the stats that [Attention] gave. The mask may be
// nil. The results must not overlap the operands.
func (k *AttentionGrad[T]) Run(dq, dk, dv, q, keys, values, y, dy, stats, mask []T) {
	k.dq, k.dk, k.dv, k.q, k.k, k.v, k.y, k.with, k.stats, k.mask = dq, dk, dv, q, keys, values, y, dy, stats, mask
	k.loop.run()
}

func (k *AttentionGrad[T]) part(worker, part int) {
	a, s, g := &k.areas[worker], k.s, k.e.Gemm
	lo, hi := k.tasks.bounds(part)
	for item := lo; item < hi; item++ {
		keys, values := a.keys.of(&k.Scratch), a.values.of(&k.Scratch)
		turned, plain := keys[:g.PackedLen(s.Size, s.Keys)], keys[g.PackedLen(s.Size, s.Keys):]
		at, ld := k.item(item, s.Keys, s.Size)
		k.pack(worker, turned, gemm.Operand[T]{Data: k.k[at:], LD: ld, Trans: true}, s.Size, s.Keys)
		k.pack(worker, plain, gemm.Operand[T]{Data: k.k[at:], LD: ld}, s.Keys, s.Size)
		at, ld = k.item(item, s.Keys, s.ValueSize)
		k.pack(worker, values, gemm.Operand[T]{Data: k.v[at:], LD: ld, Trans: true}, s.ValueSize, s.Keys)
		for first := 0; first < s.Queries; first += k.rows {
			k.block(worker, item, first, turned, plain, values)
		}
	}
}

// block adds what some queries have to do with the gradients.
func (k *AttentionGrad[T]) block(worker, item, first int, turned, plain, values []T) {
	a, s := &k.areas[worker], k.s
	rows := min(k.rows, s.Queries-first)
	scores, ds := a.scores.of(&k.Scratch)[:rows*s.Keys], a.more.of(&k.Scratch)[:rows*s.Keys]
	atQ, ldQ := k.item(item, s.Queries, s.Size)
	atY, ldY := k.item(item, s.Queries, s.ValueSize)
	q, y, dy := k.q[atQ+first*ldQ:], k.y[atY+first*ldY:], k.with[atY+first*ldY:]
	factor, beta := T(k.o.Scale), T(1)
	if first == 0 {
		beta = 0
	}
	k.product(worker, gemm.Args[T]{M: rows, N: s.Keys, K: s.Size, Alpha: factor, A: gemm.Operand[T]{Data: q, LD: ldQ},
		B: gemm.Operand[T]{Data: turned, Packed: true}, C: scores})
	for r := range rows {
		row := scores[r*s.Keys:][:s.Keys]
		k.masked(row, first+r)
		stats := k.stats[2*(item*s.Queries+first+r):]
		ops[T]().Minus(row, row, stats[0])
		k.exp(&row[0], &row[0], uintptr(len(row)))
		scale(row, row, stats[1])
	}
	at, ld := k.item(item, s.Keys, s.ValueSize)
	k.product(worker, gemm.Args[T]{M: s.Keys, N: s.ValueSize, K: rows, A: gemm.Operand[T]{Data: scores, Trans: true}, B: gemm.Operand[T]{Data: dy, LD: ldY},
		C: k.dv[at:], LDC: ld, Beta: beta})
	k.product(worker, gemm.Args[T]{M: rows, N: s.Keys, K: s.ValueSize, A: gemm.Operand[T]{Data: dy, LD: ldY},
		B: gemm.Operand[T]{Data: values, Packed: true}, C: ds})
	for r := range rows {
		row := ds[r*s.Keys:][:s.Keys]
		ops[T]().Minus(row, row, T(ops[T]().Dot(y[r*ldY:][:s.ValueSize], dy[r*ldY:][:s.ValueSize])))
		mul(row, row, scores[r*s.Keys:][:s.Keys])
	}
	k.product(worker, gemm.Args[T]{M: rows, N: s.Size, K: s.Keys, Alpha: factor, A: gemm.Operand[T]{Data: ds}, B: gemm.Operand[T]{Data: plain, Packed: true},
		C: k.dq[atQ+first*ldQ:], LDC: ldQ})
	at, ld = k.item(item, s.Keys, s.Size)
	k.product(worker, gemm.Args[T]{M: s.Keys, N: s.Size, K: rows, Alpha: factor, A: gemm.Operand[T]{Data: ds, Trans: true}, B: gemm.Operand[T]{Data: q, LD: ldQ},
		C: k.dk[at:], LDC: ld, Beta: beta})
}

// Way is that of the products.
func (k *AttentionGrad[T]) Way() string { return byHead }

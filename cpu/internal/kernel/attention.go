package kernel

import (
	"fmt"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
)

// AttentionShape is the geometry of an attention: Batch items of Heads heads each, of Queries queries and Keys keys of Size numbers, and as many
// values of ValueSize numbers.
type AttentionShape struct{ Batch, Heads, Queries, Keys, Size, ValueSize int }

// AttentionOptions say what is computed of it.
type AttentionOptions struct {
	Scale float64 // of the scores
	// Within says that the heads lie within the steps, (batch, steps, heads, size), and not in front of them.
	Within bool
	Stats  bool // of each query, the largest score and 1/Σ exp(score − largest) are wanted, for the gradient
}

// attention is what the kernels of an attention and of its gradient have in common: the scores of some queries, which stay in the cache
// until nobody needs them any more.
type attention[T Float] struct {
	Scratch[T]
	e     Env[T] // of one worker
	s     AttentionShape
	o     AttentionOptions
	rows  int // queries at a time
	tasks split
	loop  phase
	exp   vmath.F1[T]
	work  []*gemm.Workspace[T] // by worker, as what follows
	areas []attentionAreas[T]
	mask  []T
}

// attentionAreas is the working memory of a worker.
type attentionAreas[T Float] struct {
	product, keys, values, scores, more area[T]
}

// scoresAtOnce is how many scores a worker has at a time, of float32: with the keys and the values of a head they lie in the second-level cache.
const scoresAtOnce = 48 << 10

func (k *attention[T]) prepare(e Env[T], name string, s AttentionShape, o AttentionOptions) error {
	if min(s.Batch, s.Heads, s.Queries, s.Keys, s.Size, s.ValueSize) < 1 {
		return fmt.Errorf("kernel: %s of %+v; every size must be at least 1", name, s)
	}
	if T(o.Scale) == 0 {
		return fmt.Errorf("kernel: %s with a scale of %g, which is 0; the plain steps compute that", name, o.Scale)
	}
	k.e, k.s, k.o, k.exp = Env[T]{Pool: pool.New(1), Gemm: e.Gemm}, s, o, vmath.For[T](ops[T]().Level()).Exp
	// The number of rows, with which the order of sums may change, depends on sizes alone.
	most := max(scoresAtOnce*4/int(unsafe.Sizeof(*new(T)))/s.Keys, 16)
	k.rows = even(s.Queries, most)
	return nil
}

// even is a size of parts of n that are about equal and at most so large.
func even(n, most int) int {
	parts := (n + most - 1) / most
	return (n + parts - 1) / parts
}

// lay reserves the memory of each of so many workers, for products like those of args.
func (k *attention[T]) lay(workers, keys, values, scores, more int, args ...gemm.Args[T]) {
	need := 0
	for i := range args {
		need = max(need, k.e.Gemm.Scratch(1, &args[i]))
	}
	for range workers {
		k.work = append(k.work, k.e.Gemm.NewWorkspace(1))
		k.areas = append(k.areas, attentionAreas[T]{k.reserve(need), k.reserve(keys), k.reserve(values), k.reserve(scores), k.reserve(more)})
	}
}

// item is where head h of item b begins among steps of so many numbers, and how far it is from step to step.
func (k *attention[T]) item(item, steps, size int) (first, ld int) {
	b, h := item/k.s.Heads, item%k.s.Heads
	if k.o.Within {
		return (b*steps*k.s.Heads + h) * size, k.s.Heads * size
	}
	return item * steps * size, size
}

func (k *attention[T]) product(worker int, a gemm.Args[T]) {
	k.work[worker].SetScratch(k.areas[worker].product.of(&k.Scratch))
	k.e.Gemm.Run(nil, k.work[worker], &a)
}

func (k *attention[T]) pack(worker int, dst []T, b gemm.Operand[T], rows, columns int) {
	k.work[worker].SetScratch(k.areas[worker].product.of(&k.Scratch))
	k.e.Gemm.Pack(nil, k.work[worker], dst, b, rows, columns)
}

// masked adds the mask, if there is one, to the scores of query r.
func (k *attention[T]) masked(row []T, r int) {
	if k.mask != nil {
		add(row, row, k.mask[r*k.s.Keys:][:k.s.Keys])
	}
}

// Attention is softmax(scale·q·kᵀ + mask)·v for every head: see [graph.FusedAttention]. The scores are never in memory together.
type Attention[T Float] struct {
	attention[T]
	blocks        int // of queries, of a head
	y, stats      []T
	q, keys, vals []T
}

// NewAttention prepares an attention.
func NewAttention[T Float](e Env[T], s AttentionShape, o AttentionOptions) (*Attention[T], error) {
	k := &Attention[T]{}
	if err := k.prepare(e, "Attention", s, o); err != nil {
		return nil, err
	}
	k.blocks = (s.Queries + k.rows - 1) / k.rows
	g := e.Gemm
	k.lay(e.Pool.Threads(), g.PackedLen(s.Size, s.Keys), g.PackedLen(s.Keys, s.ValueSize), k.rows*s.Keys, k.rows,
		gemm.Args[T]{M: k.rows, N: s.Keys, K: s.Size, A: gemm.Operand[T]{LD: s.Heads * s.Size}, B: gemm.Operand[T]{Packed: true}},
		gemm.Args[T]{M: k.rows, N: s.ValueSize, K: s.Keys, LDC: s.Heads * s.ValueSize, B: gemm.Operand[T]{Packed: true}},
		gemm.Args[T]{M: 1, N: s.Keys, K: s.Size, B: gemm.Operand[T]{Trans: true}})
	// A worker packs keys and values for all blocks of a head that it computes one after the other.
	items := s.Batch * s.Heads
	k.tasks = splitBy(items*k.blocks, k.rows*s.Keys*(s.Size+s.ValueSize)/16)
	if items >= 2*e.Pool.Threads() {
		k.tasks = splitInto(items*k.blocks, items)
	}
	k.loop = newPhase(e.Pool, k.tasks.parts, k.part)
	return k, nil
}

// Run computes y and, if prepared so, stats (batch, heads, queries, 2). The mask (queries, keys) may be nil. The results must not overlap the operands.
func (k *Attention[T]) Run(y, stats, q, keys, values, mask []T) {
	k.y, k.stats, k.q, k.keys, k.vals, k.mask = y, stats, q, keys, values, mask
	k.loop.run()
}

func (k *Attention[T]) part(worker, part int) {
	a, s := &k.areas[worker], k.s
	keys, values := a.keys.of(&k.Scratch), a.values.of(&k.Scratch)
	lo, hi := k.tasks.bounds(part)
	for last, i := -1, lo; i < hi; i++ {
		item := i / k.blocks
		if item != last {
			last = item
			at, ld := k.item(item, s.Keys, s.Size)
			k.pack(worker, keys, gemm.Operand[T]{Data: k.keys[at:], LD: ld, Trans: true}, s.Size, s.Keys)
			at, ld = k.item(item, s.Keys, s.ValueSize)
			k.pack(worker, values, gemm.Operand[T]{Data: k.vals[at:], LD: ld}, s.Keys, s.ValueSize)
		}
		k.block(worker, item, i%k.blocks*k.rows)
	}
}

// block computes the results of some queries.
func (k *Attention[T]) block(worker, item, first int) {
	a, s := &k.areas[worker], k.s
	rows := min(k.rows, s.Queries-first)
	scores := a.scores.of(&k.Scratch)[:rows*s.Keys]
	at, ld := k.item(item, s.Queries, s.Size)
	k.product(worker, gemm.Args[T]{M: rows, N: s.Keys, K: s.Size, Alpha: T(k.o.Scale), A: gemm.Operand[T]{Data: k.q[at+first*ld:], LD: ld},
		B: gemm.Operand[T]{Data: a.keys.of(&k.Scratch), Packed: true}, C: scores})
	totals := a.more.of(&k.Scratch)[:rows]
	for r := range rows {
		row := scores[r*s.Keys:][:s.Keys]
		k.masked(row, first+r)
		top := ops[T]().Top(row)
		ops[T]().Minus(row, row, top)
		k.exp(&row[0], &row[0], uintptr(len(row)))
		total := ops[T]().Sum(row)
		totals[r] = T(1 / total)
		if k.o.Stats {
			at := 2 * (item*s.Queries + first + r)
			k.stats[at], k.stats[at+1] = top, totals[r]
		}
	}
	at, ld = k.item(item, s.Queries, s.ValueSize)
	y := k.y[at+first*ld:]
	k.product(worker, gemm.Args[T]{M: rows, N: s.ValueSize, K: s.Keys, A: gemm.Operand[T]{Data: scores},
		B: gemm.Operand[T]{Data: a.values.of(&k.Scratch), Packed: true}, C: y, LDC: ld})
	for r := range rows {
		row := y[r*ld:][:s.ValueSize]
		scale(row, row, totals[r])
	}
}

// Way is that of the products.
func (k *Attention[T]) Way() string { return byHead }

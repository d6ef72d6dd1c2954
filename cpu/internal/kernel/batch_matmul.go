package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// BatchMatMul is [op.BatchMatMul]. Large products are computed one after the other by all workers, small ones each by
// one worker with memory of its own.
type BatchMatMul[T Float] struct {
	Scratch[T]
	g          op.Products
	all        *MatMul[T]   // nil where items are small
	one        []*MatMul[T] // a worker's
	areas      []area[T]    // of all, or of each of one
	work       split        // items
	loop       phase
	y, a, b    []T
	sy, sa, sb int // elements of an item
}

// itemWork is the number of multiplications with addition up to which one worker computes an item.
const itemWork = 1 << 22

// NewBatchMatMul prepares the products.
func NewBatchMatMul[T Float](e Env[T], g op.Products, transA, transB bool) (*BatchMatMul[T], error) {
	if g.Batch < 1 || g.M < 1 || g.N < 1 || g.K < 1 {
		return nil, fmt.Errorf("kernel: BatchMatMul of %d products of %d×%d by %d×%d; want at least 1", g.Batch, g.M, g.K, g.K, g.N)
	}
	o := MatMulOptions{TransA: transA, TransB: transB}
	k := &BatchMatMul[T]{g: g, sy: g.M * g.N, sa: g.M * g.K, sb: g.K * g.N}
	size := g.M * g.N * g.K
	if size > itemWork || g.Batch == 1 {
		var err error
		if k.all, err = NewMatMul(e, g.M, g.N, g.K, o); err != nil {
			return nil, err
		}
		k.areas = []area[T]{k.reserve(k.all.Workspace())}
		return k, nil
	}
	alone := Env[T]{Pool: pool.New(1), Gemm: e.Gemm} // a pool without goroutines, which needs no Close
	for range e.Pool.Threads() {
		m, err := NewMatMul(alone, g.M, g.N, g.K, o)
		if err != nil {
			return nil, err
		}
		k.one = append(k.one, m)
		k.areas = append(k.areas, k.reserve(m.Workspace()))
	}
	const perElement = 16 // so many multiplications are worth an element of a part
	k.work = splitBy(g.Batch, max(size/perElement, k.sa+k.sb+k.sy))
	k.loop = newPhase(e.Pool, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b, which it must not overlap.
func (k *BatchMatMul[T]) Run(y, a, b []T) {
	k.y, k.a, k.b = y, a, b
	if k.all != nil {
		k.all.SetScratch(k.areas[0].of(&k.Scratch))
		for i := range k.g.Batch {
			k.item(k.all, i)
		}
		return
	}
	for i, m := range k.one {
		m.SetScratch(k.areas[i].of(&k.Scratch))
	}
	k.loop.run()
}

func (k *BatchMatMul[T]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		k.item(k.one[worker], i)
	}
}

func (k *BatchMatMul[T]) item(m *MatMul[T], i int) {
	m.Run(k.y[i*k.sy:(i+1)*k.sy], k.a[i*k.sa:(i+1)*k.sa], k.b[i*k.sb:(i+1)*k.sb], nil, nil)
}

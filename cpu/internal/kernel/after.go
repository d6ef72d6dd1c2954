package kernel

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
	"github.com/stheno-ml/stheno/graph/ir"
)

// after is an ir.Loop of one input and one result that a product or convolution does to its results in place, rows of which are in the
// cache ([gemm.After]). A nil one does nothing. Each element is computed as [Loop] computes it, wherever pieces begin.
type after[T Float] struct {
	loop  *Loop[T]
	inner area[T] // its working memory
}

// newAfter prepares l, which may be nil, for a kernel with scratch s.
func newAfter[T Float](p *pool.Pool, s *Scratch[T], l *ir.Loop) (*after[T], error) {
	if l == nil {
		return nil, nil
	}
	if l.Inputs != 1 || len(l.Results) != 1 || l.Shape != nil {
		return nil, fmt.Errorf("kernel: a loop of %d inputs and %d results behind a product; want one of each, and no shape of its own", l.Inputs, len(l.Results))
	}
	block := tensor.Shape{loopBytes / int(unsafe.Sizeof(T(0)))}
	plan, err := planLoop(l, block, []tensor.Shape{block}, block[0])
	if err != nil {
		return nil, err
	}
	k := &Loop[T]{slot: block[0], blocks: plan.blocks, fill: vmath.For[T](ops[T]().Level()).Fill}
	k.translate(plan, func(int, int) bool { return true })
	k.frames = make([]frame[T], p.Threads())
	k.layOut(plan)
	return &after[T]{loop: k, inner: s.reserve(k.Workspace())}, nil
}

// gemm is the interface that products take, nil if there is nothing to do.
func (a *after[T]) gemm() gemm.After[T] {
	if a == nil {
		return nil
	}
	return a
}

// begin hands over the working memory for a run.
func (a *after[T]) begin(s *Scratch[T]) {
	if a != nil {
		a.loop.SetScratch(a.inner.of(s))
	}
}

// finish applies a ReLU, if rectified is set, and then a, piece by piece, so that the first-level cache has them in between.
func (a *after[T]) finish(worker int, y []T, rectified bool) {
	if a == nil {
		if rectified {
			relu(y, y)
		}
		return
	}
	for len(y) > 0 {
		n := min(len(y), a.loop.slot)
		if rectified {
			relu(y[:n], y[:n])
		}
		a.loop.over(&a.loop.frames[worker], y[:n])
		y = y[n:]
	}
}

// Apply implements [gemm.After].
func (a *after[T]) Apply(worker int, y []T, ld, rows, cols int) {
	if a == nil || rows == 0 || cols == 0 {
		return
	}
	if cols == ld {
		cols, rows = rows*cols, 1
	}
	f := &a.loop.frames[worker]
	for r := range rows {
		for row := y[r*ld:][:cols]; len(row) > 0; {
			n := min(len(row), a.loop.slot)
			a.loop.over(f, row[:n])
			row = row[n:]
		}
	}
}

package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// Workspace is the working memory of products that run one after the other. It
// belongs to one Run at a time. It grows when a product needs more than any
// before; after that a Run allocates nothing.
type Workspace[T vec.Float] struct {
	scratch []T
	job     job[T]
	grids   grids
}

// NewWorkspace returns working memory for pools of up to threads workers.
func (g *Gemm[T]) NewWorkspace(threads int) *Workspace[T] {
	w := &Workspace[T]{}
	w.job.reserve(max(threads, 1))
	return w
}

// Scratch returns how many elements of scratch a Run of a needs on a
// pool of the given number of workers. Of a's operands only sizes, strides and
// forms matter: Data may be nil, and a Source need not work yet.
func (g *Gemm[T]) Scratch(threads int, a *Args[T]) int {
	args := *a
	args.fillDefaults()
	if args.serial() {
		threads = 1
	}
	p := g.plan(threads, &args, nil)
	return p.scratch(threads)
}

// SetScratch gives the workspace memory of the caller (for instance a piece of
// an arena) in place of its own. Its contents do not matter. A Run that needs
// more than it has allocates.
func (w *Workspace[T]) SetScratch(buf []T) { w.scratch = buf }

// lay places the plan's buffers into the scratch.
func (w *Workspace[T]) lay(p *plan[T], threads int) {
	j := &w.job
	j.reserve(threads)
	if need := p.scratch(threads); len(w.scratch) < need {
		w.scratch = make([]T, need)
	}
	s := w.scratch
	if len(s) > 0 { // start at a cache line
		off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))%64) / int(size[T]())
		s = s[min(off, len(s)):]
	}
	take := func(n int) []T {
		piece := s[:n:n]
		s = s[n:]
		return piece
	}
	j.shared = take(p.sharedLen)
	for i := range threads {
		j.workers[i].a = take(p.aLen)
		j.workers[i].b = take(p.bLen)
		j.workers[i].tmp = take(p.tmpLen)
		j.workers[i].block = take(p.blockLen)
	}
	j.acc = take(p.accLen)
}

// serial says that many workers' buffers would take longer to lay out than the product takes.
func (a *Args[T]) serial() bool { return max(a.M, StreamRows)*a.N*a.K < serialWork }

// Run computes the product on the pool's workers, on its caller alone if p is nil. It does not change args.
// A slice too short for its sizes is a mistake of the engine and panics.
func (g *Gemm[T]) Run(p *pool.Pool, w *Workspace[T], args *Args[T]) {
	j := &w.job
	a := *args
	a.fillDefaults()
	a.check(g.PackedLen(a.K, a.N))
	if a.M == 0 || a.N == 0 {
		return
	}
	j.g = g
	threads := 1
	if a.serial() {
		p = nil
	}
	if p != nil {
		threads = p.Threads()
	}
	j.plan = g.plan(threads, &a, &w.grids)
	w.lay(&j.plan, threads)
	j.planWrites()
	j.run(p)
	j.release()
}

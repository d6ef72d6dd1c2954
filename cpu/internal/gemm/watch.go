package gemm

import "github.com/stheno-ml/stheno/cpu/internal/vec"

// Watcher sees a product while it is written, block by block as it is finished and still in the cache: the sums over the rows of a
// result that would have to be read again for them.
type Watcher[T vec.Float] interface {
	// Done says that rows [i0, i0+rows) × columns [j0, j0+cols) of C have their final values. i0 is a multiple of
	// [Gemm.WatchedRows] and rows that many, but for C's last rows; every element is in one block. Calls come from several
	// workers at once and in any order.
	Done(i0, rows, j0, cols int)
}

// WatchedRows is the height of the blocks that a watcher sees: the same for all products, whatever the workers.
func (g *Gemm[T]) WatchedRows() int { return fit[T](mcMax) }

// planWatched makes blocks of A whole, wherever the parts begin.
func (p *plan[T]) planWatched(threads, mr, nr int) {
	p.chooseB(nr)
	p.chooseA(nr)
	p.mc = fit[T](mcMax)
	p.partition(threads, mr, nr)
}

// watchAll says of a product that was not computed in blocks that it is done.
func (j *job[T]) watchAll() {
	if j.args.Watch == nil {
		return
	}
	for i, n := 0, j.g.WatchedRows(); i < j.args.M; i += n {
		j.args.Watch.Done(i, min(n, j.args.M-i), 0, j.args.N)
	}
}

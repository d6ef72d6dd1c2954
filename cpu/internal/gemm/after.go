package gemm

import "github.com/stheno-ml/stheno/cpu/internal/vec"

// After changes a product's finished elements while they are in the cache: an elementwise function behind the epilogue.
type After[T vec.Float] interface {
	// Apply changes rows of cols elements, ld elements from row to row, of which c holds the first. Every element of C is
	// given once, with its final value; in which blocks depends on the workers. Calls come from several workers at once.
	Apply(worker int, c []T, ld, rows, cols int)
}

// afterBlock is how many elements of C are finished before After gets them: half of the second-level cache, as measured. A quarter of that or
// less is slower, since pieces of rows become short.
const afterBlock = 1 << 17

// after hands over rows [i0, i0+rows) × columns [j0, j0+cols) of the computed product, which is C or its transpose.
func (j *job[T]) after(w *worker[T], i0, rows, j0, cols int) {
	if j.args.After == nil || rows == 0 || cols == 0 {
		return
	}
	if j.swapped {
		i0, rows, j0, cols = j0, cols, i0, rows
	}
	j.args.After.Apply(w.id, j.args.C[i0*j.args.LDC+j0:], j.args.LDC, rows, cols)
}

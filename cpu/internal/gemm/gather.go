package gemm

// A product that K is cut into several blocks of gathers their sums apart: the worker's block has the columns of a panel of B in one
// piece, row after row, so a tile is contiguous. In C, whose rows lie far apart, often a power of two, each of those sums would be
// read and written again through a few sets of the caches. C is written once, with the last block.

// gatherWide is how many columns are gathered at a time.
const gatherWide = 1024

// planGather decides whether sums are gathered. With C out of the way it does not pay to copy rows of A that collide.
func (p *plan[T]) planGather() {
	p.gather = p.k > p.kc && !p.deep && p.splits == 0 && p.args.Sink == nil && (p.bMode == bShared || p.bMode == bPacked)
	if p.gather && p.aMode == aRows && p.a.Source == nil && p.fold == 1 {
		p.aMode = aDirect
	}
}

// gatherLen is how much memory a worker needs for a block of sums.
func (p *plan[T]) gatherLen(nr int) int {
	switch {
	case p.gather:
		return align[T](p.mc * ceil(min(p.np, fit[T](gatherWide)), nr) * nr)
	case p.swapped:
		return align[T](p.mc * nr)
	}
	return p.blockLen
}

// gathered computes a region: all of a block of C before the next one.
func (j *job[T]) gathered(w *worker[T], r region[T]) {
	wide := fit[T](gatherWide)
	for j0 := r.j0; j0 < r.j1; j0 += wide {
		for i0 := r.i0; i0 < r.i1; i0 += j.mc {
			for k0 := r.k0; k0 < r.k1; k0 += j.kc {
				j.macro(w, &r, i0, min(i0+j.mc, r.i1), j0, min(j0+wide, r.j1), k0, min(j.kc, r.k1-k0))
			}
		}
	}
}

// panel is where the sums of the columns from jj on are, of a block of so many rows whose first column is j0.
func (j *job[T]) panel(w *worker[T], rows, j0, jj int) []T {
	nr, at := j.g.k.nr, 0
	if j.gather {
		at = (jj - j0) * rows
	}
	return w.block[at : at+rows*nr]
}

// across stores a panel of the columns of Cᵀ in C, with beta·D and, at the end, the epilogue.
func (j *job[T]) across(r *region[T], panel, d []T, ldd, i0, rows, jj, cols int, beta T, last bool) {
	nr := j.g.k.nr
	if beta == 0 {
		j.g.ops.Transpose(r.c[jj*r.ldc+i0:], r.ldc, panel, nr, rows, cols)
	}
	if beta == 0 && (!last || j.args.Bias == nil && j.args.act().Kind == NoAct) {
		return
	}
	for x := range cols {
		c := r.c[(jj+x)*r.ldc+i0:][:rows]
		for y := range c {
			s := panel[y*nr+x]
			if beta != 0 {
				s += beta * d[(jj+x)*ldd+i0+y]
			}
			if last {
				s = j.epilogue(s, i0+y)
			}
			c[y] = s
		}
	}
}

package gemm

// strip is how many elements of a Source are rounded at a time: they stay in the L1 cache.
const strip = 4 << 10

// stripRows is how many rows of n elements a strip has, an even number.
func stripRows(n int) int { return max(2, strip/n&^1) }

// roundTemporary is the length of the buffer that roundA and roundB need.
func (p *plan[T]) roundTemporary(nr int) int {
	n := 0
	if p.a.Source != nil {
		n = strip + 2*max(p.mc, p.kc) // at least two rows
	}
	if p.b.Source != nil && !p.b.Packed {
		n = max(n, strip+2*max(nr, p.kc))
	}
	if p.b.Trans && !p.b.Packed {
		n += nr * p.packed(p.kc) // see roundB
	}
	return n
}

// roundA packs a block of A, rows [r0, r0+nr) × columns [c0, c0+nc) of the matrix as it is stored, in pairs along K.
func (j *job[T]) roundA(w *worker[T], ld, r0, nr, c0, nc int) {
	a, to, fold := &j.a, j.g.k.round.rows, 1 // rows of A make rows of pairs
	if j.aMode == aDepth {
		to, fold = j.g.k.round.columns, 2
	}
	if a.Source == nil {
		to(w.a, ld, a.Data[r0*a.LD+c0:], a.LD, nr, nc)
		return
	}
	if s, ok := a.Source.(PairSource[T]); ok && j.aMode == aRows && nc%2 == 0 && s.InPairs() {
		s.PairBlock(to, w.a, ld, r0, nr, c0, nc)
		return
	}
	step := stripRows(nc)
	for r := 0; r < nr; r += step {
		n := min(step, nr-r)
		a.Source.Block(w.tmp, nc, r0+r, n, c0, nc)
		to(w.a[r/fold*ld:], ld, w.tmp, nc, n, nc)
	}
}

// roundB is packB in pairs along K.
func (j *job[T]) roundB(w *worker[T], dst []T, k0, kc, j0, cols int) {
	nr, b, to := j.g.k.nr, &j.b, j.g.k.round
	if !b.Trans && b.Source == nil {
		to.columns(dst, nr, b.Data[k0*b.LD+j0:], b.LD, kc, cols)
		return
	}
	if !b.Trans {
		step := stripRows(cols)
		for k := 0; k < kc; k += step {
			n := min(step, kc-k)
			b.Source.Block(w.tmp, cols, k0+k, n, j0, cols)
			to.columns(dst[k/2*nr:], nr, w.tmp, cols, n, cols)
		}
		return
	}
	// The stored rows make rows of pairs, which are then transposed.
	depth := j.packed(kc)
	turned := w.tmp[len(w.tmp)-nr*depth:]
	if b.Source == nil {
		to.rows(turned, depth, b.Data[j0*b.LD+k0:], b.LD, cols, kc)
	} else {
		step := stripRows(kc)
		for c := 0; c < cols; c += step {
			n := min(step, cols-c)
			b.Source.Block(w.tmp, kc, j0+c, n, k0, kc)
			to.rows(turned[c*depth:], depth, w.tmp, kc, n, kc)
		}
	}
	j.g.ops.Transpose(dst, nr, turned, depth, cols, depth)
}

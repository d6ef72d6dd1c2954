package gemm

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// PackedLen is how many elements [Gemm.Pack] makes of a factor B of k×n.
func (g *Gemm[T]) PackedLen(k, n int) int {
	nr := g.k.nr
	return ceil(n, nr) * nr * ceil(k, g.k.fold())
}

// PanelWidth is the number of columns of a panel: packed, column j of row l is element (j/w·k + l)·w + j%w for a width of w.
func (g *Gemm[T]) PanelWidth() int { return g.k.nr }

// Pack writes op(B) of k×n into dst in the order in which the micro-kernels read it: panel after panel of PanelWidth columns,
// row after row. Products with it ([Operand.Packed]) need not pack it again. What the last panel has beyond n columns is 0.
func (g *Gemm[T]) Pack(p *pool.Pool, w *Workspace[T], dst []T, b Operand[T], k, n int) {
	if k == 0 || n == 0 {
		return
	}
	args := Args[T]{M: 1, N: n, K: k, B: b}
	args.fillDefaults()
	args.B.check("B", k, n)
	j := &w.job
	j.g = g
	nr := g.k.nr
	// A plan that packs and does nothing else.
	j.plan = plan[T]{args: args, m: 1, n: n, k: k, b: args.B, bMode: bShared, nc: ceil(n, nr) * nr, fold: g.k.fold()}
	j.kc = j.depth(kcMax)
	j.tmpLen = j.temporary(nr)
	threads := 1
	if p != nil {
		threads = p.Threads()
	}
	w.lay(&j.plan, threads)
	clearTail(dst, j.packed(k), n, nr)
	j.shared = dst[:g.PackedLen(k, n)]
	j.phase = packPhase
	parts := ceil(n, nr) * ceil(k, j.kc)
	if p == nil || n*k < packWork {
		for i := range parts {
			j.Do(0, i)
		}
	} else {
		p.Run(j, parts)
	}
	j.release()
	j.shared = nil
}

// packWork is how many elements are packed by the caller alone.
const packWork = 1 << 15

// clearTail sets to 0 what the last panel has beyond the last column.
func clearTail[T any](dst []T, k, n, nr int) {
	if n%nr == 0 {
		return
	}
	last := dst[n/nr*nr*k:]
	for l := range k {
		clear(last[l*nr+n%nr : (l+1)*nr])
	}
}

package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// blockA returns where rows [i0, i0+rows) × depth [k0, k0+kc) of A can be read
// and in what order, and sets the tile's strides; it copies the block where the
// plan says so.
func (j *job[T]) blockA(w *worker[T], i0, rows, k0, kc int) (unsafe.Pointer, int) {
	t, a, e := &w.t, &j.a, size[T]()
	if j.aMode == aDirect {
		if a.Trans {
			t.rs, t.ks = e, e*uintptr(a.LD)
			return unsafe.Pointer(&a.Data[k0*a.LD+i0]), byDepth
		}
		t.rs, t.ks = e*uintptr(a.LD), e
		return unsafe.Pointer(&a.Data[i0*a.LD+k0]), byRows
	}
	// r0, nr, c0, nc is the block of the matrix as it is stored.
	r0, nr, c0, nc, ld, order := i0, rows, k0, kc, rowStride[T](j.packed(j.kc)), byRows
	t.rs, t.ks = e*uintptr(ld), e
	if j.aMode == aDepth {
		r0, nr, c0, nc, ld, order = k0, kc, i0, rows, rowStride[T](j.mc), byDepth
		t.rs, t.ks = e, e*uintptr(ld)
	}
	if key := [3]int{i0, k0, rows}; key != w.aKeys {
		w.aKeys = key
		if j.fold > 1 {
			j.roundA(w, ld, r0, nr, c0, nc)
		} else if a.Source != nil {
			a.Source.Block(w.a, ld, r0, nr, c0, nc)
		} else {
			copyRowsGo(w.a, ld, a.Data[r0*a.LD+c0:], a.LD, nr, nc)
		}
	}
	return unsafe.Pointer(&w.a[0]), order
}

// panelB points the tile at the panel of B with columns [jj, jj+cols); j0 is the
// first column that w.b holds.
func (j *job[T]) panelB(w *worker[T], jj, j0, cols, k0, kc int) {
	t, ks := &w.t, j.g.k
	depth, at := j.packed(j.k)*ks.nr, k0/j.fold*ks.nr // of a panel, and where its block begins
	t.ldb = size[T]() * uintptr(ks.nr)
	switch {
	case j.bMode == bPacked:
		t.b = unsafe.Pointer(&j.b.Data[jj/ks.nr*depth+at])
	case j.bMode == bShared:
		t.b = unsafe.Pointer(&j.shared[(jj-j.j0)/ks.nr*depth+at])
	case j.bMode == bLocal:
		t.b = unsafe.Pointer(&w.b[(jj-j0)*j.packed(kc)])
	case cols%ks.lane == 0:
		t.ldb = size[T]() * uintptr(j.b.LD)
		t.b = unsafe.Pointer(&j.b.Data[k0*j.b.LD+jj])
	default: // the last columns do not fill a vector, which would read beyond B
		j.packB(w, w.b, k0, kc, jj, cols)
		t.b = unsafe.Pointer(&w.b[0])
	}
}

// packRows is how many rows of B are packed from side to side before the next:
// as many streams as a core's prefetcher follows. The assembly fetches the same
// columns of as many rows ahead meanwhile.
const packRows = 8

// packLocal packs columns [j0, j1) of B into w.b, panel after panel. Of a plain
// matrix it takes few rows at a time: in a wide matrix the next row is pages away,
// and walking down a panel would miss every cache and the TLB.
func (j *job[T]) packLocal(w *worker[T], j0, j1, k0, kc int) {
	nr, step := j.g.k.nr, kc
	if j.b.Source == nil && !j.b.Trans {
		step = packRows
	}
	for k := 0; k < kc; k += step {
		for jj := j0; jj < j1; jj += nr {
			j.packB(w, w.b[(jj-j0)*j.packed(kc)+k/j.fold*nr:], k0+k, min(step, kc-k), jj, min(nr, j1-jj))
		}
	}
}

// packB writes columns [j0, j0+cols) of depth [k0, k0+kc) of B as a panel:
// element (k, j) at dst[(k-k0)·nr + j-j0], of pairs half as many. The columns after the last keep what
// they had: their sums are computed and thrown away.
func (j *job[T]) packB(w *worker[T], dst []T, k0, kc, j0, cols int) {
	nr, b := j.g.k.nr, &j.b
	ks := j.g.k
	switch {
	case j.fold > 1:
		j.roundB(w, dst, k0, kc, j0, cols)
	case b.Source != nil && b.Trans:
		tmp := w.tmp
		b.Source.Block(tmp, kc, j0, cols, k0, kc)
		j.g.ops.Transpose(dst, nr, tmp, kc, cols, kc)
	case b.Source != nil:
		b.Source.Block(dst, nr, k0, kc, j0, cols)
	case b.Trans:
		j.g.ops.Transpose(dst, nr, b.Data[j0*b.LD+k0:], b.LD, cols, kc)
	default:
		ks.copied(dst, nr, b.Data[k0*b.LD+j0:], b.LD, kc, cols)
	}
}

// copied copies rows×cols elements between matrices of different strides.
func (ks *kernels[T]) copied(dst []T, ldd int, src []T, lds, rows, cols int) {
	_ = dst[span(rows, cols, ldd)-1]
	_ = src[span(rows, cols, lds)-1]
	if ks.copyRows != nil {
		rows = ks.copyRows(dst, ldd, src, lds, rows, cols)
	}
	copyRowsGo(dst, ldd, src, lds, rows, cols)
}

// copyRowsGo is the twin of the assembly's copyRows.
func copyRowsGo[T vec.Float](dst []T, ldd int, src []T, lds, rows, cols int) {
	for r := range rows {
		copy(dst[r*ldd:r*ldd+cols], src[r*lds:])
	}
}

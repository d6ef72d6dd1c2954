package gemm

import "unsafe"

// blockA returns where rows [i0, i0+rows) × depth [k0, k0+kc) of A can be read
// and in what order, and sets the tile's strides; it copies the block where the
// plan says so.
func (j *job) blockA(w *worker, i0, rows, k0, kc int) (unsafe.Pointer, int) {
	t, a := &w.t, &j.a
	if j.aMode == aDirect {
		if a.Trans {
			t.rs, t.ks = 4, uintptr(4*a.LD)
			return unsafe.Pointer(&a.Data[k0*a.LD+i0]), byDepth
		}
		t.rs, t.ks = uintptr(4*a.LD), 4
		return unsafe.Pointer(&a.Data[i0*a.LD+k0]), byRows
	}
	// r0, nr, c0, nc is the block of the matrix as it is stored.
	r0, nr, c0, nc, ld, order := i0, rows, k0, kc, rowStride(j.kc), byRows
	t.rs, t.ks = uintptr(4*ld), 4
	if j.aMode == aDepth {
		r0, nr, c0, nc, ld, order = k0, kc, i0, rows, rowStride(j.mc), byDepth
		t.rs, t.ks = 4, uintptr(4*ld)
	}
	if key := [3]int{i0, k0, rows}; key != w.aKeys {
		w.aKeys = key
		if a.Source != nil {
			a.Source.Block(w.a, ld, r0, nr, c0, nc)
		} else {
			copyRowsGo(w.a, ld, a.Data[r0*a.LD+c0:], a.LD, nr, nc)
		}
	}
	return unsafe.Pointer(&w.a[0]), order
}

// panelB points the tile at the panel of B with columns [jj, jj+cols); j0 is the
// first column that w.b holds.
func (j *job) panelB(w *worker, jj, j0, cols, k0, kc int) {
	t, ks := &w.t, &j.g.k
	t.ldb = uintptr(4 * ks.nr)
	switch {
	case j.bMode == bShared:
		t.b = unsafe.Pointer(&j.shared[(jj-j.j0)/ks.nr*j.k*ks.nr+k0*ks.nr])
	case j.bMode == bLocal:
		t.b = unsafe.Pointer(&w.b[(jj-j0)*kc])
	case cols%ks.lane == 0:
		t.ldb = uintptr(4 * j.b.LD)
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
func (j *job) packLocal(w *worker, j0, j1, k0, kc int) {
	nr, step := j.g.k.nr, kc
	if j.b.Source == nil && !j.b.Trans {
		step = packRows
	}
	for k := 0; k < kc; k += step {
		for jj := j0; jj < j1; jj += nr {
			j.packB(w, w.b[(jj-j0)*kc+k*nr:], k0+k, min(step, kc-k), jj, min(nr, j1-jj))
		}
	}
}

// packB writes columns [j0, j0+cols) of depth [k0, k0+kc) of B as a panel:
// element (k, j) at dst[(k-k0)·nr + j-j0]. The columns after the last keep what
// they had: their sums are computed and thrown away.
func (j *job) packB(w *worker, dst []float32, k0, kc, j0, cols int) {
	nr, b := j.g.k.nr, &j.b
	ks := &j.g.k
	switch {
	case b.Source != nil && b.Trans:
		tmp := w.b[len(w.b)-nr*j.kc:]
		b.Source.Block(tmp, kc, j0, cols, k0, kc)
		ks.transposed(dst, nr, tmp, kc, cols, kc)
	case b.Source != nil:
		b.Source.Block(dst, nr, k0, kc, j0, cols)
	case b.Trans:
		ks.transposed(dst, nr, b.Data[j0*b.LD+k0:], b.LD, cols, kc)
	default:
		ks.copied(dst, nr, b.Data[k0*b.LD+j0:], b.LD, kc, cols)
	}
}

// copied copies rows×cols elements between matrices of different strides.
func (ks *kernels) copied(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	_ = dst[span(rows, cols, ldd)-1]
	_ = src[span(rows, cols, lds)-1]
	if ks.copyRows != nil {
		rows = ks.copyRows(dst, ldd, src, lds, rows, cols)
	}
	copyRowsGo(dst, ldd, src, lds, rows, cols)
}

// copyRowsGo is the twin of the assembly's copyRows.
func copyRowsGo(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		copy(dst[r*ldd:r*ldd+cols], src[r*lds:])
	}
}

// transposed writes the transpose of the rows×cols block of src: element (r, c)
// to dst[c·ldd + r].
func (ks *kernels) transposed(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	_ = dst[span(cols, rows, ldd)-1]
	_ = src[span(rows, cols, lds)-1]
	done := 0
	if ks.transpose != nil {
		done = rows - ks.transpose(dst, ldd, src, lds, rows, cols)
	}
	if done < rows {
		transposeGo(dst[done:], ldd, src[done*lds:], lds, rows-done, cols)
	}
}

// transposeGo is the twin of the assembly's transpose.
func transposeGo(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	r := 0
	for ; r+4 <= rows; r += 4 {
		s0, s1 := src[r*lds:][:cols], src[(r+1)*lds:][:cols]
		s2, s3 := src[(r+2)*lds:][:cols], src[(r+3)*lds:][:cols]
		for c := range s0 {
			d := dst[c*ldd+r:][:4]
			d[0], d[1], d[2], d[3] = s0[c], s1[c], s2[c], s3[c]
		}
	}
	for ; r < rows; r++ {
		for c, v := range src[r*lds:][:cols] {
			dst[c*ldd+r] = v
		}
	}
}

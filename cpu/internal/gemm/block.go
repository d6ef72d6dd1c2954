package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// region is a block of the product and where it goes.
type region[T vec.Float] struct {
	i0, i1, j0, j1, k0, k1 int

	c, d   []T // d is what beta multiplies
	ldc    int
	ldd    int
	origin int // index of the first element of c in C
	beta   T
	last   bool // with the epilogue and, where the plan says so, across
}

// block computes a region, depth block after depth block.
func (j *job[T]) block(w *worker[T], r region[T]) {
	if j.gather {
		j.gathered(w, r)
		return
	}
	width := r.j1 - r.j0
	if j.bMode == bLocal {
		width = min(width, fit[T](ncLocal))
	}
	for k0 := r.k0; k0 < r.k1; k0 += j.kc {
		kc := min(j.kc, r.k1-k0)
		for j0 := r.j0; j0 < r.j1; j0 += width {
			j1 := min(j0+width, r.j1)
			if j.bMode == bLocal {
				j.packLocal(w, j0, j1, k0, kc)
			}
			for i0 := r.i0; i0 < r.i1; i0 += j.mc {
				j.macro(w, &r, i0, min(i0+j.mc, r.i1), j0, j1, k0, kc)
			}
		}
	}
}

// macro runs the micro-kernel over a block of A and some panels of B.
func (j *job[T]) macro(w *worker[T], r *region[T], i0, i1, j0, j1, k0, kc int) {
	ks := j.g.k
	t := &w.t
	rows := i1 - i0
	a, order := j.blockA(w, i0, rows, k0, kc)
	depth := j.packed(kc)
	t.kc, t.parts = uintptr(depth), 1
	t.near = 0
	if j.bMode == bPacked || j.bMode == bShared {
		t.near = nearBytes
	}
	// The first block adds to d, the others to what that left in c.
	t.alpha, t.beta = j.args.Alpha, 1
	d, ldd, origin := r.c, r.ldc, r.origin
	if k0 == r.k0 {
		t.beta, d, ldd, origin = r.beta, r.d, r.ldd, 0
	}
	last := r.last && k0+kc == r.k1
	across := r.last && j.swapped
	t.relu, t.bias = 0, nil
	if last {
		act := j.args.act()
		t.relu, t.most, t.shift, t.factor = uint32(act.Kind), act.Most, act.Shift, act.Factor
	}
	beta := t.beta
	// Sums are apart on their way across or to the end of K.
	row := size[T]() * uintptr(ks.nr)
	toPanel, fromPanel := across || j.gather && !last, j.gather && k0 > r.k0
	t.ldc, t.ldd = size[T]()*uintptr(r.ldc), size[T]()*uintptr(ldd)
	t.fetch, t.stream = 0, 0
	if j.stream && !toPanel {
		t.stream = 1
	} else if j.far && !toPanel {
		t.fetch = 1
	}
	if toPanel {
		t.ldc = row
	}
	if fromPanel {
		t.ldd = row
	}
	if across {
		t.relu = 0
		if !fromPanel {
			t.beta = 0
		}
		if j.gather {
			beta, d, ldd = r.beta, r.d, r.ldd
		}
	}
	// Rows are dealt out evenly so that no tile is much lower than the others.
	tiles := ceil(rows, ks.mr)
	low, more := rows/tiles, rows%tiles
	w.next = fetches{}
	if j.deep {
		w.next = j.nextRows(tiles*ceil(j1-j0, ks.nr), i0, i1, j0, j1, k0+kc, min(k0+2*kc, r.k1))
	}
	// The next panel of B is fetched over four tiles at half the pace of a tile's turns, or over two where there are not as many.
	fetchers, share, run := 2, row*uintptr(depth/2), uint64(depth)
	if tiles >= 4 {
		fetchers, share, run = 4, row*uintptr(depth/4), 2
	}
	residual := beta != 0 && k0 == r.k0 && !across
	pending := j0 // the first column that After does not have yet
	for jj := j0; jj < j1; jj += ks.nr {
		cols := min(ks.nr, j1-jj)
		t.setCols(cols)
		j.panelB(w, jj, j0, cols, k0, kc)
		near := jj > j0 || rows <= fewRows // the rows of A
		var ahead unsafe.Pointer           // the panel that comes next, where it comes from far
		if jj+ks.nr < j1 && near {
			switch j.bMode {
			case bPacked:
				ahead = unsafe.Pointer(&j.b.Data[((jj/ks.nr+1)*j.packed(j.k)+k0/j.fold)*ks.nr])
			case bShared:
				ahead = unsafe.Pointer(&j.shared[(((jj-j.j0)/ks.nr+1)*j.packed(j.k)+k0/j.fold)*ks.nr])
			}
		}
		if last && j.args.Bias != nil && !across {
			t.bias = unsafe.Pointer(&j.args.Bias[jj])
		}
		var panel []T
		if toPanel || fromPanel {
			panel = j.panel(w, rows, j0, jj)
		}
		kernels := ks.tiles[order][(cols-1)/ks.lane]
		i := i0
		for n := range tiles {
			h := low
			if n < more {
				h++
			}
			t.rows = uint32(h)
			t.a = unsafe.Add(a, uintptr(i-i0)*t.rs)
			switch {
			case j.deep:
				t.fetchShare(&w.next)
			case ahead != nil && n < fetchers:
				t.pf, t.pfRun, t.pfld = unsafe.Add(ahead, uintptr(n)*share), run, turn[T]()
			case n == fetchers && fromPanel && jj+ks.nr < j1: // its sums
				t.pf, t.pfRun, t.pfld = unsafe.Add(unsafe.Pointer(unsafe.SliceData(panel)), uintptr(rows)*row), uint64(depth), 0
			case residual && near && i+h < i1:
				t.pf, t.pfRun, t.pfld = unsafe.Pointer(&d[(i+h)*ldd+jj-origin]), 1, t.ldd
			case residual && near && jj+ks.nr < j1:
				t.pf, t.pfRun, t.pfld = unsafe.Pointer(&d[i0*ldd+jj+ks.nr-origin]), 1, t.ldd
			case order == byDepth: // nothing new
				t.pf, t.pfRun, t.pfld = t.a, 1, 0
			case n+1 < tiles:
				t.fetchRows(unsafe.Add(t.a, uintptr(h)*t.rs), h, depth)
			default:
				t.fetchRows(a, h, depth)
			}
			if toPanel {
				t.c = unsafe.Pointer(&panel[(i-i0)*ks.nr])
			} else {
				t.c = unsafe.Pointer(&r.c[i*r.ldc+jj-r.origin])
			}
			if fromPanel {
				t.d = unsafe.Pointer(&panel[(i-i0)*ks.nr])
			} else if t.beta != 0 {
				t.d = unsafe.Pointer(&d[i*ldd+jj-origin])
			}
			kernels[h](t)
			i += h
		}
		if across && (last || !j.gather) {
			j.across(r, panel, d, ldd, i0, rows, jj, cols, beta, last)
		}
		if end := jj + cols; last && (end == j1 || (end-pending)*rows >= fit[T](afterBlock)) {
			j.after(w, i0, rows, pending, end-pending)
			pending = end
		}
	}
	if last && j.args.Watch != nil {
		j.args.Watch.Done(i0, rows, j0, j1-j0)
	}
}

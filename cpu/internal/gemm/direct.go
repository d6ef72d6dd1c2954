package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// Direct is C = A·B or C += A·B as it is: no planning, no packing, no threads. It is for callers that lay out the factors
// themselves and have many small products, such as Winograd's convolution; a worker needs one of its own.
//
// With a product of bfloat16 both factors are of pairs, A as [Gemm.Round] leaves it, and K is the number of pairs.
type Direct[T vec.Float] struct {
	M, N, K int
	A       []T // M×K, LDA elements from row to row; with ADepth K×M, its transpose
	LDA     int
	ADepth  bool
	B       []T // K×N as [Gemm.Pack] leaves it: panels of [Gemm.PanelWidth] columns
	C       []T // M×N, LDC elements from row to row
	LDC     int
	Add     bool // C += A·B
	D       []T  // with Add, what is added to in place of C: M×N, LDD elements from row to row; nil means C
	LDD     int
	Bias    []T  // length N, added to every row; nil for none
	ReLU    bool // then max(·, 0)

	t tile[T]
}

// Run computes the product on its caller. Slices too short for their sizes are a mistake of the kernel and panic.
func (d *Direct[T]) Run(g *Gemm[T]) {
	if d.M == 0 || d.N == 0 {
		return
	}
	ks, e := g.k, size[T]()
	mr, nr := ks.mr, ks.nr
	if d.ADepth {
		inside("A", d.A, d.K, d.M, d.LDA)
	} else {
		inside("A", d.A, d.M, d.K, d.LDA)
	}
	inside("the packed B", d.B, 1, ceil(d.N, nr)*nr*d.K, ceil(d.N, nr)*nr*d.K)
	inside("C", d.C, d.M, d.N, d.LDC)
	from, ldd := d.C, d.LDC
	if d.D != nil {
		from, ldd = d.D, d.LDD
		inside("D", d.D, d.M, d.N, d.LDD)
	}
	if d.Bias != nil {
		inside("the bias", d.Bias, 1, d.N, d.N)
	}
	t := &d.t
	t.kc, t.alpha, t.beta, t.relu, t.bias = uintptr(d.K), 1, 0, 0, nil
	if d.Add {
		t.beta = 1
	}
	if d.ReLU {
		t.relu = 1
	}
	t.ldb, t.ldc, t.ldd = e*uintptr(nr), e*uintptr(d.LDC), e*uintptr(ldd)
	order, row := byRows, e*uintptr(d.LDA)
	t.rs, t.ks = row, e
	if d.ADepth {
		order, row = byDepth, e
		t.rs, t.ks = e, e*uintptr(d.LDA)
	}
	a, b, c := unsafe.Pointer(unsafe.SliceData(d.A)), unsafe.Pointer(unsafe.SliceData(d.B)), unsafe.Pointer(unsafe.SliceData(d.C))
	f := unsafe.Pointer(unsafe.SliceData(from))
	tiles := ceil(d.M, mr)
	low, more := d.M/tiles, d.M%tiles
	for j := 0; j < d.N; j += nr {
		cols := min(nr, d.N-j)
		t.setCols(cols)
		t.b = unsafe.Add(b, e*uintptr(j*d.K))
		if d.Bias != nil {
			t.bias = unsafe.Pointer(&d.Bias[j])
		}
		kernels := ks.tiles[order][(cols-1)/ks.lane]
		i := 0
		for n := range tiles {
			h := low
			if n < more {
				h++
			}
			t.rows = uint32(h)
			t.a = unsafe.Add(a, uintptr(i)*row)
			t.c = unsafe.Add(c, uintptr(i)*t.ldc+e*uintptr(j))
			t.d = unsafe.Add(f, uintptr(i)*t.ldd+e*uintptr(j))
			t.pf, t.pfRun, t.pfld = t.a, 1, 0
			if order == byRows {
				t.pfRun, t.pfld = uint64(d.K/2/h+1), row
				if n+1 < tiles {
					t.pf = unsafe.Add(t.a, uintptr(h)*row)
				}
			}
			kernels[h](t)
			i += h
		}
	}
}

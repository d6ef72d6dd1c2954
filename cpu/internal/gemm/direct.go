package gemm

import (
	"fmt"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// Direct is C = A·B or C += A·B as it is: no planning, no packing, no threads. It is for callers that lay out the factors
// themselves and have many small products, such as Winograd's convolution; a worker needs one of its own.
//
// With a product of bfloat16 both factors are of pairs, A as [Gemm.Round] leaves it, and K is the number of pairs.
type Direct[T vec.Float] struct {
	M, N, K int
	A       []T // M×K, LDA elements from row to row, which may be less than K; with ADepth K×M, its transpose
	LDA     int
	ADepth  bool
	Pieces  int // rows of A consist of so many pieces of K/Pieces elements; 0 means 1. Not with ADepth
	Jump    int // elements from piece to piece
	B       []T // K×N as [Gemm.Pack] leaves it: panels of [Gemm.PanelWidth] columns
	C       []T // M×N, LDC elements from row to row
	LDC     int
	Add     bool // C += A·B
	D       []T  // with Add, what is added to in place of C: M×N, LDD elements from row to row; nil means C
	LDD     int
	Bias    []T  // length N, added to every row; nil for none
	ReLU    bool // then max(·, 0)

	// So many products with one B, 0 meaning 1: from each to the next A begins ANext elements further, C and D CNext.
	Times, ANext, CNext int

	t tile[T]
}

// check panics where slices are too short for their sizes: a mistake of the kernel.
func (d *Direct[T]) check(ks *kernels[T], pieces, times int) {
	if pieces > 1 && (d.ADepth || d.K%pieces != 0) {
		panic(fmt.Sprintf("gemm: rows of A in %d pieces of K/%d elements with K=%d, ADepth=%t; want a K that they divide and rows that are not transposed",
			pieces, pieces, d.K, d.ADepth))
	}
	more := (times - 1) * d.ANext
	if d.ADepth && d.K > 0 {
		inside("A", d.A[more:], d.K, d.M, d.LDA)
	} else if last := more + (d.M-1)*d.LDA + (pieces-1)*d.Jump + d.K/pieces; d.K > 0 && len(d.A) < last {
		panic(fmt.Sprintf("gemm: A has %d elements, its rows want %d", len(d.A), last))
	}
	inside("the packed B", d.B, 1, ceil(d.N, ks.nr)*ks.nr*d.K, ceil(d.N, ks.nr)*ks.nr*d.K)
	inside("C", d.C[(times-1)*d.CNext:], d.M, d.N, d.LDC)
	if d.D != nil {
		inside("D", d.D[(times-1)*d.CNext:], d.M, d.N, d.LDD)
	}
	if d.Bias != nil {
		inside("the bias", d.Bias, 1, d.N, d.N)
	}
}

// Run computes the product on its caller. Slices too short for their sizes are a mistake of the kernel and panic.
func (d *Direct[T]) Run(g *Gemm[T]) {
	if d.M == 0 || d.N == 0 {
		return
	}
	ks, e := g.k, size[T]()
	mr, nr := ks.mr, ks.nr
	pieces, times := max(d.Pieces, 1), max(d.Times, 1)
	d.check(ks, pieces, times)
	depth := d.K / pieces
	from, ldd := d.C, d.LDC
	if d.D != nil {
		from, ldd = d.D, d.LDD
	}
	t := &d.t
	t.near = nearBytes
	t.kc, t.alpha, t.beta, t.relu, t.bias = uintptr(depth), 1, 0, 0, nil
	t.parts, t.jump = uintptr(pieces), e*uintptr(d.Jump-depth)
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
		for n := range times {
			t.a = unsafe.Add(a, e*uintptr(n*d.ANext))
			t.c = unsafe.Add(c, e*uintptr(n*d.CNext+j))
			t.d = unsafe.Add(f, e*uintptr(n*d.CNext+j))
			for n := range tiles {
				h := uintptr(low)
				if n < more {
					h++
				}
				t.rows = uint32(h)
				t.pf, t.pfRun, t.pfld = t.a, 1, 0
				if order == byRows {
					t.pfRun, t.pfld = uint64(d.K/2/int(h)+1), row
					if n+1 < tiles {
						t.pf = unsafe.Add(t.a, h*row)
					}
				}
				kernels[h](t)
				if n+1 < tiles {
					t.a, t.c, t.d = unsafe.Add(t.a, h*row), unsafe.Add(t.c, h*t.ldc), unsafe.Add(t.d, h*t.ldd)
				}
			}
		}
	}
}

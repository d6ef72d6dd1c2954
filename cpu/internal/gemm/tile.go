package gemm

import "unsafe"

// tile is the argument of a micro-kernel: a small block of C and where its
// factors lie. Strides are in bytes. The assembly reads the fields by offset;
// those with a 4-byte type lie last.
type tile struct {
	a      unsafe.Pointer // element (0, 0) of A's rows
	rs, ks uintptr        // from row to row and from k to k of A
	b      unsafe.Pointer // row 0 of B; the columns of a row are contiguous
	ldb    uintptr
	kc     uintptr // depth; 0 is allowed and sums to 0
	c      unsafe.Pointer
	ldc    uintptr
	bias   unsafe.Pointer // nil for none
	mask   uint64         // one bit a column (AVX-512)
	lanes  unsafe.Pointer // eight int32, -1 where the last vector is used (AVX2)
	alpha  float32
	beta   float32
	relu   uint32 // 1 for max(·, 0)
	cols   uint32 // number of columns
	rows   uint32 // number of rows (plain Go; the assembly has one kernel a height)
	_      uint32
	pf     unsafe.Pointer // first row of A of the tile that comes next, to fetch ahead
	pfRun  uint64         // pairs of k a row of it is fetched over, at least 1
}

// kernel computes C = relu?(alpha·A·B + beta·C + bias) on one tile; it never
// reads C when beta is 0.
type kernel func(t *tile)

// kernels is one instruction set's choice of micro-kernels.
type kernels struct {
	mr, nr int // largest tile
	// lane is how many columns a vector has. Rows of B are read in whole vectors.
	lane int
	// kernels by the order of A's elements (byRows, byDepth), then by the number
	// of vectors less 1, then by rows.
	tiles [2][][]kernel

	// Both write what copied and transposed say, as far as they can, and return
	// how many rows are left. nil does nothing.
	copyRows  func(dst []float32, ldd int, src []float32, lds, rows, cols int) int
	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int) int
}

// The orders of A that micro-kernels take. A kernel for byRows assumes ks = 4,
// one for byDepth rs = 4.
const (
	byRows = iota
	byDepth
)

// lanes[8-n:] is the AVX2 mask that keeps the first n of 8 lanes.
var lanes = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// setCols fills the fields that depend on the number of columns.
func (t *tile) setCols(cols int) {
	t.cols = uint32(cols)
	t.mask = 1<<cols - 1
	t.lanes = unsafe.Pointer(&lanes[7-(cols-1)%8])
}

// generic is the plain Go kernel set: its tile is what fits the scalar
// registers of amd64 and arm64.
var generic = kernels{
	mr: 4, nr: 8, lane: 8,
	tiles: [2][][]kernel{genericTiles, genericTiles},
}

var genericTiles = [][]kernel{{nil, kernelGeneric, kernelGeneric, kernelGeneric, kernelGeneric}}

// kernelGeneric is the twin of every assembly kernel.
func kernelGeneric(t *tile) {
	rows, cols := int(t.rows), int(t.cols)
	if rows == 4 {
		j := 0
		for ; j+2 <= cols; j += 2 {
			generic4x2(t, j)
		}
		for ; j < cols; j++ {
			for r := range rows {
				generic1x1(t, r, j)
			}
		}
		return
	}
	for r := range rows {
		for j := range cols {
			generic1x1(t, r, j)
		}
	}
}

// generic4x2 keeps a block of 4 rows and columns j, j+1 in registers.
func generic4x2(t *tile, j int) {
	var c00, c01, c10, c11, c20, c21, c30, c31 float32
	// Offsets, not moving pointers: those would end up outside of the slices.
	var ka, kb uintptr
	kb = uintptr(4 * j)
	for range t.kc {
		b0, b1 := at(t.b, kb), at(t.b, kb+4)
		x := at(t.a, ka)
		c00 += x * b0
		c01 += x * b1
		x = at(t.a, ka+t.rs)
		c10 += x * b0
		c11 += x * b1
		x = at(t.a, ka+2*t.rs)
		c20 += x * b0
		c21 += x * b1
		x = at(t.a, ka+3*t.rs)
		c30 += x * b0
		c31 += x * b1
		ka += t.ks
		kb += t.ldb
	}
	t.put(0, j, c00)
	t.put(0, j+1, c01)
	t.put(1, j, c10)
	t.put(1, j+1, c11)
	t.put(2, j, c20)
	t.put(2, j+1, c21)
	t.put(3, j, c30)
	t.put(3, j+1, c31)
}

func generic1x1(t *tile, r, j int) {
	ka, kb := uintptr(r)*t.rs, uintptr(4*j)
	var s float32
	for range t.kc {
		s += at(t.a, ka) * at(t.b, kb)
		ka += t.ks
		kb += t.ldb
	}
	t.put(r, j, s)
}

func at(p unsafe.Pointer, bytes uintptr) float32 { return *(*float32)(unsafe.Add(p, bytes)) }

// put finishes one element.
func (t *tile) put(r, j int, s float32) {
	c := (*float32)(unsafe.Add(t.c, uintptr(r)*t.ldc+uintptr(4*j)))
	if t.alpha != 1 {
		s *= t.alpha
	}
	if t.beta != 0 {
		s += t.beta * *c
	}
	if t.bias != nil {
		s += *(*float32)(unsafe.Add(t.bias, 4*j))
	}
	if t.relu != 0 && s < 0 {
		s = 0
	}
	*c = s
}

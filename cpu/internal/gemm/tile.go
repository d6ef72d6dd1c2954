package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// tile is the argument of a micro-kernel: a small block of C and where its
// factors lie. Strides are in bytes. The assembly reads the fields by offset;
// those whose size depends on T lie last.
type tile[T vec.Float] struct {
	a      unsafe.Pointer // element (0, 0) of A's rows
	rs, ks uintptr        // from row to row and from k to k of A
	b      unsafe.Pointer // row 0 of B; the columns of a row are contiguous
	ldb    uintptr
	kc     uintptr // depth; 0 is allowed and sums to 0
	c      unsafe.Pointer
	ldc    uintptr
	bias   unsafe.Pointer // nil for none
	mask   uint64         // one bit a column (AVX-512)
	lanes  unsafe.Pointer // 32 bytes, ones where the last vector is used (AVX2)
	pf     unsafe.Pointer // first row of what comes next, to fetch ahead
	pfRun  uint64         // pairs of k a row of it is fetched over, at least 1
	d      unsafe.Pointer // what beta multiplies: c itself, or a matrix like it
	ldd    uintptr
	pfld   uintptr // from row to row of what is fetched ahead
	parts  uintptr // pieces of kc elements that a row of A has, at least 1 (byRows; others have one)
	jump   uintptr // from the end of a piece to the next
	relu   uint32  // the activation, an actKind
	cols   uint32  // number of columns
	rows   uint32  // number of rows (plain Go; the assembly has one kernel a height)
	near   uint32  // bytes from the row of B at hand to what few rows fetch ahead
	fetch  uint32  // 1 to fetch the lines of C before the sums
	stream uint32  // 1 to write C past the caches, in whole vectors at multiples of their size; Go's twin does not
	alpha  T
	beta   T
	most   T // of the activation
	shift  T
	factor T
}

// kernel computes C = bent(alpha·A·B + beta·D + bias) on one tile, with an activation; it never
// reads D when beta is 0.
type kernel[T vec.Float] func(t *tile[T])

// kernels is one instruction set's choice of micro-kernels.
type kernels[T vec.Float] struct {
	mr, nr int // largest tile
	// lane is how many columns a vector has. Rows of B are read in whole vectors.
	lane int
	// kernels by the order of A's elements (byRows, byDepth), then by the number
	// of vectors less 1, then by rows.
	tiles [2][][]kernel[T]

	// round makes pairs of bfloat16 of factors as they are packed; nil packs numbers as they are.
	round *rounding[T]

	// copyRows writes what copied says, as far as it can, and returns how many rows
	// are left. nil does nothing.
	copyRows func(dst []T, ldd int, src []T, lds, rows, cols int) int

	// fence follows a tile that was written past the caches. nil says that the kernels cannot.
	fence func()
}

// The orders of A that micro-kernels take. A kernel for byRows assumes that
// ks is the size of an element, one for byDepth that rs is.
const (
	byRows = iota
	byDepth
)

// The AVX2 mask that keeps the first n bytes of a vector begins 32-n bytes into lanes.
var lanes = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// setCols fills the fields that depend on the number of columns.
func (t *tile[T]) setCols(cols int) {
	words := int(size[T]()) / 4
	t.cols = uint32(cols)
	t.mask = 1<<cols - 1
	t.lanes = unsafe.Pointer(&lanes[8-words-(cols-1)*words%8])
}

// size is the number of bytes of an element.
func size[T vec.Float]() uintptr { return unsafe.Sizeof(*new(T)) }

// level is the kernels of one instruction set for both element types.
type level struct {
	f32 kernels[float32]
	f64 kernels[float64]
}

// kernelsFor returns the micro-kernels of a level the machine has.
func kernelsFor[T vec.Float](l cpuid.Level) *kernels[T] {
	all := levelFor(l)
	if k, ok := any(&all.f32).(*kernels[T]); ok {
		return k
	}
	return any(&all.f64).(*kernels[T])
}

// generic is the plain Go kernel set.
var generic = level{genericKernels[float32](), genericKernels[float64]()}

// genericKernels has a tile that fits the scalar registers of amd64 and arm64.
func genericKernels[T vec.Float]() kernels[T] {
	k := kernel[T](kernelGeneric[T])
	tiles := [][]kernel[T]{{nil, k, k, k, k}}
	return kernels[T]{mr: 4, nr: 8, lane: 8, tiles: [2][][]kernel[T]{tiles, tiles}}
}

// kernelGeneric is the twin of every assembly kernel.
func kernelGeneric[T vec.Float](t *tile[T]) {
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
func generic4x2[T vec.Float](t *tile[T], j int) {
	var c00, c01, c10, c11, c20, c21, c30, c31 T
	// Offsets, not moving pointers: those would end up outside of the slices.
	var ka, kb uintptr
	kb = size[T]() * uintptr(j)
	for range t.parts {
		for range t.kc {
			b0, b1 := at[T](t.b, kb), at[T](t.b, kb+size[T]())
			x := at[T](t.a, ka)
			c00 += x * b0
			c01 += x * b1
			x = at[T](t.a, ka+t.rs)
			c10 += x * b0
			c11 += x * b1
			x = at[T](t.a, ka+2*t.rs)
			c20 += x * b0
			c21 += x * b1
			x = at[T](t.a, ka+3*t.rs)
			c30 += x * b0
			c31 += x * b1
			ka += t.ks
			kb += t.ldb
		}
		ka += t.jump
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

func generic1x1[T vec.Float](t *tile[T], r, j int) {
	ka, kb := uintptr(r)*t.rs, size[T]()*uintptr(j)
	var s T
	for range t.parts {
		for range t.kc {
			s += at[T](t.a, ka) * at[T](t.b, kb)
			ka += t.ks
			kb += t.ldb
		}
		ka += t.jump
	}
	t.put(r, j, s)
}

// put finishes one element.
func (t *tile[T]) put(r, j int, s T) {
	c := (*T)(unsafe.Add(t.c, uintptr(r)*t.ldc+size[T]()*uintptr(j)))
	if t.alpha != 1 {
		s *= t.alpha
	}
	if t.beta != 0 {
		s += t.beta * *(*T)(unsafe.Add(t.d, uintptr(r)*t.ldd+size[T]()*uintptr(j)))
	}
	if t.bias != nil {
		s += *(*T)(unsafe.Add(t.bias, size[T]()*uintptr(j)))
	}
	*c = bent(s, ActKind(t.relu), t.most, t.shift, t.factor)
}

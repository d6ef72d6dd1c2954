package gemm

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// NewBF16 returns the product of float32 matrices whose factors are rounded to bfloat16 (8 bits, to the nearest, ties to even)
// while they are packed; sums and the epilogue are float32. With native it runs on AVX512-BF16, which the machine must have
// ([cpuid.HasBF16]), without on its twin in plain Go, with the same result bit by bit where the shape of the blocks is the same.
//
// A packed element is a pair of bfloat16 that follow each other along K, the first in the lower half of the bits of a float32, so
// a product of pairs is in all else a product of float32 of half the depth. An odd K ends with a 0.
//
// Arithmetic is that of the instructions: numbers below the smallest normal one are 0, in factors and in sums, and of a pair
// the second product is added first, each sum rounded.
func NewBF16(native bool) *Gemm[float32] {
	if native && !cpuid.HasBF16() {
		panic("gemm: this machine has no AVX512-BF16; the engine must ask cpuid.HasBF16 first")
	}
	level, k := cpuid.Generic, &genericBF16
	if native {
		level, k = cpuid.AVX512, nativeBF16()
	}
	return &Gemm[float32]{level: level, k: k, ops: vec.For[float32](level), plain: New[float32](level)}
}

// Rounds says whether factors are rounded to bfloat16.
func (g *Gemm[T]) Rounds() bool { return g.k.round != nil }

// Fold is how many k an element of a packed factor holds: 2 where factors are rounded, otherwise 1.
func (g *Gemm[T]) Fold() int { return g.k.fold() }

// Round makes rows of pairs of rows of cols elements, half as many, the last of an odd number with 0. Strides are in elements. It is
// for products that round their factors only.
func (g *Gemm[T]) Round(dst []T, ldd int, src []T, lds, rows, cols int) {
	if rows > 0 && cols > 0 {
		g.k.round.rows(dst, ldd, src, lds, rows, cols)
	}
}

// Plain is the product of numbers as they are on the same instruction set: g itself, unless it rounds.
func (g *Gemm[T]) Plain() *Gemm[T] {
	if g.plain != nil {
		return g.plain
	}
	return g
}

// rounding makes pairs of bfloat16; rows and cols are at least 1.
type rounding[T vec.Float] struct {
	// rows makes rows of pairs of rows: pair (r, c) of elements (r, 2c) and (r, 2c+1).
	rows func(dst []T, ldd int, src []T, lds, rows, cols int)
	// columns makes a row of pairs of two rows: pair (r, c) of elements (2r, c) and (2r+1, c).
	columns func(dst []T, ldd int, src []T, lds, rows, cols int)
}

// fold is how many k an element of a packed factor holds.
func (ks *kernels[T]) fold() int {
	if ks.round == nil {
		return 1
	}
	return 2
}

var genericBF16 = func() kernels[float32] {
	k := genericKernels[float32]()
	tiles := [][]kernel[float32]{{nil, kernelGenericBF16, kernelGenericBF16, kernelGenericBF16, kernelGenericBF16}}
	k.tiles = [2][][]kernel[float32]{tiles, tiles}
	k.round = &rounding[float32]{rows: roundRowsGo, columns: roundColumnsGo}
	return k
}()

// kernelGenericBF16 is the twin of every assembly kernel on pairs. Four sums go side by side, as each waits for its last one.
func kernelGenericBF16(t *tile[float32]) {
	for r := range int(t.rows) {
		j := 0
		for ; j+4 <= int(t.cols); j += 4 {
			ka, kb := uintptr(r)*t.rs, 4*uintptr(j)
			var s0, s1, s2, s3 float32
			for range t.parts {
				for range t.kc {
					x, y := at[uint32](t.a, ka), (*[4]uint32)(unsafe.Add(t.b, kb))
					x1, x0 := upper(x), lower(x)
					s0, s1 = addTo(s0, x1*upper(y[0])), addTo(s1, x1*upper(y[1]))
					s2, s3 = addTo(s2, x1*upper(y[2])), addTo(s3, x1*upper(y[3]))
					s0, s1 = addTo(s0, x0*lower(y[0])), addTo(s1, x0*lower(y[1]))
					s2, s3 = addTo(s2, x0*lower(y[2])), addTo(s3, x0*lower(y[3]))
					ka += t.ks
					kb += t.ldb
				}
				ka += t.jump
			}
			t.put(r, j, s0)
			t.put(r, j+1, s1)
			t.put(r, j+2, s2)
			t.put(r, j+3, s3)
		}
		for ; j < int(t.cols); j++ {
			ka, kb := uintptr(r)*t.rs, 4*uintptr(j)
			var s float32
			for range t.parts {
				for range t.kc {
					s = dotPair(s, at[uint32](t.a, ka), at[uint32](t.b, kb))
					ka += t.ks
					kb += t.ldb
				}
				ka += t.jump
			}
			t.put(r, j, s)
		}
	}
}

// dotPair adds the products of two pairs to s as VDPBF16PS does.
func dotPair(s float32, x, y uint32) float32 {
	return addTo(addTo(flush(s), upper(x)*upper(y)), lower(x)*lower(y))
}

// upper and lower are the numbers of a pair.
func upper(x uint32) float64 { return float64(math.Float32frombits(x &^ 0xffff)) }
func lower(x uint32) float64 { return float64(math.Float32frombits(x << 16)) }

// addTo is s, which is none of the numbers that [flush] makes 0, and a product of two bfloat16, rounded once. In float64 the product is
// exact, and so is the sum, unless one of the two is so small beside the other that it does not change how that is rounded.
func addTo(s float32, product float64) float32 { return flush(float32(float64(s) + product)) }

// flush is x, or a zero of its sign instead of a number below the smallest normal one.
func flush(x float32) float32 {
	if bits := math.Float32bits(x); bits&0x7f800000 == 0 {
		return math.Float32frombits(bits & 0x80000000)
	}
	return x
}

// roundBF16 is the upper half of x rounded to bfloat16. NaN stays NaN, what is too large becomes infinite.
func roundBF16(x float32) uint32 {
	bits := math.Float32bits(flush(x))
	if x != x {
		return bits>>16 | 0x40 // quiet, so that it stays NaN when the other bits are lost
	}
	return (bits + 0x7fff + bits>>16&1) >> 16
}

func pairOf(x, y float32) float32 { return math.Float32frombits(roundBF16(x) | roundBF16(y)<<16) }

// roundRowsGo is the twin of the assembly's roundRows.
func roundRowsGo(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		d, s := dst[r*ldd:][:ceil(cols, 2)], src[r*lds:][:cols]
		for c := range d[:cols/2] {
			d[c] = pairOf(s[2*c], s[2*c+1])
		}
		if cols%2 != 0 {
			d[cols/2] = pairOf(s[cols-1], 0)
		}
	}
}

// roundColumnsGo is the twin of the assembly's foldRows.
func roundColumnsGo(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := 0; r < rows; r += 2 {
		d, s := dst[r/2*ldd:][:cols], src[r*lds:][:cols]
		if r+1 == rows {
			for c, x := range s {
				d[c] = pairOf(x, 0)
			}
			return
		}
		for c, y := range src[(r+1)*lds:][:cols] {
			d[c] = pairOf(s[c], y)
		}
	}
}

// at reads an element, or of pairs their bits.
func at[T vec.Float | uint32](p unsafe.Pointer, bytes uintptr) T { return *(*T)(unsafe.Add(p, bytes)) }

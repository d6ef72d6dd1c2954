package gemm

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// native are the kernels of this machine for pairs, if it has any.
func native(t *testing.T) *kernels[float32] {
	if !cpuid.HasBF16() {
		t.Skip("this machine has no AVX512-BF16")
	}
	return NewBF16(true).k
}

// TestRoundBF16 has what rounding to the nearest, ties to even, makes of numbers.
func TestRoundBF16(t *testing.T) {
	for x, want := range map[uint32]uint32{
		0: 0, 0x80000000: 0x8000, 0x3f800000: 0x3f80,
		0x3f808000: 0x3f80, 0x3f818000: 0x3f82, 0x3f808001: 0x3f81, 0x3f817fff: 0x3f81, // ties, and beside them
		0x7f7fffff: 0x7f80, 0xff7fffff: 0xff80, 0x7f7f7fff: 0x7f7f, 0x7f800000: 0x7f80, // too large
		0x007fffff: 0, 0x80000001: 0x8000, 0x00800000: 0x80, // below the smallest normal number
		0x7f800001: 0x7fc0, 0x7fffffff: 0x7fff, 0xffa12345: 0xffe1, // NaN
	} {
		require.Equal(t, want, roundBF16(math.Float32frombits(x)), "%#x", x)
	}
}

// special are numbers on which roundings and sums differ if they ever do.
var special = []uint32{0, 0x80000000, 0x3f808000, 0x3f818000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x00400000, 0x807fffff, 0x00800000, 0x1f800000, 0x5f000000}

// anyFloat is a number of any size, now and then a special one.
func anyFloat(rng *rand.Rand) float32 {
	if rng.IntN(16) == 0 {
		return math.Float32frombits(special[rng.IntN(len(special))])
	}
	return float32(rng.NormFloat64() * math.Pow(2, float64(rng.IntN(60)-30)))
}

// TestRounding holds the assembly's packing of pairs against its twin, bit by bit.
func TestRounding(t *testing.T) {
	asm := native(t).round
	rng := rand.New(rand.NewPCG(7, 0))
	for range 500 {
		rows, cols := 1+rng.IntN(20), 1+rng.IntN(140)
		lds, ldd := cols+rng.IntN(9), cols+rng.IntN(9)
		src, checkSrc := matrix[float32](t, rng, rows, cols, lds)
		for r := range rows {
			for c := range cols {
				src[r*lds+c] = anyFloat(rng)
			}
		}
		for name, f := range map[string][2]func([]float32, int, []float32, int, int, int){
			"rows": {roundRowsGo, asm.rows}, "columns": {roundColumnsGo, asm.columns},
		} {
			h, w := rows, ceil(cols, 2)
			if name == "columns" {
				h, w = ceil(rows, 2), cols
			}
			var out [2][]uint32
			for i, round := range f {
				dst, check := guarded[float32](t, span(h, w, ldd))
				round(dst, ldd, src, lds, rows, cols)
				check()
				for r := range h {
					for c := range ldd { // what lies between the rows too
						if at := r*ldd + c; at < len(dst) {
							out[i] = append(out[i], math.Float32bits(dst[at]))
						}
					}
				}
			}
			require.Equal(t, out[0], out[1], "%s of %d×%d", name, rows, cols)
		}
		checkSrc()
	}
}

// TestDotPair: each product of a pair is added with one rounding, the upper one first.
func TestDotPair(t *testing.T) {
	pair := func(lower, upper float32) uint32 { return math.Float32bits(pairOf(lower, upper)) }
	for _, c := range []struct {
		s, want float32
		x, y    uint32
	}{
		{1, 1 + 3*4 - 2, pair(3, 2), pair(4, -1)},
		{1 << 24, 1<<24 + 4, pair(1, 1), pair(1, 2)}, // the other way round the lower product would be lost
		{0x1p100, 0, pair(-0x1p50, 1), pair(0x1p50, 1)},
		{1, 1, pair(0x1p-12, 0), pair(0x1p-12, 0)}, // half a bit
		{1 + 0x1p-23, 1 + 0x1p-22, pair(0x1p-12, 0), pair(0x1p-12, 0)},
		{1, 1 + 0x1p-23, pair(0x1.02p-12, 0), pair(0x1p-12, 0)},
		{0x1p-126, 0, pair(-0x1p-63, 0), pair(0x1.8p-64, 0)}, // below the smallest normal number
		{0x1p-127, 1, pair(1, 0), pair(1, 0)},
	} {
		require.Equal(t, c.want, dotPair(c.s, c.x, c.y), "%v + %#x·%#x", c.s, c.x, c.y)
	}
}

// TestKernelsBF16 holds every micro-kernel on pairs against its twin, bit by bit: the instruction's sums are defined.
func TestKernelsBF16(t *testing.T) {
	ks := native(t)
	rng := rand.New(rand.NewPCG(8, 0))
	for round := range 4 {
		for order, wide := range ks.tiles {
			for vectors, heights := range wide {
				for h := 1; h < len(heights); h++ {
					for _, kc := range []int{0, 1, 2, 7, 40} {
						cols := vectors*ks.lane + 1 + rng.IntN(ks.lane)
						lda := kc
						if order == byDepth {
							lda = h
						}
						a, b := make([]float32, h*kc+1), make([]float32, kc*ks.nr+1)
						for _, x := range [][]float32{a, b} {
							for i := range x {
								if round < 2 {
									x[i] = pairOf(float32(rng.NormFloat64()), float32(rng.NormFloat64()))
								} else {
									x[i] = pairOf(anyFloat(rng), anyFloat(rng))
								}
							}
						}
						var out [2][]float32
						for i, run := range []kernel[float32]{kernelGenericBF16, heights[h]} {
							c, check := matrix[float32](t, rng, h, cols, cols+3)
							tl := &tile[float32]{a: unsafe.Pointer(&a[0]), rs: 4 * uintptr(lda), ks: 4, b: unsafe.Pointer(&b[0]), ldb: 4 * uintptr(ks.nr),
								kc: uintptr(kc), c: unsafe.Pointer(&c[0]), ldc: 4 * uintptr(cols+3), alpha: 1, rows: uint32(h), pf: unsafe.Pointer(&a[0]), pfRun: 1, parts: 1}
							if order == byDepth {
								tl.rs, tl.ks = 4, 4*uintptr(lda)
							}
							tl.setCols(cols)
							run(tl)
							check()
							for r := range h {
								out[i] = append(out[i], c[r*(cols+3):][:cols]...)
							}
						}
						for i, want := range out[0] {
							if got := out[1][i]; math.Float32bits(want) != math.Float32bits(got) && (want == want || got == got) {
								t.Fatalf("order %d, %d×%d×%d: element %d is %v, twin %v", order, h, cols, kc, i, got, want)
							}
						}
					}
				}
			}
		}
	}
}

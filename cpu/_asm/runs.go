package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func runsAVX512(f float) { emitRuns(avx512(f)) }

func runsAVX2(f float) { emitRuns(avx2(f)) }

// emitRuns emits the loops over runs: short stretches of elements at equal
// distances. Nothing outside the runs is read or written.
func emitRuns(s *simd) {
	// Copies know no elements: those of float64 are two float32 each.
	switch {
	case s.size == 8:
	case s.suffix == "AVX512":
		s.copyRunsMasked()
	default:
		s.copyRunsOverlapping()
	}
	s.maxRuns()
	s.maxWindows()
	s.routeWindows()
}

// walk is a pointer that goes on by a stride in bytes.
type walk struct{ p, stride reg.GPVirtual }

func (s *simd) walk(p, stride string) walk { return walk{s.gp(p), s.gp(stride)} }

// loop emits body for each run and, after the last one, the return.
func (s *simd) loop(label string, runs reg.GPVirtual, moving []walk, body func()) {
	s.Label(label)
	body()
	for _, w := range moving {
		s.ADDQ(w.stride, w.p)
	}
	s.DECQ(runs)
	s.JNZ(operand.LabelRef(label))
	s.done()
}

// eachRun emits a loop over runs of at most one vector of n elements. AVX-512
// masks for free; AVX2 has a loop without masks for whole vectors.
func (s *simd) eachRun(n, runs reg.GPVirtual, moving []walk, body func(masked bool)) {
	if s.suffix != "AVX512" {
		s.CMPQ(n, operand.U8(s.lanes))
		s.JE(operand.LabelRef("whole"))
	}
	s.setMask(n)
	s.loop("part", runs, moving, func() { body(true) })
	if s.suffix != "AVX512" {
		s.loop("whole", runs, moving, func() { body(false) })
	}
}

const copySignature = "func(dst *float32, ldd uintptr, src *float32, lds, runs, n uintptr)"

func (s *simd) copyFunction() (dst, src walk, runs, n reg.GPVirtual) {
	s.function("copyRuns", copySignature,
		fmt.Sprintf("copies runs (at least 1) of n elements (1…%d); strides are in bytes.", 4*s.lanes))
	return s.walk("dst", "ldd"), s.walk("src", "lds"), s.gp("runs"), s.gp("n")
}

// copyRunsMasked has loops of one, two and four vectors, every one masked.
func (s *simd) copyRunsMasked() {
	dst, src, runs, n := s.copyFunction()
	bits := s.GP64()
	s.MOVQ(operand.I32(-1), bits)
	s.BZHIQ(n, bits, bits)
	masks := []reg.Register{s.K(), s.K(), s.K(), s.K()}
	for i, k := range masks {
		s.KMOVW(bits.As32(), k)
		if i < 3 {
			s.SHRQ(operand.U8(16), bits)
		}
		if i < 2 {
			s.JZ(operand.LabelRef(fmt.Sprint("vectors", i+1)))
		}
	}
	for _, vectors := range []int{4, 2, 1} {
		s.loop(fmt.Sprint("vectors", vectors), runs, []walk{dst, src}, func() {
			x := make([]reg.VecVirtual, vectors)
			for v := range x {
				x[v] = s.vec()
				s.VMOVUZ(at(src.p, 64*v), masks[v], x[v])
			}
			for v := range x {
				s.VMOVUPS(x[v], masks[v], at(dst.p, 64*v))
			}
		})
	}
}

// copyRunsOverlapping has loops of one to four vectors, the last of which ends
// with the run and may overlap the one before: masked stores are slow on some
// machines. Runs shorter than a vector have no choice.
func (s *simd) copyRunsOverlapping() {
	dst, src, runs, n := s.copyFunction()
	last := s.GP64() // where the last vector begins, in elements
	s.MOVQ(n, last)
	s.SUBQ(operand.U8(s.lanes), last)
	s.JL(operand.LabelRef("short"))
	for vectors := 1; vectors < 4; vectors++ {
		s.CMPQ(last, operand.U8((vectors-1)*s.lanes))
		s.JLE(operand.LabelRef(fmt.Sprint("vectors", vectors)))
	}
	for vectors := 4; vectors >= 1; vectors-- {
		s.loop(fmt.Sprint("vectors", vectors), runs, []walk{dst, src}, func() {
			x := make([]reg.VecVirtual, vectors)
			part := func(w walk, v int) operand.Mem {
				if v == vectors-1 {
					return place{index: last, size: s.size}.of(w.p)
				}
				return at(w.p, 4*s.lanes*v)
			}
			for v := range x {
				x[v] = s.load(part(src, v), false)
			}
			for v := range x {
				s.store(x[v], part(dst, v), false)
			}
		})
	}
	s.Label("short")
	s.setMask(n)
	s.loop("part", runs, []walk{dst, src}, func() {
		s.store(s.load(at(src.p, 0), true), at(dst.p, 0), true)
	})
}

// Predicates of VCMPPS, quiet.
const (
	equal     = 0
	unordered = 3
)

// maxRuns emits Go's max: NaN when either is, +0 above -0. MAXPS returns its
// second operand in both cases, so the two orders are joined: their bits differ
// for zeros of two signs, where the conjunction is +0, and for NaN, put in last.
func (s *simd) maxRuns() {
	s.function("maxRuns", copySignature,
		fmt.Sprintf("computes dst = max(dst, src), NaN if either is, for runs (at least 1) of n elements (1…%d); strides are in bytes.", s.lanes))
	dst, src := s.walk("dst", "ldd"), s.walk("src", "lds")
	s.eachRun(s.gp("n"), s.gp("runs"), []walk{dst, src}, func(masked bool) {
		a, b := s.load(at(dst.p, 0), masked), s.load(at(src.p, 0), masked)
		x, y := s.vec(), s.vec()
		s.VMAX(a, b, x)
		s.VMAX(b, a, y)
		s.VANDPS(x, y, x)
		if s.suffix == "AVX512" {
			nan := s.K()
			s.VCMP(operand.U8(unordered), a, b, nan)
			s.VADD(a, b, nan, x)
		} else {
			s.VCMP(operand.U8(unordered), a, b, y)
			s.VORPS(x, y, x) // all bits set: a NaN
		}
		s.store(x, at(dst.p, 0), masked)
	})
}

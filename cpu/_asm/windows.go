package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// windows is a loop over the positions of a window: for each of them n channels, four vectors a turn, one, then the rest, and
// for each turn the taps of the window, whose distances in bytes from its first element are in a table.
type windows struct {
	*simd
	moving       []walk // what goes on from position to position
	taps, ntaps  reg.GPVirtual
	at, off, tap reg.GPVirtual // bytes into the channels; the same at a tap; number of the tap
}

func (s *simd) newWindows(moving ...walk) *windows {
	return &windows{simd: s, moving: moving, taps: s.gp("taps"), ntaps: s.gp("ntaps"), at: s.GP64(), off: s.GP64(), tap: s.GP64()}
}

// eachTap emits a loop over the taps from the first one on.
func (w *windows) eachTap(label string, first int, body func()) {
	done := label + "done"
	w.MOVQ(operand.U32(first), w.tap)
	if first > 0 { // there is always one
		w.CMPQ(w.tap, w.ntaps)
		w.JGE(operand.LabelRef(done))
	}
	w.Label(label + "tap")
	w.MOVQ(operand.Mem{Base: w.taps, Index: w.tap, Scale: 8}, w.off)
	w.ADDQ(w.at, w.off)
	body()
	w.INCQ(w.tap)
	w.CMPQ(w.tap, w.ntaps)
	w.JL(operand.LabelRef(label + "tap"))
	w.Label(done)
}

// each emits the loop; block is a turn of so many vectors.
func (w *windows) each(block func(label string, vectors int, masked bool)) {
	runs, rest := w.gp("runs"), w.gp("n")
	w.ANDQ(operand.U8(w.lanes-1), rest)
	w.setMask(rest)
	w.Label("position")
	rest = w.gp("n")
	w.XORQ(w.at, w.at)
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprintf("vectors%d", vectors)
		w.CMPQ(rest, operand.U8(vectors*w.lanes))
		w.JL(operand.LabelRef(label + "after"))
		w.Label(label)
		block(label, vectors, false)
		w.ADDQ(operand.U32(vectors*w.lanes*w.size), w.at)
		w.SUBQ(operand.U8(vectors*w.lanes), rest)
		w.CMPQ(rest, operand.U8(vectors*w.lanes))
		w.JGE(operand.LabelRef(label))
		w.Label(label + "after")
	}
	w.TESTQ(rest, rest)
	w.JZ(operand.LabelRef("next"))
	block("tail", 1, true)
	w.Label("next")
	for _, m := range w.moving {
		w.ADDQ(m.stride, m.p)
	}
	w.DECQ(runs)
	w.JNZ(operand.LabelRef("position"))
	w.done()
}

// of is vector v of an array at the place in the index register.
func (w *windows) of(p walk, index reg.GPVirtual, v int) operand.Mem {
	return operand.Mem{Base: p.p, Index: index, Scale: 1, Disp: w.size * w.lanes * v}
}

// maxWindows emits max pooling. See maxRuns for the maximum; a NaN is put in last, as all bits set.
func (s *simd) maxWindows() {
	s.function("maxWindows", "func(y *float32, ldy uintptr, x *float32, ldx uintptr, taps *uintptr, ntaps, runs, n uintptr)",
		"computes y as the maximum over the taps (at least 1) of x, NaN if one is, for runs (at least 1) of n channels; strides and taps are in bytes.")
	y, x := s.walk("y", "ldy"), s.walk("x", "ldx")
	w := s.newWindows(y, x)
	w.each(func(label string, vectors int, masked bool) {
		most, nan := make([]reg.VecVirtual, vectors), make([]reg.Register, vectors)
		w.MOVQ(operand.Mem{Base: w.taps}, w.off)
		w.ADDQ(w.at, w.off)
		for v := range vectors {
			most[v] = s.load(w.of(x, w.off, v), masked)
			nan[v] = s.compare(unordered, most[v], most[v])
		}
		w.eachTap(label, 1, func() {
			for v := range vectors {
				a := s.load(w.of(x, w.off, v), masked)
				b := s.vec()
				s.or(s.compare(unordered, a, a), nan[v])
				s.VMAX(a, most[v], b)
				s.VMAX(most[v], a, most[v])
				s.VANDPS(b, most[v], most[v])
			}
		})
		for v := range vectors {
			s.setNaN(most[v], nan[v])
			s.store(most[v], w.of(y, w.at, v), masked)
		}
	})
}

// routeWindows emits max pooling's gradient.
func (s *simd) routeWindows() {
	s.function("routeWindows", "func(dx, x *float32, ldx uintptr, dy, y *float32, ldy uintptr, taps *uintptr, ntaps, runs, n uintptr)",
		"adds dy to dx at the first of the taps (at least 1) at which x = y or x is NaN, for runs (at least 1) of n channels; strides and taps are in bytes, ldx those of dx and x, ldy those of dy and y.")
	dx, dy := s.walk("dx", "ldx"), s.walk("dy", "ldy")
	x, y := walk{s.gp("x"), dx.stride}, walk{s.gp("y"), dy.stride}
	w := s.newWindows(dx, x, dy, y)
	w.each(func(label string, vectors int, masked bool) {
		left, top := make([]reg.VecVirtual, vectors), make([]reg.VecVirtual, vectors)
		for v := range vectors {
			left[v], top[v] = s.load(w.of(dy, w.at, v), masked), s.load(w.of(y, w.at, v), masked)
		}
		w.eachTap(label, 0, func() {
			for v := range vectors {
				a, sum := s.load(w.of(x, w.off, v), masked), s.load(w.of(dx, w.off, v), masked)
				hit := s.compare(equal, top[v], a)
				s.or(s.compare(unordered, a, a), hit)
				take := s.vec()
				if s.suffix == "AVX512" {
					s.VMOVAZ(left[v], hit, take)
				} else {
					s.VANDPS(left[v], hit, take)
				}
				s.VADD(take, sum, sum)
				s.VXORPS(take, left[v], left[v])
				s.store(sum, w.of(dx, w.off, v), masked)
			}
		})
	})
}

// compare returns where a predicate holds: a mask register for AVX-512, else a vector of bits.
func (s *simd) compare(predicate int, a, b reg.Register) reg.Register {
	if s.suffix == "AVX512" {
		k := s.K()
		s.VCMP(operand.U8(predicate), a, b, k)
		return k
	}
	x := s.vec()
	s.VCMP(operand.U8(predicate), a, b, x)
	return x
}

// or adds the places of a to those of b.
func (s *simd) or(a, b reg.Register) {
	if s.suffix == "AVX512" {
		s.KORW(a, b, b)
	} else {
		s.VORPS(a, b, b)
	}
}

// setNaN puts a NaN, all bits set, into the places of x.
func (s *simd) setNaN(x, places reg.Register) {
	switch {
	case s.suffix != "AVX512":
		s.VORPS(places, x, x)
	case s.size == 8:
		s.VPTERNLOGQ(operand.U8(0xff), x, x, places, x)
	default:
		s.VPTERNLOGD(operand.U8(0xff), x, x, places, x)
	}
}

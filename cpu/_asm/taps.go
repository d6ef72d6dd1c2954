package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The loops of convolutions with few channels a group. They take n filters, one vector a turn, then the rest.

// factor is what a filter is multiplied with.
type factor int

const (
	own  factor = iota // the channel of its number
	one                // the same channel as all n filters, which is broadcast
	four               // each of the four channels of its group, of four filters
)

func tapsAVX512(f float) { avx512(f).tapLoops() }

func tapsAVX2(f float) { avx2(f).tapLoops() }

// tapLoops emits both loops in both forms.
func (s *simd) tapLoops() {
	for _, of := range []factor{own, one, four} {
		s.sumTaps(of)
	}
	for _, taps := range []int{1, 3, 5, 7} {
		s.sumPixels(taps, own, false)
		s.sumPixels(taps, own, true)
	}
	most := 8
	if s.suffix == "AVX512" { // has twice the registers
		most = 16
	}
	for _, taps := range []int{1, 4, most} {
		s.sumPixels(taps, one, false)
	}
	s.sumPixels(4, four, false)
}

// filters emits a loop over n filters, whose place in bytes is in a register.
func (s *simd) filters(label string, at reg.GPVirtual, body func(label string, masked bool)) {
	rest := s.gp("n")
	s.XORQ(at, at)
	s.CMPQ(rest, operand.U8(s.lanes))
	s.JL(operand.LabelRef(label + "rest"))
	s.Label(label + "vector")
	body(label+"vector", false)
	s.ADDQ(operand.U32(s.lanes*s.size), at)
	s.SUBQ(operand.U8(s.lanes), rest)
	s.CMPQ(rest, operand.U8(s.lanes))
	s.JGE(operand.LabelRef(label + "vector"))
	s.Label(label + "rest")
	s.TESTQ(rest, rest)
	s.JZ(operand.LabelRef(label + "done"))
	body(label+"masked", true)
	s.Label(label + "done")
}

// maskRest sets the mask for the last n mod lanes filters.
func (s *simd) maskRest() {
	rest := s.gp("n")
	s.ANDQ(operand.U8(s.lanes-1), rest)
	s.setMask(rest)
}

// addProduct adds x·w to a sum; x is in memory: a vector, an element, or a vector of fours whose element number channel is meant.
func (s *simd) addProduct(x operand.Mem, w, sum reg.VecVirtual, of factor, channel int, masked bool) {
	switch {
	case of == four:
		s.VFMADD231(s.fromFours(x, channel, masked), w, sum)
	case of == one && s.suffix == "AVX512":
		s.VFMADD231Bcst(x, w, sum)
	case of == one:
		v := s.vec()
		s.VBROADCAST(x, v)
		s.VFMADD231(v, w, sum)
	case masked:
		s.VFMADD231(s.load(x, true), w, sum)
	default:
		s.VFMADD231(x, w, sum)
	}
}

// fromFours is a vector whose elements are, four by four, one of the four that are in memory.
func (s *simd) fromFours(x operand.Mem, channel int, masked bool) reg.VecVirtual {
	v := s.vec()
	var from operand.Op = x
	if masked {
		from = s.load(x, true)
	}
	if s.size == 8 {
		s.VPERMPD(operand.U8(channel*0x55), from, v)
	} else {
		s.VPERMILPS(operand.U8(channel*0x55), from, v)
	}
	return v
}

// sumTaps emits y = from + Σ w·x over the taps, for a row of pixels: eight at a time, so that a filter's vector that was loaded serves
// eight, then four, two and one.
func (s *simd) sumTaps(of factor) {
	name, how := "sumTaps", "x has a channel for each filter"
	switch of {
	case one:
		name, how = "sumTapsOf1", "x has one channel for all filters"
	case four:
		name, how = "sumTapsOf4", "groups are of 4 channels and 4 filters, and a channel's filters are ldw apart"
	}
	s.function(name, "func(y *float32, ldy uintptr, from *float32, ldf uintptr, x *float32, ldx uintptr, w *float32, ldw uintptr, taps *[2]int, ntaps, runs, n uintptr, soon *int, nsoon, across, below, along uintptr)",
		"computes y = from + Σ w·x over the taps (distances in bytes in x and w) for runs (at least 1) of n filters; "+how+"; strides are in bytes.")
	y, from, x, ldx, w, runs := s.gp("y"), s.gp("from"), s.gp("x"), s.gp("ldx"), s.gp("w"), s.gp("runs")
	s.maskRest()
	ldx3, at, tap, end, p, q := s.GP64(), s.GP64(), s.GP64(), s.GP64(), s.GP64(), s.GP64()
	s.LEAQ(operand.Mem{Base: ldx, Index: ldx, Scale: 2}, ldx3)
	for _, pixels := range []int{8, 4, 2, 1} {
		label := fmt.Sprintf("pixels%d", pixels)
		s.Label(label)
		s.CMPQ(runs, operand.U8(pixels))
		s.JL(operand.LabelRef(label + "after"))
		s.filters(label, at, func(label string, masked bool) {
			sums := make([]reg.VecVirtual, pixels)
			s.MOVQ(from, p)
			s.Load(s.Param("ldf"), q)
			for i := range sums {
				sums[i] = s.load(operand.Mem{Base: p, Index: at, Scale: 1}, masked)
				if i < pixels-1 {
					s.ADDQ(q, p)
				}
			}
			if of == own {
				s.prefetch(label, pixels, y, x, at, tap, end, p, q)
			}
			s.Load(s.Param("taps"), tap)
			s.Load(s.Param("ntaps"), end)
			s.SHLQ(operand.U8(4), end)
			s.ADDQ(tap, end)
			step := func(disp int, sums []reg.VecVirtual) {
				s.MOVQ(operand.Mem{Base: tap, Disp: disp + 8}, q)
				s.ADDQ(at, q)
				filters := []reg.VecVirtual{s.load(operand.Mem{Base: w, Index: q, Scale: 1}, masked)}
				if of == four {
					s.ADDQ(w, q)
					s.Load(s.Param("ldw"), p)
					filters = append(filters, s.load(operand.Mem{Base: q, Index: p, Scale: 1}, masked), s.load(operand.Mem{Base: q, Index: p, Scale: 2}, masked))
					s.LEAQ(operand.Mem{Base: q, Index: p, Scale: 2}, q)
					filters = append(filters, s.load(operand.Mem{Base: q, Index: p, Scale: 1}, masked))
				}
				s.MOVQ(operand.Mem{Base: tap, Disp: disp}, p)
				s.ADDQ(x, p)
				if of != one {
					s.ADDQ(at, p)
				}
				if pixels > 4 {
					s.LEAQ(operand.Mem{Base: p, Index: ldx, Scale: 4}, q)
				}
				for i, sum := range sums {
					for c, filter := range filters {
						s.addProduct(pixel(i, p, q, ldx, ldx3), filter, sum, of, c, masked)
					}
				}
			}
			if pixels <= 2 { // too few sums for as many multiplications as can be under way: some more, of every fourth tap
				const apart = 4
				more := [apart][]reg.VecVirtual{sums}
				for i := 1; i < apart; i++ {
					for range sums {
						more[i] = append(more[i], s.zero())
					}
				}
				s.SUBQ(operand.U8(16*apart), end)
				s.CMPQ(tap, end)
				s.JG(operand.LabelRef(label + "few"))
				s.Label(label + "taps")
				for i, sums := range more {
					step(16*i, sums)
				}
				s.ADDQ(operand.U8(16*apart), tap)
				s.CMPQ(tap, end)
				s.JLE(operand.LabelRef(label + "taps"))
				s.Label(label + "few")
				s.ADDQ(operand.U8(16*apart), end)
				for _, other := range more[1:] {
					for i := range sums {
						s.VADD(other[i], sums[i], sums[i])
					}
				}
			}
			s.CMPQ(tap, end)
			s.JGE(operand.LabelRef(label + "tapped"))
			s.Label(label + "tap")
			step(0, sums)
			s.ADDQ(operand.U8(16), tap)
			s.CMPQ(tap, end)
			s.JL(operand.LabelRef(label + "tap"))
			s.Label(label + "tapped")
			s.MOVQ(y, p)
			s.Load(s.Param("ldy"), q)
			for i := range sums {
				s.store(sums[i], operand.Mem{Base: p, Index: at, Scale: 1}, masked)
				if i < pixels-1 {
					s.ADDQ(q, p)
				}
			}
		})
		for _, m := range []struct {
			name string
			p    reg.GPVirtual
		}{{"ldy", y}, {"ldf", from}, {"ldx", x}} {
			s.Load(s.Param(m.name), p)
			s.SHLQ(operand.U8([]int{0, 0, 1, 0, 2, 0, 0, 0, 3}[pixels]), p)
			s.ADDQ(p, m.p)
		}
		s.SUBQ(operand.U8(pixels), runs)
		if pixels == 8 {
			s.JMP(operand.LabelRef(label))
		}
		s.Label(label + "after")
	}
	s.done()
}

// pixel is the place of pixel number i of eight.
func pixel(i int, p, q, ldx, ldx3 reg.GPVirtual) operand.Mem {
	m := operand.Mem{Base: p}
	if i >= 4 {
		m.Base = q
	}
	switch i % 4 {
	case 1, 2:
		m.Index, m.Scale = ldx, uint8(i%4)
	case 3:
		m.Index, m.Scale = ldx3, 1
	}
	return m
}

// prefetch emits what brings into the cache the pixels of which the next row of results is made, and the place of these: while some pixels
// are computed a vector of channels at a time, line by line with gaps between them, it takes as many lines one after the other, a stream that
// the processor follows by itself. They go to the second-level cache: the first has no room for rows.
func (s *simd) prefetch(label string, pixels int, y, x, at, tap, end, p, q reg.GPVirtual) {
	stream := func(label, lines string) {
		s.Load(s.Param(lines), q)
		s.IMULQ(at, q)
		if pixels > 1 {
			s.SHLQ(operand.U8(bits.TrailingZeros(uint(pixels))), q)
		}
		s.ADDQ(q, p)
		s.Load(s.Param(lines), q)
		s.Label(label)
		for i := 0; i < pixels*s.lanes*s.size; i += 64 {
			s.PREFETCHT1(operand.Mem{Base: p, Disp: i})
		}
		s.ADDQ(operand.U32(pixels*s.lanes*s.size), p)
		s.DECQ(q)
		s.JNZ(operand.LabelRef(label))
	}
	s.Load(s.Param("soon"), tap)
	s.Load(s.Param("nsoon"), end)
	s.TESTQ(end, end)
	s.JZ(operand.LabelRef(label + "fetched"))
	s.Label(label + "fetch")
	s.MOVQ(operand.Mem{Base: tap}, p)
	s.ADDQ(x, p)
	stream(label+"read", "across")
	s.ADDQ(operand.U8(8), tap)
	s.DECQ(end)
	s.JNZ(operand.LabelRef(label + "fetch"))
	s.Label(label + "fetched")
	s.Load(s.Param("below"), p)
	s.TESTQ(p, p)
	s.JZ(operand.LabelRef(label + "claimed"))
	s.ADDQ(y, p)
	stream(label+"written", "along")
	s.Label(label + "claimed")
}

// sumPixels emits dw += Σ x·dy over a row of pixels for some taps at equal distances; few taps have sums of their own for every other
// pixel, so that there are as many as the processor has multiplications under way. With ahead it brings two lines a pixel into the second-level
// cache, from two places on: see prefetch.
func (s *simd) sumPixels(taps int, of factor, ahead bool) {
	name, how := fmt.Sprintf("sumPixels%d", taps), "x has a channel for each filter, and step bytes from tap to tap"
	switch of {
	case one:
		name, how = fmt.Sprintf("sumPixelsOf1x%d", taps), "x has one channel for all filters, and taps follow each other"
	case four:
		name, how = "sumPixelsOf4", "these are the 4 channels of a group, which has 4 filters"
	}
	if ahead {
		name += "Ahead"
		how += "; brings lines from soon and then on into the cache"
	}
	s.function(name, "func(dw *float32, ldw uintptr, x *float32, ldx, step uintptr, dy *float32, ldy, runs, n uintptr, soon, then *float32)",
		fmt.Sprintf("adds Σ x·dy over runs (at least 1) of n filters to dw, for %d taps; %s; strides are in bytes.", taps, how))
	ldw, ldx, step, ldy := s.gp("ldw"), s.gp("ldx"), s.gp("step"), s.gp("ldy")
	s.maskRest()
	var step3, step5 reg.GPVirtual
	if of == own && taps > 3 {
		step3 = s.GP64()
		s.LEAQ(operand.Mem{Base: step, Index: step, Scale: 2}, step3)
	}
	if of == own && taps > 5 {
		step5 = s.GP64()
		s.LEAQ(operand.Mem{Base: step, Index: step, Scale: 4}, step5)
	}
	var soon, then reg.GPVirtual
	if ahead {
		soon, then = s.gp("soon"), s.gp("then")
	}
	const shared = 5 // from more taps on two pixels have the same sums
	at, xp, yp, runs := s.GP64(), s.GP64(), s.GP64(), s.GP64()
	s.filters("filters", at, func(label string, masked bool) {
		var sums [2][]reg.VecVirtual
		for i := range sums {
			for t := range taps {
				if i > 0 && taps > shared {
					sums[i] = append(sums[i], sums[0][t])
				} else {
					sums[i] = append(sums[i], s.zero())
				}
			}
		}
		s.Load(s.Param("x"), xp)
		if of != one {
			s.ADDQ(at, xp)
		}
		s.Load(s.Param("dy"), yp)
		s.ADDQ(at, yp)
		s.Load(s.Param("runs"), runs)
		pixel := func(sums []reg.VecVirtual) {
			dy := s.load(operand.Mem{Base: yp}, masked)
			for t, sum := range sums {
				m := operand.Mem{Base: xp}
				switch {
				case of == one:
					m.Disp = t * s.size
				case of == own && t > 0:
					m.Index, m.Scale = [...]reg.GPVirtual{1: step, step, step3, step, step5, step3}[t], [...]uint8{1: 1, 2, 1, 4, 1, 2}[t]
				}
				s.addProduct(m, dy, sum, of, t, masked)
			}
			if ahead {
				for _, p := range []reg.GPVirtual{soon, then} {
					s.PREFETCHT1(operand.Mem{Base: p})
					s.ADDQ(operand.U8(s.lanes*s.size), p)
				}
			}
			s.ADDQ(ldx, xp)
			s.ADDQ(ldy, yp)
		}
		s.SUBQ(operand.U8(2), runs)
		s.JL(operand.LabelRef(label + "last"))
		s.Label(label + "two")
		pixel(sums[0])
		pixel(sums[1])
		s.SUBQ(operand.U8(2), runs)
		s.JGE(operand.LabelRef(label + "two"))
		s.Label(label + "last")
		s.ADDQ(operand.U8(2), runs)
		s.JZ(operand.LabelRef(label + "join"))
		pixel(sums[0])
		s.Label(label + "join")
		s.Load(s.Param("dw"), xp)
		s.ADDQ(at, xp)
		for t := range taps {
			if taps <= shared {
				s.VADD(sums[1][t], sums[0][t], sums[0][t])
			}
			s.VADD(s.load(operand.Mem{Base: xp}, masked), sums[0][t], sums[0][t])
			s.store(sums[0][t], operand.Mem{Base: xp}, masked)
			if t < taps-1 {
				s.ADDQ(ldw, xp)
			}
		}
	})
	s.done()
}

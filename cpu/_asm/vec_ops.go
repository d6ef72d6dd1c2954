package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// emitVec emits every primitive for one instruction set.
func emitVec(s *simd) {
	s.binary("add", "dst = a + b", func(a, b reg.VecVirtual) { s.VADD(b, a, a) })
	s.binary("mul", "dst = a·b", func(a, b reg.VecVirtual) { s.VMUL(b, a, a) })
	s.reluGrad()
	s.relu()
	s.scaled()
	s.optimizers()
	s.rows()
	s.columns()
	s.dot()
	s.minus()
	s.sum()
	s.top()
	s.layerNorm()
}

func (s *simd) binary(name, doc string, f func(a, b reg.VecVirtual)) {
	s.function(name, "func(dst, a, b *float32, n uintptr)", "computes "+doc+" over n elements.")
	dst, a, b, n := s.gp("dst"), s.gp("a"), s.gp("b"), s.gp("n")
	s.elements(n, func(p place) {
		x, y := s.load(p.of(a), p.masked), s.load(p.of(b), p.masked)
		f(x, y)
		s.store(x, p.of(dst), p.masked)
	})
	s.done()
}

func (s *simd) reluGrad() {
	s.function("reluGrad", "func(dst, y, dy *float32, n uintptr)", "computes dst = dy where y > 0, else 0, over n elements.")
	dst, y, dy, n := s.gp("dst"), s.gp("y"), s.gp("dy"), s.gp("n")
	zero := s.zero()
	s.elements(n, func(p place) {
		a, b := s.load(p.of(y), p.masked), s.load(p.of(dy), p.masked)
		s.keepAbove0(b, a, zero)
		s.store(b, p.of(dst), p.masked)
	})
	s.done()
}

// keepAbove0 sets dy to 0 where y is not above 0, so where it is NaN. It may change y.
func (s *simd) keepAbove0(dy, y, zero reg.VecVirtual) {
	const greater = 0x1e // ordered, quiet
	if s.suffix == "AVX512" {
		k := s.K()
		s.VCMP(operand.U8(greater), zero, y, k)
		s.VMOVAZ(dy, k, dy)
		return
	}
	s.VCMP(operand.U8(greater), zero, y, y)
	s.VANDPS(y, dy, dy)
}

func (s *simd) relu() {
	s.function("relu", "func(dst, x *float32, n uintptr)", "computes dst = max(x, 0) over n elements.")
	dst, x, n := s.gp("dst"), s.gp("x"), s.gp("n")
	zero := s.zero()
	s.elements(n, func(p place) {
		v := s.load(p.of(x), p.masked)
		s.max0(v, zero)
		s.store(v, p.of(dst), p.masked)
	})
	s.done()
}

func (s *simd) scaled() {
	for _, accumulate := range []bool{false, true} {
		name, doc := "scale", "computes dst = a·x over n elements."
		if accumulate {
			name, doc = "axpy", "computes dst += a·x over n elements."
		}
		s.function(name, "func(dst, x *float32, n uintptr, a float32)", doc)
		dst, x, n := s.gp("dst"), s.gp("x"), s.gp("n")
		a := s.scalar("a")
		s.elements(n, func(p place) {
			v := s.load(p.of(x), p.masked)
			if accumulate {
				old := s.load(p.of(dst), p.masked)
				s.VFMADD213(old, a, v)
			} else {
				s.VMUL(a, v, v)
			}
			s.store(v, p.of(dst), p.masked)
		})
		s.done()
	}
}

// eachRow emits a loop over rows of c channels, two short rows a turn so that they share
// the loads of what has one value a channel; long ones are read one after the other, as
// they lie in memory, which prefetchers know what to do with. moving are the pointers that go on by
// the rows of a turn; the others are one row of channels. body gets the same
// channels of each row; those of the first are also where the others stand.
func (s *simd) eachRow(rows, c reg.GPVirtual, moving []reg.GPVirtual, body func(row []place)) {
	full, rest, stride := s.GP64(), s.GP64(), s.GP64()
	s.MOVQ(c, rest)
	s.ANDQ(operand.U8(s.lanes-1), rest)
	s.MOVQ(c, full)
	s.SUBQ(rest, full)
	s.MOVQ(c, stride)
	s.SHLQ(s.shift(), stride)
	s.setMask(rest)
	i, second := s.GP64(), s.GP64()
	s.CMPQ(c, operand.U32(2*s.wide*s.lanes))
	s.JG(operand.LabelRef("after2"))
	for _, n := range []int{2, 1} {
		label := func(name string) string { return fmt.Sprintf("%s%d", name, n) }
		turn := func(masked bool) {
			body([]place{{i, 0, masked, s.size}, {second, 0, masked, s.size}}[:n])
		}
		s.SUBQ(operand.U8(n), rows)
		s.JL(operand.LabelRef(label("short")))
		s.Label(label("row"))
		s.XORQ(i, i)
		s.MOVQ(c, second)
		s.CMPQ(i, full)
		s.JE(operand.LabelRef(label("tail")))
		s.Label(label("loop"))
		turn(false)
		s.ADDQ(operand.U8(s.lanes), second)
		s.ADDQ(operand.U8(s.lanes), i)
		s.CMPQ(i, full)
		s.JL(operand.LabelRef(label("loop")))
		s.Label(label("tail"))
		s.TESTQ(rest, rest)
		s.JZ(operand.LabelRef(label("next")))
		turn(true)
		s.Label(label("next"))
		for _, p := range moving {
			s.LEAQ(operand.Mem{Base: p, Index: stride, Scale: uint8(n)}, p)
		}
		s.SUBQ(operand.U8(n), rows)
		s.JGE(operand.LabelRef(label("row")))
		s.Label(label("short"))
		s.ADDQ(operand.U8(n), rows)
		s.Label(label("after"))
	}
}

func (s *simd) rows() {
	for _, residual := range []bool{false, true} {
		for _, relu := range []bool{false, true} {
			name, doc := "scaleShift", "(x-mean)·scale + shift"
			if residual {
				name, doc = name+"Add", doc+" + z"
			}
			if relu {
				name, doc = name+"ReLU", "max("+doc+", 0)"
			}
			s.function(name, "func(dst, x, z, mean, scale, shift *float32, rows, c uintptr)",
				"computes dst = "+doc+" over rows (at least 1) of c channels.")
			dst, x, mean, scale, shift := s.gp("dst"), s.gp("x"), s.gp("mean"), s.gp("scale"), s.gp("shift")
			rows, c := s.gp("rows"), s.gp("c")
			moving := []reg.GPVirtual{dst, x}
			var z reg.GPVirtual
			if residual {
				z = s.gp("z")
				moving = append(moving, z)
			}
			zero := s.zero()
			s.eachRow(rows, c, moving, func(row []place) {
				at := row[0]
				m, a, b := s.load(at.of(mean), at.masked), s.load(at.of(scale), at.masked), s.load(at.of(shift), at.masked)
				for _, p := range row {
					v := s.load(p.of(x), p.masked)
					s.VSUB(m, v, v)
					s.VFMADD213(b, a, v)
					if residual {
						s.VADD(s.load(p.of(z), p.masked), v, v)
					}
					if relu {
						s.max0(v, zero)
					}
					s.store(v, p.of(dst), p.masked)
				}
			})
			s.done()
		}
	}
	s.normGrad()
}

// normGrad emits batch norm's backward pass to its input, also with the mask of a ReLU, which may have a bound.
func (s *simd) normGrad() {
	for kind := range 3 {
		relu, bound, number := kind > 0, kind > 1, ""
		name, more, doc := "normGrad", "", "computes dx = a·dy + b·(x-mean) + d over rows (at least 1) of c channels; a, mean, b and d have one value a channel."
		if relu {
			name, more, doc = "normGradReLU", ", shift", "is normGrad with dy taken as 0 where a·(x-mean) + shift is not above 0."
		}
		if bound {
			name, number, doc = "normGradBound", ", most float32", "is normGradReLU with dy taken as 0 also where that is not below most."
		}
		s.function(name, "func(dx, dy, x, a, mean, b, d"+more+" *float32, rows, c uintptr"+number+")", doc)
		dx, dy, x := s.gp("dx"), s.gp("dy"), s.gp("x")
		a, mean, b, d := s.gp("a"), s.gp("mean"), s.gp("b"), s.gp("d")
		var shift reg.GPVirtual
		if relu {
			shift = s.gp("shift")
		}
		var most reg.VecVirtual
		if bound {
			most = s.scalar("most")
		}
		s.eachRow(s.gp("rows"), s.gp("c"), []reg.GPVirtual{dx, dy, x}, func(row []place) {
			at := row[0]
			fa, m := s.load(at.of(a), at.masked), s.load(at.of(mean), at.masked)
			fb, fd := s.load(at.of(b), at.masked), s.load(at.of(d), at.masked)
			var above reg.VecVirtual
			if relu {
				above = s.load(at.of(shift), at.masked)
			}
			for _, p := range row {
				v, w := s.load(p.of(dy), p.masked), s.load(p.of(x), p.masked)
				s.VSUB(m, w, w)
				switch {
				case bound:
					s.maskBound(v, w, fa, above, most)
				case relu:
					s.maskNorm(v, w, fa, above)
				}
				s.VFMADD213(fd, fb, w)
				s.VFMADD213(w, fa, v)
				s.store(v, p.of(dx), p.masked)
			}
		})
		s.done()
	}
}

func (s *simd) dot() {
	s.function("dot", "func(out, x, y *float32, n uintptr)",
		"adds the products of n elements up in four vectors by turns and stores their sum, a vector, to out.")
	out, x, y, n := s.gp("out"), s.gp("x"), s.gp("y"), s.gp("n")
	sums := s.fourSums()
	s.elements(n, func(p place) {
		a, b := s.load(p.of(x), p.masked), s.load(p.of(y), p.masked)
		s.VFMADD231(a, b, sums.of(p))
	})
	sums.store(out)
	s.done()
}

// fourSums are four vectors of sums that the vectors of a turn of elements take by turns.
type fourSums struct {
	s   *simd
	acc [4]reg.VecVirtual
}

func (s *simd) fourSums() *fourSums {
	f := &fourSums{s: s}
	for i := range f.acc {
		f.acc[i] = s.zero()
	}
	return f
}

func (f *fourSums) of(p place) reg.VecVirtual { return f.acc[p.disp/(f.s.size*f.s.lanes)] }

// store adds them up and stores the vector.
func (f *fourSums) store(out reg.GPVirtual) {
	f.s.VADD(f.acc[1], f.acc[0], f.acc[0])
	f.s.VADD(f.acc[3], f.acc[2], f.acc[2])
	f.s.VADD(f.acc[2], f.acc[0], f.acc[0])
	f.s.VMOVUPS(f.acc[0], at(out, 0))
}

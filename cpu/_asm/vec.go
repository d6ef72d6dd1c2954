package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// simd is one instruction set as the vector primitives see it.
type simd struct {
	float
	suffix string
	lanes  int
	wide   int // vectors a column sum keeps in registers
	vec    func() reg.VecVirtual

	mask  reg.Register // of the tail, see setMask
	table operand.Mem  // of AVX2's masks
}

func vecAVX512(f float) { emitVec(avx512(f)) }

func vecAVX2(f float) { emitVec(avx2(f)) }

func avx512(f float) *simd {
	return &simd{float: f, suffix: "AVX512", lanes: 64 / f.size, wide: 4, vec: f.ZMM}
}

// avx2 also emits the table that masks are read from: 32 bytes of ones and 32 of
// zeros, where the mask of n bytes begins 32-n in.
func avx2(f float) *simd {
	table := f.StaticGlobal("lanes")
	f.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		used := operand.U32(0)
		if i < 8 {
			used = 0xffffffff
		}
		f.AddDatum(4*i, used)
	}
	return &simd{float: f, suffix: "AVX2", lanes: 32 / f.size, wide: 2, vec: f.YMM, table: table}
}

// setMask makes the mask of the first n ≤ lanes elements.
func (s *simd) setMask(n reg.GPVirtual) {
	if s.suffix == "AVX512" {
		bits, k := s.GP32(), s.K()
		s.MOVL(operand.U32(0xffff), bits)
		s.BZHIL(n.As32(), bits, bits)
		s.KMOVW(bits, k)
		s.mask = k
		return
	}
	p, v := s.GP64(), s.vec()
	s.LEAQ(s.table.Offset(32), p)
	neg := s.GP64()
	s.MOVQ(n, neg)
	s.NEGQ(neg)
	s.VMOVUPS(operand.Mem{Base: p, Index: neg, Scale: uint8(s.size)}, v)
	s.mask = v
}

func (s *simd) load(m operand.Mem, masked bool) reg.VecVirtual {
	x := s.vec()
	switch {
	case !masked:
		s.VMOVUPS(m, x)
	case s.suffix == "AVX512":
		s.VMOVUZ(m, s.mask, x)
	default:
		s.VMASKMOV(m, s.mask, x)
	}
	return x
}

func (s *simd) store(x reg.Register, m operand.Mem, masked bool) {
	switch {
	case !masked:
		s.VMOVUPS(x, m)
	case s.suffix == "AVX512":
		s.VMOVU(x, s.mask, m)
	default:
		s.VMASKMOV(x, s.mask, m)
	}
}

func (s *simd) zero() reg.VecVirtual {
	x := s.vec()
	s.VXORPS(x, x, x)
	return x
}

// scalar broadcasts a parameter of the element type.
func (s *simd) scalar(name string) reg.VecVirtual {
	low, x := s.XMM(), s.vec()
	s.Load(s.Param(name), low)
	s.VBROADCAST(low, x)
	return x
}

func (s *simd) gp(name string) reg.GPVirtual {
	return s.Load(s.Param(name), s.GP64()).(reg.GPVirtual)
}

func (s *simd) function(name, signature, doc string) {
	s.Function(s.name(name) + s.suffix)
	s.Attributes(nosplit)
	s.SignatureExpr(s.typed(signature))
	s.Doc(doc)
	s.Pragma("noescape")
}

func (s *simd) done() {
	s.VZEROUPPER()
	s.RET()
}

// max0 emits max(x, 0) in place. MAXPS returns its second source when either is
// NaN, which must be x: ReLU(NaN) is NaN.
func (s *simd) max0(x, zero reg.Register) { s.VMAX(x, zero, x) }

// place is where the arrays stand in a turn of a loop.
type place struct {
	index  reg.GPVirtual // in elements
	disp   int           // in bytes
	masked bool
	size   int // bytes of an element
}

func (p place) of(base reg.Register) operand.Mem {
	return operand.Mem{Base: base, Index: p.index, Scale: uint8(p.size), Disp: p.disp}
}

// elements emits a loop over n elements: four vectors a turn, one, then the rest.
func (s *simd) elements(n reg.GPVirtual, body func(p place)) {
	i := s.GP64()
	s.XORQ(i, i)
	for _, vectors := range []int{4, 1} {
		label, after := "wide", "narrow"
		if vectors == 1 {
			label, after = "one", "tail"
		}
		step := vectors * s.lanes
		s.SUBQ(operand.U8(step), n)
		s.JL(operand.LabelRef(after))
		s.Label(label)
		for v := range vectors {
			body(place{i, v * s.size * s.lanes, false, s.size})
		}
		s.ADDQ(operand.U8(step), i)
		s.SUBQ(operand.U8(step), n)
		s.JGE(operand.LabelRef(label))
		s.Label(after)
		s.ADDQ(operand.U8(step), n)
	}
	s.JZ(operand.LabelRef("end"))
	s.setMask(n)
	body(place{i, 0, true, s.size})
	s.Label("end")
}

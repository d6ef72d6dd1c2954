package main

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func vmathAVX512(f float) { emitVmath(f, true) }

func vmathAVX2(f float) { emitVmath(f, false) }

// emitVmath emits every function of package vmath for one instruction set and element type.
func emitVmath(f float, wide bool) {
	m := &lanes{Context: f.Context, wide: wide, size: f.size, suffix: "AVX2", count: 32 / f.size, known: map[uint64]operand.Mem{}}
	if wide {
		m.suffix, m.count = "AVX512", 64/f.size
	} else {
		m.table = m.maskTable()
	}
	m.arithmetic()
	m.comparisons()
	m.simple()
	m.transcendental()
}

// lanes is a vector of one element type in one instruction set. Its methods emit one operation each and return a
// new register with the result; operands are registers or constants.
type lanes struct {
	*build.Context
	wide   bool // AVX-512
	size   int  // of an element in bytes
	count  int  // of elements
	suffix string
	known  map[uint64]operand.Mem // constants so far
	table  operand.Mem            // of AVX2's masks
	mask   reg.Register           // of the tail
}

// value is an operand in avo's sense: a register, or constant.
type value = operand.Op

// constant is a number in memory: AVX-512 spreads it on the way, AVX2 has it in all lanes.
type constant struct{ operand.Mem }

func (m *lanes) double() bool { return m.size == 8 }

func (m *lanes) vec() reg.VecVirtual {
	if m.wide {
		return m.ZMM()
	}
	return m.YMM()
}

// float is the constant x.
func (m *lanes) float(x float64) constant {
	if m.double() {
		return m.bits(math.Float64bits(x))
	}
	return m.bits(uint64(math.Float32bits(float32(x))))
}

// bits is the constant with the given bits.
func (m *lanes) bits(b uint64) constant {
	if c, ok := m.known[b]; ok {
		return constant{c}
	}
	c := m.StaticGlobal(fmt.Sprintf("c%x", b))
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	n := m.count
	if m.wide {
		n = 1
	}
	for i := range n {
		if m.double() {
			m.AddDatum(8*i, operand.U64(b))
		} else {
			m.AddDatum(4*i, operand.U32(b))
		}
	}
	m.known[b] = c
	return constant{c}
}

// maskTable is as many lanes of ones as of zeros: the mask of n lanes begins n before the zeros.
func (m *lanes) maskTable() operand.Mem {
	t := m.StaticGlobal("mask")
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		m.AddDatum(4*i, operand.U32(map[bool]uint32{true: 0xffffffff}[i < 8]))
	}
	return t
}

// emit emits an instruction whose name ends in the element type; constants among the operands, of which AVX-512 takes
// the first, are spread.
func (m *lanes) emit(name string, ops ...value) {
	if m.double() {
		name += "PD"
	} else {
		name += "PS"
	}
	m.exactly(name, ops...)
}

// integer emits an instruction on integers of the element's size.
func (m *lanes) integer(name string, ops ...value) {
	if m.double() {
		name += "Q"
	} else {
		name += "D"
	}
	m.exactly(name, ops...)
}

func (m *lanes) exactly(name string, ops ...value) {
	args := make([]reflect.Value, len(ops))
	for i, o := range ops {
		if c, ok := o.(constant); ok {
			if m.wide {
				name += "_BCST"
			}
			o = c.Mem
		}
		args[i] = reflect.ValueOf(o)
	}
	f := reflect.ValueOf(m.Context).MethodByName(name)
	if !f.IsValid() {
		panic("there is no instruction " + name)
	}
	f.Call(args)
}

// to is a new register that an instruction sets; the last operand is the first in the instruction's own order.
func (m *lanes) to(name string, ops ...value) reg.VecVirtual {
	d := m.vec()
	m.emit(name, append(ops, d)...)
	return d
}

// reg is a register with a value: what is in one already, or a constant.
func (m *lanes) reg(v value) reg.Register {
	c, ok := v.(constant)
	if !ok {
		return v.(reg.Register)
	}
	d := m.vec()
	switch {
	case !m.wide:
		m.emit("VMOVU", c.Mem, d)
	case m.double():
		m.VBROADCASTSD(c.Mem, d)
	default:
		m.VBROADCASTSS(c.Mem, d)
	}
	return d
}

// copy is a register of its own with the value.
func (m *lanes) copy(v value) reg.Register {
	if _, ok := v.(constant); ok {
		return m.reg(v)
	}
	d := m.vec()
	m.emit("VMOVA", v, d)
	return d
}

func (m *lanes) add(a, b value) reg.VecVirtual { return m.to("VADD", b, m.reg(a)) }
func (m *lanes) sub(a, b value) reg.VecVirtual { return m.to("VSUB", b, m.reg(a)) }
func (m *lanes) mul(a, b value) reg.VecVirtual { return m.to("VMUL", b, m.reg(a)) }
func (m *lanes) div(a, b value) reg.VecVirtual { return m.to("VDIV", b, m.reg(a)) }
func (m *lanes) and(a, b value) reg.VecVirtual { return m.to("VAND", b, a) }
func (m *lanes) or(a, b value) reg.VecVirtual  { return m.to("VOR", b, a) }
func (m *lanes) xor(a, b value) reg.VecVirtual { return m.to("VXOR", b, a) }
func (m *lanes) sqrt(a value) reg.VecVirtual   { return m.to("VSQRT", a) }

// larger is a > b ? a : b, smaller is a < b ? a : b: b if one is NaN or both are zeros.
func (m *lanes) larger(a, b value) reg.VecVirtual  { return m.to("VMAX", b, m.reg(a)) }
func (m *lanes) smaller(a, b value) reg.VecVirtual { return m.to("VMIN", b, m.reg(a)) }

// fma is a·b + c, fnma is c − a·b; a and b are registers.
func (m *lanes) fma(a, b, c value) reg.Register {
	d := m.copy(a)
	m.emit("VFMADD213", c, b, d)
	return d
}

func (m *lanes) fnma(a, b, c value) reg.Register {
	d := m.copy(a)
	m.emit("VFNMADD213", c, b, d)
	return d
}

// horner is c[0] + x·(c[1] + x·(c[2] + …)).
func (m *lanes) horner(x value, c ...float64) reg.Register {
	d := m.copy(m.float(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		m.emit("VFMADD213", m.float(c[i]), x, d)
	}
	return d
}

// Predicates of comparisons, quiet, false for NaN but where the name says else.
const (
	isEqual        = 0x00
	isUnordered    = 0x03
	isNotEqual     = 0x04 // true for NaN
	isLess         = 0x11
	isLessEqual    = 0x12
	isNotAtLeast   = 0x19 // true for NaN
	isGreaterEqual = 0x1d
	isGreater      = 0x1e
)

// compare is the mask of the lanes where a predicate holds: AVX-512 has registers of their own for masks.
func (m *lanes) compare(predicate uint8, a, b value) reg.Register {
	if m.wide {
		k := m.K()
		m.emit("VCMP", operand.U8(predicate), b, a, k)
		return k
	}
	return m.to("VCMP", operand.U8(predicate), b, a)
}

// choose is yes where the mask is set, else no.
func (m *lanes) choose(mask reg.Register, yes, no value) reg.VecVirtual {
	if m.wide {
		return m.to("VBLENDM", yes, m.reg(no), mask)
	}
	return m.to("VBLENDV", mask, yes, m.reg(no))
}

// where is yes where the mask is set, else 0.
func (m *lanes) where(mask reg.Register, yes value) reg.VecVirtual {
	if !m.wide {
		return m.to("VAND", yes, mask)
	}
	d := m.vec()
	if m.double() {
		m.VMOVAPD_Z(m.reg(yes), mask, d)
	} else {
		m.VMOVAPS_Z(m.reg(yes), mask, d)
	}
	return d
}

// round rounds to the nearest integer, ties to even; floor and ceil are the others.
const (
	toNearest = 0x08
	toFloor   = 0x09
	toCeil    = 0x0a
)

func (m *lanes) round(how uint8, x value) reg.VecVirtual {
	if m.wide {
		return m.to("VRNDSCALE", operand.U8(how), x)
	}
	return m.to("VROUND", operand.U8(how), x)
}

func (m *lanes) sign() constant { return m.bits(1 << (8*m.size - 1)) }

func (m *lanes) abs(x value) reg.VecVirtual { return m.and(x, m.bits(1<<(8*m.size-1)-1)) }

// signed gives y, which is positive or of x's sign already, the sign of x.
func (m *lanes) signed(y, x value) reg.VecVirtual { return m.or(m.and(x, m.sign()), y) }

// pointer walks over an operand: by whole vectors, or not at all where a stride is 0.
type pointer struct {
	p, inc reg.GPVirtual
	fixed  bool // stride 1
}

func (m *lanes) at(p pointer, vector int) operand.Mem {
	return operand.Mem{Base: p.p, Disp: vector * m.count * m.size}
}

func (m *lanes) load(p pointer, vector int, masked bool) reg.Register {
	x := m.vec()
	from := m.at(p, vector)
	switch {
	case !masked:
		m.emit("VMOVU", from, x)
	case !m.wide:
		m.emit("VMASKMOV", from, m.mask, x)
	case m.double():
		m.VMOVUPD_Z(from, m.mask, x)
	default:
		m.VMOVUPS_Z(from, m.mask, x)
	}
	return x
}

func (m *lanes) store(x reg.Register, p pointer, vector int, masked bool) {
	to := m.at(p, vector)
	switch {
	case !masked:
		m.emit("VMOVU", x, to)
	case !m.wide:
		m.emit("VMASKMOV", x, m.mask, to)
	default:
		m.emit("VMOVU", x, m.mask, to)
	}
}

// setMask makes the mask of the first n elements, fewer than a vector has.
func (m *lanes) setMask(n reg.GPVirtual) {
	if m.wide {
		all, k := m.GP32(), m.K()
		m.MOVL(operand.U32(0xffff), all)
		m.BZHIL(n.As32(), all, all)
		m.KMOVW(all, k)
		m.mask = k
		return
	}
	p, v := m.GP64(), m.vec()
	m.LEAQ(m.table.Offset(32), p)
	m.NEGQ(n)
	m.emit("VMOVU", operand.Mem{Base: p, Index: n, Scale: uint8(m.size)}, v)
	m.mask = v
}

func (m *lanes) element() string { return fmt.Sprintf("float%d", 8*m.size) }

func (m *lanes) begin(name, signature, doc string) {
	m.Function(fmt.Sprintf("%s%d%s", name, 8*m.size, m.suffix))
	m.Attributes(nosplit)
	m.SignatureExpr(signature)
	m.Doc(doc)
	m.Pragma("noescape")
}

func (m *lanes) gp(name string) reg.GPVirtual {
	return m.Load(m.Param(name), m.GP64()).(reg.GPVirtual)
}

// function emits a function of the named operands, which body computes for one vector each. Simple ones take four vectors
// a turn; long ones have their parallelism within the processor's window.
func (m *lanes) function(name, doc string, unroll int, operands []string, body func(x []reg.Register) reg.Register) {
	strided := len(operands) > 1
	list, strides := "dst", ""
	for _, o := range operands {
		list += ", " + o
		if strided {
			strides += ", s" + o
		}
	}
	m.begin(name, fmt.Sprintf("func(%s *%s, n%s uintptr)", list, m.element(), strides), doc)
	n, dst := m.gp("n"), pointer{p: m.gp("dst"), fixed: true}
	all, in := []pointer{dst}, []pointer{}
	for _, o := range operands {
		p := pointer{p: m.gp(o), fixed: !strided}
		if strided {
			p.inc = m.gp("s" + o)
			m.SHLQ(operand.U8(bits.TrailingZeros(uint(unroll*m.count*m.size))), p.inc)
		}
		all, in = append(all, p), append(in, p)
	}
	turn := func(vector int, masked bool) {
		x := make([]reg.Register, len(in))
		for i, p := range in {
			x[i] = m.load(p, vector, masked)
		}
		m.store(body(x), dst, vector, masked)
	}
	m.turns(n, unroll, all, turn)
	m.VZEROUPPER()
	m.RET()
}

// turns emits the loop over n elements: unroll vectors a turn, one, then the rest.
func (m *lanes) turns(n reg.GPVirtual, unroll int, moving []pointer, turn func(vector int, masked bool)) {
	for vectors := unroll; ; vectors = 1 {
		label, after := fmt.Sprintf("loop%d", vectors), fmt.Sprintf("after%d", vectors)
		step := vectors * m.count
		m.SUBQ(operand.U8(step), n)
		m.JL(operand.LabelRef(after))
		m.Label(label)
		for v := range vectors {
			turn(v, false)
		}
		for _, p := range moving {
			if p.fixed {
				m.ADDQ(operand.U32(step*m.size), p.p)
			} else {
				m.ADDQ(p.inc, p.p)
			}
		}
		m.SUBQ(operand.U8(step), n)
		m.JGE(operand.LabelRef(label))
		m.Label(after)
		if vectors == 1 {
			break
		}
		for _, p := range moving {
			if !p.fixed {
				m.SHRQ(operand.U8(bits.TrailingZeros(uint(unroll))), p.inc)
			}
		}
		m.ADDQ(operand.U8(step), n)
	}
	m.ADDQ(operand.U8(m.count), n)
	m.JZ(operand.LabelRef("end"))
	m.setMask(n)
	turn(0, true)
	m.Label("end")
}

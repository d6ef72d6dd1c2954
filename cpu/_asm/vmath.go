package main

import (
	"fmt"
	"math"
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

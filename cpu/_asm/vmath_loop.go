package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

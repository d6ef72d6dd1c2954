package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Functions that take one instruction or a few.

func (m *lanes) one(name, doc string, f func(x value) reg.Register) {
	m.function(name, "computes dst = "+doc+" over n elements.", 4, []string{"x"}, func(x []reg.Register) reg.Register { return f(x[0]) })
}

func (m *lanes) two(name, doc string, f func(a, b value) reg.Register) {
	m.function(name, "computes dst = "+doc+" over n elements.", 4, []string{"a", "b"}, func(x []reg.Register) reg.Register { return f(x[0], x[1]) })
}

func (m *lanes) three(name, doc string, instruction string) {
	m.function(name, "computes dst = "+doc+" over n elements.", 4, []string{"a", "b", "c"}, func(x []reg.Register) reg.Register {
		m.emit(instruction, x[2], x[1], x[0])
		return x[0]
	})
}

func (m *lanes) arithmetic() {
	m.two("add", "a + b", func(a, b value) reg.Register { return m.add(a, b) })
	m.two("sub", "a - b", func(a, b value) reg.Register { return m.sub(a, b) })
	m.two("mul", "a·b", func(a, b value) reg.Register { return m.mul(a, b) })
	m.two("div", "a/b", func(a, b value) reg.Register { return m.div(a, b) })
	m.three("mulAdd", "a·b + c", "VFMADD213")
	m.three("mulSub", "a·b - c", "VFMSUB213")
	m.three("subMul", "c - a·b", "VFNMADD213")
}

func (m *lanes) comparisons() {
	for _, c := range []struct {
		name, sign string
		predicate  uint8
	}{{"lt", "<", isLess}, {"gt", ">", isGreater}, {"lte", "<=", isLessEqual}, {"gte", ">=", isGreaterEqual}, {"eq", "==", isEqual}, {"ne", "!=", isNotEqual}} {
		m.two(c.name, "1 where a "+c.sign+" b, else 0,", func(a, b value) reg.Register {
			return m.where(m.compare(c.predicate, a, b), m.float(1))
		})
	}
	// The instructions return their second operand where one is NaN and for two zeros: that is a, unless b is NaN.
	m.two("min", "min(a, b)", func(a, b value) reg.Register {
		return m.choose(m.compare(isUnordered, b, b), b, m.smaller(b, a))
	})
	m.two("max", "max(a, b)", func(a, b value) reg.Register {
		return m.choose(m.compare(isUnordered, b, b), b, m.larger(b, a))
	})
	m.two("reluGrad", "b where a > 0, else 0,", func(a, b value) reg.Register {
		return m.where(m.compare(isGreater, a, m.float(0)), b)
	})
}

func (m *lanes) simple() {
	m.one("abs", "|x|", func(x value) reg.Register { return m.abs(x) })
	m.one("neg", "-x", func(x value) reg.Register { return m.xor(x, m.sign()) })
	m.one("sign", "the sign of x", func(x value) reg.Register {
		return m.choose(m.compare(isGreater, m.abs(x), m.float(0)), m.signed(m.float(1), x), x) // 0 and NaN stay
	})
	m.one("ceil", "⌈x⌉", func(x value) reg.Register { return m.round(toCeil, x) })
	m.one("floor", "⌊x⌋", func(x value) reg.Register { return m.round(toFloor, x) })
	m.one("square", "x²", func(x value) reg.Register { return m.mul(x, x) })
	m.one("cube", "x³", func(x value) reg.Register { return m.mul(m.mul(x, x), x) })
	m.one("sqrt", "√x", func(x value) reg.Register { return m.sqrt(x) })
	m.one("inverse", "1/x", func(x value) reg.Register { return m.div(m.float(1), x) })
	m.one("inverseSqrt", "1/√x", func(x value) reg.Register { return m.div(m.float(1), m.sqrt(x)) })
	m.fill()
}

func (m *lanes) fill() {
	m.begin("fill", "func(dst, x *"+m.element()+", n uintptr)", "sets n elements of dst to *x.")
	n, dst, x := m.gp("n"), pointer{p: m.gp("dst"), fixed: true}, m.vec()
	if from := (operand.Mem{Base: m.gp("x")}); m.double() {
		m.VBROADCASTSD(from, x)
	} else {
		m.VBROADCASTSS(from, x)
	}
	m.turns(n, 4, []pointer{dst}, func(vector int, masked bool) { m.store(x, dst, vector, masked) })
	m.VZEROUPPER()
	m.RET()
}

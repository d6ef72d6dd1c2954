package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const halve = operand.U8(1)

// bias of the exponent, and bits of the fraction.
func (m *lanes) bias() int { return int(m.pick(127, 1023)) }

func (m *lanes) fraction() operand.U8 { return operand.U8(m.pick(23, 52)) }

// exponent returns e as a number, and in the exponent's place with its bias, and the number 2⁻ᵉ·x - 1, for a positive,
// normal x.
func (m *lanes) exponent(x value) (e, biased, f reg.Register) {
	half := uint64(math.Float32bits(math.Sqrt2 / 2))
	magic := uint64(math.Float32bits(1 << 23))
	if m.double() {
		half, magic = math.Float64bits(math.Sqrt2/2), math.Float64bits(1<<52)
	}
	top := uint64(m.bias()) << m.fraction()
	i := m.vec()
	m.integer("VPADD", m.bits(top-half), x, i) // from √½ upwards, the exponent is the next one's
	m.integer("VPSRL", m.fraction(), i, i)
	number := m.or(i, m.bits(magic)) // the integer in the last bits of 2²³ or 2⁵²
	e = m.sub(number, m.float(m.pick(1<<23, 1<<52)+float64(m.bias())))
	b := m.vec()
	m.integer("VPSLL", m.fraction(), i, b)
	y := m.vec()
	m.integer("VPSUB", b, x, y)
	m.integer("VPADD", m.bits(top), y, y)
	return e, b, m.sub(y, m.float(1))
}

// split is exponent for any x that has a logarithm; shift belongs to e, and is not 0 for denormals.
func (m *lanes) split(x value) (e, f, shift reg.Register) {
	up := m.pick(24, 54)
	tiny := m.compare(isLess, x, m.float(m.pick(0x1p-126, 0x1p-1022)))
	e, _, f = m.exponent(m.choose(tiny, m.mul(x, m.float(math.Ldexp(1, int(up)))), x))
	return e, f, m.where(tiny, m.float(-up))
}

// logOf is e·log(2) + log(1+f), without the first where e is nil. With s = f/(2+f), log(1+f) = 2·artanh(s) is
// f - (f²/2 - s·(f²/2 + R)), where R = 2/3·s² + 2/5·s⁴ + …; so f itself is added last and exact.
func (m *lanes) logOf(e, f reg.Register) reg.Register {
	s := m.div(f, m.add(f, m.float(2)))
	z := m.mul(s, s)
	var c []float64
	for k := 1; k <= int(m.pick(4, 9)); k++ {
		c = append(c, 2/float64(2*k+1))
	}
	series := m.mul(z, m.horner(z, c...))
	h := m.mul(m.mul(f, m.float(0.5)), f)
	if e == nil {
		return m.sub(f, m.fnma(s, m.add(h, series), h))
	}
	high, low := m.ln2()
	t := m.mul(e, m.float(low))
	rest := m.sub(h, m.fma(s, m.add(h, series), t))
	sum := m.sub(f, rest)
	m.emit("VFMADD231", m.float(high), e, sum)
	return sum
}

// log1p is log(1+x) for x > -1. What u = 1+x loses in rounding is found exactly, and added to the fraction of u.
func (m *lanes) log1p(x value) reg.Register {
	u := m.add(x, m.float(1))
	back := m.sub(u, m.float(1))
	lost := m.add(m.sub(x, back), m.sub(m.float(1), m.sub(u, back)))
	e, biased, f := m.exponent(u)
	down := m.vec() // 2⁻ᵉ
	m.integer("VPSUB", biased, m.reg(m.bits(uint64(2*m.bias())<<m.fraction())), down)
	// Of a large x, nothing that counts is lost; and 2⁻ᵉ may be no number any more.
	small := m.compare(isLess, x, m.float(m.pick(1<<30, 1<<60)))
	f = m.fma(m.where(small, lost), m.where(small, down), f)
	return m.logOf(e, f)
}

// border sets what a logarithm with its pole at x = pole is there, to the left of it, at infinity, and of NaN.
func (m *lanes) border(x value, pole constant, y reg.Register) reg.Register {
	infinite, nan := m.float(math.Inf(1)), m.bits(0x7fc00000)
	if m.double() {
		nan = m.bits(0x7ff8 << 48)
	}
	y = m.choose(m.compare(isEqual, x, pole), m.float(math.Inf(-1)), y)
	y = m.choose(m.compare(isEqual, x, infinite), infinite, y)
	return m.choose(m.compare(isNotAtLeast, x, pole), nan, y)
}

package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// Exponentials and logarithms. Arguments are reduced as usual, x = n·log 2 + r with |r| ≤ log(2)/2 and x = 2ᵉ·m with m
// between √½ and √2, log 2 in two pieces of which the first times n is exact. The polynomials are the Taylor series of eʳ and
// of artanh, cut where the next term is less than a quarter of a unit in the last place.

func (m *lanes) transcendental() {
	m.long("exp", "exp(x)", func(x value) reg.Register {
		// Where exp is 0 or infinite for sure, so that n stays in range; NaN passes.
		return m.exp(m.smaller(m.float(m.pick(89, 710)), m.larger(m.float(m.pick(-104, -746)), x)))
	})
	m.long("expm1", "exp(x) - 1", func(x value) reg.Register {
		half, y := m.expm1(m.smaller(m.float(m.pick(89, 710)), m.larger(m.float(m.pick(-40, -80)), x)))
		y = m.fma(y, half, m.sub(half, m.float(0.5)))
		return m.signed(m.add(y, y), x)
	})
	m.long("tanh", "tanh(x)", func(x value) reg.Register {
		// tanh|x| = -t/(t+2) for t = exp(-2|x|)-1, which loses nothing near 0.
		a := m.abs(x)
		half, y := m.expm1(m.larger(m.float(m.pick(-40, -80)), m.mul(a, m.float(-2))))
		y = m.fma(y, half, m.sub(half, m.float(0.5))) // t/2
		return m.signed(m.abs(m.div(y, m.add(y, m.float(1)))), x)
	})
	m.long("sigmoid", "1/(1+exp(-x))", func(x value) reg.Register {
		e := m.expDown(x)
		return m.div(m.choose(m.compare(isLess, x, m.float(0)), e, m.float(1)), m.add(e, m.float(1)))
	})
	m.long("softplus", "log(1+exp(x))", func(x value) reg.Register {
		return m.add(m.larger(m.float(0), x), m.log1p(m.expDown(x)))
	})
	m.long("log", "log(x)", func(x value) reg.Register {
		e, f, shift := m.split(x)
		return m.border(x, m.float(0), m.logOf(m.add(e, shift), f))
	})
	m.long("log2", "log2(x)", func(x value) reg.Register {
		e, f, shift := m.split(x)
		return m.border(x, m.float(0), m.fma(m.logOf(nil, f), m.reg(m.float(math.Log2E)), m.add(e, shift)))
	})
	m.long("log1p", "log(1+x)", func(x value) reg.Register {
		return m.signed(m.border(x, m.float(-1), m.log1p(x)), x)
	})
	if !m.double() {
		m.long("erf", "erf(x)", m.erf)
	}
}

func (m *lanes) long(name, doc string, f func(x value) reg.Register) {
	m.function(name, "computes dst = "+doc+" over n elements.", 1, []string{"x"}, func(x []reg.Register) reg.Register { return f(x[0]) })
}

// pick returns a number for float32 or for float64.
func (m *lanes) pick(single, double float64) float64 {
	if m.double() {
		return double
	}
	return single
}

// log 2 in two pieces: the first has as many zeros at its end as a factor n needs.
const (
	ln2High32 = 0x1.62e4p-1
	ln2High64 = 0x1.62e42fee0p-1
)

func (m *lanes) ln2() (high, low float64) {
	if m.double() {
		return ln2High64, math.Ln2 - ln2High64
	}
	return ln2High32, math.Ln2 - ln2High32
}

// reduce returns n and r.
func (m *lanes) reduce(x value) (n, r reg.Register) {
	n = m.round(toNearest, m.mul(x, m.float(math.Log2E)))
	high, low := m.ln2()
	r = m.copy(x)
	m.emit("VFNMADD231", m.float(high), n, r)
	m.emit("VFNMADD231", m.float(low), n, r)
	return n, r
}

// exp is exp(x) for an x so large or small at most that the result overflows or vanishes just so.
func (m *lanes) exp(x value) reg.Register {
	n, r := m.reduce(x)
	var c []float64
	for k, f := 0, 1.0; k <= int(m.pick(7, 13)); k++ {
		c = append(c, 1/f)
		f *= float64(k + 1)
	}
	return m.scale(m.horner(r, c...), n)
}

// expDown is exp(-|x|).
func (m *lanes) expDown(x value) reg.Register {
	return m.exp(m.larger(m.float(m.pick(-104, -746)), m.or(x, m.sign())))
}

// expm1 returns 2ⁿ/2 and exp(r) - 1: exp(x) - 1 is 2·(half·y + (half - ½)).
func (m *lanes) expm1(x value) (half, y reg.Register) {
	n, r := m.reduce(x)
	var c []float64
	for k, f := 2, 2.0; k <= int(m.pick(7, 14)); k++ {
		c = append(c, 1/f)
		f *= float64(k + 1)
	}
	y = m.fma(m.mul(r, r), m.horner(r, c...), r)
	if m.wide {
		return m.to("VSCALEF", n, m.reg(m.float(0.5))), y
	}
	return m.power(m.whole(n), -1), y
}

// scale is x·2ⁿ.
func (m *lanes) scale(x value, n reg.Register) reg.Register {
	if m.wide {
		return m.to("VSCALEF", n, x)
	}
	// In two steps, since 2ⁿ alone may overflow or vanish. The second rounds, if the result is denormal; the first is exact.
	i := m.whole(n)
	h := m.XMM()
	if m.double() {
		m.VPSRAD(halve, i, h)
		rest := m.XMM()
		m.VPSUBD(h, i, rest)
		return m.mul(m.mul(x, m.power(h, 0)), m.power(rest, 0))
	}
	half, rest := m.vec(), m.vec()
	m.VPSRAD(halve, i, half)
	m.VPSUBD(half, i, rest)
	return m.mul(m.mul(x, m.power(half, 0)), m.power(rest, 0))
}

// whole converts to integers of 32 bits.
func (m *lanes) whole(n reg.Register) reg.Register {
	if m.double() {
		i := m.XMM()
		m.VCVTPD2DQY(n, i)
		return i
	}
	i := m.vec()
	m.VCVTPS2DQ(n, i)
	return i
}

// power is 2^(n+more), of integers of 32 bits.
func (m *lanes) power(n reg.Register, more int) reg.Register {
	d := m.vec()
	if m.double() {
		m.VPMOVSXDQ(n, d)
		n = d
		d = m.vec()
	}
	m.integer("VPADD", m.bits(uint64(m.bias()+more)), n, d)
	m.integer("VPSLL", m.fraction(), d, d)
	return d
}

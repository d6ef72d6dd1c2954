package main

import "github.com/mmcloughlin/avo/reg"

// erf is the error function in float32, in two pieces that meet at erfBorder: x + x·p(x²), and 1 - exp(q(|x|)), of which q is about log erfc.
// Both polynomials are minimax ones of degree 6, fitted to erf(x)/x - 1 and to log erfc(x) in 40 digits so that the error of erf, relative to
// it, is smallest: 4e-10 and 2e-9 of it. From 3.95 on the result is 1.
func (m *lanes) erf(x value) reg.Register {
	const border, one = 0.921875, 3.95
	a := m.abs(x)
	p := m.horner(m.mul(x, x), 0.1283791666, -0.3761263374, 0.1128369549, -0.02685939825, 0.005201032277, -0.0008142704209, 8.370100238e-5)
	near := m.fma(p, x, x)
	q := m.horner(m.smaller(m.float(one), a), -0.000198555487, -1.12766373, -0.6372022762, -0.1039140216, 0.02221844942, -0.003041092533, 0.0001957206309)
	far := m.signed(m.sub(m.float(1), m.exp(q)), x)
	return m.choose(m.compare(isGreater, a, m.float(border)), far, near) // NaN is near
}

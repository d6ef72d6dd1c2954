package winograd

import "unsafe"

// The points of interpolation.
const (
	a = 11. / 16
	b = 3. / 2
)

// at is an element at a distance in bytes.
func at(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }

// inputGo is the plain twin of the input transform.
func inputGo(t *inputTile) {
	for c := range int(t.n) {
		var d [Reach][Reach]float32 // transformed down, [column][point]
		for j := range Reach {
			if t.cols[j] == 0 {
				continue
			}
			var x [Reach]float32
			for r := range x {
				x[r] = *at(t.base[r], t.off[r]+j*int(t.pixel)+4*c)
			}
			d[j] = inputRow(x)
		}
		for i := range Reach {
			v := inputRow([Reach]float32{d[0][i], d[1][i], d[2][i], d[3][i], d[4][i], d[5][i]})
			for j, x := range v {
				*at(t.dst, (Reach*i+j)*int(t.point)+4*c) = x
			}
		}
	}
}

// inputRow is Bᵀ·x.
func inputRow(x [Reach]float32) (v [Reach]float32) {
	v[0] = x[4] - (a*a+b*b)*x[2] + a*a*b*b*x[0]
	even, odd := x[4]-b*b*x[2], x[3]-b*b*x[1]
	v[1], v[2] = even+a*odd, even-a*odd
	even, odd = x[4]-a*a*x[2], x[3]-a*a*x[1]
	v[3], v[4] = even+b*odd, even-b*odd
	v[5] = x[5] - (a*a+b*b)*x[3] + a*a*b*b*x[1]
	return v
}

// filterGo is the plain twin of the filter transform.
func filterGo(dst *float32, point, step uintptr, src *float32, tap, lds, count, n uintptr) {
	for k := range count {
		from, to := unsafe.Pointer(src), unsafe.Add(unsafe.Pointer(dst), int(k*step))
		for j := range genericLanes {
			var d [3][Reach]float32 // [column][point]
			for c := range 3 {
				var g [3]float32
				for r := range g {
					if j < int(n) {
						g[r] = *at(from, int(k*lds)+(3*r+c)*int(tap)+4*j)
					}
				}
				d[c] = filterRow(g)
			}
			for i := range Reach {
				for c, x := range filterRow([3]float32{d[0][i], d[1][i], d[2][i]}) {
					*at(to, (Reach*i+c)*int(point)+4*j) = x
				}
			}
		}
	}
}

// filterRow is G·g.
func filterRow(g [3]float32) (u [Reach]float32) {
	const na, nb = 2 * a * a * (a*a - b*b), 2 * b * b * (b*b - a*a)
	u[0] = g[0] * (1 / (a * a * b * b))
	even, odd := g[0]*(1/na)+g[2]*(a*a/na), g[1]*(a/na)
	u[1], u[2] = even+odd, even-odd
	even, odd = g[0]*(1/nb)+g[2]*(b*b/nb), g[1]*(b/nb)
	u[3], u[4] = even+odd, even-odd
	u[5] = g[2]
	return u
}

// outputGo is the plain twin of the output transform.
func outputGo(t *outputTile) {
	for f := range int(t.n) {
		var z [Side][Reach]float32 // transformed across, [column][point]
		for i := range Reach {
			var m [Reach]float32
			for j := range m {
				m[j] = *at(t.src, (Reach*i+j)*int(t.point)+4*f)
			}
			for j, x := range outputRow(m) {
				z[j][i] = x
			}
		}
		for j := range int(t.cols) {
			for i, v := range outputRow(z[j]) {
				if t.rows[i] == 0 {
					break
				}
				off := i*int(t.row) + j*int(t.pixel) + 4*f
				if t.bias != nil {
					v += *at(t.bias, 4*f)
				}
				if t.residual != nil {
					v += *at(t.residual, off)
				}
				*at(t.dst, off) = max(v, t.floor)
			}
		}
	}
}

// outputRow is Aᵀ·m.
func outputRow(m [Reach]float32) (y [Side]float32) {
	sum1, diff1 := m[1]+m[2], m[1]-m[2]
	sum2, diff2 := m[3]+m[4], m[3]-m[4]
	y[0] = m[0] + sum1 + sum2
	y[1] = a*diff1 + b*diff2
	y[2] = a*a*sum1 + b*b*sum2
	y[3] = m[5] + a*a*a*diff1 + b*b*b*diff2
	return y
}

// genericLanes is the width of a vector where there are none: what a panel of the plain product has.
const genericLanes = 8

package winograd

import (
	"runtime"
	"unsafe"
)

// gradientTile is the argument of the transform of gradients, which reads its fields by offset. Strides are in bytes.
type gradientTile struct {
	base  [Side]unsafe.Pointer // what the offsets of the four rows count from
	off   [Side]int            // of column 0 of each row
	pixel uintptr              // from column to column
	dst   unsafe.Pointer       // point 0
	point uintptr              // from point to point
	n     uintptr              // filters
	cols  [Side]int32          // -1 for columns inside the result, else 0
	part  uint32               // 1 if some are outside
}

// Gradient writes A·dy·Aᵀ of tiles first … first+count-1, where dy are gradients with respect to the results: of filter
// f < n, point p of tile first+i goes to y[p·point + i·ld + f]. dy begins at the first of the filters.
func (o Ops) Gradient(y []float32, point, ld int, dy []float32, g *Grid, first, count, n int) {
	if count == 0 || n == 0 {
		return
	}
	reaches("Gradient", "y", y, (Points-1)*point+(count-1)*ld+n)
	reaches("Gradient", "dy", dy, (g.N*g.OutH*g.OutW-1)*g.OutC+n)
	t := gradientTile{pixel: bytes(g.OutC), point: bytes(point), n: uintptr(n)}
	image, row, col := g.place(first)
	for i := range count {
		at := 4 * ((image*g.OutH+row)*g.OutW + col) * g.OutC
		for r := range t.base {
			if row+r < g.OutH {
				t.base[r], t.off[r] = unsafe.Pointer(&dy[0]), at+4*r*g.OutW*g.OutC
			} else {
				t.base[r], t.off[r] = unsafe.Pointer(&g.zeros[0]), 0
			}
		}
		t.part = 0
		for j := range t.cols {
			t.cols[j] = -1
			if col+j >= g.OutW {
				t.cols[j], t.part = 0, 1
			}
		}
		t.dst = unsafe.Pointer(&y[i*ld])
		o.gradient(&t)
		if col += Side; col >= g.OutW {
			if col, row = 0, row+Side; row >= g.OutH {
				row, image = 0, image+1
			}
		}
	}
	runtime.KeepAlive(dy)
}

// Taps writes Gᵀ·u·G of count channels and n filters: point p of channel k and filter j is u[p·point + k·step + j], and tap
// 3·row + column of them goes to dw[t·tap + k·ld + j].
func (o Ops) Taps(dw []float32, tap, ld int, u []float32, point, step, count, n int) {
	if count == 0 || n == 0 {
		return
	}
	reaches("Taps", "dw", dw, 8*tap+(count-1)*ld+n)
	reaches("Taps", "u", u, (Points-1)*point+(count-1)*step+n)
	for k := range count {
		o.taps(&dw[k*ld], bytes(tap), &u[k*step], bytes(point), uintptr(n))
	}
}

// gradientGo is the plain twin of the transform of gradients.
func gradientGo(t *gradientTile) {
	for f := range int(t.n) {
		var d [Side][Reach]float32 // transformed down, [column][point]
		for j := range Side {
			if t.cols[j] == 0 {
				continue
			}
			var y [Side]float32
			for r := range y {
				y[r] = *at(t.base[r], t.off[r]+j*int(t.pixel)+4*f)
			}
			d[j] = gradientRow(y)
		}
		for i := range Reach {
			v := gradientRow([Side]float32{d[0][i], d[1][i], d[2][i], d[3][i]})
			for j, x := range v {
				*at(t.dst, (Reach*i+j)*int(t.point)+4*f) = x
			}
		}
	}
}

// gradientRow is A·y.
func gradientRow(y [Side]float32) (v [Reach]float32) {
	v[0], v[5] = y[0], y[3]
	even, odd := y[0]+a*a*y[2], y[1]+a*a*y[3]
	v[1], v[2] = even+a*odd, even-a*odd
	even, odd = y[0]+b*b*y[2], y[1]+b*b*y[3]
	v[3], v[4] = even+b*odd, even-b*odd
	return v
}

// tapsGo is the plain twin of the transform of sums.
func tapsGo(dst *float32, tap uintptr, src *float32, point, n uintptr) {
	from, to := unsafe.Pointer(src), unsafe.Pointer(dst)
	for f := range int(n) {
		var z [3][Reach]float32 // transformed across, [column][point]
		for i := range Reach {
			var u [Reach]float32
			for j := range u {
				u[j] = *at(from, (Reach*i+j)*int(point)+4*f)
			}
			for j, x := range tapRow(u) {
				z[j][i] = x
			}
		}
		for j := range z {
			for i, x := range tapRow(z[j]) {
				*at(to, (3*i+j)*int(tap)+4*f) = x
			}
		}
	}
}

// tapRow is Gᵀ·u.
func tapRow(u [Reach]float32) (g [3]float32) {
	const na, nb = 2 * a * a * (a*a - b*b), 2 * b * b * (b*b - a*a)
	near, far := u[1]+u[2], u[3]+u[4]
	g[0] = u[0]*(1/(a*a*b*b)) + near*(1/na) + far*(1/nb)
	g[1] = (u[1]-u[2])*(a/na) + (u[3]-u[4])*(b/nb)
	g[2] = near*(a*a/na) + far*(b*b/nb) + u[5]
	return g
}

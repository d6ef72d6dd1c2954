package vec

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// generic is the plain Go twins of the assembly, with the same signatures.
var generic = Ops{
	level: cpuid.Generic,
	add:   addGo, mul: mulGo, reluGrad: reluGradGo, relu: reluGo,
	scale: scaleGo, axpy: axpyGo, momentum: momentumGo, nesterov: nesterovGo, adam: adamGo,
	scaleShift: [2][2]func(dst, x, z, mean, scale, shift *float32, rows, c uintptr){
		{scaleShiftGo, scaleShiftReLUGo}, {scaleShiftAddGo, scaleShiftAddReLUGo},
	},
	normGrad: normGradGo, colSum: colSumGo, colMoments: colMomentsGo, colNormGrad: colNormGradGo, dot: dotGo,
}

// in is the slice behind an assembly argument.
func in(p *float32, n uintptr) []float32 { return unsafe.Slice(p, n) }

// max0 is max(x, 0) with NaN kept.
func max0(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

func addGo(dst, a, b *float32, n uintptr) {
	d, y := in(dst, n), in(b, n)
	for i, x := range in(a, n) {
		d[i] = x + y[i]
	}
}

func mulGo(dst, a, b *float32, n uintptr) {
	d, y := in(dst, n), in(b, n)
	for i, x := range in(a, n) {
		d[i] = x * y[i]
	}
}

func reluGradGo(dst, y, dy *float32, n uintptr) {
	d, g := in(dst, n), in(dy, n)
	for i, x := range in(y, n) {
		if x > 0 {
			d[i] = g[i]
		} else {
			d[i] = 0
		}
	}
}

func reluGo(dst, x *float32, n uintptr) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] = max0(v)
	}
}

func scaleGo(dst, x *float32, n uintptr, a float32) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] = a * v
	}
}

func axpyGo(dst, x *float32, n uintptr, a float32) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] += a * v
	}
}

func momentumGo(w, v, g *float32, n uintptr, lr, mu float32) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		vv[i] = mu*vv[i] - lr*x
		ww[i] += vv[i]
	}
}

func nesterovGo(w, v, g *float32, n uintptr, lr, mu float32) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		vv[i] = mu*vv[i] - lr*x
		ww[i] += mu*vv[i] - lr*x
	}
}

func adamGo(w, m, v, g *float32, n uintptr, lr, c1, c2, eps float32) {
	ww, mm, vv := in(w, n), in(m, n), in(v, n)
	for i, x := range in(g, n) {
		mm[i] += c1 * (x - mm[i])
		vv[i] += c2 * (x*x - vv[i])
		ww[i] -= lr * mm[i] / (float32(math.Sqrt(float64(vv[i]))) + eps)
	}
}

func scaleShiftGo(dst, x, z, mean, scale, shift *float32, rows, c uintptr) {
	m, s, h := in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		d, xx := in(dst, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j, v := range xx {
			d[j] = (v-m[j])*s[j] + h[j]
		}
	}
}

func scaleShiftAddGo(dst, x, z, mean, scale, shift *float32, rows, c uintptr) {
	m, s, h := in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		d, xx, zz := in(dst, rows*c)[o:][:c], in(x, rows*c)[o:][:c], in(z, rows*c)[o:][:c]
		for j, v := range xx {
			d[j] = (v-m[j])*s[j] + h[j] + zz[j]
		}
	}
}

func scaleShiftReLUGo(dst, x, z, mean, scale, shift *float32, rows, c uintptr) {
	scaleShiftGo(dst, x, z, mean, scale, shift, rows, c)
	reluGo(dst, dst, rows*c)
}

func scaleShiftAddReLUGo(dst, x, z, mean, scale, shift *float32, rows, c uintptr) {
	scaleShiftAddGo(dst, x, z, mean, scale, shift, rows, c)
	reluGo(dst, dst, rows*c)
}

func normGradGo(dx, dy, x, a, mean, b, d *float32, rows, c uintptr) {
	aa, mm, bb, dd := in(a, c), in(mean, c), in(b, c), in(d, c)
	for o := uintptr(0); o < rows*c; o += c {
		out, g, xx := in(dx, rows*c)[o:][:c], in(dy, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j := range out {
			out[j] = aa[j]*g[j] + (bb[j]*(xx[j]-mm[j]) + dd[j])
		}
	}
}

func colSumGo(sum, x *float32, rows, c uintptr) {
	s, xx := in(sum, c), in(x, rows*c)
	for j := range s {
		var t float32
		for i := j; i < len(xx); i += int(c) {
			t += xx[i]
		}
		s[j] += t
	}
}

func colMomentsGo(sum, sq, x, shift *float32, rows, c uintptr) {
	s, q, h, xx := in(sum, c), in(sq, c), in(shift, c), in(x, rows*c)
	for j := range s {
		var t, u float32
		for i := j; i < len(xx); i += int(c) {
			v := xx[i] - h[j]
			t += v
			u += v * v
		}
		s[j] += t
		q[j] += u
	}
}

func colNormGradGo(sum, dot, dy, x, mean, rstd *float32, rows, c uintptr) {
	s, p, m, r := in(sum, c), in(dot, c), in(mean, c), in(rstd, c)
	g, xx := in(dy, rows*c), in(x, rows*c)
	for j := range s {
		var t, u float32
		for i := j; i < len(xx); i += int(c) {
			t += g[i]
			u += g[i] * (xx[i] - m[j])
		}
		s[j] += t
		p[j] += u * r[j]
	}
}

func dotGo(x, y *float32, n uintptr) float32 {
	yy := in(y, n)
	var s [4]float32
	for i, v := range in(x, n) {
		s[i&3] += v * yy[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

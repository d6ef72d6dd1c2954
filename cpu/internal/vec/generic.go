package vec

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// generic is the plain Go twins of the assembly, with the same signatures.
var generic = both{genericOps[float32](), genericOps[float64]()}

func genericOps[T Float]() Ops[T] {
	return Ops[T]{
		level: cpuid.Generic,
		add:   addGo[T], mul: mulGo[T], reluGrad: reluGradGo[T], relu: reluGo[T],
		scale: scaleGo[T], axpy: axpyGo[T], adam: adamGo[T],
		momentum:        [2]func(w, v, g *T, n uintptr, lr, mu T){momentumGo[T], nesterovGo[T]},
		momentumDecay:   [2]func(w, v, g *T, n uintptr, lr, mu, decay T){momentumDecayGo[T], nesterovDecayGo[T]},
		momentumSquares: [2]func(w, v, g *T, n uintptr, lr, mu, decay T) T{momentumSquaresGo[T], nesterovSquaresGo[T]},
		scaleShift: [2][2]func(dst, x, z, mean, scale, shift *T, rows, c uintptr){
			{scaleShiftGo[T], scaleShiftReLUGo[T]}, {scaleShiftAddGo[T], scaleShiftAddReLUGo[T]},
		},
		normGrad: normGradGo[T], normGradReLU: normGradReLUGo[T], normGradBound: normGradBoundGo[T], colSum: colSumGo[T], colMoments: colMomentsGo[T],
		colNormGrad: colNormGradGo[T], colNormGradReLU: colNormGradReLUGo[T], colNormGradBound: colNormGradBoundGo[T], colNormGradJoin: colNormGradJoinGo[T],
		dot: dotGo[T], minus: minusGo[T], sum: sumGo[T], top: topGo[T],
		moments: momentsGo[T], normRow: normRowGo[T], normRowSums: normRowSumsGo[T], normRowGrad: normRowGradGo[T],
		normRowGradAdd: normRowGradAddGo[T],
	}
}

// in is the slice behind an assembly argument.
func in[T Float](p *T, n uintptr) []T { return unsafe.Slice(p, n) }

// max0 is max(x, 0) with NaN kept.
func max0[T Float](x T) T {
	if x < 0 {
		return 0
	}
	return x
}

func addGo[T Float](dst, a, b *T, n uintptr) {
	d, y := in(dst, n), in(b, n)
	for i, x := range in(a, n) {
		d[i] = x + y[i]
	}
}

func mulGo[T Float](dst, a, b *T, n uintptr) {
	d, y := in(dst, n), in(b, n)
	for i, x := range in(a, n) {
		d[i] = x * y[i]
	}
}

func reluGradGo[T Float](dst, y, dy *T, n uintptr) {
	d, g := in(dst, n), in(dy, n)
	for i, x := range in(y, n) {
		if x > 0 {
			d[i] = g[i]
		} else {
			d[i] = 0
		}
	}
}

func reluGo[T Float](dst, x *T, n uintptr) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] = max0(v)
	}
}

func scaleGo[T Float](dst, x *T, n uintptr, a T) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] = a * v
	}
}

func axpyGo[T Float](dst, x *T, n uintptr, a T) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] += a * v
	}
}

func momentumGo[T Float](w, v, g *T, n uintptr, lr, mu T) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		vv[i] = mu*vv[i] - lr*x
		ww[i] += vv[i]
	}
}

func nesterovGo[T Float](w, v, g *T, n uintptr, lr, mu T) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		vv[i] = mu*vv[i] - lr*x
		ww[i] += mu*vv[i] - lr*x
	}
}

func momentumDecayGo[T Float](w, v, g *T, n uintptr, lr, mu, decay T) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		x += decay * ww[i]
		vv[i] = mu*vv[i] - lr*x
		ww[i] += vv[i]
	}
}

func nesterovDecayGo[T Float](w, v, g *T, n uintptr, lr, mu, decay T) {
	ww, vv := in(w, n), in(v, n)
	for i, x := range in(g, n) {
		x += decay * ww[i]
		vv[i] = mu*vv[i] - lr*x
		ww[i] += mu*vv[i] - lr*x
	}
}

func momentumSquaresGo[T Float](w, v, g *T, n uintptr, lr, mu, decay T) T {
	s := dotGo(w, w, n)
	momentumDecayGo(w, v, g, n, lr, mu, decay)
	return s
}

func nesterovSquaresGo[T Float](w, v, g *T, n uintptr, lr, mu, decay T) T {
	s := dotGo(w, w, n)
	nesterovDecayGo(w, v, g, n, lr, mu, decay)
	return s
}

func adamGo[T Float](w, m, v, g *T, n uintptr, lr, c1, c2, eps T) {
	ww, mm, vv := in(w, n), in(m, n), in(v, n)
	for i, x := range in(g, n) {
		mm[i] += c1 * (x - mm[i])
		vv[i] += c2 * (x*x - vv[i])
		ww[i] -= lr * mm[i] / (T(math.Sqrt(float64(vv[i]))) + eps)
	}
}

func scaleShiftGo[T Float](dst, x, z, mean, scale, shift *T, rows, c uintptr) {
	m, s, h := in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		d, xx := in(dst, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j, v := range xx {
			d[j] = (v-m[j])*s[j] + h[j]
		}
	}
}

func scaleShiftAddGo[T Float](dst, x, z, mean, scale, shift *T, rows, c uintptr) {
	m, s, h := in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		d, xx, zz := in(dst, rows*c)[o:][:c], in(x, rows*c)[o:][:c], in(z, rows*c)[o:][:c]
		for j, v := range xx {
			d[j] = (v-m[j])*s[j] + h[j] + zz[j]
		}
	}
}

func scaleShiftReLUGo[T Float](dst, x, z, mean, scale, shift *T, rows, c uintptr) {
	scaleShiftGo(dst, x, z, mean, scale, shift, rows, c)
	reluGo(dst, dst, rows*c)
}

func scaleShiftAddReLUGo[T Float](dst, x, z, mean, scale, shift *T, rows, c uintptr) {
	scaleShiftAddGo(dst, x, z, mean, scale, shift, rows, c)
	reluGo(dst, dst, rows*c)
}

func normGradGo[T Float](dx, dy, x, a, mean, b, d *T, rows, c uintptr) {
	aa, mm, bb, dd := in(a, c), in(mean, c), in(b, c), in(d, c)
	for o := uintptr(0); o < rows*c; o += c {
		out, g, xx := in(dx, rows*c)[o:][:c], in(dy, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j := range out {
			out[j] = aa[j]*g[j] + (bb[j]*(xx[j]-mm[j]) + dd[j])
		}
	}
}

func normGradReLUGo[T Float](dx, dy, x, a, mean, b, d, shift *T, rows, c uintptr) {
	aa, mm, bb, dd, hh := in(a, c), in(mean, c), in(b, c), in(d, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		out, g, xx := in(dx, rows*c)[o:][:c], in(dy, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j := range out {
			v, t := xx[j]-mm[j], g[j]
			if !(v*aa[j]+hh[j] > 0) {
				t = 0
			}
			out[j] = aa[j]*t + (bb[j]*v + dd[j])
		}
	}
}

func normGradBoundGo[T Float](dx, dy, x, a, mean, b, d, shift *T, rows, c uintptr, most T) {
	aa, mm, bb, dd, hh := in(a, c), in(mean, c), in(b, c), in(d, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		out, g, xx := in(dx, rows*c)[o:][:c], in(dy, rows*c)[o:][:c], in(x, rows*c)[o:][:c]
		for j := range out {
			v, t := xx[j]-mm[j], g[j]
			if y := v*aa[j] + hh[j]; !(y > 0 && y < most) {
				t = 0
			}
			out[j] = aa[j]*t + (bb[j]*v + dd[j])
		}
	}
}

// The sums go row by row, as memory lies.

func colSumGo[T Float](sum, x *T, rows, c, ld uintptr) {
	const block = 64
	s, xx := in(sum, c), in(x, (rows-1)*ld+c)
	for j := 0; j < len(s); j += block {
		var sums [block]T
		to := s[j:min(j+block, len(s))]
		for o := j; o < len(xx); o += int(ld) {
			for i, v := range xx[o:][:len(to)] {
				sums[i] += v
			}
		}
		for i := range to {
			to[i] += sums[i]
		}
	}
}

func colMomentsGo[T Float](sum, sq, x, shift *T, rows, c, ld uintptr) {
	s, q, h := in(sum, c), in(sq, c), in(shift, c)
	for o := uintptr(0); o < rows*ld; o += ld {
		for j, v := range in(x, (rows-1)*ld+c)[o:][:c] {
			v -= h[j]
			s[j] += v
			q[j] += v * v
		}
	}
}

func colNormGradGo[T Float](sum, dot, dy, x, mean *T, rows, c uintptr) {
	s, p, m := in(sum, c), in(dot, c), in(mean, c)
	for o := uintptr(0); o < rows*c; o += c {
		xx := in(x, rows*c)[o:][:c]
		for j, g := range in(dy, rows*c)[o:][:c] {
			s[j] += g
			p[j] += g * (xx[j] - m[j])
		}
	}
}

func colNormGradReLUGo[T Float](sum, dot, dy, x, mean, scale, shift *T, rows, c uintptr) {
	s, p, m, f, h := in(sum, c), in(dot, c), in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		xx := in(x, rows*c)[o:][:c]
		for j, g := range in(dy, rows*c)[o:][:c] {
			v := xx[j] - m[j]
			if !(v*f[j]+h[j] > 0) {
				g = 0
			}
			s[j] += g
			p[j] += g * v
		}
	}
}

func colNormGradBoundGo[T Float](sum, dot, dy, x, mean, scale, shift *T, rows, c uintptr, most T) {
	s, p, m, f, h := in(sum, c), in(dot, c), in(mean, c), in(scale, c), in(shift, c)
	for o := uintptr(0); o < rows*c; o += c {
		xx := in(x, rows*c)[o:][:c]
		for j, g := range in(dy, rows*c)[o:][:c] {
			v := xx[j] - m[j]
			if y := v*f[j] + h[j]; !(y > 0 && y < most) {
				g = 0
			}
			s[j] += g
			p[j] += g * v
		}
	}
}

func colNormGradJoinGo[T Float](sum, dot, dy, a, b, y, x, mean *T, rows, c uintptr) {
	s, p, m := in(sum, c), in(dot, c), in(mean, c)
	out, aa, bb, yy, xx := in(dy, rows*c), in(a, rows*c), in(b, rows*c), in(y, rows*c), in(x, rows*c)
	for o := 0; o < len(out); o += int(c) {
		for j := range s {
			g := aa[o+j] + bb[o+j]
			if !(yy[o+j] > 0) {
				g = 0
			}
			out[o+j] = g
			s[j] += g
			p[j] += g * (xx[o+j] - m[j])
		}
	}
}

func dotGo[T Float](x, y *T, n uintptr) T {
	yy := in(y, n)
	var s [4]T
	for i, v := range in(x, n) {
		s[i&3] += v * yy[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// transposeGo takes four rows at a time, so that it writes four elements at once.
func transposeGo[T Float](dst []T, ldd int, src []T, lds, rows, cols int) {
	r := 0
	for ; r+4 <= rows; r += 4 {
		s0, s1 := src[r*lds:][:cols], src[(r+1)*lds:][:cols]
		s2, s3 := src[(r+2)*lds:][:cols], src[(r+3)*lds:][:cols]
		for c := range s0 {
			d := (*[4]T)(dst[c*ldd+r:])
			d[0], d[1], d[2], d[3] = s0[c], s1[c], s2[c], s3[c]
		}
	}
	for ; r < rows; r++ {
		for c, v := range src[r*lds:][:cols] {
			dst[c*ldd+r] = v
		}
	}
}

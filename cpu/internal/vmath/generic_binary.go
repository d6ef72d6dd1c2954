package vmath

import "math"

func addGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = x[i] + y[i]
		}
	})
}

func subGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = x[i] - y[i]
		}
	})
}

func mulGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = x[i] * y[i]
		}
	})
}

func divGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = x[i] / y[i]
		}
	})
}

func powGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = T(math.Pow(float64(x[i]), float64(y[i])))
		}
	})
}

func ltGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] < y[i])
		}
	})
}

func gtGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] > y[i])
		}
	})
}

func lteGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] <= y[i])
		}
	})
}

func gteGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] >= y[i])
		}
	})
}

func eqGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] == y[i])
		}
	})
}

func neGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			d[i] = truth[T](x[i] != y[i])
		}
	})
}

func truth[T Float](is bool) T {
	if is {
		return 1
	}
	return 0
}

func minGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			p, q := x[i], y[i]
			if q < p || q != q {
				p = q
			}
			d[i] = p
		}
	})
}

func maxGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			p, q := x[i], y[i]
			if q > p || q != q {
				p = q
			}
			d[i] = p
		}
	})
}

func reluGradGo[T Float](dst, a, b *T, n, sa, sb uintptr) {
	each(dst, a, b, b, n, sa, sb, sb, func(d, x, y, _ []T) {
		for i := range d {
			var v T
			if x[i] > 0 {
				v = y[i]
			}
			d[i] = v
		}
	})
}

func mulAddGo[T Float](dst, a, b, c *T, n, sa, sb, sc uintptr) {
	each(dst, a, b, c, n, sa, sb, sc, func(d, x, y, z []T) {
		for i := range d {
			d[i] = x[i]*y[i] + z[i]
		}
	})
}

func mulSubGo[T Float](dst, a, b, c *T, n, sa, sb, sc uintptr) {
	each(dst, a, b, c, n, sa, sb, sc, func(d, x, y, z []T) {
		for i := range d {
			d[i] = x[i]*y[i] - z[i]
		}
	})
}

func subMulGo[T Float](dst, a, b, c *T, n, sa, sb, sc uintptr) {
	each(dst, a, b, c, n, sa, sb, sc, func(d, x, y, z []T) {
		for i := range d {
			d[i] = z[i] - x[i]*y[i]
		}
	})
}

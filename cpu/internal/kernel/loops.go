package kernel

import "math"

func relu(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		if v < 0 { // false for NaN, which is handed on
			v = 0
		}
		y[i] = v
	}
}

func reluGrad(dx, y, dy []float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		d := dy[i]
		if !(v > 0) {
			d = 0
		}
		dx[i] = d
	}
}

func scale(y, x []float32, f float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = f * v
	}
}

func add(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func mul(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

func addReLU(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		v := a[i] + b[i]
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

func axpy(y, a, b []float32, f float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + f*b[i]
	}
}

func axpby(y, a, b []float32, alpha, beta float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = alpha*a[i] + beta*b[i]
	}
}

func mulAdd(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += a[i] * b[i]
	}
}

// maxInto is y = max(y, x), where NaN counts as the largest number.
func maxInto(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		if v > y[i] || v != v {
			y[i] = v
		}
	}
}

// routeMax adds rest to dx and clears it wherever x is the maximum y. It has no branches: where the maximum lies is
// random, and a mispredicted one costs more than the loop.
func routeMax(dx, rest, x, y []float32) {
	rest, x, y = rest[:len(dx)], x[:len(dx)], y[:len(dx)]
	for i, v := range x {
		var hit uint32
		if v == y[i] {
			hit = 1
		}
		var nan uint32
		if v != v {
			nan = 1
		}
		r := math.Float32bits(rest[i])
		take := r & -(hit | nan)
		rest[i] = math.Float32frombits(r ^ take)
		dx[i] += math.Float32frombits(take)
	}
}

// sum adds in float64.
func sum(x []float32) float64 {
	var a, b, c, d float64 // four sums, so that the adder's latency does not bound the speed
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

// sumSquares is Σ(x−mean)² in float64.
func sumSquares(x []float32, mean float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		p, q, r, s := float64(x[0])-mean, float64(x[1])-mean, float64(x[2])-mean, float64(x[3])-mean
		a += p * p
		b += q * q
		c += r * r
		d += s * s
	}
	for _, v := range x {
		p := float64(v) - mean
		a += p * p
	}
	return (a + b) + (c + d)
}

// columnSums adds the rows of x, each as long as acc, to acc.
func columnSums(acc, x []float32) {
	for c := len(acc); len(x) >= c; x = x[c:] {
		row := x[:c]
		for i, v := range row {
			acc[i] += v
		}
	}
}

// columnMoments adds the rows of x−origin to s and their squares to q.
func columnMoments(s, q, x, origin []float32) {
	c := len(origin)
	s, q = s[:c], q[:c]
	for ; len(x) >= c; x = x[c:] {
		for i, v := range x[:c] {
			d := v - origin[i]
			s[i] += d
			q[i] += d * d
		}
	}
}

// gradSums adds the rows of dy to s and those of dy·(x−mean) to q; dy counts as 0 where y ≤ 0, if y is not nil.
func gradSums(s, q, x, dy, y, mean []float32) {
	c := len(mean)
	s, q = s[:c], q[:c]
	for at := 0; at < len(x); at += c {
		for i := range c {
			g := dy[at+i]
			if y != nil && !(y[at+i] > 0) {
				g = 0
			}
			s[i] += g
			q[i] += g * (x[at+i] - mean[i])
		}
	}
}

// scaleShiftRows is y = scale·x + shift (+ z), then ReLU, for rows as long as shift; a nil scale is 1, a nil z is 0.
func scaleShiftRows(y, x, z, scale, shift []float32, relu bool) {
	c := len(shift)
	for at := 0; at < len(y); at += c {
		for i := range c {
			v := x[at+i]
			if scale != nil {
				v *= scale[i]
			}
			v += shift[i]
			if z != nil {
				v += z[at+i]
			}
			if relu && v < 0 {
				v = 0
			}
			y[at+i] = v
		}
	}
}

func scaleShift(y, x []float32, scale, shift float32, relu bool) {
	for i, v := range x {
		v = v*scale + shift
		if relu && v < 0 {
			v = 0
		}
		y[i] = v
	}
}

func scaleShiftAdd(y, x, z []float32, scale, shift float32, relu bool) {
	for i, v := range x {
		v = v*scale + shift + z[i]
		if relu && v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// gradScaleRows is dx = a·dy with dy as 0 where y ≤ 0, which is stored to mask too, for rows as long as a; y and mask may
// be nil.
func gradScaleRows(dx, mask, dy, y, a []float32) {
	c := len(a)
	for at := 0; at < len(dx); at += c {
		for i := range c {
			g := dy[at+i]
			if y != nil && !(y[at+i] > 0) {
				g = 0
			}
			if mask != nil {
				mask[at+i] = g
			}
			dx[at+i] = a[i] * g
		}
	}
}

// gradInputRows is dx = a·dy + b·(x−mean) + d, otherwise as gradScaleRows.
func gradInputRows(dx, mask, x, dy, y, mean, a, b, d []float32) {
	c := len(a)
	for at := 0; at < len(dx); at += c {
		for i := range c {
			g := dy[at+i]
			if y != nil && !(y[at+i] > 0) {
				g = 0
			}
			v := a[i]*g + b[i]*(x[at+i]-mean[i]) + d[i]
			if mask != nil {
				mask[at+i] = g
			}
			dx[at+i] = v
		}
	}
}

func momentumUpdate(newW, newV, w, v, g []float32, lr, momentum, decay float32, nesterov bool) {
	for i := range w {
		d := lr * (g[i] + decay*w[i])
		u := momentum*v[i] - d
		step := u
		if nesterov {
			step = momentum*u - d
		}
		newV[i] = u
		newW[i] = w[i] + step
	}
}

func adamUpdate(newW, newM, newV, w, m, v, g []float32, rate float32, beta1, beta2, epsilon, decay float64) {
	b1, c1, b2, c2 := float32(beta1), float32(1-beta1), float32(beta2), float32(1-beta2)
	eps, wd := float32(epsilon), float32(decay)
	for i := range w {
		d := g[i] + wd*w[i]
		mi := b1*m[i] + c1*d
		vi := b2*v[i] + c2*(d*d)
		newM[i], newV[i] = mi, vi
		newW[i] = w[i] - rate*mi/(float32(math.Sqrt(float64(vi)))+eps)
	}
}

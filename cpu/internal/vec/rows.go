package vec

import "fmt"

// rowsInside panics unless rows of c elements, ld elements from row to row, lie in n.
func rowsInside(op string, n, rows, c, ld int) {
	if ld < c || (rows-1)*ld+c > n {
		panic(fmt.Sprintf("vec: %s: %d rows of %d elements, %d from row to row, do not lie in %d elements", op, rows, c, ld, n))
	}
}

// ScaleShift computes dst[r,c] = (x[r,c]-mean[c])·scale[c] + shift[c] (+ z[r,c]
// unless z is nil), then max(·, 0) with relu. dst, x and z are rows × len(scale).
// The mean is taken off first: folded into the shift it would cancel against
// x·scale and leave the rounding of two large numbers.
func (o *Ops[T]) ScaleShift(dst, x, z, mean, scale, shift []T, rows int, relu bool) {
	c := len(scale)
	same("ScaleShift", rows*c, len(dst), len(x))
	same("ScaleShift", c, len(mean), len(shift))
	if rows*c == 0 {
		return
	}
	zp := &x[0]
	if z != nil {
		same("ScaleShift", rows*c, len(z))
		zp = &z[0]
	}
	o.scaleShift[index(z != nil)][index(relu)](&dst[0], &x[0], zp, &mean[0], &scale[0], &shift[0], uintptr(rows), uintptr(c))
}

// NormGrad is batch norm's backward pass to its input once the sums are known:
// dx[r,c] = a[c]·dy[r,c] + b[c]·(x[r,c]-mean[c]) + d[c] over rows × len(a).
func (o *Ops[T]) NormGrad(dx, dy, x, a, mean, b, d []T, rows int) {
	c := len(a)
	same("NormGrad", rows*c, len(dx), len(dy), len(x))
	same("NormGrad", c, len(mean), len(b), len(d))
	if rows*c > 0 {
		o.normGrad(&dx[0], &dy[0], &x[0], &a[0], &mean[0], &b[0], &d[0], uintptr(rows), uintptr(c))
	}
}

// NormGradReLU is NormGrad of a batch norm that a ReLU followed: dy counts as 0 where what went into the ReLU,
// a[c]·(x[r,c]-mean[c]) + shift[c] as ScaleShift computes it, is not above 0.
func (o *Ops[T]) NormGradReLU(dx, dy, x, a, mean, b, d, shift []T, rows int) {
	c := len(a)
	same("NormGradReLU", rows*c, len(dx), len(dy), len(x))
	same("NormGradReLU", c, len(mean), len(b), len(d), len(shift))
	if rows*c > 0 {
		o.normGradReLU(&dx[0], &dy[0], &x[0], &a[0], &mean[0], &b[0], &d[0], &shift[0], uintptr(rows), uintptr(c))
	}
}

// NormGradBound is NormGradReLU of a ReLU with a bound: dy counts as 0 also where what went into it is not below most.
func (o *Ops[T]) NormGradBound(dx, dy, x, a, mean, b, d, shift []T, rows int, most T) {
	c := len(a)
	same("NormGradBound", rows*c, len(dx), len(dy), len(x))
	same("NormGradBound", c, len(mean), len(b), len(d), len(shift))
	if rows*c > 0 {
		o.normGradBound(&dx[0], &dy[0], &x[0], &a[0], &mean[0], &b[0], &d[0], &shift[0], uintptr(rows), uintptr(c), most)
	}
}

// The sums over rows below add up in T, row after row. A caller with many rows of
// float32 sums blocks of some hundred and adds the blocks up in float64.

// ColSum adds Σ_r x[r,c] to sum[c]; x is rows × len(sum), ld elements from row to row. It sums the rows before it adds them to what sum holds; the others
// may add them one by one.
func (o *Ops[T]) ColSum(sum, x []T, ld, rows int) {
	if c := len(sum); rows*c > 0 {
		rowsInside("ColSum", len(x), rows, c, ld)
		o.colSum(&sum[0], &x[0], uintptr(rows), uintptr(c), uintptr(ld))
	}
}

// ColMoments adds Σ_r (x[r,c]-shift[c]) to sum[c] and Σ_r (x[r,c]-shift[c])² to
// sq[c]; x is rows × len(sum), ld elements from row to row. A shift near the mean keeps the variance free of cancellation.
func (o *Ops[T]) ColMoments(sum, sq, x, shift []T, ld, rows int) {
	c := len(sum)
	same("ColMoments", c, len(sq), len(shift))
	if rows*c > 0 {
		rowsInside("ColMoments", len(x), rows, c, ld)
		o.colMoments(&sum[0], &sq[0], &x[0], &shift[0], uintptr(rows), uintptr(c), uintptr(ld))
	}
}

// ColNormGrad adds Σ_r dy[r,c] to sum[c] and Σ_r dy[r,c]·(x[r,c]-mean[c]) to dot[c]: the gradient of batch norm's beta, and
// that of gamma but for the factor 1/√(variance+ε).
func (o *Ops[T]) ColNormGrad(sum, dot, dy, x, mean []T, rows int) {
	c := len(sum)
	same("ColNormGrad", c, len(dot), len(mean))
	same("ColNormGrad", rows*c, len(dy), len(x))
	if rows*c > 0 {
		o.colNormGrad(&sum[0], &dot[0], &dy[0], &x[0], &mean[0], uintptr(rows), uintptr(c))
	}
}

// ColNormGradReLU is ColNormGrad of a batch norm that a ReLU followed: dy counts as 0 where what went into the ReLU,
// scale[c]·(x[r,c]-mean[c]) + shift[c] as ScaleShift computes it, is not above 0.
func (o *Ops[T]) ColNormGradReLU(sum, dot, dy, x, mean, scale, shift []T, rows int) {
	c := len(sum)
	same("ColNormGradReLU", c, len(dot), len(mean), len(scale), len(shift))
	same("ColNormGradReLU", rows*c, len(dy), len(x))
	if rows*c > 0 {
		o.colNormGradReLU(&sum[0], &dot[0], &dy[0], &x[0], &mean[0], &scale[0], &shift[0], uintptr(rows), uintptr(c))
	}
}

// ColNormGradBound is ColNormGradReLU of a ReLU with a bound: dy counts as 0 also where what went into it is not below most.
func (o *Ops[T]) ColNormGradBound(sum, dot, dy, x, mean, scale, shift []T, rows int, most T) {
	c := len(sum)
	same("ColNormGradBound", c, len(dot), len(mean), len(scale), len(shift))
	same("ColNormGradBound", rows*c, len(dy), len(x))
	if rows*c > 0 {
		o.colNormGradBound(&sum[0], &dot[0], &dy[0], &x[0], &mean[0], &scale[0], &shift[0], uintptr(rows), uintptr(c), most)
	}
}

// ColNormGradJoin computes dy[r,c] = a[r,c] + b[r,c] where y[r,c] > 0, else 0, and on the way ColNormGrad of it. dy may be a,
// b or y.
func (o *Ops[T]) ColNormGradJoin(sum, dot, dy, a, b, y, x, mean []T, rows int) {
	c := len(sum)
	same("ColNormGradJoin", c, len(dot), len(mean))
	same("ColNormGradJoin", rows*c, len(dy), len(a), len(b), len(y), len(x))
	if rows*c > 0 {
		o.colNormGradJoin(&sum[0], &dot[0], &dy[0], &a[0], &b[0], &y[0], &x[0], &mean[0], uintptr(rows), uintptr(c))
	}
}

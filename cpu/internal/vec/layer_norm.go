package vec

// What layer normalization makes of a row. Its mean comes in two parts: mean, rounded, and low, what is missing of it. Both are taken off one
// after the other, so that rows far from 0 keep their digits.

// Moments returns Σ (x−mean) and Σ (x−mean)², added up as in Sum.
func (o *Ops[T]) Moments(x []T, mean T) (sum, squares float64) {
	for i := 0; i < len(x); i += sumBlock {
		a, b := o.moments(&x[i], uintptr(min(sumBlock, len(x)-i)), mean)
		sum, squares = sum+float64(a), squares+float64(b)
	}
	return sum, squares
}

// NormRow computes dst = (x−mean−low)·inverse·scale + shift.
func (o *Ops[T]) NormRow(dst, x, scale, shift []T, mean, low, inverse T) {
	same("NormRow", len(dst), len(x), len(scale), len(shift))
	if len(dst) > 0 {
		o.normRow(&dst[0], &x[0], &scale[0], &shift[0], uintptr(len(dst)), mean, low, inverse)
	}
}

// NormRowSums adds dy·u to dscale and dy to dshift, where u = (x−mean−low)·inverse, and returns Σ dy·scale and Σ dy·scale·u, added up as in Sum.
func (o *Ops[T]) NormRowSums(dscale, dshift, dy, x, scale []T, mean, low, inverse T) (total, dot float64) {
	same("NormRowSums", len(x), len(dscale), len(dshift), len(dy), len(scale))
	for i := 0; i < len(x); i += sumBlock {
		a, b := o.normRowSums(&dscale[i], &dshift[i], &dy[i], &x[i], &scale[i], uintptr(min(sumBlock, len(x)-i)), mean, low, inverse)
		total, dot = total+float64(a), dot+float64(b)
	}
	return total, dot
}

// NormRowGrad computes dx = (dy·scale − a)·inverse − (x−mean−low)·b, plus z unless that is nil.
func (o *Ops[T]) NormRowGrad(dx, dy, x, scale, z []T, mean, low, inverse, a, b T) {
	same("NormRowGrad", len(dx), len(dy), len(x), len(scale))
	if len(dx) == 0 {
		return
	}
	if z == nil {
		o.normRowGrad(&dx[0], &dy[0], &x[0], &scale[0], uintptr(len(dx)), mean, low, inverse, a, b)
		return
	}
	same("NormRowGrad", len(dx), len(z))
	o.normRowGradAdd(&dx[0], &dy[0], &x[0], &scale[0], &z[0], uintptr(len(dx)), mean, low, inverse, a, b)
}

func momentsGo[T Float](x *T, n uintptr, mean T) (T, T) {
	var a, b [2]T
	for i, v := range in(x, n) {
		v -= mean
		a[i&1] += v
		b[i&1] += v * v
	}
	return a[0] + a[1], b[0] + b[1]
}

func normRowGo[T Float](dst, x, scale, shift *T, n uintptr, mean, low, inverse T) {
	d, a, b := in(dst, n), in(scale, n), in(shift, n)
	for i, v := range in(x, n) {
		d[i] = (v-mean-low)*inverse*a[i] + b[i]
	}
}

func normRowSumsGo[T Float](dscale, dshift, dy, x, scale *T, n uintptr, mean, low, inverse T) (T, T) {
	ds, db, d, s := in(dscale, n), in(dshift, n), in(dy, n), in(scale, n)
	var a, b [2]T
	for i, v := range in(x, n) {
		u, g := (v-mean-low)*inverse, d[i]
		ds[i] += g * u
		db[i] += g
		g *= s[i]
		a[i&1] += g
		b[i&1] += g * u
	}
	return a[0] + a[1], b[0] + b[1]
}

func normRowGradGo[T Float](dx, dy, x, scale *T, n uintptr, mean, low, inverse, a, b T) {
	d, g, s := in(dx, n), in(dy, n), in(scale, n)
	for i, v := range in(x, n) {
		d[i] = (g[i]*s[i]-a)*inverse - (v-mean-low)*b
	}
}

func normRowGradAddGo[T Float](dx, dy, x, scale, z *T, n uintptr, mean, low, inverse, a, b T) {
	d, g, s, more := in(dx, n), in(dy, n), in(scale, n), in(z, n)
	for i, v := range in(x, n) {
		d[i] = (g[i]*s[i]-a)*inverse - (v-mean-low)*b + more[i]
	}
}

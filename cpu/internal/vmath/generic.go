package vmath

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// generic is the plain Go twins of the assembly: of transcendental functions by package math, in float64.
func generic[T Float]() Ops[T] {
	one := oneGo[T]
	return Ops[T]{
		Level: cpuid.Generic,
		Abs:   absGo[T], Sign: signGo[T], Ceil: one(math.Ceil), Floor: one(math.Floor), Neg: negGo[T], Square: squareGo[T],
		Cube: cubeGo[T], Sqrt: sqrtGo[T], Inverse: inverseGo[T], InverseSqrt: inverseSqrtGo[T],
		Exp: one(math.Exp), Expm1: one(math.Expm1), Log: one(log), Log1p: one(math.Log1p), Log2: one(log2),
		Tanh: one(math.Tanh), Sigmoid: one(sigmoid), Softplus: one(softplus), Sin: one(math.Sin), Cos: one(math.Cos), Erf: one(math.Erf),
		Add: addGo[T], Sub: subGo[T], Mul: mulGo[T], Div: divGo[T], Pow: powGo[T], Lt: ltGo[T], Gt: gtGo[T], Lte: lteGo[T],
		Gte: gteGo[T], Eq: eqGo[T], Ne: neGo[T], Min: minGo[T], Max: maxGo[T], ReLUGrad: reluGradGo[T],
		MulAdd: mulAddGo[T], MulSub: mulSubGo[T], SubMul: subMulGo[T], Fill: fillGo[T],
	}
}

// oneGo is a function of float64 for both types.
func oneGo[T Float](f func(x float64) float64) F1[T] {
	return func(dst, x *T, n uintptr) {
		d := slice(dst, n)
		for i, v := range slice(x, n) {
			d[i] = T(f(float64(v)))
		}
	}
}

var generic32, generic64 = generic[float32](), generic[float64]()

// sigmoid never lets exp overflow, so that small results keep their digits.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// log is math.Log, which takes denormals for larger than they are (go1.26 on amd64).
func log(x float64) float64 {
	if 0 < x && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// log2 is exact for powers of 2 and, unlike math.Log2, good to its last digits around 1.
func log2(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	return float64(e) + math.Log(m)*math.Log2E
}

// softplus is log(1+exp(x)).
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func absGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = T(math.Abs(float64(v)))
	}
}

func signGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		}
		d[i] = v
	}
}

func negGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = -v
	}
}

func squareGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = v * v
	}
}

func cubeGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = v * v * v
	}
}

func sqrtGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = T(math.Sqrt(float64(v)))
	}
}

func inverseGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = 1 / v
	}
}

func inverseSqrtGo[T Float](dst, x *T, n uintptr) {
	d := slice(dst, n)
	for i, v := range slice(x, n) {
		d[i] = 1 / T(math.Sqrt(float64(v)))
	}
}

func fillGo[T Float](dst, x *T, n uintptr) {
	v := *x
	d := slice(dst, n)
	for i := range d {
		d[i] = v
	}
}

// each cuts n elements into pieces that are no longer than a number is in memory.
func each[T Float](dst, a, b, c *T, n, sa, sb, sc uintptr, f func(d, x, y, z []T)) {
	for n > 0 {
		k := min(n, Lanes)
		f(slice(dst, k), slice(a, k), slice(b, k), slice(c, k))
		if n -= k; n == 0 {
			return
		}
		dst, a, b, c = ahead(dst, k), ahead(a, k*sa), ahead(b, k*sb), ahead(c, k*sc)
	}
}

func ahead[T Float](p *T, k uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), k*unsafe.Sizeof(*p)))
}

// The elementwise functions of package graph/ir, for kernels whose text is made from a plan. Those of float are good to a few
// units in the last place: none of them is of the fast, inexact kind.

// BOTH defines a function of x for float and for double.
#define BOTH(name, single, wide)                                       \
	__device__ __forceinline__ float name(float x) { return single; } \
	__device__ __forceinline__ double name(double x) { return wide; }

BOTH(fn_abs, fabsf(x), fabs(x))
BOTH(fn_ceil, ceilf(x), ceil(x))
BOTH(fn_floor, floorf(x), floor(x))
BOTH(fn_sin, sinf(x), sin(x))
BOTH(fn_cos, cosf(x), cos(x))
BOTH(fn_exp, expf(x), exp(x))
BOTH(fn_log, logf(x), log(x))
BOTH(fn_log2, log2f(x), log2(x))
BOTH(fn_sqrt, sqrtf(x), sqrt(x))
BOTH(fn_tanh, tanhf(x), tanh(x))
BOTH(fn_log1p, log1pf(x), log1p(x))
BOTH(fn_expm1, expm1f(x), expm1(x))
BOTH(fn_erf, erff(x), erf(x))

__device__ __forceinline__ float fn_pow(float a, float b) { return powf(a, b); }
__device__ __forceinline__ double fn_pow(double a, double b) { return pow(a, b); }

// 0 of 0, with its sign, and NaN of NaN.
template <typename S> __device__ __forceinline__ S fn_sign(S x) { return x > S(0) ? S(1) : x < S(0) ? S(-1) : x; }
template <typename S> __device__ __forceinline__ S fn_neg(S x) { return -x; }
template <typename S> __device__ __forceinline__ S fn_square(S x) { return x * x; }
template <typename S> __device__ __forceinline__ S fn_cube(S x) { return x * x * x; }
template <typename S> __device__ __forceinline__ S fn_inverse(S x) { return S(1) / x; }
template <typename S> __device__ __forceinline__ S fn_inverseSqrt(S x) { return S(1) / fn_sqrt(x); }

// 1/(1+exp(−x)), where exp never overflows, so that it is good to its last digits on both sides.
template <typename S> __device__ __forceinline__ S fn_sigmoid(S x) {
	const S e = fn_exp(-fn_abs(x));
	return (x < S(0) ? e : S(1)) / (S(1) + e);
}

// log(1+exp(x)) without overflow; NaN of NaN.
template <typename S> __device__ __forceinline__ S fn_softplus(S x) {
	return (x < S(0) ? S(0) : x) + fn_log1p(fn_exp(-fn_abs(x)));
}

// NaN if one is NaN, a if they are equal.
template <typename S> __device__ __forceinline__ S fn_min(S a, S b) { return b < a || b != b ? b : a; }
template <typename S> __device__ __forceinline__ S fn_max(S a, S b) { return b > a || b != b ? b : a; }
template <typename S> __device__ __forceinline__ S fn_reluGrad(S a, S b) { return a > S(0) ? b : S(0); }

// Integers wrap around, as Go's do. The divisor is not 0: the host has looked.
__device__ __forceinline__ i64 int_add(i64 a, i64 b) { return (i64)((u64)a + (u64)b); }
__device__ __forceinline__ i64 int_sub(i64 a, i64 b) { return (i64)((u64)a - (u64)b); }
__device__ __forceinline__ i64 int_mul(i64 a, i64 b) { return (i64)((u64)a * (u64)b); }
__device__ __forceinline__ i64 int_div(i64 a, i64 b) { return b == -1 ? int_sub(0, a) : a / b; }

// The mathematical functions and the vector types of CUDA C++.

// CUDA overloads the C names for float; the names with f exist besides.
#define SIM_MATH1(name)                                                                                                \
	extern "C" double name(double) noexcept;                                                                           \
	extern "C" float name##f(float) noexcept;                                                                          \
	static inline float name(float x) { return __builtin_##name##f(x); }
#define SIM_MATH2(name)                                                                                                \
	extern "C" double name(double, double) noexcept;                                                                   \
	extern "C" float name##f(float, float) noexcept;                                                                   \
	static inline float name(float x, float y) { return __builtin_##name##f(x, y); }
SIM_MATH1(exp) SIM_MATH1(exp2) SIM_MATH1(expm1) SIM_MATH1(log) SIM_MATH1(log2) SIM_MATH1(log10) SIM_MATH1(log1p)
SIM_MATH1(sqrt) SIM_MATH1(cbrt) SIM_MATH1(sin) SIM_MATH1(cos) SIM_MATH1(tan) SIM_MATH1(asin) SIM_MATH1(acos)
SIM_MATH1(atan) SIM_MATH1(sinh) SIM_MATH1(cosh) SIM_MATH1(tanh) SIM_MATH1(asinh) SIM_MATH1(acosh) SIM_MATH1(atanh)
SIM_MATH1(erf) SIM_MATH1(erfc) SIM_MATH1(tgamma) SIM_MATH1(lgamma) SIM_MATH1(floor) SIM_MATH1(ceil) SIM_MATH1(trunc)
SIM_MATH1(round) SIM_MATH1(rint) SIM_MATH1(nearbyint) SIM_MATH1(fabs)
SIM_MATH2(pow) SIM_MATH2(atan2) SIM_MATH2(fmod) SIM_MATH2(remainder) SIM_MATH2(fmin) SIM_MATH2(fmax) SIM_MATH2(hypot)
SIM_MATH2(copysign) SIM_MATH2(nextafter) SIM_MATH2(fdim)
extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
static inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
extern "C" double ldexp(double, int) noexcept;
extern "C" float ldexpf(float, int) noexcept;
static inline float ldexp(float x, int n) { return __builtin_ldexpf(x, n); }
extern "C" double frexp(double, int *) noexcept;
extern "C" float frexpf(float, int *) noexcept;
static inline float frexp(float x, int *n) { return __builtin_frexpf(x, n); }
extern "C" double modf(double, double *) noexcept;
extern "C" float modff(float, float *) noexcept;
static inline float modf(float x, float *whole) { return __builtin_modff(x, whole); }
extern "C" void sincos(double, double *, double *) noexcept;
extern "C" void sincosf(float, float *, float *) noexcept;
extern "C" long lrint(double) noexcept;
extern "C" long lrintf(float) noexcept;
extern "C" long long llrint(double) noexcept;
extern "C" long long llrintf(float) noexcept;
static inline float rsqrtf(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }
static inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
static inline float rsqrt(float x) { return rsqrtf(x); }

static inline double exp10(double x) { return __builtin_exp10(x); }
static inline float exp10f(float x) { return __builtin_exp10f(x); }
static inline float exp10(float x) { return __builtin_exp10f(x); }
// The fast and less exact ones are exact here.
static inline float __expf(float x) { return __builtin_expf(x); }
static inline float __logf(float x) { return __builtin_logf(x); }
static inline float __powf(float x, float y) { return __builtin_powf(x, y); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __saturatef(float x) { return x > 0 ? x < 1 ? x : 1 : 0; }

static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isnan(double x) { return __builtin_isnan(x); }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isinf(double x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }
static inline bool isfinite(double x) { return __builtin_isfinite(x); }
static inline bool signbit(float x) { return __builtin_signbit(x); }
static inline bool signbit(double x) { return __builtin_signbit(x); }

extern "C" int abs(int) noexcept;
extern "C" long labs(long) noexcept;
extern "C" long long llabs(long long) noexcept;
static inline long abs(long x) { return x < 0 ? -x : x; }
static inline long long abs(long long x) { return x < 0 ? -x : x; }
static inline float abs(float x) { return __builtin_fabsf(x); }
static inline double abs(double x) { return __builtin_fabs(x); }

// CUDA's min and max of floats are fmin and fmax: a NaN loses against a number.
#define SIM_MINMAX(A, B, R)                                                                                            \
	static inline R min(A a, B b) { return (R)a < (R)b ? (R)a : (R)b; }                                                \
	static inline R max(A a, B b) { return (R)a < (R)b ? (R)b : (R)a; }
SIM_MINMAX(int, int, int)
SIM_MINMAX(unsigned, unsigned, unsigned)
SIM_MINMAX(int, unsigned, unsigned)
SIM_MINMAX(unsigned, int, unsigned)
SIM_MINMAX(long, long, long)
SIM_MINMAX(unsigned long, unsigned long, unsigned long)
SIM_MINMAX(long, unsigned long, unsigned long)
SIM_MINMAX(unsigned long, long, unsigned long)
SIM_MINMAX(long long, long long, long long)
SIM_MINMAX(unsigned long long, unsigned long long, unsigned long long)
SIM_MINMAX(long long, unsigned long long, unsigned long long)
SIM_MINMAX(unsigned long long, long long, unsigned long long)
static inline float min(float a, float b) { return __builtin_fminf(a, b); }
static inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
static inline double min(double a, double b) { return __builtin_fmin(a, b); }
static inline double max(double a, double b) { return __builtin_fmax(a, b); }
static inline double min(float a, double b) { return __builtin_fmin(a, b); }
static inline double max(float a, double b) { return __builtin_fmax(a, b); }
static inline double min(double a, float b) { return __builtin_fmin(a, b); }
static inline double max(double a, float b) { return __builtin_fmax(a, b); }
static inline unsigned umin(unsigned a, unsigned b) { return min(a, b); }
static inline unsigned umax(unsigned a, unsigned b) { return max(a, b); }
static inline long long llmin(long long a, long long b) { return min(a, b); }
static inline long long llmax(long long a, long long b) { return max(a, b); }

// Bits as another type.
#define SIM_BITS(name, R, A)                                                                                           \
	static inline R name(A x) {                                                                                        \
		R y;                                                                                                           \
		__builtin_memcpy(&y, &x, sizeof y);                                                                            \
		return y;                                                                                                      \
	}
SIM_BITS(__float_as_int, int, float)
SIM_BITS(__float_as_uint, unsigned, float)
SIM_BITS(__int_as_float, float, int)
SIM_BITS(__uint_as_float, float, unsigned)
SIM_BITS(__double_as_longlong, long long, double)
SIM_BITS(__longlong_as_double, double, long long)

// One rounding each: nvcc never contracts these.
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return __builtin_sqrt(a); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }

// A float to an integer: the GPU saturates, and NaN becomes 0 (the smallest number for 64 bits).
template <class I, class F> static inline I sim_to(F x, I nan, I low, I high) {
	return x != x ? nan : x <= (F)low ? low : x >= (F)high ? high : (I)x;
}
static inline int __float2int_rz(float x) { return sim_to<int>(x, 0, -0x7fffffff - 1, 0x7fffffff); }
static inline int __float2int_rn(float x) { return __float2int_rz(__builtin_rintf(x)); }
static inline int __float2int_rd(float x) { return __float2int_rz(__builtin_floorf(x)); }
static inline int __float2int_ru(float x) { return __float2int_rz(__builtin_ceilf(x)); }
static inline unsigned __float2uint_rz(float x) { return sim_to<unsigned>(x, 0, 0, 0xffffffffu); }
static inline unsigned __float2uint_rn(float x) { return __float2uint_rz(__builtin_rintf(x)); }
static inline long long __float2ll_rz(float x) { return sim_to<long long>(x, 1ll << 63, 1ll << 63, ~(1ll << 63)); }
static inline long long __float2ll_rn(float x) { return __float2ll_rz(__builtin_rintf(x)); }
static inline int __double2int_rz(double x) { return sim_to<int>(x, 0, -0x7fffffff - 1, 0x7fffffff); }
static inline int __double2int_rn(double x) { return __double2int_rz(__builtin_rint(x)); }
static inline long long __double2ll_rz(double x) { return sim_to<long long>(x, 1ll << 63, 1ll << 63, ~(1ll << 63)); }
static inline long long __double2ll_rn(double x) { return __double2ll_rz(__builtin_rint(x)); }
static inline float __double2float_rn(double x) { return (float)x; }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline float __ll2float_rn(long long x) { return (float)x; }
static inline float __ull2float_rn(unsigned long long x) { return (float)x; }
static inline double __int2double_rn(int x) { return x; }
static inline double __uint2double_rn(unsigned x) { return x; }
static inline double __ll2double_rn(long long x) { return (double)x; }
static inline double __ull2double_rn(unsigned long long x) { return (double)x; }

// Integers.
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
	return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline int __mul24(int a, int b) { return (a << 8 >> 8) * (b << 8 >> 8); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __brev(unsigned x) {
	x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
	x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
	x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
	return __builtin_bswap32(x);
}
static inline unsigned long long __brevll(unsigned long long x) {
	return (unsigned long long)__brev((unsigned)x) << 32 | __brev((unsigned)(x >> 32));
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
	const unsigned long long bytes = (unsigned long long)b << 32 | a;
	unsigned r = 0;
	for (int i = 0; i < 4; i++) {
		const unsigned c = s >> 4 * i & 15, byte = (unsigned)(bytes >> 8 * (c & 7)) & 255;
		r |= (c & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * i;
	}
	return r;
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) {
	return (unsigned)(((unsigned long long)high << 32 | low) << (n & 31) >> 32);
}
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) {
	return (unsigned)(((unsigned long long)high << 32 | low) >> (n & 31));
}

// Vector types. Those of 2 and 4 elements are aligned to their size, at most 16 bytes, as the GPU's wide loads want it.
#define SIM_VECTORS(V, name)                                                                                           \
	struct name##1 { V x; };                                                                                           \
	struct alignas(2 * sizeof(V)) name##2 { V x, y; };                                                                 \
	struct alignas(4 * sizeof(V) < 16 ? 4 * sizeof(V) : 16) name##4 { V x, y, z, w; };                                 \
	static inline name##1 make_##name##1(V x) { return {x}; }                                                          \
	static inline name##2 make_##name##2(V x, V y) { return {x, y}; }                                                  \
	static inline name##3 make_##name##3(V x, V y, V z) { return {x, y, z}; }                                          \
	static inline name##4 make_##name##4(V x, V y, V z, V w) { return {x, y, z, w}; }
#define SIM_VECTOR3(V, name) struct name##3 { V x, y, z; };
SIM_VECTOR3(signed char, char) SIM_VECTOR3(unsigned char, uchar) SIM_VECTOR3(short, short)
SIM_VECTOR3(unsigned short, ushort) SIM_VECTOR3(int, int) SIM_VECTOR3(long, long) SIM_VECTOR3(unsigned long, ulong)
SIM_VECTOR3(long long, longlong) SIM_VECTOR3(unsigned long long, ulonglong) SIM_VECTOR3(float, float)
SIM_VECTOR3(double, double)
SIM_VECTORS(signed char, char) SIM_VECTORS(unsigned char, uchar) SIM_VECTORS(short, short)
SIM_VECTORS(unsigned short, ushort) SIM_VECTORS(int, int) SIM_VECTORS(unsigned, uint) SIM_VECTORS(long, long)
SIM_VECTORS(unsigned long, ulong) SIM_VECTORS(long long, longlong) SIM_VECTORS(unsigned long long, ulonglong)
SIM_VECTORS(float, float) SIM_VECTORS(double, double)

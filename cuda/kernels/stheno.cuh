// What all kernels share. NVRTC compiles this file and a kernel file as one text, without any header of the toolkit.
//
// T is the element type, float or double, defined in front of this file. All sizes are 64-bit: tensors of more than 2³¹
// elements exist. Sums are made in a fixed order, never with atomics, so that a run repeats itself bit for bit.

typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

#define KERNEL extern "C" __global__ void

// The elements of a grid-stride loop: FOR_EACH(i, n) { y[i] = x[i]; }
#define FOR_EACH(i, n) \
	for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)

// Warps have 32 lanes on every NVIDIA GPU.
#define WARP 32
#define FULL_WARP 0xffffffffu

// Shared memory whose size the launch gives: DYNAMIC_SHARED(float, tile); makes tile a pointer to it, aligned to 16 bytes.
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name)                                                                 \
	extern __shared__ __align__(16) unsigned char dynamic_shared[];                                \
	type *const name = (type *)dynamic_shared
#endif

// The sum of v over the warp, in every lane. All 32 lanes must call it.
template <typename S> __device__ __forceinline__ S warp_sum(S v) {
	for (int offset = WARP / 2; offset > 0; offset /= 2) {
		v += __shfl_xor_sync(FULL_WARP, v, offset);
	}
	return v;
}

// The sum of v over the block, in every thread. shared has room for 32 elements; blockDim.x is a multiple of 32. All threads
// must call it. Calls that share memory need no barrier between them.
template <typename S> __device__ __forceinline__ S block_sum(S v, S *shared) {
	const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
	v = warp_sum(v);
	__syncthreads();
	if (lane == 0) {
		shared[warp] = v;
	}
	__syncthreads();
	v = lane < warps ? shared[lane] : S(0);
	return warp_sum(v);
}

// x rounded to bfloat16 (nearest, ties to even), as its upper 16 bits; NaN stays NaN.
__device__ __forceinline__ u16 to_bf16(float x) {
#if !defined(NO_PTX) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	u16 y;
	asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
	return y;
#else
	const u32 bits = __float_as_uint(x);
	if ((bits & 0x7fffffffu) > 0x7f800000u) {
		return (u16)(bits >> 16 | 0x40u);
	}
	return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
}

// x and y rounded so, in the lower and the upper half of a word, as neighbours lie in memory.
__device__ __forceinline__ u32 to_bf16_pair(float x, float y) {
#if !defined(NO_PTX) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	u32 both;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(y), "f"(x));
	return both;
#else
	return to_bf16(x) | (u32)to_bf16(y) << 16;
#endif
}

__device__ __forceinline__ float from_bf16(u16 x) { return __uint_as_float((u32)x << 16); }

// A bfloat16 in memory. Numbers are computed with in T: widen makes one of what is in memory, and store rounds it.
struct bf16 {
	u16 bits;
};

__device__ __forceinline__ float widen(bf16 x) { return from_bf16(x.bits); }
__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ double widen(double x) { return x; }

__device__ __forceinline__ void store(bf16 *to, float x) { to->bits = to_bf16(x); }
__device__ __forceinline__ void store(float *to, float x) { *to = x; }
__device__ __forceinline__ void store(double *to, double x) { *to = x; }

// N neighbours in memory, which are read and written 16 bytes at a time, or all at once if they are fewer.
template <typename S, int N> struct alignas(N * sizeof(S) > 16 ? 16 : N * sizeof(S)) Pack {
	S v[N];
};

// to ← N elements from memory that is aligned to as many bytes as they have, 16 at most. N is a power of two.
template <int N, typename S> __device__ __forceinline__ void load_pack(T (&to)[N], const S *from) {
	const Pack<S, N> p = *(const Pack<S, N> *)from;
#pragma unroll
	for (int i = 0; i < N; i++) {
		to[i] = widen(p.v[i]);
	}
}

// N elements to such memory. The compiler writes them one by one where it does not see by itself that the place is so aligned, whatever it is told: as of
// a product with N, or with what N divides, and not as a sum of such. TestPacksStayTogether of package kernel looks for that.
template <int N, typename S> __device__ __forceinline__ void store_pack(S *to, const T (&from)[N]) {
	Pack<S, N> p;
#pragma unroll
	for (int i = 0; i < N; i++) {
		store(&p.v[i], from[i]);
	}
	*(Pack<S, N> *)to = p;
}

// N neighbours that are read long before they are looked at: of bfloat16 two in a register. A pack of 16-bit elements a compiler takes apart as
// soon as it has come, into a register for each element; these are so many that it waits for one pack before it asks for the next.
template <typename S, int N, bool PAIRS = sizeof(S) == 2 && N % 2 == 0> struct Waiting {
	Pack<S, N> pack;
	__device__ __forceinline__ T operator[](int k) const { return widen(pack.v[k]); }
	__device__ __forceinline__ void set(const T (&v)[N]) {
#pragma unroll
		for (int k = 0; k < N; k++) {
			store(&pack.v[k], v[k]);
		}
	}
};

template <typename S, int N> struct Waiting<S, N, true> {
	Pack<u32, N / 2> pack;
	__device__ __forceinline__ T operator[](int k) const {
		const u32 pair = pack.v[k / 2];
		return __uint_as_float(k % 2 ? pair & 0xffff0000u : pair << 16);
	}
	__device__ __forceinline__ void set(const T (&v)[N]) {
#pragma unroll
		for (int k = 0; k < N; k += 2) {
			pack.v[k / 2] = to_bf16_pair(v[k], v[k + 1]);
		}
	}
};

// N elements from one place to another, in whose type they lie there. Of equal types nothing has to be known but their size.
template <int N, typename S> __device__ __forceinline__ void carry(S *to, const S *from) { *(Pack<S, N> *)to = *(const Pack<S, N> *)from; }

template <int N, typename S, typename R> __device__ __forceinline__ void carry(S *to, const R *from) {
	T v[N];
	load_pack(v, from);
	store_pack(to, v);
}

// A divisor that the host knows; internal/kernel/divide.go makes it. The fast way is for numbers below 2³¹.
struct Div {
	i64 by;
	u32 mul, down;
};

// n / d, for n ≥ 0.
__device__ __forceinline__ i64 quotient(i64 n, const Div &d) {
	if ((u64)n >> 31) {
		return n / d.by;
	}
	return (i64)((u64)(u32)n * d.mul >> d.down);
}

__device__ __forceinline__ int quotient(int n, const Div &d) { return (int)((u64)(u32)n * d.mul >> d.down); }

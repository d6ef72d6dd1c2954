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
	const u32 bits = __float_as_uint(x);
	if ((bits & 0x7fffffffu) > 0x7f800000u) {
		return (u16)(bits >> 16 | 0x40u);
	}
	return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ __forceinline__ float from_bf16(u16 x) { return __uint_as_float((u32)x << 16); }

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

// Sums of squares of weights, each part of PART elements by itself, and what becomes of them: the sum of many L2 penalties.

// Package kernel knows the same number.
#define PART 8192

// parts[k] ← the sum of the squares of part k of w, which has n elements.
__device__ __forceinline__ void l2_part(T *parts, const T *w, i64 n, i64 k, T *shared) {
	const i64 first = k * PART, last = first + PART < n ? first + PART : n;
	const i64 whole = (u64)w % 16 == 0 ? last - (last - first) % LANES : first;
	T total = T(0);
#pragma unroll 4
	for (i64 i = first + (i64)threadIdx.x * LANES; i < whole; i += (i64)blockDim.x * LANES) {
		const Lanes x = *(const Lanes *)(w + i);
#pragma unroll
		for (int lane = 0; lane < LANES; lane++) {
			total += x.v[lane] * x.v[lane];
		}
	}
	for (i64 i = whole + threadIdx.x; i < last; i += blockDim.x) {
		total += w[i] * w[i];
	}
	total = block_sum(total, shared);
	if (threadIdx.x == 0) {
		parts[k] = total;
	}
}

KERNEL l2_parts(T *parts, const T *w, i64 n) {
	__shared__ T shared[32];
	for (i64 k = blockIdx.x; k * PART < n; k += gridDim.x) {
		l2_part(parts, w, n, k, shared);
	}
}

// PENALTIES is how many a launch adds up; package kernel knows the same number.
#define PENALTIES 128

struct Penalties {
	double lambda[PENALTIES];
	u32 end[PENALTIES]; // of the parts of each
	i64 count;
};

// y ← λ₀·(sum of the first's parts) + λ₁·(sum of the second's) + …, added one after the other. There is one block; each of its
// warps takes a penalty at a time.
KERNEL l2_join(T *y, const T *parts, const Penalties p) {
	__shared__ T terms[PENALTIES];
	for (u32 k = threadIdx.x / WARP; k < p.count; k += blockDim.x / WARP) {
		T total = T(0);
		for (u32 i = (k > 0 ? p.end[k - 1] : 0) + threadIdx.x % WARP; i < p.end[k]; i += WARP) {
			total += parts[i];
		}
		total = warp_sum(total);
		if (threadIdx.x % WARP == 0) {
			terms[k] = (T)p.lambda[k] * total;
		}
	}
	__syncthreads();
	if (threadIdx.x == 0) {
		T sum = terms[0];
		for (u32 k = 1; k < p.count; k++) {
			sum += terms[k];
		}
		y[0] = sum;
	}
}

// Batch norms of few rows in one launch, for kernels that include this file behind packs.cuh. A block owns a pack of channels, channels
// last: its threads keep all rows of these in registers, sum them over the block, and write what the sums make of them. Thread t has the
// rows t, t + threads, …, KEEP at most: the host sees to it that these fit into registers.
#ifndef KEEP
#define KEEP 1
#endif

// Sums of threads are put together in T within a warp, and in double from there on: there are few of them.
typedef double Wide;

// The most threads of a block.
#define BLOCK 512

// The sum over the warp of one of the N values of each thread: of value lane·N/32, rounded down. In each round a thread hands half of the
// values over to another and gets the other half of that one's, so that N values take about N exchanges, not N for each halving of the warp.
template <int N, int OFFSET> __device__ __forceinline__ T warp_part(const T (&v)[N]) {
	if constexpr (OFFSET == 0) {
		return v[0];
	} else if constexpr (N == 1) {
		const T both[1] = {v[0] + __shfl_xor_sync(FULL_WARP, v[0], OFFSET)};
		return warp_part<1, OFFSET / 2>(both);
	} else {
		const bool upper = threadIdx.x & OFFSET;
		T half[N / 2];
#pragma unroll
		for (int i = 0; i < N / 2; i++) {
			half[i] = (upper ? v[N / 2 + i] : v[i]) + __shfl_xor_sync(FULL_WARP, upper ? v[i] : v[N / 2 + i], OFFSET);
		}
		return warp_part<N / 2, OFFSET / 2>(half);
	}
}

// Calls finish(l, sums) for the channels l of the pack, one thread each, with COUNT sums over the block of what the threads have: value
// which·VEC + l of each. What it writes to shared memory all threads see afterwards. All of them must call it; parts is shared memory.
template <int COUNT, typename F>
__device__ __forceinline__ void block_sums(const T (&v)[COUNT * VEC], T (&parts)[BLOCK / WARP][2 * VEC], const F &finish) {
	constexpr int lanes = WARP / (COUNT * VEC);
	const T own = warp_part<COUNT * VEC, WARP / 2>(v);
	if (threadIdx.x % lanes == 0) {
		parts[threadIdx.x / WARP][threadIdx.x % WARP / lanes] = own;
	}
	__syncthreads();
	if (threadIdx.x < VEC) {
		Wide sums[COUNT] = {};
		for (int w = 0; w < blockDim.x / WARP; w++) {
#pragma unroll
			for (int i = 0; i < COUNT; i++) {
				sums[i] += parts[w][i * VEC + threadIdx.x];
			}
		}
		finish(threadIdx.x, sums);
	}
	__syncthreads();
}

// Where row k of a thread begins, and whether there is one. `packs` are those of a row.
struct Rows {
	i64 at, hop;
	int first, rows;
	__device__ __forceinline__ Rows(int n, int packs) {
		first = threadIdx.x;
		rows = n;
		at = (i64)first * packs + blockIdx.x;
		hop = (i64)blockDim.x * packs;
	}
	__device__ __forceinline__ bool has(int k) const { return first + k * (int)blockDim.x < rows; }
	__device__ __forceinline__ i64 pack(int k) const { return at + k * hop; }
};

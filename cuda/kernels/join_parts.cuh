// Parts of sums put together by a launch of their own.

// Partial sums of float32 are put together in double: there are few of them.
typedef double Wide;

// The channels of a block that joins parts: 32 bytes side by side. Its 256 threads take every 32nd part.
#define JOINED 8

// The sum of v over the threads of a channel, in a fixed order; each of them gets it. All threads of the block must call it. Calls
// that share memory need no barrier between them.
__device__ __forceinline__ Wide join(Wide v, Wide (&shared)[SUM_THREADS / WARP * JOINED]) {
	const int lane = threadIdx.x % JOINED;
	v += __shfl_xor_sync(FULL_WARP, v, JOINED);
	v += __shfl_xor_sync(FULL_WARP, v, 2 * JOINED);
	if (threadIdx.x % WARP < JOINED) {
		shared[threadIdx.x / WARP * JOINED + lane] = v;
	}
	__syncthreads();
	v = shared[lane];
	for (int k = JOINED; k < SUM_THREADS / WARP * JOINED; k += JOINED) {
		v += shared[k + lane];
	}
	__syncthreads();
	return v;
}

// Sums of a channel whose parts are the work of several blocks: the last of them puts them together. For kernels that include packs.cuh.

// Partial sums of float32 are put together in double: there are few of them.
typedef double Wide;

struct Totals {
	Wide first, second;
};

// The shared memory of a block with up to so many sums: for those of its threads, then for those of the parts.
#ifndef SHARED_SUMS
#define SHARED_SUMS 2
#endif
struct Shared {
	union {
		T sums[SUM_THREADS * VEC * SHARED_SUMS];
		Totals totals[SUM_THREADS];
	};
	bool last;
};

// True in the last block along y to come here, and there in all threads, which see what the others have written. All threads of the
// block must call it. The counters, one for each block along x, are 0 before and after.
__device__ __forceinline__ bool last_part(u32 *counters, Shared &shared) {
	__syncthreads();
	if (threadIdx.x == 0) {
		__threadfence(); // what the block has written comes ahead of the count,
		shared.last = atomicInc(&counters[blockIdx.x], gridDim.y - 1) == gridDim.y - 1;
		__threadfence(); // and what others have written is read behind it
	}
	__syncthreads();
	return shared.last;
}

// How many parts a thread reads at once.
#define PARTS_UNROLL 8

// How the last block puts the parts of its channels together: `subs` threads share a channel.
struct Joint {
	int lanes, sub, subs;
	bool on; // the thread has a channel
	i64 c, channels;

	__device__ __forceinline__ Joint(const Packs &v, int width) {
		lanes = width * LANES;
		subs = blockDim.x / lanes;
		sub = threadIdx.x / lanes;
		c = (i64)blockIdx.x * lanes + threadIdx.x - sub * lanes;
		channels = v.channels.by * LANES;
		on = sub < subs && c < channels;
	}
	// Calls add(p, values) for the thread's share of partial[p, COUNT, c], past the cache of the multiprocessor, which knows nothing of
	// what other blocks write.
	template <int COUNT, typename F> __device__ __forceinline__ void each(const T *partial, const F &add) const {
		const T *from = partial + c;
		const int parts = on ? gridDim.y : 0;
		for (int p = sub; p < parts; p += PARTS_UNROLL * subs) {
			T v[PARTS_UNROLL][COUNT];
#pragma unroll
			for (int k = 0; k < PARTS_UNROLL; k++) {
#pragma unroll
				for (int i = 0; i < COUNT; i++) {
					v[k][i] = p + k * subs < parts ? __ldcg(&from[((i64)(p + k * subs) * COUNT + i) * channels]) : T(0);
				}
			}
#pragma unroll
			for (int k = 0; k < PARTS_UNROLL; k++) {
				if (p + k * subs < parts) {
					add(p + k * subs, v[k]);
				}
			}
		}
	}
	// The sums over the threads of a channel in a fixed order; those with sub 0 get them. All threads of the block must call it.
	__device__ __forceinline__ Totals total(const Totals &own, Shared &shared) const {
		Totals *all = shared.totals;
		all[threadIdx.x] = own;
		for (int n = subs; n > 1;) {
			const int half = (n + 1) / 2;
			__syncthreads();
			if (sub < n - half) {
				const Totals &other = all[threadIdx.x + half * lanes];
				all[threadIdx.x].first += other.first;
				all[threadIdx.x].second += other.second;
			}
			n = half;
		}
		__syncthreads();
		return all[threadIdx.x];
	}
};

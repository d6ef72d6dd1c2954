// The gradient of max pooling behind a ReLU. What the pooling has written is the largest element under a window, which is found anyway: so the
// mask costs no access to memory.
#include "pool.cuh"
#include "pool_walk.cuh"
#define VEC PACK
#include "packs.cuh"

// The threads of a block that sums. A multiprocessor has one block, so that there are few parts to put together, and of threads as many as
// have registers enough for the windows.
#undef SUM_THREADS
#define SUM_THREADS (OVER_H * OVER_W == 1 ? 640 : 512)
#define SHARED_SUMS 1
#include "join.cuh"

struct Masked {
	__device__ __forceinline__ T window(T dy, Key most, int, bool) const { return Keys<SX>::positive(most) ? dy : T(0); }
};

// dx ← the gradients dy of the windows whose first maximum an element is, unless that is not above 0.
KERNEL __launch_bounds__(WALK_THREADS, WALK_BLOCKS) max_pool_grad_relu(SDX *dx, const SX *x, const SDY *dy, const Pool p) {
	FOR_EACH(n, p.threads) { walk_down(dx, x, dy, place(n, p), p, Masked{}); }
}

struct MaskedSums {
	T (&sums)[PACK];
	__device__ __forceinline__ T window(T dy, Key most, int c, bool first) const {
		dy = Keys<SX>::positive(most) ? dy : T(0);
		sums[c] += first ? dy : T(0);
		return dy;
	}
};

// How the threads of a block that sums share runs: so many of them one beside the other work on packs of channels, and these take turns.
struct Turns {
	int pack, sub, subs;
	bool on; // the thread has a pack
	__device__ __forceinline__ Turns(const Packs &v, int width) {
		subs = SUM_THREADS / width;
		sub = threadIdx.x / width;
		pack = blockIdx.x * width + threadIdx.x - sub * width;
		on = sub < subs && pack < v.channels.by;
	}
};

// The same, and db (c) ← the sums of what is spread. v counts the runs of all images, by packs of channels. Blocks along x are those of `width`
// packs, blocks along y are parts of `size` runs: they write to partial[part, c] what their part gives, and the last of them puts these together.
KERNEL __launch_bounds__(SUM_THREADS, 1) max_pool_grad_relu_bias(T *db, T *partial, u32 *counters, SDX *dx, const SX *x, const SDY *dy,
                                                                 const Pool p, const Packs v, int size, int width) {
	__shared__ Shared shared;
	const Turns turn(v, width);
	const int first = blockIdx.y * size, left = (int)v.outer - first, runs = left < size ? left : size;
	T *own = shared.sums + threadIdx.x; // the thread's, which take turns along the banks
#pragma unroll
	for (int c = 0; c < PACK; c++) {
		own[c * SUM_THREADS] = T(0);
	}
	for (int run = turn.on ? turn.sub : runs; run < runs; run += turn.subs) {
		T sums[PACK] = {}; // of few windows, so that long sums are as good as short ones
		walk_down(dx, x, dy, place(first + run, turn.pack, p), p, MaskedSums{sums});
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			own[c * SUM_THREADS] += sums[c];
		}
	}
	const Joint j(v, width);
	const int lane = threadIdx.x - j.sub * j.lanes, from = lane % PACK * SUM_THREADS + lane / PACK;
	Totals sum = {};
	__syncthreads();
	for (int i = j.sub; j.on && i < turn.subs; i += j.subs) {
		sum.first += shared.sums[from + i * width];
	}
	__syncthreads(); // what follows takes the memory of the sums
	sum = j.total(sum, shared);
	if (j.on && j.sub == 0) {
		(gridDim.y == 1 ? db : partial + blockIdx.y * j.channels)[j.c] = T(sum.first);
	}
	if (gridDim.y == 1 || !last_part(counters, shared)) {
		return;
	}
	sum = {};
	j.each<1>(partial, [&](int, const T (&part)[1]) { sum.first += part[0]; });
	sum = j.total(sum, shared);
	if (j.on && j.sub == 0) {
		db[j.c] = T(sum.first);
	}
}

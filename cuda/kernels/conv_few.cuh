// Convolutions of images of few channels on tensor cores: what both passes share. Channels are last; sizes are macros, for nets have
// one such layer, or two:
//
//	KH, KW, SH, SW    rows and columns of the filter, and the strides
//	C, F              channels of the images, filters
//	H, W, TOP, LEFT   rows and columns of an image, and of the padding ahead of it
//	OH, OW            rows and columns of the results
//	ROWS              rows of results that a block works on at a time, as wide as the image
//	PITCH             elements of a row of the patch, even
//	RUN               pairs of products of a row of the filter
//	NT                columns of 8 filters that a block computes; blockIdx.y counts further ones
//	SX, SY            how images and results (or their gradients) lie in memory
//	TF32              defined where factors are rounded to tf32, not to bfloat16
//	WARPS             of a block
//
// The patch is what of an image the results at hand need, in shared memory, rounded, with the padding around it. What a
// result needs of a row of it lies side by side: KW·C products, which are taken in pairs. So a row of the filter has RUN pairs, of
// which the last may reach over the end of the row: what is read there is of the next pixel, and must not count.

// Two factors side by side, as an instruction takes them, and how many pairs of products it adds up.
#ifdef TF32
typedef u32 Factor;
struct alignas(8) Pair {
	u32 low, high;
};
#define STEP_PAIRS 4
#define MMA mma_tf32
__device__ __forceinline__ Pair pair_of(float low, float high) { return Pair{to_tf32(low), to_tf32(high)}; }
#else
typedef u16 Factor;
typedef u32 Pair;
#define STEP_PAIRS 8
#define MMA mma_bf16
template <typename S> __device__ __forceinline__ Pair pair_of(S low, S high) { return bf16_pair(low, high); }
#endif

#define THREADS (WARPS * WARP)
#define LENGTH (KW * C)                        // products of a row of the filter
#define PATCH ((ROWS - 1) * SH + KH)           // rows of the patch
#define SLACK (2 * RUN + 2)                    // elements behind the patch that may be read, and do not count
#define EVEN (SW * C % 2 == 0)                 // every pair of the patch lies at an even place

// The elements of the patch, with the slack, in packs of 8.
#define PATCH_SIZE ((PATCH * PITCH + SLACK + 7) / 8 * 8)

#define CACHE_LINE 128 // bytes

__device__ __forceinline__ void prefetch(const void *at) {
#ifdef TENSOR_CORES
	asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
#endif
}

// The share of a block in all rows of results, those of all images one below the other; blocks differ by a row at most.
struct Share {
	i64 row, end;

	__device__ __forceinline__ Share(i64 rows) {
		row = rows * blockIdx.x / gridDim.x;
		end = rows * (blockIdx.x + 1) / gridDim.x;
	}
	// The results that come next: so many rows of an image, from row `first` on.
	__device__ __forceinline__ int next(int first) const { return (int)min((i64)min(ROWS, OH - first), end - row); }

	// Has the images of what comes next brought into the second-level cache, while the block computes.
	__device__ __forceinline__ void announce(const SX *x) const {
		const int first = (int)(row % OH);
		if (row >= end) {
			return;
		}
		const i64 image = row / OH * H;
		const int from = max(first * SH - TOP, 0), to = min((first + next(first) - 1) * SH - TOP + KH, H);
		const SX *at = x + (image + from) * (W * C);
		for (int i = threadIdx.x * (CACHE_LINE / (int)sizeof(SX)); i < (to - from) * (W * C); i += THREADS * (CACHE_LINE / (int)sizeof(SX))) {
			prefetch(at + i);
		}
	}
};

// Fills the patch for ROWS rows of results from row `first` on. All threads of the block must call it.
__device__ __forceinline__ void stage(Factor *patch, const SX *x, i64 image, int first) {
	const int top = first * SH - TOP;
	x += image * (H * W * C);
#pragma unroll 4
	for (int i = threadIdx.x; i < PATCH * PITCH / 2; i += THREADS) {
		const int row = i / (PITCH / 2), y = top + row, at = 2 * (i - row * (PITCH / 2)) - LEFT * C;
		const SX *from = x + ((i64)y * (W * C) + at);
		const bool inside = (u32)y < (u32)H;
		SX low = {}, high = {};
		if (inside && (u32)at < (u32)(W * C)) {
			low = from[0];
		}
		if (inside && (u32)(at + 1) < (u32)(W * C)) {
			high = from[1];
		}
#ifdef TF32
		((Pair *)patch)[i] = pair_of(widen(low), widen(high));
#else
		((Pair *)patch)[i] = pair_of(low, high);
#endif
	}
}

// Where the patch of result p begins, of those of the rows at hand.
__device__ __forceinline__ int place(int p) {
	const int row = p / OW;
	return row * (SH * PITCH) + (p - row * OW) * (SW * C);
}

// Columns of 8 filters go in groups, so that what a lane has of the columns of a group are neighbours in memory: `most` columns in a
// group, then 4, 2 and 1 where fewer are left. This is the size of the group of column j, which begins at j & -size.
template <int most> __device__ __forceinline__ constexpr int group(int j) {
	return j < (NT & -most) ? most : j < (NT & -4) ? 4 : j < (NT & -2) ? 2 : 1;
}

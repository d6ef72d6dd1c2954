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
//	WARPS             of a block
//
// The patch is what of an image the results at hand need, in shared memory, rounded to bfloat16, with the padding around it. What a
// result needs of a row of it lies side by side: KW·C products, which are taken in pairs. So a row of the filter has RUN pairs, of
// which the last may reach over the end of the row: what is read there is of the next pixel, and must not count.

#define THREADS (WARPS * WARP)
#define LENGTH (KW * C)                        // products of a row of the filter
#define PATCH ((ROWS - 1) * SH + KH)           // rows of the patch
#define SLACK (2 * RUN + 2)                    // elements behind the patch that may be read, and do not count
#define EVEN (SW * C % 2 == 0)                 // every pair of the patch lies at an even place

// The elements of the patch, with the slack, in whole packs of 16 bytes.
#define PATCH_SIZE ((PATCH * PITCH + SLACK + 7) / 8 * 8)

// The share of a block in all rows of results, those of all images one below the other; blocks differ by a row at most.
struct Share {
	i64 row, end;

	__device__ __forceinline__ Share(i64 rows) {
		row = rows * blockIdx.x / gridDim.x;
		end = rows * (blockIdx.x + 1) / gridDim.x;
	}
	// The results that come next: so many rows of an image, from row `first` on.
	__device__ __forceinline__ int next(int first) const { return (int)min((i64)min(ROWS, OH - first), end - row); }
};

// Fills the patch for ROWS rows of results from row `first` on. All threads of the block must call it.
__device__ __forceinline__ void stage(u16 *patch, const SX *x, i64 image, int first) {
	const int top = first * SH - TOP;
	x += image * (H * W * C);
#pragma unroll 8
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
		((u32 *)patch)[i] = bf16_pair(low, high);
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

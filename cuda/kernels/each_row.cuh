// Rows: each is the work of a warp, several to a block, where blocks are 32 wide; else of a block.

#define ROWS(r, n) for (i64 r = (i64)blockIdx.x * blockDim.y + threadIdx.y; r < (n); r += (i64)gridDim.x * blockDim.y)

// The sum over the threads of a row, in each of them.
template <typename S> __device__ __forceinline__ S row_sum(S v, S *shared) {
	return blockDim.x == WARP ? warp_sum(v) : block_sum(v, shared);
}

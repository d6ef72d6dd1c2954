#include "update.cuh"
// Updates of filters whose gradients lie as cuDNN writes them, (filters, rows), where the filters and what belongs to them are (rows,
// filters): a row is a tap and a channel. G is the gradients' type in memory: T, or bf16. What an update computes is that of update.cu.
//
// A block takes a tile of ROWS × COLUMNS elements at a time, the columns being filters: the gradients of a filter's ROWS elements lie side by
// side, and the filters' COLUMNS elements do. The gradients go through shared memory, from one order into the other; what else the update
// reads is on its way meanwhile.

#ifndef G
#define G T
#endif

// Package kernel knows the same numbers.
#define ROWS 64
#define COLUMNS 32
#define BLOCK 256 // threads

#define GRADIENTS (16 / (int)sizeof(G)) // that are loaded at once
#define PLACES (ROWS * (COLUMNS + 1) + 4)

// Where a tile's gradient is in shared memory. Lanes of a warp that write the gradients of neighbouring filters, and those that read
// neighbouring rows, meet different banks.
__device__ __forceinline__ int place(int row, int column) { return row * (COLUMNS + 1) + row / (ROWS / 2) * (GRADIENTS / 2) + column; }

// The elements of one tile of an update's tensors, whose addresses are in the order of the kernel's arguments: results, operands, and of
// these the gradient last. All threads of the block must call it.
template <typename U> __device__ __forceinline__ void turn(const U &update, const u64 *at, i64 rows, i64 filters, u32 tile, T *gradients) {
	const int READS = U::READS - 1; // but for the gradient
	const u32 across = (u32)(filters + COLUMNS - 1) / COLUMNS;
	const i64 row = (i64)(tile / across) * ROWS, column = (i64)(tile % across) * COLUMNS;
	const int height = rows - row < ROWS ? (int)(rows - row) : ROWS, width = filters - column < COLUMNS ? (int)(filters - column) : COLUMNS;
	const i64 corner = row * filters + column;
	u64 all = 0;
#pragma unroll
	for (int p = 0; p < U::WRITES + READS; p++) {
		all |= at[p];
	}
	const bool packs = all % 16 == 0 && filters % LANES == 0;
	const int STEPS = ROWS * COLUMNS / LANES / BLOCK, DOWN = ROWS / STEPS; // rows that the block takes at a time
	const int r = threadIdx.x / (COLUMNS / LANES), c = threadIdx.x % (COLUMNS / LANES) * LANES;
	const i64 first = corner + r * filters + c;
	Lanes in[STEPS][READS];
	if (packs) {
#pragma unroll
		for (int k = 0; k < STEPS; k++) {
			if (r + k * DOWN < height && c < width) {
#pragma unroll
				for (int p = 0; p < READS; p++) {
					in[k][p] = *(const Lanes *)((const T *)at[U::WRITES + p] + first + k * DOWN * filters);
				}
			}
		}
	}
	const G *const from = (const G *)at[U::WRITES + READS] + column * rows + row;
	__syncthreads(); // the tile before this one is read
	if (rows % GRADIENTS == 0 && (u64)from % 16 == 0) {
#pragma unroll
		for (int k = 0; k < ROWS * COLUMNS / GRADIENTS / BLOCK; k++) {
			const int i = threadIdx.x + k * BLOCK, c = i / (ROWS / GRADIENTS), r = i % (ROWS / GRADIENTS) * GRADIENTS;
			if (r < height && c < width) {
				T g[GRADIENTS];
				load_pack<GRADIENTS>(g, from + c * rows + r);
#pragma unroll
				for (int j = 0; j < GRADIENTS; j++) {
					gradients[place(r + j, c)] = g[j];
				}
			}
		}
	} else {
#pragma unroll 1
		for (int i = threadIdx.x; i < ROWS * COLUMNS; i += BLOCK) {
			const int c = i / ROWS, r = i % ROWS;
			if (r < height && c < width) {
				gradients[place(r, c)] = widen(from[c * rows + r]);
			}
		}
	}
	__syncthreads();
	if (packs) {
#pragma unroll
		for (int k = 0; k < STEPS; k++) {
			if (r + k * DOWN < height && c < width) {
				Lanes out[U::WRITES];
#pragma unroll
				for (int lane = 0; lane < LANES; lane++) {
					T y[U::WRITES], x[U::READS];
#pragma unroll
					for (int p = 0; p < READS; p++) {
						x[p] = in[k][p].v[lane];
					}
					x[READS] = gradients[place(r + k * DOWN, c + lane)];
					update.element(y, x);
#pragma unroll
					for (int p = 0; p < U::WRITES; p++) {
						out[p].v[lane] = y[p];
					}
				}
#pragma unroll
				for (int p = 0; p < U::WRITES; p++) {
					((Lanes *)at[p])[(u64)(first + k * DOWN * filters) / LANES] = out[p]; // see store_pack
				}
			}
		}
		return;
	}
#pragma unroll 1
	for (int i = threadIdx.x; i < ROWS * COLUMNS; i += BLOCK) {
		const int r = i / COLUMNS, c = i % COLUMNS;
		if (r < height && c < width) {
			const i64 e = corner + r * filters + c;
			T y[U::WRITES], x[U::READS];
#pragma unroll
			for (int p = 0; p < READS; p++) {
				x[p] = ((const T *)at[U::WRITES + p])[e];
			}
			x[READS] = gradients[place(r, c)];
			update.element(y, x);
#pragma unroll
			for (int p = 0; p < U::WRITES; p++) {
				((T *)at[p])[e] = y[p];
			}
		}
	}
}

// An update of one filter.
template <typename U> __device__ __forceinline__ void turn_one(const U &update, const u64 *at, i64 rows, i64 filters, T *gradients) {
	const i64 tiles = (rows + ROWS - 1) / ROWS * ((filters + COLUMNS - 1) / COLUMNS);
	for (i64 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
		turn(update, at, rows, filters, (u32)tile, gradients);
	}
}

// Updates of many filters, which the table lists as that of update_many.cu does: rows and filters are numbers that only a filter has, and its
// chunks are tiles.
template <typename U> __device__ __forceinline__ void turn_many(U update, const u64 *table, i64 tensors, i64 chunks, T *gradients) {
	const int places = U::WRITES + U::READS;
	for_chunks<places + U::OWN + 3>(table, tensors, chunks, [&](const u64 *words, i64, i64 tile) {
		u64 at[places];
#pragma unroll
		for (int p = 0; p < places; p++) {
			at[p] = words[p];
		}
		update.own(words + places);
		turn(update, at, (i64)words[places + U::OWN], (i64)words[places + U::OWN + 1], (u32)tile, gradients);
	});
}

KERNEL __launch_bounds__(BLOCK, 5) momentum_update_transposed(T *w2, T *v2, const T *w, const T *v, const G *g, const T *l2, T factor, T decay, i64 rows, i64 filters, const T *lr,
                                  T momentum, int look_ahead, i64 n) {
	__shared__ T gradients[PLACES];
	const u64 at[] = {(u64)w2, (u64)v2, (u64)w, (u64)v, (u64)g};
	MomentumUpdate u;
	u.slope.set(l2, factor, decay);
	u.rate = *lr, u.momentum = momentum, u.look_ahead = look_ahead;
	turn_one(u, at, rows, filters, gradients);
}

KERNEL __launch_bounds__(BLOCK, 4) adam_update_transposed(T *w2, T *m2, T *v2, const T *w, const T *m, const T *v, const G *g, const T *l2, T factor, T decay, i64 rows, i64 filters,
                              const T *lr, const i64 *t, double beta1, double beta2, T epsilon, i64 n) {
	__shared__ T gradients[PLACES];
	__shared__ double shared;
	const u64 at[] = {(u64)w2, (u64)m2, (u64)v2, (u64)w, (u64)m, (u64)v, (u64)g};
	AdamUpdate u = adam(&shared, lr, t, beta1, beta2, epsilon);
	u.slope.set(l2, factor, decay);
	turn_one(u, at, rows, filters, gradients);
}

KERNEL __launch_bounds__(BLOCK, 5) momentum_update_transposed_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, T momentum, int look_ahead) {
	__shared__ T gradients[PLACES];
	MomentumUpdate u;
	u.rate = *lr, u.momentum = momentum, u.look_ahead = look_ahead;
	turn_many(u, table, tensors, chunks, gradients);
}

KERNEL __launch_bounds__(BLOCK, 4) adam_update_transposed_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	__shared__ T gradients[PLACES];
	__shared__ double shared;
	turn_many(adam(&shared, lr, t, beta1, beta2, epsilon), table, tensors, chunks, gradients);
}

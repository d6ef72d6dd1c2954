// Sums over rows of channels, and numbers that go to all rows. SX and SY are the types of x and y in memory; a thread works on PACK
// neighbouring channels.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif

// The most threads of a block.
#define COLUMN_THREADS 256

// The rows that a thread adds up one after the other before it adds their sum to its total: long sums of float32 stay as good as
// short ones.
#define ROWS 64

// y[part, b, c] ← the sum of a part of the rows of x[b, row, c], divided by divisor. x: batch × rows × channels; a part has size
// rows. A block works on width packs side by side, and what is left of its threads shares the rows of its part. Blocks along x are
// those of packs and of the batch, blocks along y are parts.
KERNEL column_sums(SY *y, const SX *x, i64 rows, i64 size, int channels, int width, T divisor) {
	__shared__ T shared[PACK][COLUMN_THREADS];
	const int packs = channels / PACK, tiles = (packs + width - 1) / width, batch = blockIdx.x / tiles;
	const int lane = threadIdx.x % width, sub = threadIdx.x / width, subs = blockDim.x / width;
	const int pack = (blockIdx.x - batch * tiles) * width + lane;
	const bool on = sub < subs && pack < packs;
	const i64 begin = blockIdx.y * size, last = begin + size < rows ? begin + size : rows, step = (i64)subs * channels;
	T total[PACK] = {};
	if (on) {
		i64 row = begin + sub;
		const SX *from = x + (batch * rows + row) * channels + (i64)pack * PACK;
		while (row < last) {
			const i64 left = (last - row + subs - 1) / subs;
			const int count = left < ROWS ? (int)left : ROWS;
			T run[PACK] = {};
#pragma unroll 8
			for (int r = 0; r < count; r++) {
				T v[PACK];
				load_pack(v, from);
#pragma unroll
				for (int c = 0; c < PACK; c++) {
					run[c] += v[c];
				}
				from += step;
			}
			row += (i64)count * subs;
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				total[c] += run[c];
			}
		}
	}
	for (int n = subs; n > 1;) { // those who share a pack add up what they have, in a fixed order
		const int half = (n + 1) / 2;
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			shared[c][threadIdx.x] = total[c];
		}
		__syncthreads();
		if (sub + half < n) {
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				total[c] += shared[c][threadIdx.x + half * width];
			}
		}
		__syncthreads();
		n = half;
	}
	if (on && sub == 0) {
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			total[c] /= divisor;
		}
		const i64 batches = gridDim.x / tiles;
		store_pack(y + (blockIdx.y * batches + batch) * channels + (i64)pack * PACK, total);
	}
}

// y[b, row, c] ← x[b, c]/divisor. y: n packs.
KERNEL column_spread(SY *y, const SX *x, const Div packs, const Div rows, T divisor, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, packs), batch = quotient(row, rows);
		T v[PACK];
		load_pack(v, x + (batch * packs.by + (i - row * packs.by)) * PACK);
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			v[c] /= divisor;
		}
		store_pack(y + i * PACK, v);
	}
}

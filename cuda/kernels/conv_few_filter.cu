// Gradients of the filters of convolutions of few channels, on tensor cores: rows are products of a result, columns filters, and what
// is added up are results.
//
//	ACROSS    warps side by side, each with 32 rows; the WARPS / ACROSS others take further results
//	BLOCKS    that a multiprocessor is to hold: a bound on registers

#include "mma.cuh"
#include "conv_few.cuh"
#define SUM_THREADS 256
#include "join_parts.cuh"

#define MT 2 // tiles of 16 rows, which are 8 pairs, of a warp
#define DEEP (WARPS / ACROSS)
#define MOST 8 // columns whose gradients a lane reads at once

// So many times 16 results a warp has its gradients read ahead of: loads of few filters are short.
#define AHEAD (NT > 4 ? 1 : NT > 2 ? 2 : 4)

#define WHOLE (OW % 16 == 0) // 16 results at a time leave none over

// The filter, of those of the block, of a column of the product: c of the 8 of column j.
__device__ __forceinline__ int filter_of(int j, int c) {
	const int n = group<MOST>(j), begin = j & -n;
	return 8 * begin + n * c + j - begin;
}

// n gradients side by side in memory, as words of two of bfloat16 or one of float32.
template <int n> struct alignas(n * sizeof(SY) > 16 ? 16 : n * sizeof(SY)) Line {
	static constexpr int words = n * sizeof(SY) / 4;
	u32 v[words];
};

// What a lane has of the gradients of a result, those of filter_of(j, g): two columns to a word, or one.
#define PER_WORD (4 / (int)sizeof(SY))
#define WORDS ((NT + PER_WORD - 1) / PER_WORD)

struct Gradients {
	u32 v[WORDS];

	// The gradients of a result, which begin at `from`; zeros if it is not there.
	__device__ __forceinline__ void read(const SY *from, int g, bool there) {
#pragma unroll
		for (int w = 0; w < WORDS; w++) {
			v[w] = 0;
		}
		if (!there) {
			return;
		}
#pragma unroll
		for (int j = 0; j < NT; j++) {
			if (group<MOST>(j) == 8 && j % 8 == 0) {
				take<8>(from, j, g);
			} else if (group<MOST>(j) == 4 && j % 4 == 0) {
				take<4>(from, j, g);
			} else if (group<MOST>(j) == 2 && j % 2 == 0) {
				take<2>(from, j, g);
			} else if (group<MOST>(j) == 1) {
				take<PER_WORD>(from, j, g);
			}
		}
	}
	// One gradient of bfloat16 is no word.
	template <int n> __device__ __forceinline__ void take(const SY *from, int j, int g) {
		if (group<MOST>(j) < PER_WORD) {
			v[j / PER_WORD] = *(const u16 *)(from + 8 * j + g);
			return;
		}
		const Line<n> line = *(const Line<n> *)(from + 8 * j + n * g);
#pragma unroll
		for (int w = 0; w < Line<n>::words; w++) {
			v[j / PER_WORD + w] = line.v[w];
		}
	}
	// The gradients of column j of two results.
	__device__ __forceinline__ static u32 pair(const Gradients &x, const Gradients &y, int j) {
		if (PER_WORD == 1) {
			return bf16_pair(__uint_as_float(x.v[j]), __uint_as_float(y.v[j]));
		}
		return j % 2 == 0 ? lower_halves(x.v[j / 2], y.v[j / 2]) : upper_halves(x.v[j / 2], y.v[j / 2]);
	}
};

// A pair of products of a result.
__device__ __forceinline__ u32 pair_at(const u16 *from) {
	if (EVEN) {
		return *(const u32 *)from;
	}
	return (u32)from[0] | (u32)from[1] << 16;
}

// c += the products of results m … m+15 with their gradients b; at is where in the patch of a result the lane's pairs lie.
__device__ __forceinline__ void add_products(float (&c)[MT][NT][4], const u32 (&b)[NT][2], const u16 *patch, const int (&at)[MT], int m, int results,
											 int t) {
	u32 a[MT][4];
#pragma unroll
	for (int r = 0; r < 2; r++) {
		u32 v[MT][2];
#pragma unroll
		for (int e = 0; e < 2; e++) {
			const int p = m + 2 * t + 8 * r + e;
			const u16 *pixel = patch + (WHOLE ? place(m) + (p - m) * (SW * C) : place(min(p, results - 1)));
#pragma unroll
			for (int i = 0; i < MT; i++) {
				v[i][e] = pair_at(pixel + at[i]);
				if (!WHOLE && p >= results) {
					v[i][e] = 0; // it may be NaN
				}
			}
		}
#pragma unroll
		for (int i = 0; i < MT; i++) {
			a[i][2 * r] = lower_halves(v[i][0], v[i][1]);
			a[i][2 * r + 1] = upper_halves(v[i][0], v[i][1]);
		}
	}
#pragma unroll
	for (int j = 0; j < NT; j++) {
#pragma unroll
		for (int i = 0; i < MT; i++) {
			mma_bf16(c[i][j], a[i], b[j][0], b[j][1]);
		}
	}
}

// parts[blockIdx.x] ← what the block's results give to the gradient of w: (KH, KW, C, F). x: (images, H, W, C), dy: (images, OH, OW, F),
// rows = images · OH.
KERNEL __launch_bounds__(THREADS, BLOCKS) conv_few_filter(float *parts, const SX *x, const SY *dy, i64 rows) {
	DYNAMIC_SHARED(u16, patch);
	const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
	const int across = warp % ACROSS, deep = warp / ACROSS, filter = blockIdx.y * (8 * NT);

	// The rows of a tile are pairs: the first of pair g is row g, the second row g + 8.
	int row[MT], k[MT], at[MT];
#pragma unroll
	for (int i = 0; i < MT; i++) {
		const int pair = 8 * (MT * across + i) + g;
		row[i] = pair / RUN;
		k[i] = 2 * (pair - row[i] * RUN);
		at[i] = row[i] < KH ? row[i] * PITCH + k[i] : 0; // others count for nothing
	}
	float c[MT][NT][4] = {};
	Share share(rows);
	while (share.row < share.end) {
		const i64 image = share.row / OH;
		const int top = (int)(share.row - image * OH), count = share.next(top), results = count * OW;
		const SY *from = dy + share.row * (i64)(OW * F) + filter;
		share.row += count;
		// Of 16 results the lane takes 2t, 2t+1, 2t+8 and 2t+9.
		Gradients next[AHEAD][4];
		auto read = [&](Gradients(&to)[4], int m) {
#pragma unroll
			for (int r = 0; r < 4; r++) {
				const int p = m + 2 * t + r % 2 + 8 * (r / 2);
				to[r].read(from + (i64)p * F, g, p < results);
			}
		};
#pragma unroll
		for (int n = 0; n < AHEAD; n++) {
			read(next[n], (deep + n * DEEP) * 16);
		}
		__syncthreads(); // nobody reads the patch any more
		stage(patch, x, image, top);
		__syncthreads();
		for (int begin = deep * 16; begin < results; begin += AHEAD * DEEP * 16) {
#pragma unroll
			for (int n = 0; n < AHEAD; n++) {
				const int m = begin + n * (DEEP * 16);
				if (m >= results) {
					break;
				}
				u32 b[NT][2];
#pragma unroll
				for (int j = 0; j < NT; j++) {
					b[j][0] = Gradients::pair(next[n][0], next[n][1], j);
					b[j][1] = Gradients::pair(next[n][2], next[n][3], j);
				}
				read(next[n], m + AHEAD * DEEP * 16);
				add_products(c, b, patch, at, m, results, t);
			}
		}
	}

	// The warps that took other results add theirs to those of the first, one after the other.
	float *sums = (float *)patch + across * (MT * NT * 4 * WARP) + lane;
#pragma unroll 1
	for (int d = 1; d < DEEP; d++) {
		__syncthreads();
		if (deep == d) {
#pragma unroll
			for (int i = 0; i < MT * NT * 4; i++) {
				sums[i * WARP] = c[i / (NT * 4)][i / 4 % NT][i % 4];
			}
		}
		__syncthreads();
		if (deep == 0) {
#pragma unroll
			for (int i = 0; i < MT * NT * 4; i++) {
				c[i / (NT * 4)][i / 4 % NT][i % 4] += sums[i * WARP];
			}
		}
	}
	if (deep > 0) {
		return;
	}
	float *to = parts + blockIdx.x * (i64)(KH * LENGTH * F) + filter;
#pragma unroll
	for (int i = 0; i < MT; i++) {
#pragma unroll
		for (int e = 0; e < 2; e++) {
			if (row[i] < KH && k[i] + e < LENGTH) {
				float *at = to + (i64)(row[i] * LENGTH + k[i] + e) * F;
#pragma unroll
				for (int j = 0; j < NT; j++) {
					at[filter_of(j, 2 * t)] = c[i][j][2 * e];
					at[filter_of(j, 2 * t + 1)] = c[i][j][2 * e + 1];
				}
			}
		}
	}
}

// dw ← the sum of its parts. parts: (count, n), dw: n elements, a multiple of JOINED.
KERNEL __launch_bounds__(SUM_THREADS) conv_few_join(float *dw, const float *parts, int count, i64 n) {
	__shared__ Wide shared[SUM_THREADS / WARP * JOINED];
	const int sub = threadIdx.x / JOINED, subs = SUM_THREADS / JOINED;
	const i64 i = (i64)blockIdx.x * JOINED + threadIdx.x % JOINED;
	Wide sum = 0;
#pragma unroll 8
	for (int p = sub; p < count; p += subs) {
		sum += parts[p * n + i];
	}
	sum = join(sum, shared);
	if (sub == 0) {
		dw[i] = (float)sum;
	}
}

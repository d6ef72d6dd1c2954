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
#define MOST 8 // columns whose gradients a lane reads at once: those of a group of n are n filters side by side

// So many times ADDED results a warp has its gradients read ahead of: loads of few filters are short.
#define AHEAD (NT > 4 ? 1 : NT > 2 ? 2 : 4)

#define ADDED (2 * STEP_PAIRS)     // results that an instruction adds up
#define OWN (ADDED / 4)            // of them, those that a lane reads
#define WHOLE (OW % ADDED == 0)    // so many at a time leave none over

// The results that a lane reads: 2t, 2t+1, 2t+8 and 2t+9 of 16; t and t+4 of 8.
__device__ __forceinline__ int own_result(int r, int t) {
#ifdef TF32
	return t + 4 * r;
#else
	return 2 * t + r % 2 + 8 * (r / 2);
#endif
}

// n gradients side by side in memory, as words of two of bfloat16 or one of float32.
template <int n> struct alignas(n * sizeof(SY) > 16 ? 16 : n * sizeof(SY)) Line {
	static constexpr int words = n * sizeof(SY) / 4;
	u32 v[words];
};

// What a lane has of the gradients of a result: of a group of n columns at j, those of filters 8j + n·g … + n − 1, which are column g of
// each. A word holds two, or one.
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
	// The gradients of column j of the results that the lane has read: one of the two registers of the second operand.
	__device__ __forceinline__ static u32 operand(const Gradients (&v)[OWN], int j, int half) {
#ifdef TF32
		return to_tf32(PER_WORD == 1 ? __uint_as_float(v[half].v[j]) : from_bf16((u16)(v[half].v[j / 2] >> j % 2 * 16)));
#else
		const Gradients &x = v[2 * half], &y = v[2 * half + 1];
		if (PER_WORD == 1) {
			return bf16_pair(__uint_as_float(x.v[j]), __uint_as_float(y.v[j]));
		}
		return j % 2 == 0 ? lower_halves(x.v[j / 2], y.v[j / 2]) : upper_halves(x.v[j / 2], y.v[j / 2]);
#endif
	}
};

// A pair of products of a result.
__device__ __forceinline__ Pair pair_at(const Factor *from) {
	if (EVEN) {
		return *(const Pair *)from;
	}
#ifdef TF32
	return Pair{from[0], from[1]};
#else
	return (u32)from[0] | (u32)from[1] << 16;
#endif
}

// The first operand, of pairs of products of the lane's results: the first of a pair is in row g, the second in row g + 8.
__device__ __forceinline__ void operand(u32 (&a)[4], const Pair (&v)[OWN]) {
#pragma unroll
	for (int half = 0; half < 2; half++) {
#ifdef TF32
		a[2 * half] = v[half].low;
		a[2 * half + 1] = v[half].high;
#else
		a[2 * half] = lower_halves(v[2 * half], v[2 * half + 1]);
		a[2 * half + 1] = upper_halves(v[2 * half], v[2 * half + 1]);
#endif
	}
}

// c += the products of results m … m+ADDED−1 with their gradients b; at is where in the patch of a result the lane's pairs lie.
__device__ __forceinline__ void add_products(float (&c)[MT][NT][4], const u32 (&b)[NT][2], const Factor *patch, const int (&at)[MT], int m, int results,
											 int t) {
	Pair v[MT][OWN];
#pragma unroll
	for (int r = 0; r < OWN; r++) {
		const int p = m + own_result(r, t);
		const Factor *pixel = patch + (WHOLE ? place(m) + (p - m) * (SW * C) : place(min(p, results - 1)));
#pragma unroll
		for (int i = 0; i < MT; i++) {
			v[i][r] = WHOLE || p < results ? pair_at(pixel + at[i]) : Pair{}; // what is not there may be NaN
		}
	}
	u32 a[MT][4];
#pragma unroll
	for (int i = 0; i < MT; i++) {
		operand(a[i], v[i]);
	}
#pragma unroll
	for (int j = 0; j < NT; j++) {
#pragma unroll
		for (int i = 0; i < MT; i++) {
			MMA(c[i][j], a[i], b[j][0], b[j][1]);
		}
	}
}

// Writes what the lane has of a row of products: first or second of its pair, of the n columns from j on. These are filters side by side.
template <int n> __device__ __forceinline__ void put(float *to, const float (&c)[NT][4], int j, int e, int t) {
	float v[2 * n];
#pragma unroll
	for (int i = 0; i < n; i++) {
		v[i] = c[j + i][2 * e];
		v[n + i] = c[j + i][2 * e + 1];
	}
	store_pack(to + 8 * j + 2 * n * t, v);
}

// parts[blockIdx.x] ← what the block's results give to the gradient of w: (KH, KW, C, F). x: (images, H, W, C), dy: (images, OH, OW, F),
// rows = images · OH.
KERNEL __launch_bounds__(THREADS, BLOCKS) conv_few_filter(float *parts, const SX *x, const SY *dy, i64 rows) {
	DYNAMIC_SHARED(Factor, patch);
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
		Gradients next[AHEAD][OWN];
		auto read = [&](Gradients(&to)[OWN], int m) {
#pragma unroll
			for (int r = 0; r < OWN; r++) {
				const int p = m + own_result(r, t);
				to[r].read(from + (i64)p * F, g, p < results);
			}
		};
#pragma unroll
		for (int n = 0; n < AHEAD; n++) {
			read(next[n], (deep + n * DEEP) * ADDED);
		}
		__syncthreads(); // nobody reads the patch any more
		stage(patch, x, image, top);
		share.row += count;
		share.announce(x);
		__syncthreads();
		for (int begin = deep * ADDED; begin < results; begin += AHEAD * DEEP * ADDED) {
#pragma unroll
			for (int n = 0; n < AHEAD; n++) {
				const int m = begin + n * (DEEP * ADDED);
				if (m >= results) {
					break;
				}
				u32 b[NT][2];
#pragma unroll
				for (int j = 0; j < NT; j++) {
					b[j][0] = Gradients::operand(next[n], j, 0);
					b[j][1] = Gradients::operand(next[n], j, 1);
				}
				read(next[n], m + AHEAD * DEEP * ADDED);
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
					if (group<MOST>(j) == 8 && j % 8 == 0) {
						put<8>(at, c[i], j, e, t);
					} else if (group<MOST>(j) == 4 && j % 4 == 0) {
						put<4>(at, c[i], j, e, t);
					} else if (group<MOST>(j) == 2 && j % 2 == 0) {
						put<2>(at, c[i], j, e, t);
					} else if (group<MOST>(j) == 1) {
						put<1>(at, c[i], j, e, t);
					}
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

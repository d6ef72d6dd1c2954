// Convolutions of images of few channels: results are rows, filters columns of a product on tensor cores, whose first operand is never
// written down.
//
//	STEPS    of 16 products, of 8 in tf32
//	MT       tiles of 16 results that a warp computes at a time
//	KEPT     defined where the filters stay in registers
//	BIAS     defined where a bias is added
//	RELU     defined where results are rectified
//	BLOCKS   that a multiprocessor is to hold: a bound on registers

#include "mma.cuh"
#include "conv_few.cuh"

#define ALIGNED (RUN % 4 == 0) // every half step of 4 pairs is of one row of the filter
#define HALVES (STEPS * STEP_PAIRS / 4)

// A group of filters whose results a lane writes at once, 16 bytes or less.
#define MOST (16 / (int)sizeof(SY) / 2)

// The filter, of those of the block, of a column of the product: c of the 8 of column j.
__device__ __forceinline__ int filter_of(int j, int c) {
	const int n = group<MOST>(j), begin = j & -n;
	return 8 * begin + 2 * n * (c / 2) + 2 * (j - begin) + c % 2;
}

// The column of the product that a filter of the block is: c of the 8 of column j. It is the inverse of filter_of.
struct Column {
	int j, c;

	__device__ __forceinline__ Column(int filter) {
		const int n = group<MOST>(filter / 8), begin = filter / 8 & -n, rest = filter - 8 * begin;
		j = begin + rest % (2 * n) / 2;
		c = rest / (2 * n) * 2 + rest % 2;
	}
};

// v[e] ← v[(e + n) % 4]
__device__ __forceinline__ void turn_left(Pair (&v)[4], int n) {
	const Pair by1[4] = {n & 1 ? v[1] : v[0], n & 1 ? v[2] : v[1], n & 1 ? v[3] : v[2], n & 1 ? v[0] : v[3]};
#pragma unroll
	for (int e = 0; e < 4; e++) {
		v[e] = n & 2 ? by1[(e + 2) % 4] : by1[e];
	}
}

// The part of a pair of products that counts, as what keep takes: 2 numbers of it, 1 or none.
__device__ __forceinline__ u32 kept(int numbers) {
#ifdef TF32
	return numbers;
#else
	if (EVEN) {
		return numbers >= 2 ? 0xffffffffu : numbers == 1 ? 0xffffu : 0u;
	}
	return numbers >= 2 ? 0x5410u : numbers == 1 ? 0x3210u : 0x3232u; // of __byte_perm: bytes 2 and 3 of a number are 0
#endif
}

// The pair at a place of the patch, or what of it counts.
__device__ __forceinline__ Pair keep(const Factor *at, bool whole, u32 some) {
#ifdef TF32
	const Pair p = EVEN ? *(const Pair *)at : Pair{at[0], at[1]};
	return whole ? p : Pair{(int)some >= 1 ? p.low : 0, (int)some >= 2 ? p.high : 0};
#else
	if (EVEN) {
		return whole ? *(const u32 *)at : *(const u32 *)at & some;
	}
	return __byte_perm(at[0], at[1], whole ? 0x5410u : some);
#endif
}

// The pairs of products that a lane takes in every half step.
struct Pairs {
	int at[HALVES];   // where in the patch they lie, behind that of the lane's first pair
	u32 some[HALVES]; // what of them counts

	__device__ __forceinline__ Pairs(int t) {
#pragma unroll
		for (int h = 0; h < HALVES; h++) {
			const int pair = 4 * h + t, row = (ALIGNED ? 4 * h : pair) / RUN, k = 2 * (pair - row * RUN);
			at[h] = row < KH ? row * PITCH + (ALIGNED ? 2 * (4 * h - row * RUN) : k - 2 * t) : 0;
			some[h] = kept(row < KH ? LENGTH - k : 0);
		}
	}
	// Whether a half step may have products that do not count. Where rows begin at half steps, the compiler knows.
	__device__ __forceinline__ static constexpr bool whole(int h) {
		return ALIGNED && 4 * h / RUN < KH && 2 * (4 * h % RUN + 3) + 1 < LENGTH;
	}
	__device__ __forceinline__ static constexpr bool empty(int h) { return ALIGNED && 4 * h / RUN >= KH; }
	// The pair of half step h, of the result whose patch begins 2t elements ahead of `from`.
	__device__ __forceinline__ Pair load(const Factor *patch, int from, int h) const {
		return empty(h) ? Pair{} : keep(patch + (from + at[h]), whole(h), some[h]);
	}
	// The first operand of step s: the rows of a tile of 16 are the results whose patches begin at from.
	__device__ __forceinline__ void operand(u32 (&a)[4], const Factor *patch, const int (&from)[2], int s) const {
#ifdef TF32
#pragma unroll
		for (int half = 0; half < 2; half++) { // products t and t + 4 are neighbours
			const Pair p = load(patch, from[half], s);
			a[half] = p.low;
			a[2 + half] = p.high;
		}
#else
#pragma unroll
		for (int e = 0; e < 4; e++) {
			a[e] = load(patch, from[e % 2], 2 * s + e / 2);
		}
#endif
	}
};

// The filters as a warp takes them, for two columns at once.
struct alignas(16) Quad {
	u32 v[4];
};

#define QUADS ((NT + 1) / 2)

// Fills filters[STEPS][QUADS][WARP]. All threads of the block must call it. A thread takes a pair of products of four filters at a time;
// neighbours begin with different ones, so that they write to different banks.
__device__ __forceinline__ void stage_filters(u32 *filters, const float *w) {
#pragma unroll 4
	for (int i = threadIdx.x; i < STEPS * STEP_PAIRS * 2 * NT; i += THREADS) {
		const int step = i / (STEP_PAIRS * 2 * NT), four = i / STEP_PAIRS % (2 * NT), turn = four % 4;
		const int pair = STEP_PAIRS * step + i % STEP_PAIRS, row = pair / RUN, k = 2 * (pair - row * RUN);
		const float *from = w + (i64)(row * LENGTH + k) * F + 4 * four;
		float low[4] = {}, high[4] = {};
		if (row < KH && k < LENGTH) {
			load_pack(low, from);
		}
		if (row < KH && k + 1 < LENGTH) {
			load_pack(high, from + F);
		}
		Pair v[4];
#pragma unroll
		for (int e = 0; e < 4; e++) {
			v[e] = pair_of(low[e], high[e]);
		}
		turn_left(v, turn);
#pragma unroll
		for (int e = 0; e < 4; e++) {
			const Column column(4 * four + (e + turn) % 4);
			u32 *to = filters + ((step * QUADS + column.j / 2) * WARP + 4 * column.c + pair % 4) * 4 + 2 * (column.j % 2);
#ifdef TF32
			*(Pair *)to = v[e];
#else
			to[pair / 4 % 2] = v[e];
#endif
		}
	}
}

__device__ __forceinline__ float finished(float y) {
#ifdef RELU
	return y < 0 ? 0.0f : y; // NaN stays
#else
	return y;
#endif
}

// n neighbours to where they lie, in SY.
template <int n> struct Line {
	float v[n];

	__device__ __forceinline__ void put(float *to) const {
		struct alignas(n * 4 > 16 ? 16 : n * 4) Floats {
			float v[n];
		} all;
#pragma unroll
		for (int i = 0; i < n; i++) {
			all.v[i] = v[i];
		}
		*(Floats *)to = all;
	}
	__device__ __forceinline__ void put(bf16 *to) const {
		struct alignas(n * 2) Words {
			u32 v[n / 2];
		} all;
#pragma unroll
		for (int i = 0; i < n / 2; i++) {
			all.v[i] = bf16_pair(v[2 * i], v[2 * i + 1]);
		}
		*(Words *)to = all;
	}
};

// Writes the results of the lane in row `half` of a tile, those of columns of group n at j.
template <int n> __device__ __forceinline__ void put_group(SY *to, const float (&c)[NT][4], int j, int half, int t) {
	Line<2 * n> line;
#pragma unroll
	for (int i = 0; i < n; i++) {
#pragma unroll
		for (int e = 0; e < 2; e++) {
			line.v[2 * i + e] = finished(c[j + i][2 * half + e]);
		}
	}
	line.put(to + 8 * j + 2 * n * t);
}

// y ← the convolution of x with w, + bias, rectified. x: (images, H, W, C), w: (KH, KW, C, F), y: (images, OH, OW, F);
// rows = images · OH.
KERNEL __launch_bounds__(THREADS, BLOCKS) conv_few(SY *y, const SX *x, const float *w, const float *bias, i64 rows) {
	DYNAMIC_SHARED(u32, shared);
	const Quad *filters = (const Quad *)shared;
	Factor *patch = (Factor *)(shared + STEPS * QUADS * WARP * 4);
	float *first = (float *)(patch + PATCH_SIZE); // what sums begin with: the bias
	const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;

	const int filter = blockIdx.y * (8 * NT);
	stage_filters(shared, w + filter);
	for (int i = threadIdx.x; i < 8 * NT; i += THREADS) {
#ifdef BIAS
		first[i] = bias[filter + filter_of(i / 8, i % 8)];
#else
		first[i] = 0;
#endif
	}
	const Pairs pairs(t);
	Share share(rows);
#ifdef KEPT
	__syncthreads();
	Quad own[STEPS][QUADS];
#pragma unroll
	for (int s = 0; s < STEPS; s++) {
#pragma unroll
		for (int q = 0; q < QUADS; q++) {
			own[s][q] = filters[(s * QUADS + q) * WARP + lane];
		}
	}
#endif
	while (share.row < share.end) {
		const i64 image = share.row / OH;
		const int top = (int)(share.row - image * OH), count = share.next(top), results = count * OW;
		SY *to = y + share.row * (i64)(OW * F) + filter;
		__syncthreads(); // nobody reads the patch any more
		stage(patch, x, image, top);
		share.row += count;
		share.announce(x);
		__syncthreads();
		for (int m = warp * (16 * MT); m < results; m += WARPS * 16 * MT) {
			int from[MT][2];
			float c[MT][NT][4];
#pragma unroll
			for (int i = 0; i < MT; i++) {
#pragma unroll
				for (int half = 0; half < 2; half++) {
					from[i][half] = place(min(m + 16 * i + 8 * half + g, results - 1)) + 2 * t;
				}
			}
#pragma unroll
			for (int j = 0; j < NT; j++) {
#pragma unroll
				for (int e = 0; e < 2; e++) {
					const float begin = first[8 * j + 2 * t + e];
#pragma unroll
					for (int i = 0; i < MT; i++) {
						c[i][j][e] = c[i][j][2 + e] = begin;
					}
				}
			}
#pragma unroll
			for (int s = 0; s < STEPS; s++) {
				u32 a[MT][4];
#pragma unroll
				for (int i = 0; i < MT; i++) {
					pairs.operand(a[i], patch, from[i], s);
				}
#pragma unroll
				for (int j = 0; j < NT; j++) {
#ifdef KEPT
					const Quad &b = own[s][j / 2];
#else
					const Quad b = filters[(s * QUADS + j / 2) * WARP + lane];
#endif
#pragma unroll
					for (int i = 0; i < MT; i++) {
						MMA(c[i][j], a[i], b.v[j % 2 * 2], b.v[j % 2 * 2 + 1]);
					}
				}
			}
#pragma unroll
			for (int i = 0; i < MT; i++) {
#pragma unroll
				for (int half = 0; half < 2; half++) {
					const int p = m + 16 * i + 8 * half + g;
					if (p >= results) {
						continue;
					}
					SY *at = to + (i64)p * F;
#pragma unroll
					for (int j = 0; j < NT; j++) {
						if (group<MOST>(j) == 4 && j % 4 == 0) {
							put_group<MOST>(at, c[i], j, half, t);
						} else if (group<MOST>(j) == 2 && j % 2 == 0) {
							put_group<2>(at, c[i], j, half, t);
						} else if (group<MOST>(j) == 1) {
							put_group<1>(at, c[i], j, half, t);
						}
					}
				}
			}
		}
	}
}

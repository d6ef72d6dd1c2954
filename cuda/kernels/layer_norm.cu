// Layer normalization: each row of c elements by its own mean and variance, and its gradients.
//
// A row is the work of blockDim.x threads: a warp, several to a block, or the whole block. Each thread works on PACK neighbours at a time, one
// access to memory, and holds HELD such packs in registers: the row is read once. Where HELD is 0 rows are too long for that, and are read again.
#include "each_row.cuh"

// The types of x, y, z and gradients in memory.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif
#ifndef SZ
#define SZ T
#endif
#ifndef SDX
#define SDX T
#endif
#ifndef SDY
#define SDY T
#endif

// Without a definition there is a scale, and a shift. DSCALE and DSHIFT say which sums over the rows are wanted, INPUT whether the gradient of x
// is, ADD whether z is added to that.
#ifdef NO_SCALE
#define SCALED(v, k) (v)
#else
#define SCALED(v, k) ((v)*factors[k])
#endif

#if defined(DSCALE) && defined(DSHIFT)
#define COUNT 2
#elif defined(DSCALE) || defined(DSHIFT)
#define COUNT 1
#else
#define COUNT 0
#endif

#if HELD > 0
#define SLOTS HELD
#else
#define SLOTS 1
#endif

// The most threads of a block. Package kernel knows the same number.
#define NORM_THREADS 256

// Calls f(slot, pack) for the packs of a row that are the thread's.
template <typename F> __device__ __forceinline__ void each_pack(int packs, const F &f) {
#if HELD > 0
#pragma unroll
	for (int h = 0; h < HELD; h++) {
		const int i = threadIdx.x + h * blockDim.x;
		if (i < packs) {
			f(h, i);
		}
	}
#else
	for (int i = threadIdx.x; i < packs; i += blockDim.x) {
		f(0, i);
	}
#endif
}

// What a thread has of a row.
template <typename S> struct Own {
	const S *from;
	T v[SLOTS][PACK];
	__device__ __forceinline__ Own(const S *row, int packs) {
		from = row;
#if HELD > 0
		each_pack(packs, [&](int h, int i) { load_pack(v[h], from + (i64)i * PACK); });
#endif
	}
	// A pack, which is read now if it is not held.
	__device__ __forceinline__ const T (&at(int h, int i))[PACK] {
#if HELD == 0
		load_pack(v[h], from + (i64)i * PACK);
#endif
		return v[h];
	}
};

// A row's mean, in two parts, as rounding takes some of it away, and its reciprocal standard deviation.
struct Moments {
	T mean, low, inverse;
	// x less the mean.
	__device__ __forceinline__ T centred(T x) const { return (x - mean) - low; }
};

// The mean is taken off before anything is squared. All threads of the row must call it.
__device__ __forceinline__ Moments moments(Own<SX> &x, int packs, T count, T epsilon, T *shared) {
	T sum = T(0);
	each_pack(packs, [&](int h, int i) {
		const T(&v)[PACK] = x.at(h, i);
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			sum += v[k];
		}
	});
	Moments m;
	m.mean = row_sum(sum, shared) / count;
	T rest = T(0), squares = T(0);
	each_pack(packs, [&](int h, int i) {
		const T(&v)[PACK] = x.at(h, i);
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			const T d = v[k] - m.mean;
			rest += d;
			squares += d * d;
		}
	});
	m.low = row_sum(rest, shared) / count;
	const T variance = row_sum(squares, shared) / count - m.low * m.low;
	m.inverse = T(1) / sqrt((variance < T(0) ? T(0) : variance) + epsilon); // NaN is handed on
	return m;
}

// Constants of the elements of pack i.
__device__ __forceinline__ void factors_at(T (&to)[PACK], const T *from, int i) { load_pack(to, from + (i64)i * PACK); }

#if !defined(INPUT) && COUNT == 0 // forwards
// y ← scale·(x − mean)/√(variance + epsilon) + shift. x, y: n rows of so many packs, count elements; y may be the memory of x. scale and shift:
// count elements each, of no meaning where they are not there.
KERNEL __launch_bounds__(NORM_THREADS) layer_norm(SY *y, const SX *x, const T *scale, const T *shift, i64 n, int packs, T count, T epsilon) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const i64 at = r * packs * PACK;
		Own<SX> row(x + at, packs);
		const Moments m = moments(row, packs, count, epsilon, shared);
		each_pack(packs, [&](int h, int i) {
			const T(&v)[PACK] = row.at(h, i);
			T to[PACK];
#ifndef NO_SCALE
			T factors[PACK];
			factors_at(factors, scale, i);
#endif
#ifndef NO_SHIFT
			T shifts[PACK];
			factors_at(shifts, shift, i);
#endif
#pragma unroll
			for (int k = 0; k < PACK; k++) {
				to[k] = SCALED(m.centred(v[k]) * m.inverse, k);
#ifndef NO_SHIFT
				to[k] += shifts[k];
#endif
			}
			store_pack(y + (r * packs + i) * PACK, to);
		});
	}
}

#else // backwards
// What the threads of a block have added up over the rows, for COUNT sums of the row's elements. Rows that are held leave it in registers, and the
// rows of a block put theirs together at the end, in their order; others add to memory at once: a thread comes to the same elements again.
struct RowSums {
	T *to; // [COUNT, elements], of the block
	i64 elements;
	bool first;
#if HELD > 0 && COUNT > 0
	T v[COUNT][SLOTS][PACK];
#endif
	__device__ __forceinline__ RowSums(T *partial, int packs) {
		elements = (i64)packs * PACK;
		to = partial + (i64)blockIdx.x * COUNT * elements;
		first = true;
#if HELD > 0 && COUNT > 0
#pragma unroll
		for (int w = 0; w < COUNT; w++) {
#pragma unroll
			for (int h = 0; h < SLOTS; h++) {
#pragma unroll
				for (int k = 0; k < PACK; k++) {
					v[w][h][k] = T(0);
				}
			}
		}
#endif
	}
	// Adds to sum w of a pack.
	__device__ __forceinline__ void add(int w, int h, int i, const T (&more)[PACK]) {
#if COUNT > 0 && HELD > 0
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			v[w][h][k] += more[k];
		}
#elif COUNT > 0
		T *at = to + w * elements + (i64)i * PACK;
		T sum[PACK];
		if (first) {
			store_pack(at, more);
			return;
		}
		load_pack(sum, at);
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			sum[k] += more[k];
		}
		store_pack(at, sum);
#endif
	}
	// Writes them; all has room for a pack of each thread. All threads of the block must call it.
	__device__ __forceinline__ void write(int packs, T *all) {
#if HELD > 0 && COUNT > 0
#pragma unroll
		for (int w = 0; w < COUNT; w++) {
#pragma unroll
			for (int h = 0; h < HELD; h++) {
				const int i = threadIdx.x + h * blockDim.x;
				if (blockDim.y > 1) {
					__syncthreads();
#pragma unroll
					for (int k = 0; k < PACK; k++) {
						all[(threadIdx.y * PACK + k) * blockDim.x + threadIdx.x] = v[w][h][k];
					}
					__syncthreads();
				}
				if (threadIdx.y == 0 && i < packs) {
					for (int y = 1; y < blockDim.y; y++) {
#pragma unroll
						for (int k = 0; k < PACK; k++) {
							v[w][h][k] += all[(y * PACK + k) * blockDim.x + threadIdx.x];
						}
					}
					store_pack(to + w * elements + (i64)i * PACK, v[w][h]);
				}
			}
		}
#endif
	}
};

// dx ← (g − mean(g) − u·mean(g·u))/√(variance + epsilon) [+ z], where g = scale·dy and u = (x − mean)/√(variance + epsilon); and partial[block, COUNT,
// count] ← the block's sums of dy·u and of dy, those that are wanted. dx may be the memory of x, dy or z.
KERNEL __launch_bounds__(NORM_THREADS) layer_norm_grad(SDX *dx, T *partial, const SX *x, const T *scale, const SDY *dy, const SZ *z, i64 n,
                                                       int packs, T count, T epsilon) {
#if HELD > 0 && COUNT > 0
	__shared__ T shared[NORM_THREADS * PACK];
#else
	__shared__ T shared[WARP];
#endif
	RowSums sums(partial, packs);
	ROWS(r, n) {
		const i64 at = r * packs * PACK;
		Own<SX> row(x + at, packs);
		Own<SDY> up(dy + at, packs);
		const Moments m = moments(row, packs, count, epsilon, shared);
#ifdef INPUT
		T total = T(0), dot = T(0);
#endif
		each_pack(packs, [&](int h, int i) {
			const T(&v)[PACK] = row.at(h, i);
			const T(&d)[PACK] = up.at(h, i);
#ifdef DSCALE
			T products[PACK];
#endif
#if defined(INPUT) && !defined(NO_SCALE)
			T factors[PACK];
			factors_at(factors, scale, i);
#endif
#pragma unroll
			for (int k = 0; k < PACK; k++) {
				const T u = m.centred(v[k]) * m.inverse;
#ifdef DSCALE
				products[k] = d[k] * u;
#endif
#ifdef INPUT
				const T g = SCALED(d[k], k);
				total += g;
				dot += g * u;
#endif
			}
#ifdef DSCALE
			sums.add(0, h, i, products);
#endif
#ifdef DSHIFT
			sums.add(COUNT - 1, h, i, d);
#endif
		});
		sums.first = false;
#ifdef INPUT
		total = row_sum(total, shared) / count;
		const T slope = row_sum(dot, shared) / count * m.inverse * m.inverse;
		each_pack(packs, [&](int h, int i) {
			const T(&v)[PACK] = row.at(h, i);
			const T(&d)[PACK] = up.at(h, i);
			T to[PACK];
#ifndef NO_SCALE
			T factors[PACK];
			factors_at(factors, scale, i);
#endif
#ifdef ADD
			T more[PACK];
			load_pack(more, z + at + (i64)i * PACK);
#endif
#pragma unroll
			for (int k = 0; k < PACK; k++) {
				to[k] = (SCALED(d[k], k) - total) * m.inverse - m.centred(v[k]) * slope;
#ifdef ADD
				to[k] += more[k];
#endif
			}
			store_pack(dx + (r * packs + i) * PACK, to);
		});
#endif
	}
	__syncthreads(); // before the memory of the rows' sums is used anew
	sums.write(packs, shared);
}
#endif

// The sums of the blocks, put together in their order: a and b (count elements each, b not where there is one sum) ← Σ partial[parts, sums, count].
// Blocks of JOIN_WIDTH × JOIN_SUBS threads; few numbers, so that they are added in double.
#define JOIN_WIDTH 32
#define JOIN_SUBS 8
KERNEL layer_norm_join(T *a, T *b, const T *partial, i64 parts, i64 count, i64 sums) {
	__shared__ double shared[JOIN_SUBS][JOIN_WIDTH];
	const i64 e = (i64)blockIdx.x * JOIN_WIDTH + threadIdx.x, wide = sums * count;
	double total = 0;
	if (e < wide) {
		for (i64 p = threadIdx.y; p < parts; p += JOIN_SUBS) {
			total += partial[p * wide + e];
		}
	}
	shared[threadIdx.y][threadIdx.x] = total;
	__syncthreads();
	if (threadIdx.y == 0 && e < wide) {
		for (int s = 1; s < JOIN_SUBS; s++) {
			total += shared[s][threadIdx.x];
		}
		*(e < count ? &a[e] : &b[e - count]) = T(total);
	}
}

// Means and variances of channels.
#include "packs.cuh"
#include "join.cuh"

// How many threads' first packs make an origin near the mean: a single element might be an outlier.
#define ORIGIN 8

struct Deviations {
	const SX *x;
	T origin[LANES];
	Sums<2> sums;
	static constexpr int unroll = SUM_UNROLL(1);
	struct Raw {
		Loaded<SX> x;
	};
	__device__ __forceinline__ Raw read(i64 at) const { return Raw{loaded(x, at)}; }
	__device__ __forceinline__ void start(const Raw (&raw)[unroll], const Walk &w) {
		T *shared = sums.shared;
		if (w.on) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				T sum = T(0);
#pragma unroll
				for (int u = 0; u < unroll; u++) {
					sum += w.has(u) ? raw[u].x[k] : T(0);
				}
				shared[sums.slot(threadIdx.x, 0, k)] = sum;
			}
		}
		__syncthreads();
		T all[LANES] = {};
		int seen = 0;
		for (int s = 0; s < ORIGIN && s < w.subs; s++) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				all[LANE(k)] += shared[sums.slot(w.on ? s * w.width + w.lane : 0, 0, k)];
			}
#pragma unroll
			for (int u = 0; u < unroll; u++) {
				seen += s + u * w.subs < w.last ? VEC / LANES : 0;
			}
		}
		const T each = T(1) / T(seen);
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			origin[k] = all[k] * each;
		}
		__syncthreads();
		sums.clear();
	}
	__device__ __forceinline__ void add(const Raw &raw, i64) {
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			const T d = raw.x[k] - origin[LANE(k)];
			sums.run[0][k] += d;
			sums.run[1][k] += d * d;
		}
	}
};

// What the sums of all of a channel say: `distance` is that of its mean from base, mean + rest is the mean to more digits than T has.
__device__ __forceinline__ void write_stats(T *mean, T *rest, T *variance, i64 c, Wide base, Wide distance, Wide second) {
	const T rounded = T(base + distance);
	mean[c] = rounded;
	rest[c] = T(base - rounded + distance);
	variance[c] = second < 0 ? T(0) : T(second); // below 0: rounding of a constant channel
}

// mean, rest, variance (c) ← of x, whose channels have `count` elements. The blocks of a channel write to partial[part, 3, c] an origin o
// near the mean of their part, Σ(x−o) and Σ(x−o)², and the last of them puts these together. Deviations from an origin keep a small
// variance beside a large mean, which Σx² − (Σx)²/n would lose. (As Chan, Golub and LeVeque 1983 do: n elements have the sum
// s + n·e and the squares q + e·(2·s + n·e) about another origin, e = o − that one.)
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) stats(T *mean, T *rest, T *variance, T *partial, u32 *counters, const SX *x, i64 count,
                                                    const Packs v, int size, int width) {
	__shared__ Shared shared;
	Walk w(v, size, width);
	Deviations d;
	d.x = x;
	d.sums.shared = shared.sums;
	walk_packs(d, w);
	const Wide each = Wide(1) / count;
	if (gridDim.y == 1) {
		for (int l = 0; l < LANES && w.on && w.sub == 0; l++) {
			const Wide distance = each * d.sums.total(w.lane, 0, l);
			write_stats(mean, rest, variance, w.c * LANES + l, d.origin[l], distance, each * d.sums.total(w.lane, 1, l) - distance * distance);
		}
		return;
	}
	if (w.on && w.sub == 0) {
		store_pack(partial + (blockIdx.y * 3 * v.channels.by + w.c) * LANES, d.origin);
	}
	d.sums.write(partial + (blockIdx.y * 3 + 1) * w.channels, w);
	if (!last_part(counters, shared)) {
		return;
	}
	const Joint j(v, width);
	const Wide base = j.on ? __ldcg(&partial[j.c]) : T(0);
	const i64 most = (i64)size * (VEC / LANES);
	Totals own = {};
	j.each<3>(partial, [&](int p, const T (&part)[3]) {
		const i64 left = count - p * most, n = most < left ? most : left;
		const Wide e = part[0] - base, s = part[1];
		own.first += s + n * e;
		own.second += part[2] + e * (2 * s + n * e);
	});
	own = j.total(own, shared);
	if (j.on && j.sub == 0) {
		const Wide distance = each * own.first;
		write_stats(mean, rest, variance, j.c, base, distance, each * own.second - distance * distance);
	}
}

struct Squared {
	const SX *x;
	const T *means;
	T mean[LANES];
	Sums<1> sums;
	static constexpr int unroll = SUM_UNROLL(1);
	struct Raw {
		Loaded<SX> x;
	};
	__device__ __forceinline__ Raw read(i64 at) const { return Raw{loaded(x, at)}; }
	__device__ __forceinline__ void start(const Raw (&)[unroll], const Walk &w) {
		if (w.on) {
			lanes_at(mean, means, w.c);
		}
		sums.clear();
	}
	__device__ __forceinline__ void add(const Raw &raw, i64) {
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			const T d = raw.x[k] - mean[LANE(k)];
			sums.run[0][k] += d * d;
		}
	}
};

// partial[part, c] ← Σ(x − mean[c])² over a part of channel c.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) variance_parts(T *partial, const SX *x, const T *mean, const Packs v, int size, int width) {
	__shared__ T shared[SUM_THREADS * VEC];
	Walk w(v, size, width);
	Squared s;
	s.x = x;
	s.means = mean;
	s.sums.shared = shared;
	walk_packs(s, w);
	s.sums.write(partial + blockIdx.y * w.channels, w);
}

#include "view.cuh"

// Partial sums of float32 are put together in double: there are few of them.
typedef double Wide;

// How many elements of its part a thread looks at to find an origin near the mean: a single one might be an outlier.
#define ORIGIN 8

struct Values : Sum<T> {
	const T *x;
	__device__ __forceinline__ void add(i64 at) { Sum<T>::add(x[at]); }
};

struct Deviations {
	const T *x;
	T origin;
	Sum<T> first, second;
	__device__ __forceinline__ void add(i64 at) {
		const T d = x[at] - origin;
		first.add(d);
		second.add(d * d);
	}
	__device__ __forceinline__ void fold() {
		first.fold();
		second.fold();
	}
};

// partial[part, 3, c] ← an origin o near the mean of a part of channel c, Σ(x−o) and Σ(x−o)². Deviations from an origin
// keep a small variance beside a large mean, which Σx² − (Σx)²/n would lose.
KERNEL stats_parts(T *partial, const T *x, const View v, i64 size, int width) {
	__shared__ T shared[TILE_THREADS];
	const Tile t = tile_of(v, size, width);
	Values begin;
	begin.x = x;
	walk(v, t, ORIGIN, begin);
	const i64 n = t.last - t.first, seen = n < ORIGIN * t.subs ? n : ORIGIN * t.subs;
	Deviations d;
	d.x = x;
	d.origin = tile_join<Plus>(begin.total, t, shared) / T(seen);
	walk(v, t, EVERY, d);
	const T first = tile_join<Plus>(d.first.total, t, shared), second = tile_join<Plus>(d.second.total, t, shared);
	if (t.on && t.sub == 0) {
		T *to = partial + blockIdx.y * 3 * v.channels + t.channel;
		to[0] = d.origin;
		to[v.channels] = first;
		to[2 * v.channels] = second;
	}
}

// mean, rest, variance (c) ← of all parts. mean + rest is the mean to more digits than T has. (Chan, Golub and LeVeque 1983: a
// part of n elements with origin o contributes Σ((x−o)+e)² = q + e·(2·s + n·e), e = o − mean.)
KERNEL stats_join(T *mean, T *rest, T *variance, const T *partial, i64 channels, i64 count, i64 size, int parts, int width) {
	__shared__ Wide shared[TILE_THREADS];
	const View v = {1, parts, channels, 1};
	const Tile t = tile_of(v, parts, width);
	const T *from = partial + t.channel;
	const int first = t.on ? t.sub : parts;
	const Wide base = t.on ? from[0] : 0;
	Wide sum = 0;
	for (int p = first; p < parts; p += t.subs) {
		const T *part = from + p * 3 * channels;
		const i64 n = size < count - p * size ? size : count - p * size;
		sum += n * (part[0] - base) + part[channels];
	}
	const Wide distance = tile_join<Plus>(sum, t, shared) / count; // of the mean from base
	Wide squares = 0;
	for (int p = first; p < parts; p += t.subs) {
		const T *part = from + p * 3 * channels;
		const i64 n = size < count - p * size ? size : count - p * size;
		const Wide e = part[0] - base - distance;
		squares += part[2 * channels] + e * (2 * (Wide)part[channels] + n * e);
	}
	const Wide second = tile_join<Plus>(squares, t, shared) / count;
	if (t.on && t.sub == 0) {
		const T rounded = T(base + distance);
		mean[t.channel] = rounded;
		rest[t.channel] = T(base - rounded + distance);
		variance[t.channel] = second < 0 ? T(0) : T(second); // below 0: rounding of a constant channel
	}
}

struct Squared : Sum<T> {
	const T *x;
	T mean;
	__device__ __forceinline__ void add(i64 at) {
		const T d = x[at] - mean;
		Sum<T>::add(d * d);
	}
};

// partial[part, c] ← Σ(x − mean[c])² over a part of channel c.
KERNEL variance_parts(T *partial, const T *x, const T *mean, const View v, i64 size, int width) {
	__shared__ T shared[TILE_THREADS];
	const Tile t = tile_of(v, size, width);
	Squared s;
	s.x = x;
	s.mean = t.on ? mean[t.channel] : T(0);
	walk(v, t, EVERY, s);
	const T total = tile_join<Plus>(s.total, t, shared);
	if (t.on && t.sub == 0) {
		partial[blockIdx.y * v.channels + t.channel] = total;
	}
}

// The sums of the backward pass. MASK: dy counts as 0 where y ≤ 0. EXACT: rest is added to the mean.
template <bool MASK, bool EXACT> struct Gradients {
	const T *x, *dy, *y;
	T mean, rest;
	Sum<T> plain, dot;
	__device__ __forceinline__ void add(i64 at) {
		T g = dy[at];
		if (MASK && !(y[at] > T(0))) {
			return;
		}
		T d = x[at] - mean;
		if (EXACT) {
			d -= rest;
		}
		plain.add(g);
		dot.add(g * d);
	}
	__device__ __forceinline__ void fold() {
		plain.fold();
		dot.fold();
	}
};

template <bool MASK, bool EXACT>
__device__ __forceinline__ void norm_sums(T *partial, const T *x, const T *mean, const T *rest, const T *dy, const T *y, const View &v,
                                          i64 size, int width, T *shared) {
	const Tile t = tile_of(v, size, width);
	Gradients<MASK, EXACT> g;
	g.x = x;
	g.dy = dy;
	g.y = y;
	g.mean = t.on ? mean[t.channel] : T(0);
	g.rest = EXACT && t.on ? rest[t.channel] : T(0);
	walk(v, t, EVERY, g);
	const T plain = tile_join<Plus>(g.plain.total, t, shared), dot = tile_join<Plus>(g.dot.total, t, shared);
	if (t.on && t.sub == 0) {
		T *to = partial + blockIdx.y * 2 * v.channels + t.channel;
		to[0] = plain;
		to[v.channels] = dot;
	}
}

// partial[part, 2, c] ← Σdy and Σdy·(x−mean) over a part of channel c.
KERNEL norm_sums_parts(T *partial, const T *x, const T *mean, const T *dy, const View v, i64 size, int width) {
	__shared__ T shared[TILE_THREADS];
	norm_sums<false, false>(partial, x, mean, mean, dy, dy, v, size, width, shared);
}

// The same through a ReLU with result y.
KERNEL norm_sums_parts_relu(T *partial, const T *x, const T *mean, const T *dy, const T *y, const View v, i64 size, int width) {
	__shared__ T shared[TILE_THREADS];
	norm_sums<true, false>(partial, x, mean, mean, dy, y, v, size, width, shared);
}

// The same about mean + rest.
KERNEL group_sums_parts(T *partial, const T *x, const T *mean, const T *rest, const T *dy, const View v, i64 size, int width) {
	__shared__ T shared[TILE_THREADS];
	norm_sums<false, true>(partial, x, mean, rest, dy, dy, v, size, width, shared);
}

// dgamma, dbeta (c) ← of all parts: Σdy·(x−mean)/√(variance+ε) and Σdy.
KERNEL norm_sums_join(T *dgamma, T *dbeta, const T *partial, const T *variance, T epsilon, i64 channels, int parts, int width) {
	__shared__ Wide shared[TILE_THREADS];
	const View v = {1, parts, channels, 1};
	const Tile t = tile_of(v, parts, width);
	Wide plain = 0, dot = 0;
	for (int p = t.on ? t.sub : parts; p < parts; p += t.subs) {
		plain += partial[p * 2 * channels + t.channel];
		dot += partial[(p * 2 + 1) * channels + t.channel];
	}
	plain = tile_join<Plus>(plain, t, shared);
	dot = tile_join<Plus>(dot, t, shared);
	if (t.on && t.sub == 0) {
		dbeta[t.channel] = T(plain);
		dgamma[t.channel] = T(dot / sqrt((Wide)variance[t.channel] + epsilon));
	}
}

#include "view.cuh"

// What a reduction starts with and makes of each element, and how it joins two.
struct Sums : Plus {
	static __device__ __forceinline__ T start() { return T(0); }
	static __device__ __forceinline__ T of(T v) { return v; }
};

struct Squares : Plus {
	static __device__ __forceinline__ T start() { return T(0); }
	static __device__ __forceinline__ T of(T v) { return v * v; }
};

struct Maxima : Larger {
	static __device__ __forceinline__ T start() { return T(__uint_as_float(0xff800000u)); } // −∞
	static __device__ __forceinline__ T of(T v) { return v; }
};

template <typename R> struct Reduced {
	const T *x;
	T run, total;
	__device__ __forceinline__ void add(i64 at) { run = R::join(run, R::of(x[at])); }
	__device__ __forceinline__ void fold() {
		total = R::join(total, run);
		run = R::start();
	}
};

// y[part, b, c] ← scale·(reduction of a part of channel c of b)/divisor. Where there are several parts, they are reduced in
// their turn.
template <typename R>
__device__ __forceinline__ void reduce(T *y, const T *x, const View &v, i64 size, int width, T scale, T divisor, T *shared) {
	const Tile t = tile_of(v, size, width);
	Reduced<R> r = {x, R::start(), R::start()};
	walk(v, t, EVERY, r);
	const T total = tile_join<R>(r.total, t, shared);
	if (t.on && t.sub == 0) {
		y[(blockIdx.y * v.batch + t.batch) * v.channels + t.channel] = total * scale / divisor;
	}
}

KERNEL reduce_sum(T *y, const T *x, const View v, i64 size, int width, T scale, T divisor) {
	__shared__ T shared[TILE_THREADS];
	reduce<Sums>(y, x, v, size, width, scale, divisor, shared);
}

KERNEL reduce_squares(T *y, const T *x, const View v, i64 size, int width, T scale, T divisor) {
	__shared__ T shared[TILE_THREADS];
	reduce<Squares>(y, x, v, size, width, scale, divisor, shared);
}

KERNEL reduce_max(T *y, const T *x, const View v, i64 size, int width, T scale, T divisor) {
	__shared__ T shared[TILE_THREADS];
	reduce<Maxima>(y, x, v, size, width, scale, divisor, shared);
}

// The same where channels have few elements: a thread for each.
template <typename R> __device__ __forceinline__ void reduce_few(T *y, const T *x, const View &v, T scale, T divisor) {
	FOR_EACH(i, v.batch * v.channels) {
		const T *from = x + (i / v.channels * v.outer * v.channels + i % v.channels) * v.inner;
		T total = R::start();
		for (i64 o = 0; o < v.outer; o++) {
			for (i64 j = 0; j < v.inner; j++) {
				total = R::join(total, R::of(from[j]));
			}
			from += v.channels * v.inner;
		}
		y[i] = total * scale / divisor;
	}
}

KERNEL reduce_few_sum(T *y, const T *x, const View v, T scale, T divisor) { reduce_few<Sums>(y, x, v, scale, divisor); }

KERNEL reduce_few_squares(T *y, const T *x, const View v, T scale, T divisor) { reduce_few<Squares>(y, x, v, scale, divisor); }

KERNEL reduce_few_max(T *y, const T *x, const View v, T scale, T divisor) { reduce_few<Maxima>(y, x, v, scale, divisor); }

// y ← x[b, c]/divisor in every element of channel c of b. y has n elements.
KERNEL spread(T *y, const T *x, const Div inner, const Div channels, const Div outer, T divisor, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, inner), above = quotient(row, channels);
		y[i] = x[(quotient(above, outer) - above) * channels.by + row] / divisor;
	}
}

// dw ← factor·g·w, g a scalar.
KERNEL l2_grad(T *dw, const T *w, const T *g, T factor, i64 n) {
	const T f = factor * g[0];
	FOR_EACH(i, n) { dw[i] = f * w[i]; }
}

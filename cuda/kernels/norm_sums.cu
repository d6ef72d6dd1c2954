// The sums that the gradients of batch norms are made of.
#include "packs.cuh"
#include "join.cuh"

// How a ReLU masks dy, which counts as 0 where the ReLU gave 0: not at all; by its result y; by the batch norm of x, computed again; or
// by y, and dy is the sum of two, which is written.
enum Mask { NONE, STORED, AGAIN, JOINED_SUM };

// The sums of the backward pass. EXACT: rest is added to the mean.
template <Mask MASK, bool EXACT> struct Gradients {
	const SX *x;
	const SDY *dy;
	const SY *y;
	const SZ *z;
	SDX *out;
	const T *means, *rests, *variances, *gammas, *betas;
	T epsilon, mean[LANES], rest[LANES], scale[LANES], shift[LANES];
	Sums<2> sums;
	static constexpr int unroll = SUM_UNROLL(MASK == NONE ? 2 : MASK == JOINED_SUM ? 4 : 3); // AGAIN has as many constants
	struct Raw {
		Loaded<SX> x;
		Loaded<SDY> dy;
		Loaded<SY> y;
		Loaded<SZ> z;
	};
	__device__ __forceinline__ Raw read(i64 at) const {
		Raw r;
		r.x = loaded(x, at);
		r.dy = loaded(dy, at);
		if (MASK == STORED || MASK == JOINED_SUM) {
			r.y = loaded(y, at);
		}
		if (MASK == JOINED_SUM) {
			r.z = loaded(z, at);
		}
		return r;
	}
	__device__ __forceinline__ void start(const Raw (&)[unroll], const Walk &w) {
		if (w.on) {
			lanes_at(mean, means, w.c);
			if (EXACT) {
				lanes_at(rest, rests, w.c);
			}
			if (MASK == AGAIN) {
				T variance[LANES];
				lanes_at(scale, gammas, w.c);
				lanes_at(shift, betas, w.c);
				lanes_at(variance, variances, w.c);
#pragma unroll
				for (int k = 0; k < LANES; k++) {
					scale[k] *= rsqrt(variance[k] + epsilon);
				}
			}
		}
		sums.clear();
	}
	__device__ __forceinline__ void add(const Raw &r, i64 at) {
		T g[VEC], d[VEC];
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			g[k] = r.dy[k];
			d[k] = r.x[k] - mean[LANE(k)];
			if (EXACT) {
				d[k] -= rest[LANE(k)];
			}
			if (MASK == JOINED_SUM) {
				g[k] += r.z[k];
			}
			if (MASK == AGAIN ? !(d[k] * scale[LANE(k)] + shift[LANE(k)] > T(0)) : MASK != NONE && !(r.y[k] > T(0))) {
				g[k] = T(0);
				d[k] = T(0); // which may be infinite
			}
		}
		Loaded<SDX> sum;
		if (MASK == JOINED_SUM) {
			sum.set(g);
			put(out, at, sum);
		}
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			const T given = MASK == JOINED_SUM ? sum[k] : g[k]; // what is read again is what counts
			sums.run[0][k] += given;
			sums.run[1][k] += given * d[k];
		}
	}
};

// dgamma and dbeta of the sums over all of a channel: Σdy·(x−mean)/√(variance+ε) and Σdy.
__device__ __forceinline__ void write_gradients(T *dgamma, T *dbeta, const T *variance, T epsilon, i64 c, Wide plain, Wide dot) {
	dbeta[c] = T(plain);
	dgamma[c] = T(dot / sqrt((Wide)variance[c] + epsilon));
}

// dgamma, dbeta (c) ← of Σdy and Σdy·(x−mean). The blocks of a channel write those of their parts to partial[part, 2, c], and the last
// of them puts these together.
template <typename G>
__device__ __forceinline__ void sum_gradients(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon, G &g,
                                              const Packs &v, int size, int width, Shared &shared) {
	Walk w(v, size, width);
	g.sums.shared = shared.sums;
	walk_packs(g, w);
	if (gridDim.y == 1) {
		w.each_channel([&](i64 c, int x, int l) {
			write_gradients(dgamma, dbeta, variance, epsilon, c, g.sums.total(x, 0, l), g.sums.total(x, 1, l));
		});
		return;
	}
	g.sums.write(partial + blockIdx.y * 2 * w.channels, w);
	if (!last_part(counters, shared)) {
		return;
	}
	const Joint j(v, width);
	Totals own = {};
	j.each<2>(partial, [&](int, const T (&part)[2]) {
		own.first += part[0];
		own.second += part[1];
	});
	own = j.total(own, shared);
	if (j.on && j.sub == 0) {
		write_gradients(dgamma, dbeta, variance, epsilon, j.c, own.first, own.second);
	}
}

KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) norm_sums(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon,
                                                        const SX *x, const T *mean, const SDY *dy, const Packs v, int size, int width) {
	__shared__ Shared shared;
	Gradients<NONE, false> g;
	g.x = x;
	g.means = mean;
	g.dy = dy;
	sum_gradients(dgamma, dbeta, partial, counters, variance, epsilon, g, v, size, width, shared);
}

// The same through a ReLU with result y.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) norm_sums_relu(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon,
                                                             const SX *x, const T *mean, const SDY *dy, const SY *y, const Packs v,
                                                             int size, int width) {
	__shared__ Shared shared;
	Gradients<STORED, false> g;
	g.x = x;
	g.means = mean;
	g.dy = dy;
	g.y = y;
	sum_gradients(dgamma, dbeta, partial, counters, variance, epsilon, g, v, size, width, shared);
}

// The same through a ReLU of the batch norm.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) norm_sums_again(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon,
                                                              const SX *x, const T *gamma, const T *beta, const T *mean, const SDY *dy,
                                                              const Packs v, int size, int width) {
	__shared__ Shared shared;
	Gradients<AGAIN, false> g;
	g.x = x;
	g.means = mean;
	g.dy = dy;
	g.gammas = gamma;
	g.betas = beta;
	g.variances = variance;
	g.epsilon = epsilon;
	sum_gradients(dgamma, dbeta, partial, counters, variance, epsilon, g, v, size, width, shared);
}

// The same of the sum of dy and z through a ReLU with result y, which is written to out. That may be the memory of dy, z or y.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) norm_sums_join(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon,
                                                             SDX *out, const SX *x, const T *mean, const SDY *dy, const SZ *z,
                                                             const SY *y, const Packs v, int size, int width) {
	__shared__ Shared shared;
	Gradients<JOINED_SUM, false> g;
	g.x = x;
	g.means = mean;
	g.dy = dy;
	g.z = z;
	g.y = y;
	g.out = out;
	sum_gradients(dgamma, dbeta, partial, counters, variance, epsilon, g, v, size, width, shared);
}

// The same about mean + rest.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) group_sums(T *dgamma, T *dbeta, T *partial, u32 *counters, const T *variance, T epsilon,
                                                         const SX *x, const T *mean, const T *rest, const SDY *dy, const Packs v,
                                                         int size, int width) {
	__shared__ Shared shared;
	Gradients<NONE, true> g;
	g.x = x;
	g.means = mean;
	g.dy = dy;
	g.rests = rest;
	sum_gradients(dgamma, dbeta, partial, counters, variance, epsilon, g, v, size, width, shared);
}

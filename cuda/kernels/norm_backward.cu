// The backward pass of a batch norm of few rows. SHIFTED: dbeta is read, not written. MASK says how a ReLU masks dy, which counts as 0 where
// the ReLU gave 0: not at all; by its result y; by the batch norm of x, computed again; or by y, and dy is the sum of dy and z, which is
// written.
#include "packs.cuh"
#include "norm_block.cuh"

#define NONE 0
#define STORED 1
#define AGAIN 2
#define JOINED_SUM 3

#ifndef MASK
#define MASK NONE
#endif

// What is kept of dy: as it lies in memory, masked.
#if MASK == JOINED_SUM
#define SG SDZ
#else
#define SG SDY
#endif

// dgamma, dbeta (c) ← Σdy·(x−mean)/√(variance+ε) and Σdy over `rows` elements of a channel;
// dx ← γ/√(variance+ε)·(dy − dβ/rows − (x−mean)/√(variance+ε)·dγ/rows). dx may be the memory of x, dy, z or y, and sum that of dy, z or y.
KERNEL __launch_bounds__(BLOCK, 1) batch_norm_backward(SDX *dx, T *dgamma, T *dbeta, SDZ *sum, const SX *x, const T *gamma, const T *beta,
                                                       const T *mean, const T *variance, const SDY *dy, const SZ *z, const SY *y, T epsilon,
                                                       int rows, int packs) {
	__shared__ T parts[BLOCK / WARP][2 * VEC];
	__shared__ __align__(16) T scale[VEC], slope[VEC], shift[VEC];
	const Rows r(rows, packs);
	const i64 first = (i64)blockIdx.x * VEC, c = first + threadIdx.x;
	Loaded<SX> kept[KEEP];
	Loaded<SDY> grad[KEEP];
#if MASK == STORED || MASK == JOINED_SUM
	Loaded<SY> result[KEEP];
#endif
#if MASK == JOINED_SUM
	Loaded<SZ> other[KEEP];
#endif
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (r.has(k)) {
			kept[k] = loaded(x, r.pack(k));
			grad[k] = loaded(dy, r.pack(k));
#if MASK == STORED || MASK == JOINED_SUM
			result[k] = loaded(y, r.pack(k));
#endif
#if MASK == JOINED_SUM
			other[k] = loaded(z, r.pack(k));
#endif
		}
	}
	T centre[VEC];
	load_pack<VEC>(centre, mean + first);
#if MASK == AGAIN
	T gain[VEC], offset[VEC];
	load_pack<VEC>(gain, gamma + first);
	load_pack<VEC>(offset, beta + first);
	{
		T v[VEC];
		load_pack<VEC>(v, variance + first);
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			gain[l] *= rsqrt(v[l] + epsilon);
		}
	}
#endif
	// What a thread with a channel needs for it, computed while the images come.
	T over = T(0), factor = T(0), given = T(0);
	Wide exact = 0;
	if (threadIdx.x < VEC) {
		over = rsqrt(variance[c] + epsilon);
		exact = 1 / sqrt((Wide)variance[c] + epsilon);
		factor = gamma[c] * over;
#ifdef SHIFTED
		given = dbeta[c];
#endif
	}
	const T each = T(1) / T(rows);
	Loaded<SG> masked[KEEP];
	T sums[2 * VEC] = {};
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (!r.has(k)) {
			break;
		}
		T g[VEC], d[VEC];
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			g[l] = grad[k][l];
			d[l] = kept[k][l] - centre[l];
			bool off = false;
#if MASK == JOINED_SUM
			g[l] += other[k][l];
#endif
#if MASK == STORED || MASK == JOINED_SUM
			off = !(result[k][l] > T(0));
#elif MASK == AGAIN
			off = !(d[l] * gain[l] + offset[l] > T(0));
#endif
			if (off) {
				g[l] = T(0);
				d[l] = T(0); // which may be infinite
			}
		}
		masked[k].set(g);
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			const T given = masked[k][l];
			sums[l] += given;
			sums[VEC + l] += given * d[l];
		}
#if MASK == JOINED_SUM
		put(sum, r.pack(k), masked[k]);
#endif
	}
	block_sums<2>(sums, parts, [&](int l, const Wide(&sums)[2]) {
		const T gradient = T(sums[1] * exact);
		dgamma[c] = gradient;
#ifndef SHIFTED
		given = T(sums[0]);
		dbeta[c] = given;
#endif
		scale[l] = factor;
		slope[l] = factor * over * gradient * each;
		shift[l] = factor * given * each;
	});
	T times[VEC], along[VEC], less[VEC];
	load_pack<VEC>(times, scale);
	load_pack<VEC>(along, slope);
	load_pack<VEC>(less, shift);
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (!r.has(k)) {
			break;
		}
		T v[VEC];
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			v[l] = times[l] * masked[k][l] - along[l] * (kept[k][l] - centre[l]) - less[l];
		}
		Loaded<SDX> p;
		p.set(v);
		put(dx, r.pack(k), p);
	}
}

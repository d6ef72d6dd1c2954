// A batch norm of few rows, statistics and all. ADD: z is added. RELU: then max(·, 0), NaN where it is NaN.
#include "packs.cuh"
#include "norm_block.cuh"

// mean, variance (c) ← of x, whose channels have `rows` elements; y ← (x−mean)/√(variance+ε)·γ + β. y may be the memory of x or z.
// Sums are of deviations from an origin, which keep a small variance beside a large mean: it is the mean, but for rounding.
KERNEL __launch_bounds__(BLOCK, 1) batch_norm_forward(SY *y, T *mean, T *variance, const SX *x, const T *gamma, const T *beta, const SZ *z,
                                                      T epsilon, int rows, int packs) {
	__shared__ T parts[BLOCK / WARP][2 * VEC];
	__shared__ __align__(16) T origin[VEC], centre[VEC], scale[VEC], shift[VEC];
	const Rows r(rows, packs);
	Loaded<SX> kept[KEEP];
#ifdef ADD
	Loaded<SZ> more[KEEP];
#endif
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (r.has(k)) {
			kept[k] = loaded(x, r.pack(k));
		}
	}
#ifdef ADD // on its way while there are sums to make
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (r.has(k)) {
			more[k] = loaded(z, r.pack(k));
		}
	}
#endif
	const i64 c = (i64)blockIdx.x * VEC + threadIdx.x;
	const T gain = threadIdx.x < VEC ? gamma[c] : T(0), offset = threadIdx.x < VEC ? beta[c] : T(0);
	const Wide each = Wide(1) / rows;
	T plain[VEC] = {};
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (!r.has(k)) {
			break;
		}
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			plain[l] += kept[k][l];
		}
	}
	block_sums<1>(plain, parts, [&](int l, const Wide(&sums)[1]) {
		const T o = T(each * sums[0]);
		origin[l] = isfinite(o) ? o : T(0);
	});
	T from[VEC], sums[2 * VEC] = {};
	load_pack<VEC>(from, origin);
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (!r.has(k)) {
			break;
		}
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			const T d = kept[k][l] - from[l];
			sums[l] += d;
			sums[VEC + l] += d * d;
		}
	}
	block_sums<2>(sums, parts, [&](int l, const Wide(&sums)[2]) {
		const Wide distance = each * sums[0], second = each * sums[1] - distance * distance;
		const T m = T(origin[l] + distance), v = second < 0 ? T(0) : T(second); // below 0: rounding of a constant channel
		mean[c] = m;
		variance[c] = v;
		centre[l] = m;
		scale[l] = gain * rsqrt(v + epsilon);
		shift[l] = offset;
	});
	T slope[VEC], base[VEC];
	load_pack<VEC>(from, centre);
	load_pack<VEC>(slope, scale);
	load_pack<VEC>(base, shift);
#pragma unroll
	for (int k = 0; k < KEEP; k++) {
		if (!r.has(k)) {
			break;
		}
		T result[VEC];
#pragma unroll
		for (int l = 0; l < VEC; l++) {
			T v = (kept[k][l] - from[l]) * slope[l] + base[l]; // as in channel.cu: a ReLU's mask is computed again
#ifdef ADD
			v += more[k][l];
#endif
#ifdef RELU
			v = v < T(0) ? T(0) : v;
#endif
			result[l] = v;
		}
		Loaded<SY> p;
		p.set(result);
		put(y, r.pack(k), p);
	}
}

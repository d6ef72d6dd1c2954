// Gradients that are computed of every element by constants of its channel.
#include "packs.cuh"
#include "each_channel.cuh"

// How a ReLU masks dy, which counts as 0 where the ReLU gave 0: not at all; by its result y; by the batch norm of x, computed again.
enum Mask { NONE, STORED, AGAIN };

// dx = γ/√(variance+ε)·(dy − dβ/count − (x−mean)/√(variance+ε)·dγ/count).
template <bool GAMMA, Mask MASK, bool EXACT> struct NormaliseGrad {
	const SX *x;
	const T *gamma, *mean, *rest, *variance;
	const SDY *dy;
	const T *dgamma, *dbeta, *beta;
	const SY *y;
	T epsilon, count, centre[LANES], more[LANES], scale[LANES], slope[LANES], shift[LANES], floor[LANES];
	static constexpr int unroll = UNROLL(MASK == STORED ? 3 : 2);
	struct Raw {
		Loaded<SX> x;
		Loaded<SDY> dy;
		Loaded<SY> y;
	};
	__device__ __forceinline__ Raw read(i64 i) const {
		Raw r;
		r.x = loaded(x, i);
		r.dy = loaded(dy, i);
		if (MASK == STORED) {
			r.y = loaded(y, i);
		}
		return r;
	}
	__device__ __forceinline__ bool channel(i64 c) {
		T var[LANES];
		lanes_at(var, variance, c);
		lanes_at(centre, mean, c);
		lanes_at(slope, dgamma, c);
		lanes_at(shift, dbeta, c);
		if (EXACT) {
			lanes_at(more, rest, c);
		}
		if (GAMMA) {
			lanes_at(scale, gamma, c);
		}
		if (MASK == AGAIN) {
			lanes_at(floor, beta, c);
		}
		const T each = T(1) / count;
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			const T over = rsqrt(var[k] + epsilon);
			scale[k] = (GAMMA ? scale[k] : T(1)) * over;
			slope[k] = scale[k] * over * slope[k] * each;
			shift[k] = scale[k] * shift[k] * each;
		}
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const {
		const int l = LANE(k);
		T g = r.dy[k], d = r.x[k] - centre[l];
		if (EXACT) {
			d -= more[l];
		}
		if (MASK == AGAIN ? !(d * scale[l] + floor[l] > T(0)) : MASK == STORED && !(r.y[k] > T(0))) {
			g = T(0);
		}
		return scale[l] * g - slope[l] * d - shift[l];
	}
};

// dx may be the memory of x or dy.
KERNEL batch_norm_grad(SDX *dx, const SX *x, const T *gamma, const T *mean, const T *variance, const SDY *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const Packs v) {
	each_channel(dx, v, NormaliseGrad<true, NONE, false>{x, gamma, mean, 0, variance, dy, dgamma, dbeta, 0, 0, epsilon, count});
}

// The same through a ReLU with result y.
KERNEL batch_norm_grad_relu(SDX *dx, const SX *x, const T *gamma, const T *mean, const T *variance, const SDY *dy, const T *dgamma,
                            const T *dbeta, const SY *y, T epsilon, T count, const Packs v) {
	each_channel(dx, v, NormaliseGrad<true, STORED, false>{x, gamma, mean, 0, variance, dy, dgamma, dbeta, 0, y, epsilon, count});
}

// The same through a ReLU of the batch norm.
KERNEL batch_norm_grad_again(SDX *dx, const SX *x, const T *gamma, const T *mean, const T *variance, const SDY *dy, const T *dgamma,
                             const T *dbeta, const T *beta, T epsilon, T count, const Packs v) {
	each_channel(dx, v, NormaliseGrad<true, AGAIN, false>{x, gamma, mean, 0, variance, dy, dgamma, dbeta, beta, 0, epsilon, count});
}

KERNEL group_norm_grad(SDX *dx, const SX *x, const T *mean, const T *rest, const T *variance, const SDY *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const Packs v) {
	each_channel(dx, v, NormaliseGrad<false, NONE, true>{x, 0, mean, rest, variance, dy, dgamma, dbeta, 0, 0, epsilon, count});
}

struct InferenceGrad {
	const T *gamma, *variance;
	const SDY *dy;
	T epsilon, scale[LANES];
	static constexpr int unroll = UNROLL(1);
	struct Raw {
		Loaded<SDY> dy;
	};
	__device__ __forceinline__ Raw read(i64 i) const { return Raw{loaded(dy, i)}; }
	__device__ __forceinline__ bool channel(i64 c) {
		T var[LANES];
		lanes_at(var, variance, c);
		lanes_at(scale, gamma, c);
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			scale[k] *= rsqrt(var[k] + epsilon);
		}
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const { return scale[LANE(k)] * r.dy[k]; }
};

// dx ← γ/√(variance+ε)·dy
KERNEL batch_norm_inference_grad(SDX *dx, const T *gamma, const T *variance, const SDY *dy, T epsilon, const Packs v) {
	each_channel(dx, v, InferenceGrad{gamma, variance, dy, epsilon});
}

struct VarianceGrad {
	const SX *x;
	const T *mean, *dvar;
	T factor, centre[LANES], scale[LANES];
	typedef OnlyX Raw;
	static constexpr int unroll = UNROLL(1);
	__device__ __forceinline__ Raw read(i64 i) const { return Raw{loaded(x, i)}; }
	__device__ __forceinline__ bool channel(i64 c) {
		lanes_at(centre, mean, c);
		lanes_at(scale, dvar, c);
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			scale[k] *= factor;
		}
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const { return scale[LANE(k)] * (r.x[k] - centre[LANE(k)]); }
};

// dx ← factor·dvar[c]·(x − mean[c])
KERNEL batch_variance_grad(SDX *dx, const SX *x, const T *mean, const T *dvar, T factor, const Packs v) {
	each_channel(dx, v, VarianceGrad{x, mean, dvar, factor});
}

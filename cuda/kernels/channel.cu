#include "packs.cuh"

// Writes f.value of the packs i, i + stride, … below n, which are of channel c, if f.channel(c) says so. Several are read before one
// is written: y may be the memory of what is read, so that the compiler cannot have loads pass stores. The first are on their way
// while the channel's constants come.
template <typename S, typename F> __device__ __forceinline__ void write_packs(S *y, F &f, i64 c, i64 i, i64 n, i64 stride) {
	typename F::Raw raw[F::unroll];
#pragma unroll
	for (int u = 0; u < F::unroll; u++) {
		if (i + u * stride < n) {
			raw[u] = f.read(i + u * stride);
		}
	}
	if (i >= n || !f.channel(c)) {
		return;
	}
	for (;;) {
#pragma unroll
		for (int u = 0; u < F::unroll; u++) {
			if (i + u * stride < n) {
				T v[VEC];
#pragma unroll
				for (int k = 0; k < VEC; k++) {
					v[k] = f.value(raw[u], k);
				}
				Loaded<S> p;
				p.set(v);
				put(y, i + u * stride, p);
			}
		}
		i += F::unroll * stride;
		if (i >= n) {
			return;
		}
#pragma unroll
		for (int u = 0; u < F::unroll; u++) {
			if (i + u * stride < n) {
				raw[u] = f.read(i + u * stride);
			}
		}
	}
}

// Writes f.value to y for all packs of v. Channels last: the threads' stride is a multiple of the number of packs of channels, so that
// each thread keeps its channels; the host starts at least as many threads as there are packs of them. In ROWS: a row of threads for
// the inner packs of a channel.
template <typename S, typename F> __device__ __forceinline__ void each_channel(S *y, const Packs &v, F f) {
	const i64 channels = v.channels.by;
#ifndef ROWS
	const i64 stride = quotient((i64)gridDim.x * blockDim.x, v.channels) * channels, i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
	if (i < stride) {
		write_packs(y, f, i - quotient(i, v.channels) * channels, i, v.outer * channels, stride);
	}
#else
	for (i64 r = (i64)blockIdx.x * blockDim.y + threadIdx.y; r < v.outer * channels; r += (i64)gridDim.x * blockDim.y) {
		const i64 j = (i64)blockIdx.y * blockDim.x + threadIdx.x, inner = v.inner.by;
		write_packs(y, f, r - quotient(r, v.channels) * channels, r * inner + j, (r + 1) * inner, (i64)gridDim.y * blockDim.x);
	}
#endif
}

// What most of them read.
struct OnlyX {
	Loaded<SX> x;
};

struct Bias {
	const SX *x;
	const T *b;
	T shift[LANES];
	typedef OnlyX Raw;
	static constexpr int unroll = UNROLL(1);
	__device__ __forceinline__ Raw read(i64 i) const { return Raw{loaded(x, i)}; }
	__device__ __forceinline__ bool channel(i64 c) {
		lanes_at(shift, b, c);
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const { return r.x[k] + shift[LANE(k)]; }
};

// y ← x + b[c]; they may be the same memory.
KERNEL bias_add(SY *y, const SX *x, const T *b, const Packs v) { each_channel(y, v, Bias{x, b}); }

struct BiasReLU : Bias {
	__device__ __forceinline__ BiasReLU(const SX *x, const T *b) : Bias{x, b} {}
	__device__ __forceinline__ T value(const Raw &r, int k) const {
		const T sum = Bias::value(r, k);
		return sum < T(0) ? T(0) : sum; // NaN stays
	}
};

// y ← max(x + b[c], 0); y and x may be the same memory.
KERNEL bias_add_relu(SY *y, const SX *x, const T *b, const Packs v) { each_channel(y, v, BiasReLU(x, b)); }

// As many constants as fit into the arguments of a kernel in either element type.
#define SHIFTS 256

struct Shifts {
	T shift[SHIFTS];
};

struct Affine {
	const SX *x;
	T scale;
	const Shifts *shifts;
	i64 first, count;
	T shift[LANES];
	typedef OnlyX Raw;
	static constexpr int unroll = UNROLL(1);
	__device__ __forceinline__ Raw read(i64 i) const { return Raw{loaded(x, i)}; }
	__device__ __forceinline__ bool channel(i64 c) {
		c *= LANES;
		if (c < first || c >= first + count) {
			return false;
		}
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			shift[k] = shifts->shift[c - first + k];
		}
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const { return r.x[k] * scale + shift[LANE(k)]; }
};

// y ← x·scale + shift[c] for the count channels from the first on; they may be the same memory. Packs divide SHIFTS.
KERNEL channel_affine(SY *y, const SX *x, T scale, const Shifts shifts, i64 first, i64 count, const Packs v) {
	each_channel(y, v, Affine{x, scale, &shifts, first, count});
}

// (x−mean)/√(variance+ε). AFFINE: times γ, plus β. ADD: plus z. RELU: max(·, 0), NaN where it is NaN. EXACT: rest is a
// second part of the mean.
template <bool AFFINE, bool ADD, bool RELU, bool EXACT> struct Normalise {
	const SX *x;
	const T *gamma, *beta, *mean, *rest, *variance;
	const SZ *z;
	T epsilon, centre[LANES], more[LANES], scale[LANES], shift[LANES];
	static constexpr int unroll = UNROLL(ADD ? 2 : 1);
	struct Raw {
		Loaded<SX> x;
		Loaded<SZ> z;
	};
	__device__ __forceinline__ Raw read(i64 i) const {
		Raw r;
		r.x = loaded(x, i);
		if (ADD) {
			r.z = loaded(z, i);
		}
		return r;
	}
	__device__ __forceinline__ bool channel(i64 c) {
		T var[LANES];
		lanes_at(var, variance, c);
		lanes_at(centre, mean, c);
		if (EXACT) {
			lanes_at(more, rest, c);
		}
		if (AFFINE) {
			lanes_at(scale, gamma, c);
			lanes_at(shift, beta, c);
		}
#pragma unroll
		for (int k = 0; k < LANES; k++) {
			scale[k] = (AFFINE ? scale[k] : T(1)) * rsqrt(var[k] + epsilon);
		}
		return true;
	}
	__device__ __forceinline__ T value(const Raw &r, int k) const {
		T d = r.x[k] - centre[LANE(k)];
		if (EXACT) {
			d -= more[LANE(k)];
		}
		T v = AFFINE ? d * scale[LANE(k)] + shift[LANE(k)] : d * scale[LANE(k)];
		if (ADD) {
			v += r.z[k];
		}
		return RELU && v < T(0) ? T(0) : v;
	}
};

// y may be the memory of x or z.
KERNEL batch_norm(SY *y, const SX *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const Packs v) {
	each_channel(y, v, Normalise<true, false, false, false>{x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_relu(SY *y, const SX *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const Packs v) {
	each_channel(y, v, Normalise<true, false, true, false>{x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_add(SY *y, const SX *x, const T *gamma, const T *beta, const T *mean, const T *variance, const SZ *z, T epsilon,
                      const Packs v) {
	each_channel(y, v, Normalise<true, true, false, false>{x, gamma, beta, mean, 0, variance, z, epsilon});
}

KERNEL batch_norm_add_relu(SY *y, const SX *x, const T *gamma, const T *beta, const T *mean, const T *variance, const SZ *z, T epsilon,
                           const Packs v) {
	each_channel(y, v, Normalise<true, true, true, false>{x, gamma, beta, mean, 0, variance, z, epsilon});
}

// Groups are the channels of v.
KERNEL group_norm(SY *y, const SX *x, const T *mean, const T *rest, const T *variance, T epsilon, const Packs v) {
	each_channel(y, v, Normalise<false, false, false, true>{x, 0, 0, mean, rest, variance, 0, epsilon});
}

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

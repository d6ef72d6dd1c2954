// What is done to every element by constants of its channel: biases, batch norms, group norms.
#include "packs.cuh"
#include "each_channel.cuh"

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

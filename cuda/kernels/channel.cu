#include "view.cuh"

// Calls f.channel(c) for a channel and then f.element(i) for elements of it, over all elements of outer × channels × inner.
// Channels last: the threads' stride is a multiple of the number of channels, so that each thread keeps its channel; the
// host starts at least as many threads as there are channels. Else: a row of threads for the inner elements of a channel.
template <typename F> __device__ __forceinline__ void each_channel(const View &v, F f) {
	if (v.inner == 1) {
		const i64 stride = (i64)gridDim.x * blockDim.x / v.channels * v.channels, n = v.outer * v.channels;
		i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
		if (i < stride) {
			f.channel(i % v.channels);
			for (; i < n; i += stride) {
				f.element(i);
			}
		}
		return;
	}
	const i64 rows = v.outer * v.channels, step = (i64)gridDim.y * blockDim.x;
	for (i64 r = (i64)blockIdx.x * blockDim.y + threadIdx.y; r < rows; r += (i64)gridDim.x * blockDim.y) {
		f.channel(r % v.channels);
		for (i64 j = (i64)blockIdx.y * blockDim.x + threadIdx.x; j < v.inner; j += step) {
			f.element(r * v.inner + j);
		}
	}
}

struct Bias {
	T *y;
	const T *x, *b;
	T shift;
	__device__ __forceinline__ void channel(i64 c) { shift = b[c]; }
	__device__ __forceinline__ void element(i64 i) { y[i] = x[i] + shift; }
};

// y ← x + b[c]; they may be the same memory.
KERNEL bias_add(T *y, const T *x, const T *b, const View v) { each_channel(v, Bias{y, x, b, T(0)}); }

// As many constants as fit into the arguments of a kernel in either element type.
#define SHIFTS 256

struct Shifts {
	T shift[SHIFTS];
};

struct Affine {
	T *y;
	const T *x;
	T scale;
	const Shifts *shifts;
	i64 first, count;
	T shift;
	bool mine;
	__device__ __forceinline__ void channel(i64 c) {
		mine = c >= first && c < first + count;
		shift = mine ? shifts->shift[c - first] : T(0);
	}
	__device__ __forceinline__ void element(i64 i) {
		if (mine) {
			y[i] = x[i] * scale + shift;
		}
	}
};

// y ← x·scale + shift[c] for the count channels from the first on; they may be the same memory.
KERNEL channel_affine(T *y, const T *x, T scale, const Shifts shifts, i64 first, i64 count, const View v) {
	each_channel(v, Affine{y, x, scale, &shifts, first, count, T(0), false});
}

// (x−mean)/√(variance+ε). AFFINE: times γ, plus β. ADD: plus z. RELU: max(·, 0), NaN where it is NaN. EXACT: rest is a
// second part of the mean.
template <bool AFFINE, bool ADD, bool RELU, bool EXACT> struct Normalise {
	T *y;
	const T *x, *gamma, *beta, *mean, *rest, *variance, *z;
	T epsilon, centre, more, scale, shift;
	__device__ __forceinline__ void channel(i64 c) {
		centre = mean[c];
		more = EXACT ? rest[c] : T(0);
		scale = (AFFINE ? gamma[c] : T(1)) / sqrt(variance[c] + epsilon);
		shift = AFFINE ? beta[c] : T(0);
	}
	__device__ __forceinline__ void element(i64 i) {
		T d = x[i] - centre;
		if (EXACT) {
			d -= more;
		}
		T v = d * scale + shift;
		if (ADD) {
			v += z[i];
		}
		y[i] = RELU && v < T(0) ? T(0) : v;
	}
};

// y may be the memory of x or z.
KERNEL batch_norm(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const View v) {
	each_channel(v, Normalise<true, false, false, false>{y, x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_relu(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const View v) {
	each_channel(v, Normalise<true, false, true, false>{y, x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_add(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, const T *z, T epsilon,
                      const View v) {
	each_channel(v, Normalise<true, true, false, false>{y, x, gamma, beta, mean, 0, variance, z, epsilon});
}

KERNEL batch_norm_add_relu(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, const T *z, T epsilon,
                           const View v) {
	each_channel(v, Normalise<true, true, true, false>{y, x, gamma, beta, mean, 0, variance, z, epsilon});
}

// Groups are the channels of v.
KERNEL group_norm(T *y, const T *x, const T *mean, const T *rest, const T *variance, T epsilon, const View v) {
	each_channel(v, Normalise<false, false, false, true>{y, x, 0, 0, mean, rest, variance, 0, epsilon});
}

// dx = γ/√(variance+ε)·(dy − dβ/count − (x−mean)/√(variance+ε)·dγ/count). MASK: dy counts as 0 where y ≤ 0.
template <bool GAMMA, bool MASK, bool EXACT> struct NormaliseGrad {
	T *dx;
	const T *x, *gamma, *mean, *rest, *variance, *dy, *dgamma, *dbeta, *y;
	T epsilon, count, centre, more, scale, slope, shift;
	__device__ __forceinline__ void channel(i64 c) {
		const T rstd = T(1) / sqrt(variance[c] + epsilon);
		centre = mean[c];
		more = EXACT ? rest[c] : T(0);
		scale = GAMMA ? gamma[c] * rstd : rstd;
		slope = scale * rstd * dgamma[c] / count;
		shift = scale * dbeta[c] / count;
	}
	__device__ __forceinline__ void element(i64 i) {
		T g = dy[i], d = x[i] - centre;
		if (EXACT) {
			d -= more;
		}
		if (MASK && !(y[i] > T(0))) {
			g = T(0);
		}
		dx[i] = scale * g - slope * d - shift;
	}
};

// dx may be the memory of x or dy.
KERNEL batch_norm_grad(T *dx, const T *x, const T *gamma, const T *mean, const T *variance, const T *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const View v) {
	each_channel(v, NormaliseGrad<true, false, false>{dx, x, gamma, mean, 0, variance, dy, dgamma, dbeta, 0, epsilon, count});
}

// The same through a ReLU with result y.
KERNEL batch_norm_grad_relu(T *dx, const T *x, const T *gamma, const T *mean, const T *variance, const T *dy, const T *dgamma,
                            const T *dbeta, const T *y, T epsilon, T count, const View v) {
	each_channel(v, NormaliseGrad<true, true, false>{dx, x, gamma, mean, 0, variance, dy, dgamma, dbeta, y, epsilon, count});
}

KERNEL group_norm_grad(T *dx, const T *x, const T *mean, const T *rest, const T *variance, const T *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const View v) {
	each_channel(v, NormaliseGrad<false, false, true>{dx, x, 0, mean, rest, variance, dy, dgamma, dbeta, 0, epsilon, count});
}

struct InferenceGrad {
	T *dx;
	const T *gamma, *variance, *dy;
	T epsilon, scale;
	__device__ __forceinline__ void channel(i64 c) { scale = gamma[c] / sqrt(variance[c] + epsilon); }
	__device__ __forceinline__ void element(i64 i) { dx[i] = scale * dy[i]; }
};

// dx ← γ/√(variance+ε)·dy
KERNEL batch_norm_inference_grad(T *dx, const T *gamma, const T *variance, const T *dy, T epsilon, const View v) {
	each_channel(v, InferenceGrad{dx, gamma, variance, dy, epsilon, T(0)});
}

struct VarianceGrad {
	T *dx;
	const T *x, *mean, *dvar;
	T factor, centre, scale;
	__device__ __forceinline__ void channel(i64 c) {
		centre = mean[c];
		scale = factor * dvar[c];
	}
	__device__ __forceinline__ void element(i64 i) { dx[i] = scale * (x[i] - centre); }
};

// dx ← factor·dvar[c]·(x − mean[c])
KERNEL batch_variance_grad(T *dx, const T *x, const T *mean, const T *dvar, T factor, const View v) {
	each_channel(v, VarianceGrad{dx, x, mean, dvar, factor, T(0), T(0)});
}

#include "view.cuh"

// Writes f.element(i) to y for every stride-th i below n. Four are read before one is written: y may be the memory of what is
// read, so that the compiler cannot have loads pass stores.
template <typename F> __device__ __forceinline__ void write_elements(T *y, F &f, i64 i, i64 n, i64 stride) {
	for (; i + 3 * stride < n; i += 4 * stride) {
		const T a = f.element(i), b = f.element(i + stride), c = f.element(i + 2 * stride), d = f.element(i + 3 * stride);
		y[i] = a;
		y[i + stride] = b;
		y[i + 2 * stride] = c;
		y[i + 3 * stride] = d;
	}
	for (; i < n; i += stride) {
		y[i] = f.element(i);
	}
}

// Writes f.element(i) to y for all elements of outer × channels × inner, after f.channel(c) has said whether their channel is
// to be written. Channels last: the threads' stride is a multiple of the number of channels, so that each thread keeps its
// channel; the host starts at least as many threads as there are channels. Else: a row of threads for the inner elements of
// a channel.
template <typename F> __device__ __forceinline__ void each_channel(T *y, const View &v, F f) {
	if (v.inner == 1) {
		const i64 stride = (i64)gridDim.x * blockDim.x / v.channels * v.channels, i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
		if (i < stride && f.channel(i % v.channels)) {
			write_elements(y, f, i, v.outer * v.channels, stride);
		}
		return;
	}
	for (i64 r = (i64)blockIdx.x * blockDim.y + threadIdx.y; r < v.outer * v.channels; r += (i64)gridDim.x * blockDim.y) {
		if (f.channel(r % v.channels)) {
			const i64 j = (i64)blockIdx.y * blockDim.x + threadIdx.x;
			write_elements(y, f, r * v.inner + j, (r + 1) * v.inner, (i64)gridDim.y * blockDim.x);
		}
	}
}

struct Bias {
	const T *x, *b;
	T shift;
	__device__ __forceinline__ bool channel(i64 c) {
		shift = b[c];
		return true;
	}
	__device__ __forceinline__ T element(i64 i) { return x[i] + shift; }
};

// y ← x + b[c]; they may be the same memory.
KERNEL bias_add(T *y, const T *x, const T *b, const View v) { each_channel(y, v, Bias{x, b, T(0)}); }

// As many constants as fit into the arguments of a kernel in either element type.
#define SHIFTS 256

struct Shifts {
	T shift[SHIFTS];
};

struct Affine {
	const T *x;
	T scale;
	const Shifts *shifts;
	i64 first, count;
	T shift;
	__device__ __forceinline__ bool channel(i64 c) {
		if (c < first || c >= first + count) {
			return false;
		}
		shift = shifts->shift[c - first];
		return true;
	}
	__device__ __forceinline__ T element(i64 i) { return x[i] * scale + shift; }
};

// y ← x·scale + shift[c] for the count channels from the first on; they may be the same memory.
KERNEL channel_affine(T *y, const T *x, T scale, const Shifts shifts, i64 first, i64 count, const View v) {
	each_channel(y, v, Affine{x, scale, &shifts, first, count, T(0)});
}

// (x−mean)/√(variance+ε). AFFINE: times γ, plus β. ADD: plus z. RELU: max(·, 0), NaN where it is NaN. EXACT: rest is a
// second part of the mean.
template <bool AFFINE, bool ADD, bool RELU, bool EXACT> struct Normalise {
	const T *x, *gamma, *beta, *mean, *rest, *variance, *z;
	T epsilon, centre, more, scale, shift;
	__device__ __forceinline__ bool channel(i64 c) {
		centre = mean[c];
		more = EXACT ? rest[c] : T(0);
		scale = (AFFINE ? gamma[c] : T(1)) / sqrt(variance[c] + epsilon);
		shift = AFFINE ? beta[c] : T(0);
		return true;
	}
	__device__ __forceinline__ T element(i64 i) {
		T d = x[i] - centre;
		if (EXACT) {
			d -= more;
		}
		T v = d * scale + shift;
		if (ADD) {
			v += z[i];
		}
		return RELU && v < T(0) ? T(0) : v;
	}
};

// y may be the memory of x or z.
KERNEL batch_norm(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const View v) {
	each_channel(y, v, Normalise<true, false, false, false>{x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_relu(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, T epsilon, const View v) {
	each_channel(y, v, Normalise<true, false, true, false>{x, gamma, beta, mean, 0, variance, 0, epsilon});
}

KERNEL batch_norm_add(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, const T *z, T epsilon,
                      const View v) {
	each_channel(y, v, Normalise<true, true, false, false>{x, gamma, beta, mean, 0, variance, z, epsilon});
}

KERNEL batch_norm_add_relu(T *y, const T *x, const T *gamma, const T *beta, const T *mean, const T *variance, const T *z, T epsilon,
                           const View v) {
	each_channel(y, v, Normalise<true, true, true, false>{x, gamma, beta, mean, 0, variance, z, epsilon});
}

// Groups are the channels of v.
KERNEL group_norm(T *y, const T *x, const T *mean, const T *rest, const T *variance, T epsilon, const View v) {
	each_channel(y, v, Normalise<false, false, false, true>{x, 0, 0, mean, rest, variance, 0, epsilon});
}

// dx = γ/√(variance+ε)·(dy − dβ/count − (x−mean)/√(variance+ε)·dγ/count). MASK: dy counts as 0 where y ≤ 0.
template <bool GAMMA, bool MASK, bool EXACT> struct NormaliseGrad {
	const T *x, *gamma, *mean, *rest, *variance, *dy, *dgamma, *dbeta, *y;
	T epsilon, count, centre, more, scale, slope, shift;
	__device__ __forceinline__ bool channel(i64 c) {
		const T rstd = T(1) / sqrt(variance[c] + epsilon);
		centre = mean[c];
		more = EXACT ? rest[c] : T(0);
		scale = GAMMA ? gamma[c] * rstd : rstd;
		slope = scale * rstd * dgamma[c] / count;
		shift = scale * dbeta[c] / count;
		return true;
	}
	__device__ __forceinline__ T element(i64 i) {
		T g = dy[i], d = x[i] - centre;
		if (EXACT) {
			d -= more;
		}
		if (MASK && !(y[i] > T(0))) {
			g = T(0);
		}
		return scale * g - slope * d - shift;
	}
};

// dx may be the memory of x or dy.
KERNEL batch_norm_grad(T *dx, const T *x, const T *gamma, const T *mean, const T *variance, const T *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const View v) {
	each_channel(dx, v, NormaliseGrad<true, false, false>{x, gamma, mean, 0, variance, dy, dgamma, dbeta, 0, epsilon, count});
}

// The same through a ReLU with result y.
KERNEL batch_norm_grad_relu(T *dx, const T *x, const T *gamma, const T *mean, const T *variance, const T *dy, const T *dgamma,
                            const T *dbeta, const T *y, T epsilon, T count, const View v) {
	each_channel(dx, v, NormaliseGrad<true, true, false>{x, gamma, mean, 0, variance, dy, dgamma, dbeta, y, epsilon, count});
}

KERNEL group_norm_grad(T *dx, const T *x, const T *mean, const T *rest, const T *variance, const T *dy, const T *dgamma,
                       const T *dbeta, T epsilon, T count, const View v) {
	each_channel(dx, v, NormaliseGrad<false, false, true>{x, 0, mean, rest, variance, dy, dgamma, dbeta, 0, epsilon, count});
}

struct InferenceGrad {
	const T *gamma, *variance, *dy;
	T epsilon, scale;
	__device__ __forceinline__ bool channel(i64 c) {
		scale = gamma[c] / sqrt(variance[c] + epsilon);
		return true;
	}
	__device__ __forceinline__ T element(i64 i) { return scale * dy[i]; }
};

// dx ← γ/√(variance+ε)·dy
KERNEL batch_norm_inference_grad(T *dx, const T *gamma, const T *variance, const T *dy, T epsilon, const View v) {
	each_channel(dx, v, InferenceGrad{gamma, variance, dy, epsilon, T(0)});
}

struct VarianceGrad {
	const T *x, *mean, *dvar;
	T factor, centre, scale;
	__device__ __forceinline__ bool channel(i64 c) {
		centre = mean[c];
		scale = factor * dvar[c];
		return true;
	}
	__device__ __forceinline__ T element(i64 i) { return scale * (x[i] - centre); }
};

// dx ← factor·dvar[c]·(x − mean[c])
KERNEL batch_variance_grad(T *dx, const T *x, const T *mean, const T *dvar, T factor, const View v) {
	each_channel(dx, v, VarianceGrad{x, mean, dvar, factor, T(0), T(0)});
}

// Steps of optimizers and of running averages, over n elements each. Every result may be the memory of an operand. lr, t and l2
// are scalars on the device. The kernels …_many, at the end, do the same for many tensors in one launch.
//
// These kernels wait for memory and for little else, so that what counts is how many bytes are under way: a thread asks for two
// times 16 bytes of every operand before it computes anything.

// CHUNK is how many elements of a tensor a block takes at a time; package kernel knows the same number.
#define CHUNK 2048

// LANES elements are 16 bytes, which are loaded and stored at once.
#define LANES (16 / (int)sizeof(T))

struct __align__(16) Lanes {
	T v[LANES];
};

// The elements first to last − 1 of an update's tensors, at addresses in the order of the kernel's arguments: its results, then
// its operands. An update computes with element(results, operands), for one element. Tensors that do not all begin at multiples of
// 16 bytes, and what is left at the end, go element by element.
template <typename U> __device__ __forceinline__ void sweep(const U &update, const u64 *at, i64 first, i64 last) {
	u64 all = 0;
#pragma unroll
	for (int p = 0; p < U::WRITES + U::READS; p++) {
		all |= at[p];
	}
	const i64 whole = all % 16 == 0 ? last - (last - first) % LANES : first;
	const i64 next = (i64)blockDim.x * LANES;
	for (i64 i = first + (i64)threadIdx.x * LANES; i < whole; i += 2 * next) {
		Lanes in[2][U::READS];
		const int count = i + next < whole ? 2 : 1;
#pragma unroll
		for (int k = 0; k < 2; k++) {
			if (k < count) {
#pragma unroll
				for (int p = 0; p < U::READS; p++) {
					in[k][p] = *(const Lanes *)((const T *)at[U::WRITES + p] + i + k * next);
				}
			}
		}
#pragma unroll
		for (int k = 0; k < 2; k++) {
			if (k < count) {
				Lanes out[U::WRITES];
#pragma unroll
				for (int lane = 0; lane < LANES; lane++) {
					T y[U::WRITES], x[U::READS];
#pragma unroll
					for (int p = 0; p < U::READS; p++) {
						x[p] = in[k][p].v[lane];
					}
					update.element(y, x);
#pragma unroll
					for (int p = 0; p < U::WRITES; p++) {
						out[p].v[lane] = y[p];
					}
				}
#pragma unroll
				for (int p = 0; p < U::WRITES; p++) {
					*(Lanes *)((T *)at[p] + i + k * next) = out[p];
				}
			}
		}
	}
	for (i64 i = whole + threadIdx.x; i < last; i += blockDim.x) {
		T y[U::WRITES], x[U::READS];
#pragma unroll
		for (int p = 0; p < U::READS; p++) {
			x[p] = ((const T *)at[U::WRITES + p])[i];
		}
		update.element(y, x);
#pragma unroll
		for (int p = 0; p < U::WRITES; p++) {
			((T *)at[p])[i] = y[p];
		}
	}
}

// An update of one tensor of n elements.
template <typename U> __device__ __forceinline__ void sweep_one(const U &update, const u64 *at, i64 n) {
	for (i64 first = (i64)blockIdx.x * CHUNK; first < n; first += (i64)gridDim.x * CHUNK) {
		sweep(update, at, first, first + CHUNK < n ? first + CHUNK : n);
	}
}

// y ← α·a + β·b: running averages, Adam's first moment, weight decay.
struct Combine {
	static const int WRITES = 1, READS = 2, OWN = 2;
	T alpha, beta;
	__device__ __forceinline__ void own(const u64 *words) { alpha = *(const T *)words, beta = *(const T *)(words + 1); }
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = alpha * x[0] + beta * x[1]; }
};

// y ← α·a + β·b²: Adam's second moment.
struct CombineSquare : Combine {
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = alpha * x[0] + beta * (x[1] * x[1]); }
};

// y ← α·a − lr·g: plain descent with α = 1, the velocity of momentum.
struct Descend {
	static const int WRITES = 1, READS = 2, OWN = 1;
	T alpha, rate;
	__device__ __forceinline__ void own(const u64 *words) { alpha = *(const T *)words; }
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = alpha * x[0] - rate * x[1]; }
};

// y ← w + (momentum·v − lr·g)
struct Nesterov {
	static const int WRITES = 1, READS = 3, OWN = 0;
	T rate, momentum;
	__device__ __forceinline__ void own(const u64 *) {}
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = x[0] + (momentum * x[1] - rate * x[2]); }
};

// y ← w − rate·m/(√v + ε)
struct AdamStep {
	static const int WRITES = 1, READS = 3, OWN = 0;
	T rate, epsilon;
	__device__ __forceinline__ void own(const u64 *) {}
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = x[0] - rate * x[1] / (sqrt(x[2]) + epsilon); }
};

// What is added to a gradient on its way into an update: that of an L2 penalty, factor·l2·w, and then decay·w. Factors of 0 add
// nothing: a weight that is infinite does not spoil what it has no part in, and l2 is not looked at.
struct Slope {
	T factor, decay;
	__device__ __forceinline__ void own(const u64 *words) { set((const T *)words[0], *(const T *)(words + 1), *(const T *)(words + 2)); }
	__device__ __forceinline__ void set(const T *l2, T times, T rate) { factor = times != T(0) ? times * l2[0] : T(0), decay = rate; }
	__device__ __forceinline__ T of(T g, T w) const {
		if (factor != T(0)) {
			g = g + factor * w;
		}
		return decay != T(0) ? g + decay * w : g;
	}
};

// MomentumUpdate: v' = momentum·v − lr·g'; w' = w + v', or w + momentum·v' − lr·g'.
struct MomentumUpdate {
	static const int WRITES = 2, READS = 3, OWN = 3;
	Slope slope;
	T rate, momentum;
	int look_ahead;
	__device__ __forceinline__ void own(const u64 *words) { slope.own(words); }
	__device__ __forceinline__ void element(T *y, const T *x) const {
		const T weight = x[0], g = slope.of(x[2], weight);
		const T velocity = momentum * x[1] - rate * g;
		y[1] = velocity;
		y[0] = weight + (look_ahead ? momentum * velocity - rate * g : velocity);
	}
};

// AdamUpdate: m' = β₁·m + (1−β₁)·g'; v' = β₂·v + (1−β₂)·g'²; w' = w − rate·m'/(√v' + ε).
struct AdamUpdate {
	static const int WRITES = 3, READS = 4, OWN = 3;
	Slope slope;
	T rate, epsilon, keep1, take1, keep2, take2;
	__device__ __forceinline__ void own(const u64 *words) { slope.own(words); }
	__device__ __forceinline__ void element(T *y, const T *x) const {
		const T weight = x[0], g = slope.of(x[3], weight);
		const T mean = keep1 * x[1] + take1 * g;
		const T square = keep2 * x[2] + take2 * (g * g);
		y[1] = mean;
		y[2] = square;
		y[0] = weight - rate * mean / (sqrt(square) + epsilon);
	}
};

// y ← g + factor·l2·w
struct AddL2Grad {
	static const int WRITES = 1, READS = 2, OWN = 2;
	T f;
	__device__ __forceinline__ void own(const u64 *words) { set((const T *)words[0], *(const T *)(words + 1)); }
	__device__ __forceinline__ void set(const T *l2, T factor) { f = factor * l2[0]; }
	__device__ __forceinline__ void element(T *y, const T *x) const { y[0] = x[0] + f * x[1]; }
};

// Adam's learning rate with both bias corrections, lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ), in every thread of the block. One thread computes
// it, and leaves it in shared memory: powers of double are slow.
__device__ __forceinline__ T adam_rate(double *shared, const T *lr, const i64 *t, double beta1, double beta2) {
	if (threadIdx.x == 0) {
		*shared = (double)*lr * sqrt(1 - pow(beta2, (double)*t)) / (1 - pow(beta1, (double)*t));
	}
	__syncthreads();
	return (T)*shared;
}

KERNEL combine(T *y, const T *a, const T *b, T alpha, T beta, i64 n) {
	const u64 at[] = {(u64)y, (u64)a, (u64)b};
	Combine u;
	u.alpha = alpha, u.beta = beta;
	sweep_one(u, at, n);
}

KERNEL combine_square(T *y, const T *a, const T *b, T alpha, T beta, i64 n) {
	const u64 at[] = {(u64)y, (u64)a, (u64)b};
	CombineSquare u;
	u.alpha = alpha, u.beta = beta;
	sweep_one(u, at, n);
}

KERNEL descend(T *y, const T *a, const T *g, T alpha, const T *lr, i64 n) {
	const u64 at[] = {(u64)y, (u64)a, (u64)g};
	Descend u;
	u.alpha = alpha, u.rate = *lr;
	sweep_one(u, at, n);
}

KERNEL nesterov(T *y, const T *w, const T *v, const T *g, const T *lr, T momentum, i64 n) {
	const u64 at[] = {(u64)y, (u64)w, (u64)v, (u64)g};
	Nesterov u;
	u.rate = *lr, u.momentum = momentum;
	sweep_one(u, at, n);
}

KERNEL adam_step(T *y, const T *w, const T *m, const T *v, const T *lr, const i64 *t, double beta1, double beta2, T epsilon, i64 n) {
	const u64 at[] = {(u64)y, (u64)w, (u64)m, (u64)v};
	__shared__ double shared;
	AdamStep u;
	u.rate = adam_rate(&shared, lr, t, beta1, beta2), u.epsilon = epsilon;
	sweep_one(u, at, n);
}

KERNEL momentum_update(T *w2, T *v2, const T *w, const T *v, const T *g, const T *l2, T factor, T decay, const T *lr, T momentum, int look_ahead, i64 n) {
	const u64 at[] = {(u64)w2, (u64)v2, (u64)w, (u64)v, (u64)g};
	MomentumUpdate u;
	u.slope.set(l2, factor, decay);
	u.rate = *lr, u.momentum = momentum, u.look_ahead = look_ahead;
	sweep_one(u, at, n);
}

__device__ __forceinline__ AdamUpdate adam(double *shared, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	AdamUpdate u;
	u.rate = adam_rate(shared, lr, t, beta1, beta2), u.epsilon = epsilon;
	u.keep1 = (T)beta1, u.take1 = (T)(1 - beta1), u.keep2 = (T)beta2, u.take2 = (T)(1 - beta2);
	return u;
}

KERNEL adam_update(T *w2, T *m2, T *v2, const T *w, const T *m, const T *v, const T *g, const T *l2, T factor, T decay, const T *lr, const i64 *t,
                   double beta1, double beta2, T epsilon, i64 n) {
	const u64 at[] = {(u64)w2, (u64)m2, (u64)v2, (u64)w, (u64)m, (u64)v, (u64)g};
	__shared__ double shared;
	AdamUpdate u = adam(&shared, lr, t, beta1, beta2, epsilon);
	u.slope.set(l2, factor, decay);
	sweep_one(u, at, n);
}

KERNEL add_l2_grad(T *y, const T *g, const T *w, const T *l2, T factor, i64 n) {
	const u64 at[] = {(u64)y, (u64)g, (u64)w};
	AddL2Grad u;
	u.set(l2, factor);
	sweep_one(u, at, n);
}

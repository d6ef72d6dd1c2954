// What steps of optimizers do with an element: their results of their operands. READS operands come behind WRITES results among the
// addresses of a kernel's arguments, and then OWN arguments that only this tensor has.

// LANES elements are 16 bytes, which are loaded and stored at once.
#define LANES (16 / (int)sizeof(T))

struct __align__(16) Lanes {
	T v[LANES];
};

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

__device__ __forceinline__ AdamUpdate adam(double *shared, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	AdamUpdate u;
	u.rate = adam_rate(shared, lr, t, beta1, beta2), u.epsilon = epsilon;
	u.keep1 = (T)beta1, u.take1 = (T)(1 - beta1), u.keep2 = (T)beta2, u.take2 = (T)(1 - beta2);
	return u;
}

// Calls f(addresses and numbers, elements, chunk) for the chunks that the block has. WORDS is how many a tensor has.
template <int WORDS, typename F> __device__ __forceinline__ void for_chunks(const u64 *table, i64 tensors, i64 chunks, F f) {
	const u64 *const list = table + tensors * WORDS;
	for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
		const u64 chunk = list[c];
		const u64 *const tensor = table + (chunk & 0xffffffffu) * WORDS;
		f(tensor, (i64)tensor[WORDS - 1], (i64)(chunk >> 32));
	}
}

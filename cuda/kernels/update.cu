// Steps of optimizers and of running averages, over n elements each. Every result may be the memory of an operand. lr and t are
// scalars on the device. The kernels …_many do the same for many tensors in one launch.

// y ← α·a + β·b: running averages, Adam's first moment, weight decay.
KERNEL combine(T *y, const T *a, const T *b, T alpha, T beta, i64 n) {
	FOR_EACH(i, n) { y[i] = alpha * a[i] + beta * b[i]; }
}

// y ← α·a + β·b²: Adam's second moment.
KERNEL combine_square(T *y, const T *a, const T *b, T alpha, T beta, i64 n) {
	FOR_EACH(i, n) { y[i] = alpha * a[i] + beta * (b[i] * b[i]); }
}

// y ← α·a − lr·g: plain descent with α = 1, the velocity of momentum.
KERNEL descend(T *y, const T *a, const T *g, const T *lr, T alpha, i64 n) {
	const T rate = *lr;
	FOR_EACH(i, n) { y[i] = alpha * a[i] - rate * g[i]; }
}

// y ← w + (momentum·v − lr·g)
KERNEL nesterov(T *y, const T *w, const T *v, const T *g, const T *lr, T momentum, i64 n) {
	const T rate = *lr;
	FOR_EACH(i, n) { y[i] = w[i] + (momentum * v[i] - rate * g[i]); }
}

// Adam's learning rate with both bias corrections, lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ), in every thread of the block. One thread computes
// it: powers of double are slow.
__device__ __forceinline__ T adam_rate(const T *lr, const i64 *t, double beta1, double beta2) {
	__shared__ double rate;
	if (threadIdx.x == 0) {
		rate = (double)*lr * sqrt(1 - pow(beta2, (double)*t)) / (1 - pow(beta1, (double)*t));
	}
	__syncthreads();
	return (T)rate;
}

// y ← w − rate·m/(√v + ε)
KERNEL adam_step(T *y, const T *w, const T *m, const T *v, const T *lr, const i64 *t, double beta1, double beta2, T epsilon, i64 n) {
	const T rate = adam_rate(lr, t, beta1, beta2);
	FOR_EACH(i, n) { y[i] = w[i] - rate * m[i] / (sqrt(v[i]) + epsilon); }
}

// One element of MomentumUpdate: g' = g + decay·w; v' = momentum·v − lr·g'; w' = w + v', or w + momentum·v' − lr·g'.
__device__ __forceinline__ void momentum_element(T *w2, T *v2, const T *w, const T *v, const T *g, T rate, T momentum, T decay, int look_ahead, i64 i) {
	const T weight = w[i];
	const T slope = decay != T(0) ? g[i] + decay * weight : g[i]; // a weight that is infinite does not spoil what it has no part in
	const T velocity = momentum * v[i] - rate * slope;
	v2[i] = velocity;
	w2[i] = weight + (look_ahead ? momentum * velocity - rate * slope : velocity);
}

KERNEL momentum_update(T *w2, T *v2, const T *w, const T *v, const T *g, const T *lr, T momentum, T decay, int look_ahead, i64 n) {
	const T rate = *lr;
	FOR_EACH(i, n) { momentum_element(w2, v2, w, v, g, rate, momentum, decay, look_ahead, i); }
}

// One element of AdamUpdate: g' = g + decay·w; m' = β₁·m + (1−β₁)·g'; v' = β₂·v + (1−β₂)·g'²; w' = w − rate·m'/(√v' + ε).
__device__ __forceinline__ void adam_element(T *w2, T *m2, T *v2, const T *w, const T *m, const T *v, const T *g, T rate, double beta1, double beta2,
                                             T epsilon, T decay, i64 i) {
	const T weight = w[i];
	const T slope = decay != T(0) ? g[i] + decay * weight : g[i];
	const T mean = (T)beta1 * m[i] + (T)(1 - beta1) * slope;
	const T square = (T)beta2 * v[i] + (T)(1 - beta2) * (slope * slope);
	m2[i] = mean;
	v2[i] = square;
	w2[i] = weight - rate * mean / (sqrt(square) + epsilon);
}

KERNEL adam_update(T *w2, T *m2, T *v2, const T *w, const T *m, const T *v, const T *g, const T *lr, const i64 *t, double beta1, double beta2, T epsilon,
                   T decay, i64 n) {
	const T rate = adam_rate(lr, t, beta1, beta2);
	FOR_EACH(i, n) { adam_element(w2, m2, v2, w, m, v, g, rate, beta1, beta2, epsilon, decay, i); }
}

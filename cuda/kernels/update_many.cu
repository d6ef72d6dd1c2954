// The kernels of update.cu over many tensors in one launch. Which ones is told by value, in the kernel's arguments, of which
// there may be 4 KiB.

// MOST is how many tensors with so many addresses each a launch takes; CHUNK is how many elements of one tensor a block has.
// Package kernel knows the same numbers.
#define MOST(addresses) ((4096 - 96) / (8 * (addresses) + 12))
#define CHUNK 4096

template <int A> struct Tensors {
	u64 at[MOST(A)][A]; // addresses, in the order of the single kernel's arguments
	i64 n[MOST(A)];     // elements
	u32 first[MOST(A)]; // block
	u32 count;          // of tensors
};

// The tensor that this block works on: the last that begins at or before it.
#define FIND(k, s)                                     \
	int k = 0;                                         \
	for (int above = (int)s.count; above - k > 1;) {   \
		const int middle = (k + above) / 2;            \
		if (s.first[middle] <= blockIdx.x) {           \
			k = middle;                                \
		} else {                                       \
			above = middle;                            \
		}                                              \
	}

// The elements of this block's chunk of tensor k.
#define FOR_CHUNK(i, k, s)                                                                          \
	const i64 begin = (i64)(blockIdx.x - s.first[k]) * CHUNK;                                       \
	const i64 end = begin + CHUNK < s.n[k] ? begin + CHUNK : s.n[k];                                \
	for (i64 i = begin + threadIdx.x; i < end; i += blockDim.x)

KERNEL combine_many(const Tensors<3> s, T alpha, T beta) {
	FIND(k, s)
	T *y = (T *)s.at[k][0];
	const T *a = (const T *)s.at[k][1], *b = (const T *)s.at[k][2];
	FOR_CHUNK(i, k, s) { y[i] = alpha * a[i] + beta * b[i]; }
}

KERNEL combine_square_many(const Tensors<3> s, T alpha, T beta) {
	FIND(k, s)
	T *y = (T *)s.at[k][0];
	const T *a = (const T *)s.at[k][1], *b = (const T *)s.at[k][2];
	FOR_CHUNK(i, k, s) { y[i] = alpha * a[i] + beta * (b[i] * b[i]); }
}

KERNEL descend_many(const Tensors<3> s, const T *lr, T alpha) {
	FIND(k, s)
	const T rate = *lr;
	T *y = (T *)s.at[k][0];
	const T *a = (const T *)s.at[k][1], *g = (const T *)s.at[k][2];
	FOR_CHUNK(i, k, s) { y[i] = alpha * a[i] - rate * g[i]; }
}

KERNEL nesterov_many(const Tensors<4> s, const T *lr, T momentum) {
	FIND(k, s)
	const T rate = *lr;
	T *y = (T *)s.at[k][0];
	const T *w = (const T *)s.at[k][1], *v = (const T *)s.at[k][2], *g = (const T *)s.at[k][3];
	FOR_CHUNK(i, k, s) { y[i] = w[i] + (momentum * v[i] - rate * g[i]); }
}

KERNEL adam_step_many(const Tensors<4> s, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	FIND(k, s)
	const T rate = adam_rate(lr, t, beta1, beta2);
	T *y = (T *)s.at[k][0];
	const T *w = (const T *)s.at[k][1], *m = (const T *)s.at[k][2], *v = (const T *)s.at[k][3];
	FOR_CHUNK(i, k, s) { y[i] = w[i] - rate * m[i] / (sqrt(v[i]) + epsilon); }
}

KERNEL momentum_update_many(const Tensors<5> s, const T *lr, T momentum, T decay, int look_ahead) {
	FIND(k, s)
	const T rate = *lr;
	T *w2 = (T *)s.at[k][0], *v2 = (T *)s.at[k][1];
	const T *w = (const T *)s.at[k][2], *v = (const T *)s.at[k][3], *g = (const T *)s.at[k][4];
	FOR_CHUNK(i, k, s) { momentum_element(w2, v2, w, v, g, rate, momentum, decay, look_ahead, i); }
}

KERNEL adam_update_many(const Tensors<7> s, const T *lr, const i64 *t, double beta1, double beta2, T epsilon, T decay) {
	FIND(k, s)
	const T rate = adam_rate(lr, t, beta1, beta2);
	T *w2 = (T *)s.at[k][0], *m2 = (T *)s.at[k][1], *v2 = (T *)s.at[k][2];
	const T *w = (const T *)s.at[k][3], *m = (const T *)s.at[k][4], *v = (const T *)s.at[k][5], *g = (const T *)s.at[k][6];
	FOR_CHUNK(i, k, s) { adam_element(w2, m2, v2, w, m, v, g, rate, beta1, beta2, epsilon, decay, i); }
}

// Steps of optimizers and of running averages, over n elements each. Every result may be the memory of an operand. lr, t and l2
// are scalars on the device. The kernels …_many, at the end, do the same for many tensors in one launch.
//
// These kernels wait for memory and for little else, so that what counts is how many bytes are under way: a thread asks for two
// times 16 bytes of every operand before it computes anything.

// CHUNK is how many elements of a tensor a block takes at a time; package kernel knows the same number.
#define CHUNK 2048

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
					((Lanes *)at[p])[(u64)(i + k * next) / LANES] = out[p]; // see store_pack
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

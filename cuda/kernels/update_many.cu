// The kernels of update.cu and of penalty.cu over many tensors in one launch. Which ones says a table in the device's memory, of
// 64-bit words: for every tensor its addresses, the numbers that only it has, and how many elements it has; behind them, for every
// chunk of a tensor, which tensor it is of (the lower half) and which of its chunks it is (the upper half).

template <typename U> __device__ __forceinline__ void sweep_many(U update, const u64 *table, i64 tensors, i64 chunks) {
	const int places = U::WRITES + U::READS;
	for_chunks<places + U::OWN + 1>(table, tensors, chunks, [&](const u64 *words, i64 n, i64 chunk) {
		u64 at[places];
#pragma unroll
		for (int p = 0; p < places; p++) {
			at[p] = words[p];
		}
		update.own(words + places);
		const i64 first = chunk * CHUNK;
		sweep(update, at, first, first + CHUNK < n ? first + CHUNK : n);
	});
}

KERNEL combine_many(const u64 *table, i64 tensors, i64 chunks) { sweep_many(Combine(), table, tensors, chunks); }

KERNEL combine_square_many(const u64 *table, i64 tensors, i64 chunks) { sweep_many(CombineSquare(), table, tensors, chunks); }

KERNEL descend_many(const u64 *table, i64 tensors, i64 chunks, const T *lr) {
	Descend u;
	u.rate = *lr;
	sweep_many(u, table, tensors, chunks);
}

KERNEL nesterov_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, T momentum) {
	Nesterov u;
	u.rate = *lr, u.momentum = momentum;
	sweep_many(u, table, tensors, chunks);
}

KERNEL adam_step_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	__shared__ double shared;
	AdamStep u;
	u.rate = adam_rate(&shared, lr, t, beta1, beta2), u.epsilon = epsilon;
	sweep_many(u, table, tensors, chunks);
}

KERNEL momentum_update_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, T momentum, int look_ahead) {
	MomentumUpdate u;
	u.rate = *lr, u.momentum = momentum, u.look_ahead = look_ahead;
	sweep_many(u, table, tensors, chunks);
}

KERNEL adam_update_many(const u64 *table, i64 tensors, i64 chunks, const T *lr, const i64 *t, double beta1, double beta2, T epsilon) {
	__shared__ double shared;
	sweep_many(adam(&shared, lr, t, beta1, beta2, epsilon), table, tensors, chunks);
}

KERNEL add_l2_grad_many(const u64 *table, i64 tensors, i64 chunks) { sweep_many(AddL2Grad(), table, tensors, chunks); }

KERNEL l2_parts_many(const u64 *table, i64 tensors, i64 chunks) {
	__shared__ T shared[32];
	for_chunks<3>(table, tensors, chunks, [&](const u64 *words, i64 n, i64 chunk) { l2_part((T *)words[0], (const T *)words[1], n, chunk, shared); });
}

// Sweeps over all packs of a tensor by threads that keep the constants of their channels.

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

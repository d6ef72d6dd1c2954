// The gradient of a bias: the sum over a channel of dy, as it is or masked by a ReLU, whose gradient is written on the way.
#include "packs.cuh"
#include "join.cuh"

// MASKED: dy counts as 0 where y, the ReLU's result, is not above 0, and dx is what that makes of it.
template <bool MASKED> struct BiasSums {
	const SDY *dy;
	const SY *y;
	SDX *dx;
	Sums<1> sums;
	static constexpr int unroll = SUM_UNROLL(MASKED ? 2 : 1);
	struct Raw {
		Pack<SDY, VEC> dy;
		Pack<SY, VEC> y;
		i64 at;
	};
	__device__ __forceinline__ Raw read(i64 at) const {
		Raw r;
		r.dy = pack_at(dy, at);
		if (MASKED) {
			r.y = pack_at(y, at);
			r.at = at;
		}
		return r;
	}
	__device__ __forceinline__ void start(const Raw (&)[unroll], const Walk &w) { sums.clear(w); }
	__device__ __forceinline__ void add(const Raw &r) {
		Pack<SDX, VEC> masked;
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			T g = widen(r.dy.v[k]);
			if (MASKED) {
				store(&masked.v[k], widen(r.y.v[k]) > T(0) ? g : T(0));
				g = widen(masked.v[k]);
			}
			sums.run[0][k] += g;
		}
		if (MASKED) {
			((Pack<SDX, VEC> *)dx)[r.at] = masked;
		}
	}
};

// partial[part, c] ← Σdy over a part of channel c. If there is one part, db is written instead.
template <typename B> __device__ __forceinline__ void bias_sums(T *db, T *partial, B &b, const Packs &v, int size, int width, T *shared) {
	Walk w(v, size, width);
	b.sums.shared = shared;
	walk_packs(b, w);
	const i64 channels = v.channels.by * LANES;
	b.sums.write(gridDim.y == 1 ? db : partial + blockIdx.y * channels, channels, w);
}

KERNEL __launch_bounds__(SUM_THREADS, 2) bias_parts(T *db, T *partial, const SDY *dy, const Packs v, int size, int width) {
	__shared__ T shared[SUM_THREADS * VEC];
	BiasSums<false> b;
	b.dy = dy;
	bias_sums(db, partial, b, v, size, width, shared);
}

// The same of dx ← the gradient dy of a ReLU with result y. That may be the memory of dy or y.
KERNEL __launch_bounds__(SUM_THREADS, 2) bias_parts_relu(T *db, T *partial, SDX *dx, const SY *y, const SDY *dy, const Packs v, int size, int width) {
	__shared__ T shared[SUM_THREADS * VEC];
	BiasSums<true> b;
	b.dy = dy;
	b.y = y;
	b.dx = dx;
	bias_sums(db, partial, b, v, size, width, shared);
}

// db (c) ← of all parts.
KERNEL __launch_bounds__(SUM_THREADS) bias_join(T *db, const T *partial, i64 channels, int parts) {
	__shared__ Wide shared[SUM_THREADS / WARP * JOINED];
	const i64 c = (i64)blockIdx.x * JOINED + threadIdx.x % JOINED;
	const int first = c < channels ? threadIdx.x / JOINED : parts, subs = SUM_THREADS / JOINED;
	Wide sum = 0;
#pragma unroll 8
	for (int p = first; p < parts; p += subs) {
		sum += partial[p * channels + c];
	}
	sum = join(sum, shared);
	if (first == 0) {
		db[c] = T(sum);
	}
}

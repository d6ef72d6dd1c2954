// The gradient of a bias: the sum over a channel of dy, as it is or masked by a ReLU, whose gradient may be written on the way.
#include "packs.cuh"
#include "join.cuh"

// MASKED: dy counts as 0 where y, the ReLU's result, is not above 0. WRITTEN: dx is what that makes of it.
template <bool MASKED, bool WRITTEN = MASKED> struct BiasSums {
	const SDY *dy;
	const SY *y;
	SDX *dx;
	Sums<1> sums;
	static constexpr int unroll = SUM_UNROLL(MASKED ? 2 : 1);
	struct Raw {
		Loaded<SDY> dy;
		Loaded<SY> y;
	};
	__device__ __forceinline__ Raw read(i64 at) const {
		Raw r;
		r.dy = loaded(dy, at);
		if (MASKED) {
			r.y = loaded(y, at);
		}
		return r;
	}
	__device__ __forceinline__ void start(const Raw (&)[unroll], const Walk &) { sums.clear(); }
	__device__ __forceinline__ void add(const Raw &r, i64 at) {
		T g[VEC];
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			g[k] = !MASKED || r.y[k] > T(0) ? r.dy[k] : T(0);
		}
		Loaded<SDX> masked;
		if (WRITTEN) {
			masked.set(g);
			put(dx, at, masked);
		}
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			sums.run[0][k] += WRITTEN && sizeof(SDX) < sizeof(SDY) ? masked[k] : g[k]; // what is read again is what counts
		}
	}
};

// db (c) ← Σdy. The blocks of a channel write to partial[part, c] what their part gives, and the last of them puts these together.
template <typename B>
__device__ __forceinline__ void bias_sums(T *db, T *partial, u32 *counters, B &b, const Packs &v, int size, int width, Shared &shared) {
	Walk w(v, size, width);
	b.sums.shared = shared.sums;
	walk_packs(b, w);
	b.sums.write(gridDim.y == 1 ? db : partial + blockIdx.y * w.channels, w);
	if (gridDim.y == 1 || !last_part(counters, shared)) {
		return;
	}
	const Joint j(v, width);
	Totals own = {};
	j.each<1>(partial, [&](int, const T (&part)[1]) { own.first += part[0]; });
	own = j.total(own, shared);
	if (j.on && j.sub == 0) {
		db[j.c] = T(own.first);
	}
}

KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) bias_grad(T *db, T *partial, u32 *counters, const SDY *dy, const Packs v, int size,
                                                        int width) {
	__shared__ Shared shared;
	BiasSums<false> b;
	b.dy = dy;
	bias_sums(db, partial, counters, b, v, size, width, shared);
}

// The same of the gradient dy of a ReLU with result y, masked by that, which is not written.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) bias_grad_masked(T *db, T *partial, u32 *counters, const SY *y, const SDY *dy,
                                                               const Packs v, int size, int width) {
	__shared__ Shared shared;
	BiasSums<true, false> b;
	b.dy = dy;
	b.y = y;
	bias_sums(db, partial, counters, b, v, size, width, shared);
}

// The same of dx ← the gradient dy of a ReLU with result y. That may be the memory of dy or y.
KERNEL __launch_bounds__(SUM_THREADS, BLOCKS) bias_grad_relu(T *db, T *partial, u32 *counters, SDX *dx, const SY *y, const SDY *dy,
                                                             const Packs v, int size, int width) {
	__shared__ Shared shared;
	BiasSums<true> b;
	b.dy = dy;
	b.y = y;
	b.dx = dx;
	bias_sums(db, partial, counters, b, v, size, width, shared);
}

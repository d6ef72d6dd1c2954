// SX, SZ and SY are the types of the operands and of the result in memory. A thread works on PACK neighbours at a time, of which n
// is a multiple. A result may be the memory of an operand.
#ifndef SX
#define SX T
#endif
#ifndef SZ
#define SZ T
#endif
#ifndef SY
#define SY T
#endif
#ifndef PACK
#define PACK 1
#endif

// y ← f(x). x, y: n elements.
template <typename F> __device__ __forceinline__ void map(SY *y, const SX *x, i64 n, F f) {
	FOR_EACH(i, n / PACK) {
		T v[PACK];
		load_pack(v, x + i * PACK);
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			v[k] = f(v[k]);
		}
		store_pack(y + i * PACK, v);
	}
}

// y ← f(a, b). a, b, y: n elements.
template <typename F> __device__ __forceinline__ void map(SY *y, const SX *a, const SZ *b, i64 n, F f) {
	FOR_EACH(i, n / PACK) {
		T v[PACK], w[PACK];
		load_pack(v, a + i * PACK);
		load_pack(w, b + i * PACK);
#pragma unroll
		for (int k = 0; k < PACK; k++) {
			v[k] = f(v[k], w[k]);
		}
		store_pack(y + i * PACK, v);
	}
}

// y ← max(x, 0), NaN where x is NaN.
KERNEL relu(SY *y, const SX *x, i64 n) {
	map(y, x, n, [](T v) { return v < T(0) ? T(0) : v; });
}

// dx ← y > 0 ? dy : 0, where y is the input or the output of a ReLU.
KERNEL relu_grad(SY *dx, const SX *y, const SZ *dy, i64 n) {
	map(dx, y, dy, n, [](T v, T g) { return v > T(0) ? g : T(0); });
}

KERNEL add(SY *y, const SX *a, const SZ *b, i64 n) {
	map(y, a, b, n, [](T v, T w) { return v + w; });
}

// y ← max(a + b, 0), NaN where the sum is NaN.
KERNEL add_relu(SY *y, const SX *a, const SZ *b, i64 n) {
	map(y, a, b, n, [](T v, T w) {
		const T sum = v + w;
		return sum < T(0) ? T(0) : sum;
	});
}

KERNEL mul(SY *y, const SX *a, const SZ *b, i64 n) {
	map(y, a, b, n, [](T v, T w) { return v * w; });
}

// y ← x·factor
KERNEL scale(SY *y, const SX *x, T factor, i64 n) {
	map(y, x, n, [factor](T v) { return v * factor; });
}

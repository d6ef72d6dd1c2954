// What alternatives are measured and compared with.

#ifndef S
#define S T
#endif
#define THREADS 256

// x[i] ← numbers between 0.5 and 1.5 of either sign; of the one if kind is 1; if it is 2, every 16th a zero of either sign or NaN. They are
// the same in every run. (The mixing of bits is Wellons's lowbias32, 2018.)
KERNEL noise(S *x, u32 seed, int kind, i64 n) {
	FOR_EACH(i, n) {
		u32 h = (u32)i * 0x9e3779b9u ^ seed;
		h ^= h >> 16;
		h *= 0x7feb352du;
		h ^= h >> 15;
		h *= 0x846ca68bu;
		h ^= h >> 16;
		T v = T(0.5f + (float)(h >> 9) * 0x1p-23f);
		if (kind == 2 && (h >> 1) % 16 == 0) {
			v = (h >> 5) & 1 ? T(0) : T(__uint_as_float(0x7fc00000u));
		}
		store(&x[i], kind == 1 || (h & 1) ? v : -v);
	}
}

// to[block] ← how many elements differ, Σ(a − b)² and Σa² of those that the block takes. What is no number differs from all others.
KERNEL __launch_bounds__(THREADS) compare(double *to, const S *a, const S *b, i64 n) {
	__shared__ double shared[3][THREADS];
	double own[3] = {};
	FOR_EACH(i, n) {
		const double x = widen(a[i]), y = widen(b[i]);
		if (x != y && (x == x || y == y)) {
			own[0] += 1;
			own[1] += (x - y) * (x - y);
		}
		own[2] += x * x;
	}
	for (int k = 0; k < 3; k++) {
		shared[k][threadIdx.x] = own[k];
	}
	for (int half = THREADS / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) {
			for (int k = 0; k < 3; k++) {
				shared[k][threadIdx.x] += shared[k][threadIdx.x + half];
			}
		}
	}
	if (threadIdx.x == 0) {
		for (int k = 0; k < 3; k++) {
			to[3 * blockIdx.x + k] = shared[k][0];
		}
	}
}

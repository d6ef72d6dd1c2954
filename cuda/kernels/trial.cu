// What alternatives are measured and compared with.

#ifndef S
#define S T
#endif
#define THREADS 256

// x[i] ← numbers between 0.5 and 1.5 of either sign; of the one if kind is 1. If it is 2, every 16th is a zero of either sign or NaN, and of the
// first mark elements all but every fourth are, or below 0. If it is 3, x[mark] is NaN. They are the same in every run. (The mixing of bits is
// Wellons's lowbias32, 2018.)
KERNEL noise(S *x, u32 seed, int kind, i64 mark, i64 n) {
	FOR_EACH(i, n) {
		u32 h = (u32)i * 0x9e3779b9u ^ seed;
		h ^= h >> 16;
		h *= 0x7feb352du;
		h ^= h >> 15;
		h *= 0x846ca68bu;
		h ^= h >> 16;
		T v = T(0.5f + (float)(h >> 9) * 0x1p-23f);
		const T nan = T(__uint_as_float(0x7fc00000u));
		const bool masks = kind == 2 && i < mark && i % 4 != 0;
		if (kind == 2 && (h >> 1) % (masks ? 2 : 16) == 0) {
			v = (h >> 5) & 1 ? T(0) : nan;
		}
		if (kind == 3 && i == mark) {
			v = nan;
		}
		store(&x[i], kind == 1 || (h & 1) && !masks ? v : -v);
	}
}

// to[block] ← how many elements differ, Σ(a − b)² and Σa² of those that are finite, and how many differ of which one is not, of what the block
// takes; then the place of the first of the latter and its a and b; then the greatest |a − b| of the former, its place, a and b. A place is −1
// where there is none. NaN is equal to NaN and to nothing else.
KERNEL __launch_bounds__(THREADS) compare(double *to, const S *a, const S *b, i64 n) {
	__shared__ double shared[5][THREADS]; // the last is the greatest difference
	__shared__ i64 places[2][THREADS];    // of the first that is not finite, and of the greatest difference
	double own[5] = {};
	i64 odd = -1, most = -1;
	FOR_EACH(i, n) {
		const double x = widen(a[i]), y = widen(b[i]);
		const bool differ = x != y && (x == x || y == y);
		own[0] += differ;
		if (isfinite(x) && isfinite(y)) {
			const double d = x - y;
			own[1] += d * d;
			own[2] += x * x;
			if (fabs(d) > own[4]) {
				own[4] = fabs(d);
				most = i;
			}
		} else if (differ) {
			own[3]++;
			if (odd < 0) {
				odd = i;
			}
		}
	}
	for (int k = 0; k < 5; k++) {
		shared[k][threadIdx.x] = own[k];
	}
	places[0][threadIdx.x] = odd;
	places[1][threadIdx.x] = most;
	for (int half = THREADS / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) {
			const int other = threadIdx.x + half;
			for (int k = 0; k < 4; k++) {
				shared[k][threadIdx.x] += shared[k][other];
			}
			const i64 theirs = places[0][other], ours = places[0][threadIdx.x];
			if (theirs >= 0 && (ours < 0 || theirs < ours)) {
				places[0][threadIdx.x] = theirs;
			}
			if (shared[4][other] > shared[4][threadIdx.x]) {
				shared[4][threadIdx.x] = shared[4][other];
				places[1][threadIdx.x] = places[1][other];
			}
		}
	}
	if (threadIdx.x == 0) {
		double *out = to + 11 * blockIdx.x;
		for (int k = 0; k < 4; k++) {
			out[k] = shared[k][0];
		}
		out[7] = shared[4][0];
		for (int k = 0; k < 2; k++) {
			const i64 at = places[k][0];
			double *place = out + 4 + 4 * k;
			place[0] = (double)at;
			place[1] = at < 0 ? 0 : (double)widen(a[at]);
			place[2] = at < 0 ? 0 : (double)widen(b[at]);
		}
	}
}

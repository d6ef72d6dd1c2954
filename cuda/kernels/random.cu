// Random numbers as ir.Random draws them: in double, then rounded. In front of this file stand UNIFORM, GAUSSIAN or BINOMIAL
// and, for the last, TRIALS and share: share[k] is the probability of at most k successes, of TRIALS numbers.

// A number of [0, 1) with 53 random bits.
__device__ __forceinline__ double unit(u32 low, u32 high) { return (double)(((u64)high << 32 | low) >> 11) * 0x1p-53; }

// a + r·x with both roundings, as the host computes it.
__device__ __forceinline__ double scaled(double a, double r, double x) { return __dadd_rn(a, __dmul_rn(r, x)); }

#ifdef BINOMIAL
// The first number of successes whose share exceeds u, or all trials.
__device__ __forceinline__ double successes(double u) {
	int low = 0, high = TRIALS;
	while (low < high) {
		const int middle = (low + high) / 2;
		if (share[middle] > u) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return low;
}
#endif

// v rounded to T; uniform numbers stay below b (above it where b is the lower end).
__device__ __forceinline__ T narrow(double v, double a, double b) {
	const T y = (T)v;
#ifdef UNIFORM
	if (y == (T)b && a != b) {
		return sizeof(T) == 4 ? (T)nextafterf((float)y, (float)a) : (T)nextafter((double)y, a);
	}
#endif
	return y;
}

// y: n numbers. run: the number of the run.
KERNEL draw(T *y, const i64 *run, double a, double b, u32 stream0, u32 stream1, u32 k0, u32 k1, i64 n) {
	const u32 at = (u32)*run;
	FOR_EACH(block, (n + 1) / 2) {
		const Words r = philox((u32)block, stream0, stream1, at, k0, k1);
		double u = unit(r.w[0], r.w[1]), v = unit(r.w[2], r.w[3]);
#if defined(UNIFORM)
		u = scaled(a, b - a, u);
		v = scaled(a, b - a, v);
#elif defined(GAUSSIAN)
		// Box and Muller 1958
		const double radius = b * sqrt(-2 * log1p(-u)), angle = 6.283185307179586 * v;
		u = scaled(a, radius, cos(angle));
		v = scaled(a, radius, sin(angle));
#else
		u = successes(u);
		v = successes(v);
#endif
		y[2 * block] = narrow(u, a, b);
		if (2 * block + 1 < n) {
			y[2 * block + 1] = narrow(v, a, b);
		}
	}
}

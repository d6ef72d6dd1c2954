// Mean and variance of sums that a library has gathered.

#ifndef SY
#define SY T
#endif
#define THREADS 256

// From which mean²/variance on the sums are not good enough. The squares' sum is (1 + mean²/variance) times what is left of it, so the
// variance has that many times its relative error, which is some ulps of float32.
#define CANCELS 256

// The sum of v over the block in a fixed order. All threads must call it, and get it.
__device__ __forceinline__ double over_block(double v, double (&shared)[THREADS]) {
	shared[threadIdx.x] = v;
	for (int n = THREADS / 2; n > 0; n /= 2) {
		__syncthreads();
		if (threadIdx.x < n) {
			shared[threadIdx.x] += shared[threadIdx.x + n];
		}
	}
	__syncthreads();
	v = shared[0];
	__syncthreads();
	return v;
}

// mean, variance (channels) ← of sums: Σy of every channel, then Σy² of every channel. y (count, channels) is what they are of: a block,
// which is of a channel, reads it only if the mean is large beside the deviation, and sums again about the mean.
KERNEL __launch_bounds__(THREADS) stats_of_sums(T *mean, T *variance, const T *sums, const SY *y, i64 count, int channels) {
	__shared__ double shared[THREADS];
	const int c = blockIdx.x;
	const double each = 1.0 / count;
	double m = each * sums[c], v = each * sums[channels + c] - m * m;
	if (m * m > CANCELS * v) { // the same in all threads
		double first = 0, second = 0;
		for (i64 i = threadIdx.x; i < count; i += THREADS) {
			const double d = widen(y[i * channels + c]) - m;
			first += d;
			second += d * d;
		}
		const double distance = each * over_block(first, shared);
		v = each * over_block(second, shared) - distance * distance;
		m += distance;
	}
	if (threadIdx.x == 0) {
		mean[c] = T(m);
		variance[c] = v < 0 ? T(0) : T(v);
	}
}

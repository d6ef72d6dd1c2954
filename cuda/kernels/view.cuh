// Sums over parts of a tensor, for kernels that include this file.

// A dense tensor of batch × outer × channels × inner elements. For each of the batch and each channel, outer × inner elements
// belong together: element e of them lies at ((b·outer + e/inner)·channels + c)·inner + e%inner. Channels last is inner 1.
struct View {
	i64 batch, outer, channels, inner;
};

// The most threads of a block that reduces.
#define TILE_THREADS 256

// The part of a sum that a thread does. A block works on `width` channels side by side, and `subs` threads share each of
// them; width is 1 unless inner is. Blocks along x are those of the channels and of the batch, blocks along y are parts of
// `size` elements of a channel.
struct Tile {
	int width, lane, sub, subs;
	i64 batch, channel;
	i64 first, last; // elements of the part
	bool on;         // the thread has a channel
};

__device__ __forceinline__ Tile tile_of(const View &v, i64 size, int width) {
	Tile t;
	const i64 tiles = (v.channels + width - 1) / width, n = v.outer * v.inner;
	t.width = width;
	t.subs = blockDim.x / width;
	t.lane = threadIdx.x % width;
	t.sub = threadIdx.x / width;
	t.batch = blockIdx.x / tiles;
	t.channel = blockIdx.x % tiles * width + t.lane;
	t.first = blockIdx.y * size;
	t.last = t.first + size < n ? t.first + size : n;
	t.on = t.sub < t.subs && t.channel < v.channels;
	return t;
}

// The elements that a thread adds up one after the other before it folds them into its total: long sums of float32 stay as
// good as short ones.
#define RUN 64

// Calls f.add(at) for places of elements, at most `most` of them for each thread, and f.fold() after every RUN of them.
template <typename F> __device__ __forceinline__ void walk(const View &v, const Tile &t, i64 most, F &f) {
	const i64 e = t.first + t.sub;
	if (!t.on || e >= t.last) {
		return;
	}
	i64 count = (t.last - e + t.subs - 1) / t.subs;
	count = count < most ? count : most;
	i64 j = e % v.inner;
	i64 at = ((t.batch * v.outer + e / v.inner) * v.channels + t.channel) * v.inner + j;
	const i64 step = t.subs % v.inner, carry = (v.channels - 1) * v.inner;
	const i64 hop = t.subs / v.inner * v.channels * v.inner + step;
	while (count > 0) {
		const int run = count < RUN ? (int)count : RUN;
		count -= run;
#pragma unroll 4
		for (int k = 0; k < run; k++) {
			f.add(at);
			at += hop;
			j += step;
			if (j >= v.inner) {
				j -= v.inner;
				at += carry;
			}
		}
		f.fold();
	}
}

#define EVERY 0x7fffffffffffffffll

// A sum in two levels.
template <typename S> struct Sum {
	S run, total;
	__device__ Sum() : run(0), total(0) {}
	__device__ __forceinline__ void add(S v) { run += v; }
	__device__ __forceinline__ void fold() {
		total += run;
		run = S(0);
	}
};

struct Plus {
	template <typename S> static __device__ __forceinline__ S join(S a, S b) { return a + b; }
};

// NaN is the largest number.
struct Larger {
	template <typename S> static __device__ __forceinline__ S join(S a, S b) { return b > a || b != b ? b : a; }
};

// Joins what the threads of a channel have, in a fixed order; each of them gets the result. shared has room for one element a
// thread. All threads of the block must call it. Calls that share memory need no barrier between them.
template <typename J, typename S> __device__ __forceinline__ S tile_join(S v, const Tile &t, S *shared) {
	shared[threadIdx.x] = v;
	for (int n = t.subs; n > 1;) {
		const int half = (n + 1) / 2;
		__syncthreads();
		if (t.sub + half < n) {
			shared[threadIdx.x] = J::join(shared[threadIdx.x], shared[threadIdx.x + half * t.width]);
		}
		n = half;
	}
	__syncthreads();
	v = shared[t.lane];
	__syncthreads();
	return v;
}

// Tensors by channel, VEC neighbours at a time, for kernels that include this file: a pack of them is one access to memory.
//
// Channels are last: a pack is of VEC channels. Where ROWS is defined, the elements of a channel follow each other, and a pack is
// VEC elements of one channel. LANES is how many channels a pack has.
#ifndef VEC
#define VEC 1
#endif
#ifdef ROWS
#define LANES 1
#else
#define LANES VEC
#endif
#define LANE(k) (LANES == 1 ? 0 : (k))

// The types in which images lie in memory, T unless they are defined in front of this file: x, y, z and their gradients.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif
#ifndef SZ
#define SZ T
#endif
#ifndef SDX
#define SDX T
#endif
#ifndef SDY
#define SDY T
#endif
#ifndef SDZ
#define SDZ T
#endif

// The packs of each of so many images that a thread reads before it does anything with the first: what hides the way to memory, and
// leaves registers for enough threads.
#define UNROLL(images) (VEC * (images) > 8 ? 2 : 4)

// outer × channels × inner packs: pack e of those of channel c lies at (e/inner·channels + c)·inner + e%inner. Channels last,
// inner is 1 and c counts packs of channels.
struct Packs {
	i64 outer;
	Div channels, inner;
};

template <typename S> __device__ __forceinline__ Pack<S, VEC> pack_at(const S *x, i64 i) { return ((const Pack<S, VEC> *)x)[i]; }

// Constants of the channels of a pack.
__device__ __forceinline__ void lanes_at(T (&to)[LANES], const T *from, i64 c) { load_pack<LANES>(to, from + c * LANES); }

// The most threads of a block that sums. A multiprocessor has two of them at a time: the host makes as many parts, and the packs that a
// thread reads at once fit into the registers that it then has.
#define SUM_THREADS 256
#define SUM_UNROLL(images) ((images) == 1 ? 6 : 6 - (images))

// The packs that a thread adds up one after the other before it folds them into its total: long sums of float32 stay as good as
// short ones.
#define RUN 64

// What a thread sums: packs e, e + subs, … below last of a part of channel (or pack of channels) c. A block works on `width` of
// these side by side, 1 in ROWS, and `subs` threads share each. Blocks along x are those of channels, blocks along y are parts
// of `size` packs.
struct Walk {
	int width, lane, sub, subs, e, last;
	bool on; // the thread has a channel
	i64 c, at, hop;
	i64 j, step, inner, carry; // in ROWS

	__device__ __forceinline__ Walk(const Packs &v, int size, int w) {
		const i64 first = (i64)blockIdx.y * size, n = v.outer * v.inner.by - first;
		width = w;
		subs = blockDim.x / width;
		sub = threadIdx.x / width;
		lane = threadIdx.x - sub * width;
		e = sub;
		last = n < size ? (int)n : size;
		c = (i64)blockIdx.x * width + lane;
		on = sub < subs && c < v.channels.by;
		inner = v.inner.by;
		const i64 row = quotient(first + sub, v.inner), down = quotient((i64)subs, v.inner);
		j = first + sub - row * inner;
		at = (row * v.channels.by + c) * inner + j;
		step = subs - down * inner;
		hop = down * v.channels.by * inner + step;
		carry = (v.channels.by - 1) * inner;
	}
	__device__ __forceinline__ bool has(int k) const { return on && e + k * subs < last; }
	__device__ __forceinline__ void next() {
		at += hop;
#ifdef ROWS
		j += step;
		if (j >= inner) {
			j -= inner;
			at += carry;
		}
#endif
	}
};

// COUNT sums of a thread for each element of a pack. The totals are in shared memory: [COUNT, VEC, threads], so that the threads of a
// warp, which are at neighbouring ones, are in as many banks.
template <int COUNT> struct Sums {
	T run[COUNT][VEC];
	T *shared;
	__device__ __forceinline__ int slot(const Walk &w, int sub, int which, int k) const {
		return (which * VEC + k) * blockDim.x + sub * w.width + w.lane;
	}
	// What is in shared memory before is lost; only the thread's own.
	__device__ __forceinline__ void clear(const Walk &w) {
#pragma unroll
		for (int i = 0; i < COUNT; i++) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				run[i][k] = T(0);
				if (w.on) {
					shared[slot(w, w.sub, i, k)] = T(0);
				}
			}
		}
	}
	__device__ __forceinline__ void fold(const Walk &w) {
#pragma unroll
		for (int i = 0; i < COUNT; i++) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				if (w.on) {
					shared[slot(w, w.sub, i, k)] += run[i][k];
				}
				run[i][k] = T(0);
			}
		}
	}
	// Joins the totals of the block in a fixed order; those with sub 0 have them then. All threads must call it.
	__device__ __forceinline__ void join(const Walk &w) {
		for (int n = w.subs; n > 1;) {
			const int half = (n + 1) / 2;
			__syncthreads();
			if (w.on && w.sub < n - half) {
#pragma unroll
				for (int i = 0; i < COUNT; i++) {
#pragma unroll
					for (int k = 0; k < VEC; k++) {
						shared[slot(w, w.sub, i, k)] += shared[slot(w, w.sub + half, i, k)];
					}
				}
			}
			n = half;
		}
		__syncthreads();
	}
	// A total of the thread's channel l, once they are joined.
	__device__ __forceinline__ T total(const Walk &w, int which, int l) const {
		T sum = shared[slot(w, 0, which, l)];
		for (int k = 1; k < VEC / LANES; k++) { // ROWS
			sum += shared[slot(w, 0, which, l + k)];
		}
		return sum;
	}
	// to[which·stride + channel] ← the totals.
	__device__ __forceinline__ void write(T *to, i64 stride, const Walk &w) const {
		if (w.on && w.sub == 0) {
			for (int i = 0; i < COUNT; i++) {
#pragma unroll
				for (int l = 0; l < LANES; l++) {
					to[i * stride + w.c * LANES + l] = total(w, i, l);
				}
			}
		}
	}
};

template <typename F> __device__ __forceinline__ void read_packs(const F &f, Walk &w, typename F::Raw (&raw)[F::unroll]) {
#pragma unroll
	for (int k = 0; k < F::unroll; k++) {
		if (w.has(k)) {
			raw[k] = f.read(w.at);
		}
		w.next();
	}
}

// Calls f.add with all packs of the walk, after f.start, which sees the first of them, and joins f.sums. All threads of the block must
// call it.
template <typename F> __device__ __forceinline__ void walk_packs(F &f, Walk &w) {
	typename F::Raw raw[F::unroll];
	read_packs(f, w, raw);
	f.start(raw, w);
	for (int run = 0; w.has(0);) {
#pragma unroll
		for (int k = 0; k < F::unroll; k++) {
			if (w.has(k)) {
				f.add(raw[k]);
			}
		}
		w.e += F::unroll * w.subs;
		if (++run == RUN / F::unroll) {
			run = 0;
			f.sums.fold(w);
		}
		read_packs(f, w, raw);
	}
	f.sums.fold(w);
	f.sums.join(w);
}

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

// A pack that is read long before it is looked at: of bfloat16 two neighbours in a register. A pack of 16-bit elements a compiler takes
// apart as soon as it has come, into a register for each element; these are so many that it waits for one pack before it asks for the next.
template <typename S, bool PAIRS = sizeof(S) == 2 && VEC != 1> struct Loaded {
	Pack<S, VEC> pack;
	__device__ __forceinline__ T operator[](int k) const { return widen(pack.v[k]); }
	__device__ __forceinline__ void set(const T (&v)[VEC]) {
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			store(&pack.v[k], v[k]);
		}
	}
};

#if VEC > 1
template <typename S> struct Loaded<S, true> {
	Pack<u32, VEC / 2> pack;
	__device__ __forceinline__ T operator[](int k) const {
		const u32 pair = pack.v[k / 2];
		return __uint_as_float(k % 2 ? pair & 0xffff0000u : pair << 16);
	}
	__device__ __forceinline__ void set(const T (&v)[VEC]) {
#pragma unroll
		for (int k = 0; k < VEC; k += 2) {
			pack.v[k / 2] = to_bf16_pair(v[k], v[k + 1]);
		}
	}
};
#endif

template <typename S> __device__ __forceinline__ Loaded<S> loaded(const S *x, i64 i) { return ((const Loaded<S> *)x)[i]; }

template <typename S> __device__ __forceinline__ void put(S *y, i64 i, const Loaded<S> &p) { ((Loaded<S> *)y)[i] = p; }

// Constants of the channels of a pack.
__device__ __forceinline__ void lanes_at(T (&to)[LANES], const T *from, i64 c) { load_pack<LANES>(to, from + c * LANES); }

// The most threads of a block that sums, and how many such blocks a multiprocessor has at a time: the host makes as many parts, or some
// times as many. The packs that a thread reads at once fit into the registers that it then has, and all threads together always read
// about as many.
#define SUM_THREADS 256
#ifndef BLOCKS
#define BLOCKS 2
#endif
#define SUM_READ(images) (((images) == 1 ? 6 : 6 - (images)) * 2 / BLOCKS)
#define SUM_UNROLL(images) (SUM_READ(images) > 1 ? SUM_READ(images) : 1)

// The packs that a thread adds up one after the other before it folds them into its total: long sums of float32 stay as good as
// short ones.
#define RUN 64

// How many of a block's sums a warp joins at once.
#define TOGETHER 4

// Where a thread is in a tensor, and on its way along a channel in ROWS.
struct Place {
	i64 at, j;
};

// What a thread sums: packs e, e + subs, … below last of a part of channel (or pack of channels) c. A block works on `width` of
// these side by side, 1 in ROWS, and `subs` threads share each. Blocks along x are those of channels, blocks along y are parts
// of `size` packs.
struct Walk {
	int width, lane, sub, subs, e, last;
	bool on; // the thread has a channel
	i64 c, channels, hop;
	Place place;             // of pack e
	i64 step, inner, carry; // in ROWS

	__device__ __forceinline__ Walk(const Packs &v, int size, int w) {
		const i64 first = (i64)blockIdx.y * size, n = v.outer * v.inner.by - first;
		width = w;
		subs = blockDim.x / width;
		sub = threadIdx.x / width;
		lane = threadIdx.x - sub * width;
		e = sub;
		last = n < size ? (int)n : size;
		c = (i64)blockIdx.x * width + lane;
		channels = v.channels.by * LANES;
		on = sub < subs && c < v.channels.by;
#ifdef ROWS
		inner = v.inner.by;
		const i64 row = quotient(first + sub, v.inner), down = quotient((i64)subs, v.inner);
		place.j = first + sub - row * inner;
		place.at = (row * v.channels.by + c) * inner + place.j;
		step = subs - down * inner;
		hop = down * v.channels.by * inner + step;
		carry = (v.channels.by - 1) * inner;
#else
		place.at = (first + sub) * v.channels.by + c;
		hop = subs * v.channels.by;
#endif
	}
	__device__ __forceinline__ bool has(int k) const { return on && e + k * subs < last; }
	// From one pack of the thread to the next.
	__device__ __forceinline__ void next(Place &p) const {
		p.at += hop;
#ifdef ROWS
		p.j += step;
		if (p.j >= inner) {
			p.j -= inner;
			p.at += carry;
		}
#endif
	}
	// Calls f(c, x, l) for channels c of the block, each by one of its threads: c is element l of pack x of those side by side. There may be
	// more channels than threads.
	template <typename F> __device__ __forceinline__ void each_channel(const F &f) const {
		const i64 first = (i64)blockIdx.x * width * LANES;
		for (int i = threadIdx.x; i < width * LANES && first + i < channels; i += blockDim.x) {
			f(first + i, i / LANES, i % LANES);
		}
	}
};

// COUNT sums of a thread for each element of a pack. The totals are in shared memory: [COUNT, VEC, threads], so that the threads of a
// warp, which are at neighbouring ones, are in as many banks.
template <int COUNT> struct Sums {
	T run[COUNT][VEC];
	T *shared;
	__device__ __forceinline__ int slot(int thread, int which, int k) const { return (which * VEC + k) * blockDim.x + thread; }
	// What is in shared memory before is lost; only the thread's own.
	__device__ __forceinline__ void clear() {
#pragma unroll
		for (int i = 0; i < COUNT; i++) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				run[i][k] = T(0);
				shared[slot(threadIdx.x, i, k)] = T(0);
			}
		}
	}
	__device__ __forceinline__ void fold() {
#pragma unroll
		for (int i = 0; i < COUNT; i++) {
#pragma unroll
			for (int k = 0; k < VEC; k++) {
				shared[slot(threadIdx.x, i, k)] += run[i][k];
				run[i][k] = T(0);
			}
		}
	}
	// Joins the totals of the block in a fixed order: what threads half of all apart have, then those half of these apart, and so on. Each
	// warp does so for some of the sums, so that none waits for another on the way. All threads must call it.
	__device__ __forceinline__ void join(const Walk &w) {
		const int warps = blockDim.x / WARP;
		__syncthreads();
		for (int n = w.subs; n > 1;) {
			const int half = (n + 1) / 2;
			for (int x = threadIdx.x % WARP; x < (n - half) * w.width; x += WARP) {
				for (int first = threadIdx.x / WARP; first < COUNT * VEC; first += TOGETHER * warps) {
					T near[TOGETHER], far[TOGETHER];
#pragma unroll
					for (int i = 0; i < TOGETHER; i++) {
						if (first + i * warps < COUNT * VEC) {
							near[i] = shared[slot(x, 0, first + i * warps)];
							far[i] = shared[slot(x + half * w.width, 0, first + i * warps)];
						}
					}
#pragma unroll
					for (int i = 0; i < TOGETHER; i++) {
						if (first + i * warps < COUNT * VEC) {
							shared[slot(x, 0, first + i * warps)] = near[i] + far[i];
						}
					}
				}
			}
			__syncwarp();
			n = half;
		}
		__syncthreads();
	}
	// A total of element l of pack x of those side by side, once they are joined.
	__device__ __forceinline__ T total(int x, int which, int l) const {
		T sum = shared[slot(x, which, l)];
		for (int k = 1; k < VEC / LANES; k++) { // ROWS
			sum += shared[slot(x, which, l + k)];
		}
		return sum;
	}
	// to[which·channels + channel] ← the totals.
	__device__ __forceinline__ void write(T *to, const Walk &w) const {
		w.each_channel([&](i64 c, int x, int l) {
#pragma unroll
			for (int i = 0; i < COUNT; i++) {
				to[i * w.channels + c] = total(x, i, l);
			}
		});
	}
};

// Calls f.add with all packs of the walk and their places, after f.start, which sees the first of them, and joins f.sums. The place of a
// pack that was added is filled with one to come at once, so that some are always on their way. All threads of the block must call it.
template <typename F> __device__ __forceinline__ void walk_packs(F &f, Walk &w) {
	typename F::Raw raw[F::unroll];
	Place ahead = w.place;
#pragma unroll
	for (int k = 0; k < F::unroll; k++) {
		if (w.has(k)) {
			raw[k] = f.read(ahead.at);
		}
		w.next(ahead);
	}
	f.start(raw, w);
	for (int run = 0; w.has(0);) {
#pragma unroll
		for (int k = 0; k < F::unroll; k++) {
			if (w.has(k)) {
				f.add(raw[k], w.place.at);
				if (w.has(k + F::unroll)) {
					raw[k] = f.read(ahead.at);
				}
			}
			w.next(w.place);
			w.next(ahead);
		}
		w.e += F::unroll * w.subs;
		if (++run == RUN / F::unroll) {
			run = 0;
			f.sums.fold();
		}
	}
	f.sums.fold();
	f.sums.join(w);
}

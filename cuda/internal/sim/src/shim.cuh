// CUDA C++ for g++: what stands behind abi.h in front of every program. Kernels of one module never run at the same time, and
// the threads of a block take turns on one thread of the host, so plain variables do for threadIdx and for shared memory.

#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define NO_PTX
#define __CUDA_ARCH__ SIM_CUDA_ARCH
#define STHENO_SIM 1

#define __global__ __attribute__((__sim_kernel__, noinline))
#define __launch_bounds__(...) __attribute__((__sim_bounds__(__VA_ARGS__)))
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((__always_inline__))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((__aligned__(n)))
#define __shared__ static __attribute__((__section__("sim_shared")))
#define DYNAMIC_SHARED(type, name) type *const name = (type *)sim_dynamic_shared

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;

static const sim_runtime *sim_run;
static char *sim_dynamic_shared;
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;
static const unsigned SIM_TABLE_VERSION = SIM_ABI_VERSION; // the table is written after the preprocessor
extern "C" char __start_sim_shared[] __attribute__((__weak__, __visibility__("hidden")));
extern "C" char __stop_sim_shared[] __attribute__((__weak__, __visibility__("hidden")));

// Barriers. The line is that of the call: threads of a block that wait at different lines do not meet.
#define SIM_LINE int line = __builtin_LINE()
static inline void __syncthreads(SIM_LINE) { sim_run->block(SIM_SYNC, 0, line); }
static inline int __syncthreads_count(int p, SIM_LINE) { return sim_run->block(SIM_COUNT, p, line); }
static inline int __syncthreads_and(int p, SIM_LINE) { return sim_run->block(SIM_AND, p, line); }
static inline int __syncthreads_or(int p, SIM_LINE) { return sim_run->block(SIM_OR, p, line); }
static inline void __threadfence() { sim_run->fence(); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __trap(SIM_LINE) { sim_run->trap("__trap()", line); }

static inline void __syncwarp(unsigned mask = 0xffffffffu, SIM_LINE) { sim_run->warp(SIM_SYNCWARP, mask, 0, 0, line); }
static inline unsigned __ballot_sync(unsigned mask, int p, SIM_LINE) {
	return (unsigned)sim_run->warp(SIM_BALLOT, mask, p != 0, 0, line);
}
static inline int __any_sync(unsigned mask, int p, SIM_LINE) { return (int)sim_run->warp(SIM_ANY, mask, p != 0, 0, line); }
static inline int __all_sync(unsigned mask, int p, SIM_LINE) { return (int)sim_run->warp(SIM_ALL, mask, p != 0, 0, line); }

static inline int sim_lane() {
	return (int)((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32);
}

// V from lane source of the warp.
template <class V> static inline V sim_shuffle(unsigned mask, V v, int source, int line) {
	static_assert(sizeof(V) == 4 || sizeof(V) == 8, "a shuffle moves 4 or 8 bytes");
	unsigned long long bits = 0;
	__builtin_memcpy(&bits, &v, sizeof v);
	bits = sim_run->warp(SIM_SHUFFLE, mask, bits, source, line);
	__builtin_memcpy(&v, &bits, sizeof v);
	return v;
}

#define SIM_SHUFFLES(V)                                                                                                \
	static inline V __shfl_sync(unsigned mask, V v, int source, int width = 32, SIM_LINE) {                            \
		return sim_shuffle(mask, v, (sim_lane() & ~(width - 1)) | (source & (width - 1)), line);                       \
	}                                                                                                                  \
	static inline V __shfl_up_sync(unsigned mask, V v, unsigned delta, int width = 32, SIM_LINE) {                     \
		const int lane = sim_lane(), source = lane - (int)delta;                                                       \
		return sim_shuffle(mask, v, source < (lane & ~(width - 1)) ? lane : source, line);                             \
	}                                                                                                                  \
	static inline V __shfl_down_sync(unsigned mask, V v, unsigned delta, int width = 32, SIM_LINE) {                   \
		const int lane = sim_lane(), source = lane + (int)delta;                                                       \
		return sim_shuffle(mask, v, source > (lane | (width - 1)) ? lane : source, line);                              \
	}                                                                                                                  \
	static inline V __shfl_xor_sync(unsigned mask, V v, int bits, int width = 32, SIM_LINE) {                          \
		const int lane = sim_lane(), source = lane ^ bits;                                                             \
		return sim_shuffle(mask, v, source > (lane | (width - 1)) ? lane : source, line);                              \
	}
SIM_SHUFFLES(int)
SIM_SHUFFLES(unsigned)
SIM_SHUFFLES(long)
SIM_SHUFFLES(unsigned long)
SIM_SHUFFLES(long long)
SIM_SHUFFLES(unsigned long long)
SIM_SHUFFLES(float)
SIM_SHUFFLES(double)

// Atomics on integers. Those on floats are left out: their sums depend on the order of threads, which the engine's rules forbid.
#define SIM_ATOMICS(V)                                                                                                 \
	static inline V atomicAdd(V *p, V v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }                        \
	static inline V atomicExch(V *p, V v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); }                      \
	static inline V atomicAnd(V *p, V v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); }                        \
	static inline V atomicOr(V *p, V v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }                          \
	static inline V atomicXor(V *p, V v) { return __atomic_fetch_xor(p, v, __ATOMIC_RELAXED); }                        \
	static inline V atomicCAS(V *p, V old, V v) {                                                                      \
		__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                            \
		return old;                                                                                                    \
	}                                                                                                                  \
	static inline V atomicMax(V *p, V v) {                                                                             \
		V old = __atomic_load_n(p, __ATOMIC_RELAXED);                                                                  \
		while (old < v && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {       \
		}                                                                                                              \
		return old;                                                                                                    \
	}                                                                                                                  \
	static inline V atomicMin(V *p, V v) {                                                                             \
		V old = __atomic_load_n(p, __ATOMIC_RELAXED);                                                                  \
		while (v < old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {       \
		}                                                                                                              \
		return old;                                                                                                    \
	}
SIM_ATOMICS(int)
SIM_ATOMICS(unsigned)
SIM_ATOMICS(unsigned long long)
static inline int atomicSub(int *p, int v) { return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED); }
static inline unsigned atomicSub(unsigned *p, unsigned v) { return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED); }
static inline unsigned atomicInc(unsigned *p, unsigned most) {
	unsigned old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(p, &old, old >= most ? 0 : old + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
	}
	return old;
}

template <class V> static inline V __ldg(const V *p) { return *p; }
template <class V> static inline V __ldcg(const V *p) { return *p; }

extern "C" int printf(const char *, ...);

// The table of kernels, which NVRTC's stand-in writes behind the program.
template <class P> struct sim_is_pointer { static constexpr bool value = false; };
template <class P> struct sim_is_pointer<P *> { static constexpr bool value = true; };
template <unsigned... I> struct sim_indices {};
template <auto f> struct sim_entry;
template <class... A, void (*f)(A...)> struct sim_entry<f> {
	template <unsigned... I> static void unpack(void **p, sim_indices<I...>) { f(*(A *)p[I]...); }
	static void call(void **p) { unpack(p, sim_indices<__integer_pack(sizeof...(A))...>()); }
	static constexpr int count = sizeof...(A);
	static constexpr unsigned sizes[] = {sizeof(A)..., 0}, alignments[] = {alignof(A)..., 0};
	static constexpr bool pointers[] = {sim_is_pointer<A>::value..., false};
};
static constexpr unsigned sim_bounds(unsigned threads = 0, unsigned = 0, unsigned = 0) { return threads; }

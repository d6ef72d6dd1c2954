
// What g++'s sanitizers call, for STHENO_SIM_CHECK: of threads, with every access to memory, which goes to the driver, as it knows what orders
// it; and of what C++ leaves undefined, which is a fault.
#ifdef SIM_CHECK
#define SIM_PLAIN extern "C" __attribute__((no_sanitize_thread, noinline, used))
#define SIM_PC __builtin_return_address(0)
#define SIM_ACCESSES(n)                                                                                                \
	SIM_PLAIN void __tsan_read##n(void *p) { sim_run->touch(p, n, SIM_READ, SIM_PC); }                                 \
	SIM_PLAIN void __tsan_write##n(void *p) { sim_run->touch(p, n, SIM_WRITE, SIM_PC); }                               \
	SIM_PLAIN void __tsan_unaligned_read##n(void *p) { sim_run->touch(p, n, SIM_READ, SIM_PC); }                       \
	SIM_PLAIN void __tsan_unaligned_write##n(void *p) { sim_run->touch(p, n, SIM_WRITE, SIM_PC); }
SIM_ACCESSES(1)
SIM_ACCESSES(2)
SIM_ACCESSES(4)
SIM_ACCESSES(8)
SIM_ACCESSES(16)
SIM_PLAIN void __tsan_read_range(void *p, unsigned long n) { sim_run->touch(p, n, SIM_READ, SIM_PC); }
SIM_PLAIN void __tsan_write_range(void *p, unsigned long n) { sim_run->touch(p, n, SIM_WRITE, SIM_PC); }
SIM_PLAIN void __tsan_init() {}
SIM_PLAIN void __tsan_atomic_thread_fence(int) {}

#define SIM_ATOMIC(bits, V)                                                                                            \
	SIM_PLAIN V __tsan_atomic##bits##_load(const volatile void *p, int) {                                              \
		sim_run->touch((void *)p, sizeof(V), SIM_ATOMIC_ACCESS, SIM_PC);                                               \
		return *(const volatile V *)p;                                                                                 \
	}                                                                                                                  \
	SIM_PLAIN void __tsan_atomic##bits##_store(volatile void *p, V v, int) {                                           \
		sim_run->touch((void *)p, sizeof(V), SIM_ATOMIC_ACCESS, SIM_PC);                                               \
		*(volatile V *)p = v;                                                                                          \
	}                                                                                                                  \
	SIM_PLAIN bool __tsan_atomic##bits##_compare_exchange_strong(volatile void *p, void *old, V v, int, int) {         \
		sim_run->touch((void *)p, sizeof(V), SIM_ATOMIC_ACCESS, SIM_PC);                                               \
		const V was = *(volatile V *)p;                                                                                \
		const bool same = was == *(V *)old;                                                                            \
		if (same) *(volatile V *)p = v;                                                                                \
		*(V *)old = was;                                                                                               \
		return same;                                                                                                   \
	}                                                                                                                  \
	SIM_CHANGE(bits, V, exchange, v)                                                                                   \
	SIM_CHANGE(bits, V, fetch_add, was + v)                                                                            \
	SIM_CHANGE(bits, V, fetch_sub, was - v)                                                                            \
	SIM_CHANGE(bits, V, fetch_and, was & v)                                                                            \
	SIM_CHANGE(bits, V, fetch_or, was | v)                                                                             \
	SIM_CHANGE(bits, V, fetch_xor, was ^ v)
#define SIM_CHANGE(bits, V, name, result)                                                                              \
	SIM_PLAIN V __tsan_atomic##bits##_##name(volatile void *p, V v, int) {                                             \
		sim_run->touch((void *)p, sizeof(V), SIM_ATOMIC_ACCESS, SIM_PC);                                               \
		const V was = *(volatile V *)p;                                                                                \
		*(volatile V *)p = result;                                                                                     \
		return was;                                                                                                    \
	}
SIM_ATOMIC(32, unsigned)
SIM_ATOMIC(64, unsigned long)

// How the undefined is told: what was done, first of all where.
struct sim_place {
	const char *file;
	unsigned line, column;
};
struct sim_misuse {
	sim_place at;
	const void *type;
	unsigned char log_alignment, kind;
};
SIM_PLAIN void __ubsan_handle_type_mismatch_v1(sim_misuse *m, unsigned long p) {
	const char *const what[] = {"", "an address not aligned to 2 bytes", "an address not aligned to 4 bytes", "an address not aligned to 8 bytes", "an address not aligned to 16 bytes"};
	if (p) sim_run->trap(m->log_alignment < 5 ? what[m->log_alignment] : "an address not aligned to 32 bytes or more", m->at.line); // null is an illegal address by itself
}
SIM_PLAIN void __ubsan_handle_shift_out_of_bounds(sim_misuse *m, unsigned long, unsigned long) { sim_run->trap("a shift by more than there are bits", m->at.line); }
SIM_PLAIN void __ubsan_handle_out_of_bounds(sim_misuse *m, unsigned long) { sim_run->trap("an index outside of its array", m->at.line); }
SIM_PLAIN void __ubsan_handle_load_invalid_value(sim_misuse *m, unsigned long) { sim_run->trap("a bool that is neither false nor true", m->at.line); }
#define SIM_OVERFLOW(what)                                                                                             \
	SIM_PLAIN void __ubsan_handle_##what##_overflow(sim_misuse *m, unsigned long, unsigned long) {                     \
		sim_run->trap("an integer that is too large", m->at.line);                                                     \
	}
SIM_OVERFLOW(add)
SIM_OVERFLOW(sub)
SIM_OVERFLOW(mul)
SIM_OVERFLOW(divrem)
SIM_PLAIN void __ubsan_handle_negate_overflow(sim_misuse *m, unsigned long) { sim_run->trap("an integer that is too large", m->at.line); }
SIM_PLAIN void __ubsan_handle_float_cast_overflow(sim_misuse *m, unsigned long) { sim_run->trap("a number that the integer it becomes does not hold", m->at.line); }
#endif

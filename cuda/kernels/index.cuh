// Numbers of elements, and their division by numbers that are known before a kernel starts. WIDE is defined where a tensor has
// 2³¹ elements or more.
#ifdef WIDE
typedef i64 Index;
struct Division {
	i64 by;
};
__device__ __forceinline__ i64 operator/(i64 i, const Division &d) { return i / d.by; }
#else
typedef u32 Index;
// For i < 2³¹, i / by = i·factor / 2^shift: Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994.
struct Division {
	u32 by, factor, shift;
};
__device__ __forceinline__ u32 operator/(u32 i, const Division &d) { return (u32)((u64)i * d.factor >> d.shift); }
#endif

// Quotient and remainder of a division.
struct Divided {
	Index quotient, rest;
};
__device__ __forceinline__ Divided divide(Index i, const Division &d) {
	Divided r;
	r.quotient = i / d;
	r.rest = i - r.quotient * (Index)d.by;
	return r;
}

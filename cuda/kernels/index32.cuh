// Index numbers the elements of tensors that have fewer than 2³¹, and Division divides it by a number that is known before the
// kernel starts: i / by = i·factor / 2^shift (Granlund and Montgomery, "Division by Invariant Integers using Multiplication",
// 1994).
typedef u32 Index;
struct Division {
	u32 by, factor, shift;
};
__device__ __forceinline__ u32 operator/(u32 i, const Division &d) { return (u32)((u64)i * d.factor >> d.shift); }

// Index numbers the elements of tensors that have 2³¹ or more, and Division divides it.
typedef i64 Index;
struct Division {
	i64 by;
};
__device__ __forceinline__ i64 operator/(i64 i, const Division &d) { return i / d.by; }

// Quotient and remainder of a division. Before this file stands index32.cuh or index64.cuh.
struct Divided {
	Index quotient, rest;
};
__device__ __forceinline__ Divided divide(Index i, const Division &d) {
	Divided r;
	r.quotient = i / d;
	r.rest = i - r.quotient * (Index)d.by;
	return r;
}

// Products on tensor cores, a warp at a time.

#if !defined(NO_PTX) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define TENSOR_CORES
#endif

// Where the instructions are missing the products are made by shuffles, with the operands in the same places: for the simulated GPU. On older
// GPUs, for which nothing here is launched, they trap.

// low and high rounded to bfloat16 (nearest, ties to even), side by side as they lie in memory; NaN stays NaN.
__device__ __forceinline__ u32 bf16_pair(float low, float high) {
#ifdef TENSOR_CORES
	u32 y;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
	return y;
#else
	return (u32)to_bf16(low) | (u32)to_bf16(high) << 16;
#endif
}

__device__ __forceinline__ u32 bf16_pair(bf16 low, bf16 high) { return (u32)low.bits | (u32)high.bits << 16; }

// The lower halves of two pairs, and the upper ones.
__device__ __forceinline__ u32 lower_halves(u32 x, u32 y) { return __byte_perm(x, y, 0x5410); }
__device__ __forceinline__ u32 upper_halves(u32 x, u32 y) { return __byte_perm(x, y, 0x7632); }

// c += a·b: a is 16×16, b is 16×8, both of bfloat16; c is 16×8 of float32. All lanes of the warp must call it. With g = lane / 4 and
// t = lane % 4, a lane holds
//
//	a[0]  row g,     products 2t, 2t+1        b0  products 2t, 2t+1, column g        c[0], c[1]  row g,     columns 2t, 2t+1
//	a[1]  row g + 8, products 2t, 2t+1        b1  products 2t+8, 2t+9, column g      c[2], c[3]  row g + 8, columns 2t, 2t+1
//	a[2]  row g,     products 2t+8, 2t+9
//	a[3]  row g + 8, products 2t+8, 2t+9
//
// the first of two in the lower half (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type").
__device__ __forceinline__ void mma_bf16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#ifdef TENSOR_CORES
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
				 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#elif !defined(NO_PTX)
	__trap();
#else
	const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
	const u64 upper = (u64)a[1] << 32 | a[0], lower = (u64)a[3] << 32 | a[2], both = (u64)b1 << 32 | b0;
	for (int k = 0; k < 4; k++) { // products 2k, 2k+1, 2k+8, 2k+9
		const u64 near = __shfl_sync(FULL_WARP, upper, 4 * g + k), far = __shfl_sync(FULL_WARP, lower, 4 * g + k);
		for (int column = 0; column < 2; column++) {
			const u64 b = __shfl_sync(FULL_WARP, both, 4 * (2 * t + column) + k);
			for (int row = 0; row < 2; row++) {
				const u32 a0 = (u32)(near >> 32 * row), a1 = (u32)(far >> 32 * row);
				float &sum = c[2 * row + column];
				sum += from_bf16((u16)a0) * from_bf16((u16)b) + from_bf16((u16)(a0 >> 16)) * from_bf16((u16)(b >> 16));
				sum += from_bf16((u16)a1) * from_bf16((u16)(b >> 32)) + from_bf16((u16)(a1 >> 16)) * from_bf16((u16)(b >> 48));
			}
		}
	}
#endif
}

// x rounded to tf32, 10 bits of mantissa (nearest, ties away from zero), as a float32; NaN and infinity stay.
__device__ __forceinline__ u32 to_tf32(float x) {
#ifdef TENSOR_CORES
	u32 y;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
	return y;
#else
	const u32 bits = __float_as_uint(x);
	return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
#endif
}

// c += a·b: a is 16×8, b is 8×8, both of tf32; c is 16×8 of float32. All lanes of the warp must call it. With g = lane / 4 and
// t = lane % 4, a lane holds
//
//	a[0]  row g,     product t            b0  product t,     column g        c as above
//	a[1]  row g + 8, product t            b1  product t + 4, column g
//	a[2]  row g,     product t + 4
//	a[3]  row g + 8, product t + 4
//
// (PTX ISA, "Matrix Fragments for mma.m16n8k8").
__device__ __forceinline__ void mma_tf32(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#ifdef TENSOR_CORES
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
				 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#elif !defined(NO_PTX)
	__trap();
#else
	const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
	const u64 near = (u64)a[1] << 32 | a[0], far = (u64)a[3] << 32 | a[2], both = (u64)b1 << 32 | b0;
	for (int k = 0; k < 4; k++) { // products k and k+4
		const u64 a0 = __shfl_sync(FULL_WARP, near, 4 * g + k), a1 = __shfl_sync(FULL_WARP, far, 4 * g + k);
		for (int column = 0; column < 2; column++) {
			const u64 b = __shfl_sync(FULL_WARP, both, 4 * (2 * t + column) + k);
			for (int row = 0; row < 2; row++) {
				c[2 * row + column] += __uint_as_float((u32)(a0 >> 32 * row)) * __uint_as_float((u32)b) +
									   __uint_as_float((u32)(a1 >> 32 * row)) * __uint_as_float((u32)(b >> 32));
			}
		}
	}
#endif
}

// Between float32 and bfloat16, 8 elements at a time.

// y ← x, rounded to bfloat16. n elements. y is aligned to 16 bytes, and x mostly: not where it begins at a tap in the middle of a filter.
KERNEL to_bfloat16(bf16 *y, const float *x, i64 n) {
	if ((u64)x % 16) {
		FOR_EACH(i, n) { store(&y[i], x[i]); }
		return;
	}
	FOR_EACH(i, n / 8) {
		T v[8];
		load_pack<8>(v, x + 8 * i);
		store_pack<8>(y + 8 * i, v);
	}
	if (blockIdx.x == 0 && threadIdx.x < n % 8) {
		const i64 i = n - n % 8 + threadIdx.x;
		store(&y[i], x[i]);
	}
}

// y ← x, of bfloat16. n elements. x and y are aligned to 16 bytes.
KERNEL from_bfloat16(float *y, const bf16 *x, i64 n) {
	FOR_EACH(i, n / 8) {
		T v[8];
		load_pack<8>(v, x + 8 * i);
		store_pack<8>(y + 8 * i, v);
	}
	if (blockIdx.x == 0 && threadIdx.x < n % 8) {
		const i64 i = n - n % 8 + threadIdx.x;
		y[i] = widen(x[i]);
	}
}

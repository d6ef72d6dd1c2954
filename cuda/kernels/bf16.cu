// y ← x, rounded to bfloat16. n elements.
KERNEL to_bfloat16(u16 *y, const float *x, i64 n) {
	FOR_EACH(i, n) { y[i] = to_bf16(x[i]); }
}

// y ← x, of bfloat16. n elements.
KERNEL from_bfloat16(float *y, const u16 *x, i64 n) {
	FOR_EACH(i, n) { y[i] = from_bf16(x[i]); }
}

// y ← x·factor where the element is kept, else 0. x, y: n elements; they may be the same memory. Element i is kept where the
// upper 24 bits of word i mod 4 of block i/4 reach threshold: see op.Dropout. step: the number of the step.
KERNEL dropout(T *y, const T *x, const i64 *step, T factor, u32 threshold, u32 stream, u32 k0, u32 k1, i64 n) {
	const u32 at = (u32)*step;
	FOR_EACH(block, (n + 3) / 4) {
		const Words r = philox((u32)block, (u32)((u64)block >> 32), stream, at, k0, k1);
		const i64 first = 4 * block;
#pragma unroll
		for (int j = 0; j < 4; j++) {
			if (first + j < n) {
				const T v = x[first + j];
				y[first + j] = r.w[j] >> 8 >= threshold ? v * factor : T(0);
			}
		}
	}
}

// SX and SY are the types of x and y in memory.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif

// y ← x·factor where the element is kept, else 0. x, y: n elements; they may be the same memory. Element i is kept where the
// upper 24 bits of word i mod 4 of block i/4 reach threshold: see op.Dropout. step: the number of the step.
KERNEL dropout(SY *y, const SX *x, const i64 *step, T factor, u32 threshold, u32 stream, u32 k0, u32 k1, i64 n) {
	const u32 at = (u32)*step;
	FOR_EACH(block, (n + 3) / 4) {
		const Words r = philox((u32)block, (u32)((u64)block >> 32), stream, at, k0, k1);
		const i64 first = 4 * block;
		if (first + 4 <= n) {
			T v[4];
			load_pack(v, x + first);
#pragma unroll
			for (int j = 0; j < 4; j++) {
				v[j] = r.w[j] >> 8 >= threshold ? v[j] * factor : T(0);
			}
			store_pack(y + first, v);
			continue;
		}
		for (int j = 0; first + j < n; j++) {
			const T v = widen(x[first + j]);
			store(y + first + j, r.w[j] >> 8 >= threshold ? v * factor : T(0));
		}
	}
}

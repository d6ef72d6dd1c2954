KERNEL loop(float *y0, const T *x0, const T *x1, const T *x2, Div d1, Div d2, i64 n) {
	FOR_EACH(pack, n / 4) {
		const i64 i = pack * 4;
		const i64 q2 = quotient(i, d2), c2 = i - q2 * d2.by;
		const i64 q1 = quotient(q2, d1);
		const i64 c0 = q1;
		T a0[4];
		load_pack(a0, x0 + i);
		const T r1 = x1[c0];
		T a2[4];
		load_pack(a2, x2 + (c2));
		T b0[4];
#pragma unroll
		for (int k = 0; k < 4; k++) {
			const T r0 = a0[k];
			const T r2 = a2[k];
			const T r3 = r0 * r1;
			const T r4 = r3 + r2;
			b0[k] = r4;
		}
		store_pack(y0 + i, b0);
	}
}

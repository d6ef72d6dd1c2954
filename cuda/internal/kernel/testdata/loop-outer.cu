KERNEL loop(float *y0, const T *x0, const T *x1, Div d1, Div d2, i64 s0_1, i64 s1_0, i64 n) {
	FOR_EACH(pack, n / 2) {
		const i64 i = pack * 2;
		const i64 q2 = quotient(i, d2), c2 = i - q2 * d2.by;
		const i64 q1 = quotient(q2, d1), c1 = q2 - q1 * d1.by;
		const i64 c0 = q1;
		T a0[2];
		load_pack(a0, x0 + (c1 * s0_1 + c2));
		const T r1 = x1[c0 * s1_0 + c1];
		T b0[2];
#pragma unroll
		for (int k = 0; k < 2; k++) {
			const T r0 = a0[k];
			const T r2 = r0 - r1;
			const T r3 = fn_reluGrad(r2, __uint_as_float(0x7f800000u));
			b0[k] = r3;
		}
		store_pack(y0 + i, b0);
	}
}

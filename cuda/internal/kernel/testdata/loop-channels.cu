KERNEL loop(double *y0, const T *x0, const T *x1, const T *x2, Div d1, Div d2, i64 n) {
	const T r2 = x2[0];
	FOR_EACH(pack, n / 2) {
		const i64 i = pack * 2;
		const i64 q2 = quotient(i, d2);
		const i64 q1 = quotient(q2, d1), c1 = q2 - q1 * d1.by;
		T a0[2];
		load_pack(a0, x0 + i);
		const T r1 = x1[c1];
		T b0[2];
#pragma unroll
		for (int k = 0; k < 2; k++) {
			const T r0 = a0[k];
			const T r3 = r0 * r1;
			const T r4 = fn_square(r3);
			const T r5 = (T)(r4 <= r2);
			b0[k] = r5;
		}
		store_pack(y0 + i, b0);
	}
}

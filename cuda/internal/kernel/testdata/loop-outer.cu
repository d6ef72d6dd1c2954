KERNEL loop(float *y0, const T *x0, const T *x1, Division d1, Division d2, Index s0_1, Index s1_0, i64 n) {
	FOR_EACH(i, n) {
		const Divided c2 = divide((Index)i, d2);
		const Divided c1 = divide(c2.quotient, d1);
		const Index c0 = c1.quotient;
		const T r0 = x0[c1.rest * s0_1 + c2.rest];
		const T r1 = x1[c0 * s1_0 + c1.rest];
		const T r2 = r0 - r1;
		const T r3 = fn_reluGrad(r2, __uint_as_float(0x7f800000u));
		y0[i] = r3;
	}
}

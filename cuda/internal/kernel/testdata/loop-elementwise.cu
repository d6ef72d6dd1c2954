KERNEL loop(float *y0, float *y1, const T *x0, const T *x1, i64 n) {
	FOR_EACH(i, n) {
		const T r0 = x0[i];
		const T r1 = x1[i];
		const T r2 = fn_exp(r0);
		const T r3 = r2 + r1;
		const T r4 = fn_max(r3, 0x0p+00f);
		const T r5 = r4 * (-0x1.99999ap-04f);
		y0[i] = r3;
		y1[i] = r5;
	}
}

KERNEL loop(double *y0, const T *x0, const T *x1, const T *x2, Division d1, Division d2, i64 n) {
	const T r2 = x2[0];
	FOR_EACH(i, n) {
		const Divided c2 = divide((Index)i, d2);
		const Divided c1 = divide(c2.quotient, d1);
		const T r0 = x0[i];
		const T r1 = x1[c1.rest];
		const T r3 = r0 * r1;
		const T r4 = fn_square(r3);
		const T r5 = (T)(r4 <= r2);
		y0[i] = r5;
	}
}

KERNEL loop(double *y0, const T *x0, const T *x1, const T *x2, Div d1, Div d2, i64 n) {
	const T r2 = x2[0];
	FOR_EACH(i, n) {
		const i64 q2 = quotient(i, d2);
		const i64 q1 = quotient(q2, d1), c1 = q2 - q1 * d1.by;
		const T r0 = x0[i];
		const T r1 = x1[c1];
		const T r3 = r0 * r1;
		const T r4 = fn_square(r3);
		const T r5 = (T)(r4 <= r2);
		y0[i] = r5;
	}
}

KERNEL loop(bf16 *y0, const bf16 *x0, const T *x1, Div d1, i64 n) {
	FOR_EACH(i, n) {
		const i64 q1 = quotient(i, d1);
		const i64 c0 = q1;
		const T r0 = widen(x0[i]);
		const T r1 = x1[c0];
		const T r2 = r0 + r1;
		store(y0 + i, r2);
	}
}

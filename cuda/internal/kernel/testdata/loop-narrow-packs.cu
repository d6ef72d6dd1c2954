KERNEL loop(bf16 *y0, bf16 *y1, const bf16 *x0, const bf16 *x1, i64 n) {
	FOR_EACH(pack, n / 8) {
		const i64 i = pack * 8;
		T a0[8];
		load_pack(a0, x0 + i);
		T a1[8];
		load_pack(a1, x1 + i);
		T b0[8];
		T b1[8];
#pragma unroll
		for (int k = 0; k < 8; k++) {
			const T r0 = a0[k];
			const T r1 = a1[k];
			const T r2 = r0 + r1;
			const T r3 = fn_exp(r2);
			b0[k] = r2;
			b1[k] = r3;
		}
		store_pack(y0 + i, b0);
		store_pack(y1 + i, b1);
	}
}

// The counter-based generator Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
// 2011: the same words as package internal/philox.

struct Words {
	u32 w[4];
};

// The four random words of counter (c0, c1, c2, c3) under key (k0, k1).
__device__ __forceinline__ Words philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
	for (int round = 0; round < 10; round++) {
		const u64 a = (u64)0xD2511F53u * c0, b = (u64)0xCD9E8D57u * c2;
		c0 = (u32)(b >> 32) ^ c1 ^ k0;
		c1 = (u32)b;
		c2 = (u32)(a >> 32) ^ c3 ^ k1;
		c3 = (u32)a;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	Words r;
	r.w[0] = c0;
	r.w[1] = c1;
	r.w[2] = c2;
	r.w[3] = c3;
	return r;
}

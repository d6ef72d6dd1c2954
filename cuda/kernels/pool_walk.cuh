// The gradient of max pooling for windows that overlap their neighbours by no more than a stride: OVER_H and OVER_W are 1 or 2, blocks have
// SH×SW pixels. A thread goes down a column of p.run blocks, so that it finds the maximum of a window once for the blocks above and
// below, and reads a line of pixels once. For kernels that include pool.cuh.
// The columns under the windows over a block, and the lines that a window shares with the next one below.
#define SPAN ((OVER_W - 1) * SW + KW)
#define SHARED_LINES (KH - SH)

// The threads of a block, and the blocks of a multiprocessor: enough to wait for memory, with registers enough for the windows.
#define WALK_THREADS 128
#define WALK_BLOCKS 4

// Of each element its key is made: the number in the upper half, in the order of integers, and in the lower half what falls from
// pixel to pixel in row-major order. So the largest key under a window is that of the first maximum, no two pixels have the same, and an
// element is a window's maximum if their keys are equal. −0 is 0, and NaN is larger than any number. The key of a maximum is positive if that
// is above 0 where the pooling has written it, as SY; NaN is not.
template <typename S> struct Keys;

template <> struct Keys<bf16> {
	typedef int Key;
	static __device__ __forceinline__ Key key(bf16 x, int order) {
		const u32 bits = (x.bits & 0x7fffu) > 0x7f80u ? 0x7fffu : x.bits == 0x8000u ? 0u : x.bits;
		return (int)((bits & 0x8000u ? bits ^ 0x7fffu : bits) << 16 | (u32)order);
	}
	static __device__ __forceinline__ bool positive(Key key) { return (u32)key - 0x10000u < 0x7f800000u; }
	static __device__ __forceinline__ void keys(Key (&to)[PACK], const bf16 *from, int order) {
		const Pack<bf16, PACK> p = *(const Pack<bf16, PACK> *)from;
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			to[c] = key(p.v[c], order);
		}
	}
};

template <> struct Keys<float> {
	typedef i64 Key;
	static __device__ __forceinline__ void keys(Key (&to)[PACK], const float *from, int order) {
		float v[PACK];
		load_pack(v, from);
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			const int bits = __float_as_int(v[c] + 0.0f), ordered = bits ^ (bits >> 31 & 0x7fffffff);
			to[c] = (i64)(((u64)(u32)(v[c] == v[c] ? ordered : 0x7fffffff) << 32) | (u32)order);
		}
	}
	static __device__ __forceinline__ bool positive(Key key) {
		const u32 least = sizeof(SY) < sizeof(float) ? 0x8001u : 1u; // what is less is 0 as a bfloat16
		return (u32)(key >> 32) - least <= 0x7f800000u - least;
	}
};

typedef Keys<SX>::Key Key;

__device__ __forceinline__ Key most(Key a, Key b) { return a > b ? a : b; }

// A pointer that the compiler adds 32-bit offsets to, and does not take apart into sums of 64 bits.
template <typename S> __device__ __forceinline__ S *base(S *p) {
#ifndef NO_PTX
	asm("" : "+l"(p));
#endif
	return p;
}

__device__ __forceinline__ int within(int i, int n) { return i < 0 ? 0 : i < n ? i : n - 1; }

// The keys of a block's pixels on a line, and on that line the largest under each of the windows over the block.
struct Line {
	Key own[SW][PACK], most[OVER_W][PACK];
};

struct Reader {
	const SX *x;      // the thread's channels of the image
	int column[SPAN]; // where those under the windows begin in a line
	int left;         // how many of them lie in the padding on the left
	int begin;        // a line of the image that is not below any that is read

	// Pixels in the padding are read as the nearest on the image, which lies under the same windows: above and on the left as the same key, else
	// as a later one.
	__device__ __forceinline__ void read(Line &line, int row, const Pool &p) const {
		row = within(row, p.h);
		const int from = row * p.w * p.channels, order = 0xffff - (row - begin) * SPAN;
		Key keys[SPAN][PACK];
#pragma unroll
		for (int j = 0; j < SPAN; j++) {
			Keys<SX>::keys(keys[j], x + (from + column[j]), order - (j < left ? left : j));
		}
#pragma unroll
		for (int b = 0; b < OVER_W; b++) {
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				Key all = keys[b * SW][c];
#pragma unroll
				for (int j = 1; j < KW; j++) {
					all = ::most(all, keys[b * SW + j][c]);
				}
				line.most[b][c] = all;
			}
		}
#pragma unroll
		for (int j = 0; j < SW; j++) {
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				line.own[j][c] = keys[(OVER_W - 1) * SW + j][c];
			}
		}
	}
};

// A row of the windows over a block: their maxima's keys and gradients.
struct Over {
	Key most[OVER_W][PACK];
	T dy[OVER_W][PACK];
};

// Adds to the gradient of a pixel, whose key is own, what it gets of a row of windows: it lies on their line i and on column j of the
// last of them.
__device__ __forceinline__ void share(T (&total)[PACK], const Key (&own)[PACK], const Over &over, int i, int j) {
#pragma unroll
	for (int b = 0; b < OVER_W; b++) {
		if (i < KH && j + (OVER_W - 1 - b) * SW < KW) {
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				if (own[c] == over.most[b][c]) {
					total[c] += over.dy[b][c];
				}
			}
		}
	}
}

// Of a window's gradient and the key of its maximum, what is spread: the gradient itself.
struct Unmasked {
	__device__ __forceinline__ T window(T dy, Key, int, bool) const { return dy; }
};

// dx ← for the pixels of a run of blocks, the gradients dy of the windows whose first maximum they are. p.rows are runs of p.run blocks. An
// image has fewer than 2³¹ elements. f.window(dy, most, c, first) gives what becomes of the gradient of a window under which the largest key is
// `most`, in channel c of the pack; first is true for one of the threads that see the window, where that has a gradient.
template <typename F>
__device__ __forceinline__ void walk_down(SDX *dx, const SX *x, const SDY *dy, const PoolPlace &at, const Pool &p, const F &f) {
	const int top = at.row * p.run, last = at.column * SW - p.left, first = last - (OVER_W - 1) * SW; // columns
	Reader walk;
	walk.x = base(x + begin(at, p.h, p.w, p));
	walk.left = first < 0 ? -first : 0;
	walk.begin = within((top - OVER_H + 1) * SH - p.top, p.h);
#pragma unroll
	for (int j = 0; j < SPAN; j++) {
		walk.column[j] = within(first + j, p.w) * p.channels;
	}
	const SDY *from = base(dy + begin(at, p.oh, p.ow, p));
	SDX *to = base(dx + begin(at, p.h, p.w, p));
	Line lines[KH];
	Over above, over;
#pragma unroll
	for (int i = 0; i < SHARED_LINES; i++) {
		walk.read(lines[i], (top - OVER_H + 1) * SH + i - p.top, p);
	}
	for (int row = top - OVER_H + 1; row < top + p.run; row++) {
#pragma unroll
		for (int i = SHARED_LINES; i < KH; i++) {
			walk.read(lines[i], row * SH + i - p.top, p);
		}
#pragma unroll
		for (int b = 0; b < OVER_W; b++) {
			const int column = at.column - (OVER_W - 1) + b;
			T dy[PACK] = {};
			if (row >= 0 && row < p.oh && column >= 0 && column < p.ow) {
				load_pack(dy, from + (row * p.ow + column) * p.channels);
			}
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				Key all = lines[0].most[b][c];
#pragma unroll
				for (int i = 1; i < KH; i++) {
					all = most(all, lines[i].most[b][c]);
				}
				over.most[b][c] = all;
				over.dy[b][c] = f.window(dy[c], all, c, b == OVER_W - 1 && row >= top);
			}
		}
#pragma unroll
		for (int i = 0; i < SH; i++) {
			const int line = row * SH + i - p.top;
			if (row < top || line < 0 || line >= p.h) {
				continue;
			}
#pragma unroll
			for (int j = 0; j < SW; j++) {
				T total[PACK] = {};
				if (OVER_H > 1) {
					share(total, lines[i].own[j], above, i + SH, j);
				}
				share(total, lines[i].own[j], over, i, j);
				if (last + j >= 0 && last + j < p.w) {
					store_pack(to + (line * p.w + last + j) * p.channels, total);
				}
			}
		}
		above = over;
#pragma unroll
		for (int i = 0; i < SHARED_LINES; i++) {
			lines[i] = lines[i + SH];
		}
	}
}

#include "pool.cuh"

// Small windows are unrolled, and the windows over a block if they are few.
#define UNROLLED 16
#define LINES (KH * KW <= UNROLLED ? KH : 1)
#define COLUMNS (KH * KW <= UNROLLED ? KW : 1)
#define FEW (KH * KW <= UNROLLED && OVER_H * OVER_W <= 4)
#define WINDOWS_H (FEW ? OVER_H : 1)
#define WINDOWS_W (FEW ? OVER_W : 1)

// The part of a window that lies on the image: lines and columns of the window, which begins at (row, column) of the image.
struct Window {
	int row, column, top, bottom, left, right;
	__device__ __forceinline__ bool has(int i, int j) const { return i >= top && i < bottom && j >= left && j < right; }
	__device__ __forceinline__ int count() const { return (bottom - top) * (right - left); }
};

__device__ __forceinline__ Window window(int row, int column, const Pool &p) {
	Window k;
	k.row = row * SH - p.top;
	k.column = column * SW - p.left;
	k.top = k.row < 0 ? -k.row : 0;
	k.left = k.column < 0 ? -k.column : 0;
	k.bottom = p.h - k.row < KH ? p.h - k.row : KH;
	k.right = p.w - k.column < KW ? p.w - k.column : KW;
	return k;
}

// Calls f(v, i·KW + j) for what x, where an image begins, has under a window at (i, j), in row-major order.
template <typename F> __device__ __forceinline__ void look(const SX *x, const Window &k, const Pool &p, F f) {
	const bool small = KH * KW <= UNROLLED;
#pragma unroll LINES
	for (int i = small ? 0 : k.top; i < (small ? KH : k.bottom); i++) {
#pragma unroll COLUMNS
		for (int j = small ? 0 : k.left; j < (small ? KW : k.right); j++) {
			if (!small || k.has(i, j)) {
				T v[PACK];
				load_pack(v, x + ((i64)(k.row + i) * p.w + (k.column + j)) * p.channels);
				f(v, i * KW + j);
			}
		}
	}
}

// How many bytes of a small window a thread asks for before it looks at the first of them: all of most windows, or whole lines.
#define ASKED 256
#define LINE_BYTES (KW * PACK * (int)sizeof(SX))
#define ASKED_LINES (KH * KW > UNROLLED ? 1 : KH * LINE_BYTES <= ASKED ? KH : LINE_BYTES <= ASKED ? ASKED / LINE_BYTES : 1)

// Calls f likewise, but of small windows for all places, of those in padding with `none`, which must change nothing: without branches between
// the accesses to memory a thread waits once for all.
template <typename F> __device__ __forceinline__ void look_at_once(const SX *x, const Window &k, const Pool &p, T none, F f) {
	if constexpr (KH * KW > UNROLLED) {
		look(x, k, p, f);
	} else {
		T nothing[PACK];
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			nothing[c] = none;
		}
#pragma unroll
		for (int first = 0; first < KH; first += ASKED_LINES) {
			Waiting<SX, PACK> found[ASKED_LINES][KW];
#pragma unroll
			for (int i = 0; i < ASKED_LINES && first + i < KH; i++) {
#pragma unroll
				for (int j = 0; j < KW; j++) {
					found[i][j].set(nothing);
					if (k.has(first + i, j)) {
						found[i][j] = *(const Waiting<SX, PACK> *)(x + ((i64)(k.row + first + i) * p.w + (k.column + j)) * p.channels);
					}
				}
			}
#pragma unroll
			for (int i = 0; i < ASKED_LINES && first + i < KH; i++) {
#pragma unroll
				for (int j = 0; j < KW; j++) {
					T v[PACK];
#pragma unroll
					for (int c = 0; c < PACK; c++) {
						v[c] = found[i][j][c];
					}
					f(v, (first + i) * KW + j);
				}
			}
		}
	}
}

// The largest elements under a window and the first of their places in it, in row-major order. NaN is larger than any number.
struct Maxima {
	T most[PACK];
	int at[PACK];
};

// AT_ONCE is how max_pool does it; the others have too much else in their registers.
template <bool AT_ONCE = false> __device__ __forceinline__ void maxima(Maxima &m, const SX *x, const Window &k, const Pool &p) {
	const T least = T(__uint_as_float(0xff800000u)); // −∞
#pragma unroll
	for (int c = 0; c < PACK; c++) {
		m.most[c] = least;
		m.at[c] = k.top * KW + k.left;
	}
	const auto compare = [&m](const T(&v)[PACK], int at) {
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			const bool more = !(v[c] <= m.most[c]) && m.most[c] == m.most[c];
			m.most[c] = more ? v[c] : m.most[c];
			m.at[c] = more ? at : m.at[c];
		}
	};
	if constexpr (AT_ONCE) {
		look_at_once(x, k, p, least, compare);
	} else {
		look(x, k, p, compare);
	}
}

// y ← the largest element under each window.
KERNEL max_pool(SY *y, const SX *x, const Pool p) {
	FOR_EACH(i, p.threads) {
		const PoolPlace at = place(i, p);
		Maxima m;
		maxima<true>(m, x + begin(at, p.h, p.w, p), window(at.row, at.column, p), p);
		store_pack(y + i * PACK, m.most);
	}
}

// y ← the element of v where x has its maximum under each window.
KERNEL max_pool_gather(SY *y, const SX *x, const T *v, const Pool p) {
	FOR_EACH(i, p.threads) {
		const PoolPlace at = place(i, p);
		const i64 from = begin(at, p.h, p.w, p);
		const Window k = window(at.row, at.column, p);
		Maxima m;
		maxima(m, x + from, k, p);
		T found[PACK];
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			const int line = m.at[c] / KW;
			found[c] = v[from + ((i64)(k.row + line) * p.w + (k.column + m.at[c] - line * KW)) * p.channels + c];
		}
		store_pack(y + i * PACK, found);
	}
}

// y ← the mean of the elements under each window; padding does not count.
KERNEL avg_pool(SY *y, const SX *x, const Pool p) {
	FOR_EACH(i, p.threads) {
		const PoolPlace at = place(i, p);
		const Window k = window(at.row, at.column, p);
		T total[PACK] = {};
		look_at_once(x + begin(at, p.h, p.w, p), k, p, T(0), [&total](const T(&v)[PACK], int) { // a total is never −0, which 0 would change
#pragma unroll
			for (int c = 0; c < PACK; c++) {
				total[c] += v[c];
			}
		});
		const T count = T(k.count());
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			total[c] /= count;
		}
		store_pack(y + i * PACK, total);
	}
}

// dx ← for each pixel of a block, the sum of its shares in the windows over it, in their order: no two threads write to one place.
// f.window(dy, k) takes the pack dy of the gradient of window k; then f.share(c, at) is the share in channel c of the window's
// place at.
template <typename F> __device__ __forceinline__ void gradients(SDX *dx, const SDY *dy, const PoolPlace &at, const Pool &p, F f) {
	const int h = at.row * BH, w = at.column * BW; // of the block, counted from the padding's first pixel
	const int last_h = BH == SH ? at.row : h / SH, last_w = BW == SW ? at.column : w / SW;
	const SDY *from = dy + begin(at, p.oh, p.ow, p);
	T total[BH][BW][PACK] = {};
	const int most_up = FEW || last_h > OVER_H - 1 ? OVER_H - 1 : last_h, most_back = FEW || last_w > OVER_W - 1 ? OVER_W - 1 : last_w;
#pragma unroll WINDOWS_H
	for (int up = most_up; up >= 0; up--) {
		const int row = last_h - up, i0 = (BH == SH ? 0 : h - last_h * SH) + up * SH; // the block's first line in the window
		if (row < 0 || row >= p.oh) {
			continue;
		}
#pragma unroll WINDOWS_W
		for (int back = most_back; back >= 0; back--) {
			const int column = last_w - back, j0 = (BW == SW ? 0 : w - last_w * SW) + back * SW;
			if (column < 0 || column >= p.ow) {
				continue;
			}
			T g[PACK];
			load_pack(g, from + ((i64)row * p.ow + column) * p.channels);
			f.window(g, window(row, column, p));
#pragma unroll
			for (int i = 0; i < BH; i++) {
#pragma unroll
				for (int j = 0; j < BW; j++) {
					if (i0 + i < KH && j0 + j < KW) {
#pragma unroll
						for (int c = 0; c < PACK; c++) {
							total[i][j][c] += f.share(c, (i0 + i) * KW + j0 + j);
						}
					}
				}
			}
		}
	}
	SDX *to = dx + begin(at, p.h, p.w, p);
#pragma unroll
	for (int i = 0; i < BH; i++) {
#pragma unroll
		for (int j = 0; j < BW; j++) {
			const int row = h + i - p.top, column = w + j - p.left;
			if (row >= 0 && row < p.h && column >= 0 && column < p.w) {
				store_pack(to + ((i64)row * p.w + column) * p.channels, total[i][j]);
			}
		}
	}
}

struct MaxShares {
	const SX *x;
	const Pool &p;
	T g[PACK];
	Maxima m;
	__device__ __forceinline__ void window(const T (&dy)[PACK], const Window &k) {
		maxima(m, x, k, p);
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			g[c] = dy[c];
		}
	}
	__device__ __forceinline__ T share(int c, int at) const { return m.at[c] == at ? g[c] : T(0); }
};

// dx ← the gradients dy of the windows whose first maximum an element is.
KERNEL max_pool_grad(SDX *dx, const SX *x, const SDY *dy, const Pool p) {
	FOR_EACH(i, p.threads) {
		const PoolPlace at = place(i, p);
		gradients(dx, dy, at, p, MaxShares{x + begin(at, p.h, p.w, p), p});
	}
}

struct AverageShares {
	T g[PACK];
	__device__ __forceinline__ void window(const T (&dy)[PACK], const Window &k) {
		const T count = T(k.count());
#pragma unroll
		for (int c = 0; c < PACK; c++) {
			g[c] = dy[c] / count;
		}
	}
	__device__ __forceinline__ T share(int c, int) const { return g[c]; }
};

// dx ← for each element, its shares of the gradients dy of the windows over it.
KERNEL avg_pool_grad(SDX *dx, const SDY *dy, const Pool p) {
	FOR_EACH(i, p.threads) { gradients(dx, dy, place(i, p), p, AverageShares{}); }
}

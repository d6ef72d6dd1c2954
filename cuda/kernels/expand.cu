// Convolutions of images that are smaller than the window, as products of matrices: each image is a row of all its pixels' channels, and the
// matrix has for every pair of an input pixel and an output pixel the tap that connects them, which there always is. S is the type of the
// matrix in memory: T, or bf16.

#include "filters.cuh"

#ifndef S
#define S T
#endif

#define MOST 50

// A window along an axis: tap k of it, for result o, is on element o·stride − before + k·dilation.
struct Axis {
	int in, out, kernel, stride, dilation, before;
};

// The tap on element i for result o.
__device__ __forceinline__ int tap_of(const Axis &a, int i, int o) { return (i + a.before - o * a.stride) / a.dilation; }

struct Filter {
	u64 from, to; // addresses
	int channels, filters;
	Axis h, w;
	int first; // block
};

struct Filters {
	Filter of[MOST];
	int count;
};

// The matrix as cuDNN reads filters of 1×1: (output pixels, filters; input pixels, channels). The filter is (taps, channels, filters). A block
// does a tile of a pair.
KERNEL expand(const Filters filters) {
	__shared__ T tile[SIDE][SIDE + 1];
	const Filter &f = filters.of[filter_of(filters)];
	const T *from = (const T *)f.from;
	S *to = (S *)f.to;
	const int across = (f.filters + SIDE - 1) / SIDE, down = (f.channels + SIDE - 1) / SIDE, pixels = f.h.in * f.w.in;
	const int block = blockIdx.x - f.first, rest = block / across, pair = rest / down;
	const int filter = (block - rest * across) * SIDE, channel = (rest - pair * down) * SIDE;
	const int p = pair / pixels, q = pair - p * pixels; // results, inputs
	const int oh = p / f.w.out, ih = q / f.w.in;
	const int tap = tap_of(f.h, ih, oh) * f.w.kernel + tap_of(f.w, q - ih * f.w.in, p - oh * f.w.out);
	from += (i64)tap * f.channels * f.filters;
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int c = channel + i, k = filter + threadIdx.x;
		tile[i][threadIdx.x] = c < f.channels && k < f.filters ? from[(i64)c * f.filters + k] : T(0);
	}
	__syncthreads();
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int c = channel + threadIdx.x, k = filter + i;
		if (c < f.channels && k < f.filters) {
			store(&to[((i64)p * f.filters + k) * pixels * f.channels + (i64)q * f.channels + c], tile[threadIdx.x][i]);
		}
	}
}

struct Window {
	Div rows, packs; // of dw: its rows in a tap or a filter, and packs of PACK elements in a row
	Axis h, w;
};

#ifdef PACK
#ifndef D
#define D T
#endif

// to ← over the pairs that a tap connects the sum of the elements at from, in the order of the output pixels; 0 where it connects none. The
// elements of a pair are those of its input pixel, `in` apart, and of its output pixel, `out` apart.
__device__ __forceinline__ void fold(D *to, const S *from, const Window &g, int tap, i64 in, i64 out) {
	const int kh = tap / g.w.kernel, kw = tap - kh * g.w.kernel;
	T sum[PACK];
#pragma unroll
	for (int k = 0; k < PACK; k++) {
		sum[k] = T(0);
	}
	for (int oh = 0; oh < g.h.out; oh++) {
		const int ih = oh * g.h.stride - g.h.before + kh * g.h.dilation;
		if (ih < 0 || ih >= g.h.in) {
			continue;
		}
		for (int ow = 0; ow < g.w.out; ow++) {
			const int iw = ow * g.w.stride - g.w.before + kw * g.w.dilation;
			if (iw < 0 || iw >= g.w.in) {
				continue;
			}
			T v[PACK];
			load_pack(v, from + (ih * g.w.in + iw) * in + (oh * g.w.out + ow) * out);
#pragma unroll
			for (int k = 0; k < PACK; k++) {
				sum[k] += v[k];
			}
		}
	}
	store_pack(to, sum);
}

// The gradient of a filter: dw: (taps, channels, filters), n elements in all; pairs: (input pixels, channels; output pixels, filters). rows of
// the window are channels.
KERNEL fold_taps(D *dw, const S *pairs, const Window g, i64 n) {
	const i64 filters = g.packs.by * PACK, row = (i64)g.h.out * g.w.out * filters;
	FOR_EACH(i, n / PACK) {
		const i64 r = quotient(i, g.packs), tap = quotient(r, g.rows);
		const S *const from = pairs + (r - tap * g.rows.by) * row + (i - r * g.packs.by) * PACK;
		fold(dw + i * PACK, from, g, (int)tap, g.rows.by * row, filters);
	}
}

// The same, filters first: dw: (filters, taps, channels); pairs: (output pixels, filters; input pixels, channels). rows of the window are taps.
KERNEL fold_taps_transposed(D *dw, const S *pairs, const Window g, i64 n) {
	const i64 channels = g.packs.by * PACK, row = (i64)g.h.in * g.w.in * channels, filters = n / (g.rows.by * channels);
	FOR_EACH(i, n / PACK) {
		const i64 r = quotient(i, g.packs), filter = quotient(r, g.rows);
		const S *const from = pairs + filter * row + (i - r * g.packs.by) * PACK;
		fold(dw + i * PACK, from, g, (int)(r - filter * g.rows.by), channels, filters * row);
	}
}
#endif

// Boxes of pictures become images of one size: cut out, resized, mirrored and normalised, as op.CropAndResize says. Sums are rounded one
// by one and in the host's order, so that images are the host's, bit by bit.
//
// y: batch × HEIGHT × WIDTH × CHANNELS. pictures: batch × PIXELS × CHANNELS bytes. draws: NUMBERS integers of each picture: rows, columns,
// and in units of 1/UNIT of a pixel top, left, height and width of the box; then 1 to mirror it; with CUTOUT the middle of the square; with
// MIXUP the picture whose image is mixed in, and the share of the image itself in units of 2^-24. scale and shift, a text in front of this
// one: what a weighted mean of bytes is multiplied by, and what is added, for each channel.
#define UNIT 65536
#ifndef SY
#define SY T // the type of y in memory
#endif

// One rounding each: no product is contracted with a sum.
__device__ __forceinline__ float times(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ float ratio(i64 a, float b) { return __fdiv_rn((float)a, b); }
__device__ __forceinline__ double ratio(i64 a, double b) { return __ddiv_rn((double)a, b); }

// The pixels that number o of OUT takes part of in one direction, first to last, and their weights: a triangle around centre. Positions
// are in units of 1/(2·OUT·UNIT) of a pixel, in which all of them are whole numbers.
template <int OUT> struct Taps {
	i64 centre, radius;
	int first, last;
	T sum;

	__device__ __forceinline__ Taps(int o, int pixels, i64 start, i64 length) {
		const i64 pixel = 2 * (i64)OUT * UNIT;
		centre = 2 * (i64)OUT * start + (2 * o + 1) * length;
		radius = 2 * length > pixel ? 2 * length : pixel;
		first = (int)((centre > radius ? centre - radius : 0) / pixel);
		last = (int)((centre + radius) / pixel);
		last = last < pixels ? last : pixels - 1;
		i64 all = 0;
		for (int i = first; i <= last; i++) {
			all += part(i);
		}
		sum = (T)all;
	}

	__device__ __forceinline__ i64 part(int i) const {
		i64 d = (2 * (i64)i + 1) * OUT * UNIT - centre;
		d = radius - (d < 0 ? -d : d);
		return d > 0 ? d : 0;
	}

	__device__ __forceinline__ T weight(int i) const { return ratio(part(i), sum); }
};

// Weights of a thread's column that are kept from row to row: all of them where a box is at most two and a half times as wide as the
// image.
#define KEPT 6

// A column of an image: what it is made of.
struct Column {
	const u8 *from; // the picture, from the first of the pixels that take part on
	i64 top, height;
	int rows, columns, count;
	T kept[KEPT];
	Taps<WIDTH> h;
#if CUTOUT
	int cut;      // the square's first row
	bool crossed; // by the square's columns
#endif

	__device__ __forceinline__ Column(const u8 *pictures, const i64 *draws, i64 image, int column)
		: from(pictures + image * ((i64)PIXELS * CHANNELS)), top(draws[NUMBERS * image + 2]), height(draws[NUMBERS * image + 4]),
		  rows((int)draws[NUMBERS * image]), columns((int)draws[NUMBERS * image + 1]),
		  h(draws[NUMBERS * image + 6] != 0 ? WIDTH - 1 - column : column, columns, draws[NUMBERS * image + 3], draws[NUMBERS * image + 5]) {
		from += (i64)h.first * CHANNELS;
		count = h.last - h.first + 1;
#pragma unroll
		for (int i = 0; i < KEPT; i++) {
			kept[i] = i < count ? h.weight(h.first + i) : T(0);
		}
#if CUTOUT
		cut = (int)draws[NUMBERS * image + 7] - CUTOUT / 2;
		const int left = (int)draws[NUMBERS * image + 8] - CUTOUT / 2;
		crossed = column >= left && column < left + CUTOUT;
#endif
	}

	// The numbers of a line, before they are mixed.
	__device__ __forceinline__ void at(int line, T *to) const {
#if CUTOUT
		if (crossed && line >= cut && line < cut + CUTOUT) {
			for (int c = 0; c < CHANNELS; c++) {
				to[c] = T(0);
			}
			return;
		}
#endif
		const Taps<HEIGHT> v(line, rows, top, height);
		T all[CHANNELS] = {};
		for (int r = v.first; r <= v.last; r++) {
			const u8 *p = from + (i64)r * columns * CHANNELS;
			T sum[CHANNELS] = {};
			if (count <= KEPT) {
#pragma unroll
				for (int i = 0; i < KEPT; i++) {
					if (i < count) {
#pragma unroll
						for (int c = 0; c < CHANNELS; c++) {
							sum[c] = plus(sum[c], times(kept[i], (T)p[i * CHANNELS + c]));
						}
					}
				}
			} else {
				for (int i = 0; i < count; i++) {
					const T w = h.weight(h.first + i);
					for (int c = 0; c < CHANNELS; c++) {
						sum[c] = plus(sum[c], times(w, (T)p[i * CHANNELS + c]));
					}
				}
			}
			const T w = v.weight(r);
#pragma unroll
			for (int c = 0; c < CHANNELS; c++) {
				all[c] = plus(all[c], times(w, sum[c]));
			}
		}
#pragma unroll
		for (int c = 0; c < CHANNELS; c++) {
			to[c] = plus(times(all[c], scale[c]), shift[c]);
		}
	}
};

// A block works on picture blockIdx.x; blocks of one blockIdx.y after the other share its rows. Threads take columns.
KERNEL crop_and_resize(SY *y, const u8 *pictures, const i64 *draws) {
	const i64 image = blockIdx.x;
	SY *to = y + image * ((i64)HEIGHT * WIDTH * CHANNELS);
	for (int column = threadIdx.x; column < WIDTH; column += blockDim.x) {
		const Column own(pictures, draws, image, column);
#if MIXUP
		const i64 *mix = draws + NUMBERS * (image + 1) - 2;
		const Column other(pictures, draws, mix[0], column);
		const T whole = T(16777216), share = (T)mix[1] / whole, rest = (T)(16777216 - mix[1]) / whole;
#endif
		for (int line = blockIdx.y; line < HEIGHT; line += gridDim.y) {
			T v[CHANNELS];
			own.at(line, v);
#if MIXUP
			if (rest != T(0)) {
				T w[CHANNELS];
				other.at(line, w);
#pragma unroll
				for (int c = 0; c < CHANNELS; c++) {
					v[c] = plus(times(share, v[c]), times(rest, w[c]));
				}
			}
#endif
			SY *out = to + ((i64)line * WIDTH + column) * CHANNELS;
#pragma unroll
			for (int c = 0; c < CHANNELS; c++) {
				store(out + c, v[c]);
			}
		}
	}
}

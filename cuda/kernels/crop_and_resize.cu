// Boxes of pictures become images of one size: cut out, resized, mirrored and normalised, as op.CropAndResize says. Sums are rounded one
// by one and in the host's order, so that images are the host's, bit by bit.
//
// y: batch × HEIGHT × WIDTH × CHANNELS. pictures: batch × PIXELS × CHANNELS bytes. draws: 7 integers of each picture: rows, columns, and
// in units of 1/UNIT of a pixel top, left, height and width of the box; then 1 to mirror it. scale and shift, a text in front of this one:
// what a weighted mean of bytes is multiplied by, and what is added, for each channel.
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

// A block works on picture blockIdx.x; blocks of one blockIdx.y after the other share its rows. Threads take columns.
KERNEL crop_and_resize(SY *y, const u8 *pictures, const i64 *draws) {
	const i64 image = blockIdx.x;
	const i64 *draw = draws + 7 * image;
	const int rows = (int)draw[0], columns = (int)draw[1];
	const i64 top = draw[2], left = draw[3], height = draw[4], width = draw[5];
	const bool mirror = draw[6] != 0;
	const u8 *from = pictures + image * ((i64)PIXELS * CHANNELS);
	SY *to = y + image * ((i64)HEIGHT * WIDTH * CHANNELS);
	for (int column = threadIdx.x; column < WIDTH; column += blockDim.x) {
		const Taps<WIDTH> h(column, columns, left, width);
		const int count = h.last - h.first + 1;
		T kept[KEPT];
#pragma unroll
		for (int i = 0; i < KEPT; i++) {
			kept[i] = i < count ? h.weight(h.first + i) : T(0);
		}
		for (int line = blockIdx.y; line < HEIGHT; line += gridDim.y) {
			const Taps<HEIGHT> v(line, rows, top, height);
			T all[CHANNELS] = {};
			for (int r = v.first; r <= v.last; r++) {
				const u8 *p = from + ((i64)r * columns + h.first) * CHANNELS;
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
			SY *out = to + ((i64)line * WIDTH + (mirror ? WIDTH - 1 - column : column)) * CHANNELS;
#pragma unroll
			for (int c = 0; c < CHANNELS; c++) {
				store(out + c, plus(times(all[c], scale[c]), shift[c]));
			}
		}
	}
}

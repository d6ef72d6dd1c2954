// Images of images that are turned, shifted, scaled, sheared or projected, as op.AffineTransform says, bit by bit: positions are computed in double, and
// products and sums are rounded one by one, in the host's order.
//
// ROWS, COLUMNS and CHANNELS of an image; NEAREST: 1 for the nearest pixel, 0 for a mean of four; BORDER: 0 constant, 1 reflect, 2 wrap, 3 nearest; FILL.
#define REACH 1073741824.0

__device__ __forceinline__ float times(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }

// The pixel of n that is read for the pixel i, and -1 for the fill.
__device__ __forceinline__ int inside(int i, int n) {
	if (i >= 0 && i < n) {
		return i;
	}
#if BORDER == 1
	const i64 all = 2 * (i64)n;
	i64 r = (i64)i % all;
	r += r < 0 ? all : 0;
	return (int)(r >= n ? all - 1 - r : r);
#elif BORDER == 2
	i %= n;
	return i < 0 ? i + n : i;
#elif BORDER == 3
	return i < 0 ? 0 : n - 1;
#else
	return -1;
#endif
}

// A pixel of an image, counted row by row, and -1 for the fill.
__device__ __forceinline__ i64 pixel_at(int row, int column) {
	const int r = inside(row, ROWS), c = inside(column, COLUMNS);
	return r < 0 || c < 0 ? -1 : (i64)r * COLUMNS + c;
}

// What a pixel is made of: at most four pixels of the image and their weights.
struct Taps {
	i64 at[4];
	T weight[4];

	// t: the image's eight numbers.
	__device__ __forceinline__ Taps(const T *t, int row, int column) {
		const double x = column, y = row;
		const double k = plus(plus(times((double)t[6], x), times((double)t[7], y)), 1.0);
		const double c = __ddiv_rn(plus(plus(times((double)t[0], x), times((double)t[1], y)), (double)t[2]), k);
		const double r = __ddiv_rn(plus(plus(times((double)t[3], x), times((double)t[4], y)), (double)t[5]), k);
		for (int i = 0; i < 4; i++) {
			at[i] = -1;
			weight[i] = T(0);
		}
		if (!(fabs(c) <= REACH && fabs(r) <= REACH)) {
			weight[0] = T(1);
			return;
		}
#if NEAREST
		at[0] = pixel_at((int)round(r), (int)round(c));
		weight[0] = T(1);
#else
		const double top = floor(r), left = floor(c), down = r - top, right = c - left;
		const int i = (int)top, j = (int)left;
		at[0] = pixel_at(i, j);
		at[1] = pixel_at(i, j + 1);
		at[2] = pixel_at(i + 1, j);
		at[3] = pixel_at(i + 1, j + 1);
		weight[0] = (T)times(1.0 - down, 1.0 - right);
		weight[1] = (T)times(1.0 - down, right);
		weight[2] = (T)times(down, 1.0 - right);
		weight[3] = (T)times(down, right);
#endif
	}
};

// y: total elements, images of x with transforms.
KERNEL affine_transform(T *y, const T *x, const T *transforms, Div channels, Div columns, Div rows, i64 total) {
	FOR_EACH(i, total) {
		const i64 pixel = quotient(i, channels), line = quotient(pixel, columns), image = quotient(line, rows);
		const Taps taps(transforms + 8 * image, (int)(line - image * ROWS), (int)(pixel - line * COLUMNS));
		const T *from = x + image * ((i64)ROWS * COLUMNS * CHANNELS) + (i - pixel * CHANNELS);
		T sum = T(0);
#pragma unroll
		for (int k = 0; k < 4; k++) {
			if (taps.weight[k] != T(0)) {
				sum = plus(sum, times(taps.weight[k], taps.at[k] < 0 ? T(FILL) : from[taps.at[k] * CHANNELS]));
			}
		}
		y[i] = sum;
	}
}

// dx: the gradient of images with transforms, of that of their results. A thread adds up a channel of an image, pixel by pixel, so that sums are always the
// same; few networks ask for it, since what is turned are images, which are no weights.
KERNEL affine_transform_grad(T *dx, const T *transforms, const T *dy, Div channels, i64 planes) {
	FOR_EACH(plane, planes) {
		const i64 image = quotient(plane, channels), first = image * ((i64)ROWS * COLUMNS * CHANNELS) + (plane - image * CHANNELS);
		T *to = dx + first;
		const T *from = dy + first;
		for (i64 i = 0; i < (i64)ROWS * COLUMNS; i++) {
			to[i * CHANNELS] = T(0);
		}
		for (int row = 0; row < ROWS; row++) {
			for (int column = 0; column < COLUMNS; column++) {
				const Taps taps(transforms + 8 * image, row, column);
				const T v = from[((i64)row * COLUMNS + column) * CHANNELS];
				for (int k = 0; k < 4; k++) {
					if (taps.weight[k] != T(0) && taps.at[k] >= 0) {
						T *const p = to + taps.at[k] * CHANNELS;
						*p = plus(*p, times(taps.weight[k], v));
					}
				}
			}
		}
	}
}

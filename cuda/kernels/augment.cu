// Images of bytes become numbers: each moved, mirrored, normalised and so on, as op.Augment says.
//
// y: batch × HEIGHT × WIDTH × CHANNELS. images: bytes in the same order; with INDEXED those of a whole set, of which index names the
// batch's. draws: NUMBERS integers of each image: dy, dx, flip; with CUTOUT the middle of the square; with MIXUP the image that is mixed
// in, and the share of the image itself in units of 2^-24. table, a text in front of this one: CHANNELS × 256, the number of each byte
// of a channel.
#ifndef SY
#define SY T // the type of y in memory
#endif

// How an image of the batch is taken.
struct Crop {
	const u8 *from;
	int dy, dx, top, left;
	bool mirror;
};

__device__ __forceinline__ Crop crop_of(const u8 *images, const i64 *draws, const i64 *index, i64 image) {
	const i64 *draw = draws + NUMBERS * image;
	Crop c;
	c.from = images + (INDEXED ? index[image] : image) * (i64)(HEIGHT * WIDTH * CHANNELS);
	c.dy = (int)draw[0], c.dx = (int)draw[1], c.mirror = draw[2] != 0;
#if CUTOUT
	c.top = (int)draw[3] - CUTOUT / 2, c.left = (int)draw[4] - CUTOUT / 2;
#endif
	return c;
}

// The number of a pixel's channel, before it is mixed.
__device__ __forceinline__ T sample(const Crop &c, int line, int column, int channel) {
#if CUTOUT
	if (line >= c.top && line < c.top + CUTOUT && column >= c.left && column < c.left + CUTOUT) {
		return T(0);
	}
#endif
	const int sy = line + c.dy, sx = (c.mirror ? WIDTH - 1 - column : column) + c.dx;
	u8 v = 0; // black, before normalisation
	if (sy >= 0 && sy < HEIGHT && sx >= 0 && sx < WIDTH) {
		v = c.from[(sy * WIDTH + sx) * CHANNELS + channel];
	}
	return table[channel * 256 + v];
}

#if MIXUP
// One rounding each, as on the host: no product is contracted with the sum.
__device__ __forceinline__ float mixed(float x, float y, int share) {
	const float whole = 16777216.0f;
	return __fadd_rn(__fmul_rn((float)share / whole, x), __fmul_rn((float)(16777216 - share) / whole, y));
}

__device__ __forceinline__ double mixed(double x, double y, int share) {
	const double whole = 16777216.0;
	return __dadd_rn(__dmul_rn((double)share / whole, x), __dmul_rn((double)(16777216 - share) / whole, y));
}
#endif

// A block works on image blockIdx.x; blocks of one blockIdx.y after the other share it.
KERNEL augment(SY *y, const u8 *images, const i64 *draws, const i64 *index) {
	const i64 image = blockIdx.x;
	const int row = WIDTH * CHANNELS, size = HEIGHT * row;
	SY *to = y + image * size;
	const Crop own = crop_of(images, draws, index, image);
#if MIXUP
	const i64 *mix = draws + NUMBERS * (image + 1) - 2;
	const Crop other = crop_of(images, draws, index, mix[0]);
	const int share = (int)mix[1];
#endif
	for (int i = blockIdx.y * blockDim.x + threadIdx.x; i < size; i += gridDim.y * blockDim.x) {
		const int line = i / row, rest = i - line * row, column = rest / CHANNELS, channel = rest - column * CHANNELS;
		T v = sample(own, line, column, channel);
#if MIXUP
		if (share != 16777216) {
			v = mixed(v, sample(other, line, column, channel), share);
		}
#endif
		store(to + i, v);
	}
}

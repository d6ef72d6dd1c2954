// Images of bytes become numbers: each moved, mirrored and normalised, as op.Augment says.
//
// y: batch × HEIGHT × WIDTH × CHANNELS. images: bytes in the same order. draws: dy, dx, flip of each image. table, a text in front
// of this one: CHANNELS × 256, the number of each byte of a channel. A block works on image blockIdx.x; blocks of one blockIdx.y
// after the other share it.
#ifndef SY
#define SY T // the type of y in memory
#endif
KERNEL augment(SY *y, const u8 *images, const i64 *draws) {
	const i64 image = blockIdx.x;
	const int dy = (int)draws[3 * image], dx = (int)draws[3 * image + 1];
	const bool mirror = draws[3 * image + 2] != 0;
	const int row = WIDTH * CHANNELS, size = HEIGHT * row;
	const u8 *from = images + image * size;
	SY *to = y + image * size;
	for (int i = blockIdx.y * blockDim.x + threadIdx.x; i < size; i += gridDim.y * blockDim.x) {
		const int line = i / row, rest = i - line * row, column = rest / CHANNELS, channel = rest - column * CHANNELS;
		const int sy = line + dy, sx = (mirror ? WIDTH - 1 - column : column) + dx;
		u8 v = 0; // black, before normalisation
		if (sy >= 0 && sy < HEIGHT && sx >= 0 && sx < WIDTH) {
			v = from[(sy * WIDTH + sx) * CHANNELS + channel];
		}
		store(to + i, table[channel * 256 + v]);
	}
}

// A batch of training images, taken from a data set that lies on the device: moved by up to pad pixels, mirrored by chance, and
// normalized, as package data does it on the host, bit by bit.
//
// y: batch × height × width × channels. images: the set, bytes of height × width × channels each. index: the numbers of the
// batch's images in the set. epoch: one number. table: 256 × channels, the value of each byte. Crop and flip of an image are a
// function of the key, the epoch and the image's number. A block works on image blockIdx.x; blocks of one blockIdx.y after the
// other share it.
KERNEL augment(T *y, const u8 *images, const i64 *index, const i64 *epoch, const float *table, int height, int width, int channels, int pad, int flip, u32 k0,
               u32 k1) {
	const i64 size = (i64)height * width * channels, image = index[blockIdx.x];
	const Words r = philox((u32)image, (u32)*epoch, 0, 2 /* philox.StreamAugment */, k0, k1);
	const u32 places = 2 * (u32)pad + 1;
	const int dy = (int)((u64)r.w[0] * places >> 32) - pad, dx = (int)((u64)r.w[1] * places >> 32) - pad;
	const bool mirror = flip && r.w[2] >> 31;
	const u8 *from = images + image * size;
	T *to = y + blockIdx.x * size;
	const int row = width * channels;
	for (int i = blockIdx.y * blockDim.x + threadIdx.x; i < size; i += gridDim.y * blockDim.x) {
		const int line = i / row, rest = i - line * row, column = rest / channels, channel = rest - column * channels;
		const int sy = line + dy, sx = (mirror ? width - 1 - column : column) + dx;
		u8 v = 0; // black, before normalization
		if (sy >= 0 && sy < height && sx >= 0 && sx < width) {
			v = from[((i64)sy * width + sx) * channels + channel];
		}
		to[i] = (T)table[v * channels + channel];
	}
}

// Poolings of images with channels last; channels first are more images of one channel. Padding is what the windows reach beyond an
// image. A thread works on PACK neighbouring channels. Windows of KH×KW lie SH and SW apart.
//
// SX, SY, SDY and SDX are the types of x, y and their gradients in memory.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif
#ifndef SDY
#define SDY T
#endif
#ifndef SDX
#define SDX T
#endif

// Gradients of x are computed by blocks of BH×BW pixels, so that a thread looks at a window once for all of them. Counted from the
// padding's first pixel, block b begins at row b·BH. BH is SH or 1, and BW is SW or 1.
//
// Over a block there are OVER_H×OVER_W windows at most.
#define OVER_H ((KH - 1) / SH + 1)
#define OVER_W ((KW - 1) / SW + 1)

struct Pool {
	Div packs, columns, rows;    // of what the threads work on
	i64 threads;                 // that have work
	int h, w, channels, oh, ow;  // of x and y
	int top, left;               // padding
	int run;                     // blocks that a thread of pool_walk.cu goes down
};

// What a thread works on: the pack from a channel on of a pixel, or of a block, of an image.
struct PoolPlace {
	i64 image;
	int row, column, channel;
};

// The pack of a pixel, or block, counted through all images.
template <typename N> __device__ __forceinline__ PoolPlace place(N pixel, int pack, const Pool &p) {
	const N line = quotient(pixel, p.columns), image = quotient(line, p.rows);
	return {image, (int)(line - image * (int)p.rows.by), (int)(pixel - line * (int)p.columns.by), pack * PACK};
}

__device__ __forceinline__ PoolPlace place(i64 i, const Pool &p) {
	const i64 pixel = quotient(i, p.packs);
	return place(pixel, (int)(i - pixel * p.packs.by), p);
}

// Where the channels of a place begin in images of h × w pixels.
__device__ __forceinline__ i64 begin(const PoolPlace &at, int h, int w, const Pool &p) {
	return at.image * h * w * p.channels + at.channel;
}

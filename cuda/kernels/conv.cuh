// What convolutions are made of: the operands of tile.cuh that gather patches of images on the way. The filter w is
// (kh, kw, cin/groups, cout).

struct Conv {
	i64 inputs, outputs;                 // pixels of x and of y, all images
	i64 x_image, x_pixel, x_channel;     // steps of x in elements; its pixels follow each other
	i64 y_image, y_pixel, y_channel;     // steps of y
	Div x_size, x_width, y_size, y_width; // pixels of an image and of a row
	Div cin, cout, kernel_width;         // channels of a group; columns of the filter
	Div stride_h, stride_w;
	int h, w, oh, ow, kernel_height, dilation_h, dilation_w, top, left, groups;
	int filters, pad; // filters: of all groups
};

struct Pixel {
	const T *image; // and the first channel of the group
	int row, column;
};

struct Tap {
	int row, column; // distance from the patch's corner
	i64 at;          // what it adds to the place of an element
};

#define OUTSIDE (-(1 << 30))

// Elements of x in the patch of output pixel i, at row k = (tap, channel) of the filter.
struct Patches {
	const Conv &g;
	const T *x;

	__device__ __forceinline__ Pixel pixel(i64 i) const {
		if (i >= g.outputs) {
			return {x, OUTSIDE, OUTSIDE};
		}
		const i64 n = quotient(i, g.y_size);
		const int p = (int)(i - n * g.y_size.by), row = quotient(p, g.y_width);
		return {x + n * g.x_image, row * (int)g.stride_h.by - g.top, (p - row * g.ow) * (int)g.stride_w.by - g.left};
	}
	__device__ __forceinline__ Tap tap(i64 k) const {
		const int t = quotient((int)k, g.cin), row = quotient(t, g.kernel_width);
		return {row * g.dilation_h, (t - row * (int)g.kernel_width.by) * g.dilation_w, (k - t * g.cin.by) * g.x_channel};
	}
	__device__ __forceinline__ T at(const Pixel &p, const Tap &t) const {
		const int row = p.row + t.row, column = p.column + t.column;
		if ((u32)row >= (u32)g.h || (u32)column >= (u32)g.w) {
			return T(0);
		}
		return p.image[((i64)row * g.w + column) * g.x_pixel + t.at];
	}
};

// Patches as rows, one for each output pixel.
struct PatchRows : Patches {
	typedef Pixel Outer;
	typedef Tap Inner;
	static const bool deep = true;
	__device__ __forceinline__ PatchRows(const Conv &g, const T *x) : Patches{g, x} {}
	__device__ __forceinline__ Pixel outer(i64 i) const { return pixel(i); }
	__device__ __forceinline__ Tap inner(i64 k) const { return tap(k); }
};

// Patches as columns, a row for each row of the filter.
struct PatchColumns : Patches {
	typedef Tap Outer;
	typedef Pixel Inner;
	static const bool deep = false;
	i64 rows;
	__device__ __forceinline__ PatchColumns(const Conv &g, const T *x, i64 rows) : Patches{g, x}, rows(rows) {}
	__device__ __forceinline__ Tap outer(i64 i) const { return i < rows ? tap(i) : Tap{OUTSIDE, OUTSIDE, 0}; }
	__device__ __forceinline__ Pixel inner(i64 k) const { return pixel(k); }
	__device__ __forceinline__ T at(const Tap &t, const Pixel &p) const { return Patches::at(p, t); }
};

// Elements of dy that input pixel i has met, at k = (tap, filter of the group).
struct Met {
	typedef Pixel Outer;
	typedef Tap Inner;
	static const bool deep = true;
	const Conv &g;
	const T *dy;

	__device__ __forceinline__ Pixel outer(i64 i) const {
		if (i >= g.inputs) {
			return {dy, OUTSIDE, OUTSIDE};
		}
		const i64 n = quotient(i, g.x_size);
		const int p = (int)(i - n * g.x_size.by), row = quotient(p, g.x_width);
		return {dy + n * g.y_image, row + g.top, p - row * g.w + g.left};
	}
	__device__ __forceinline__ Tap inner(i64 k) const {
		const int t = quotient((int)k, g.cout), row = quotient(t, g.kernel_width);
		return {row * g.dilation_h, (t - row * (int)g.kernel_width.by) * g.dilation_w, (k - t * g.cout.by) * g.y_channel};
	}
	__device__ __forceinline__ T at(const Pixel &p, const Tap &t) const {
		const int down = p.row - t.row, across = p.column - t.column;
		if (down < 0 || across < 0) {
			return T(0);
		}
		const int row = quotient(down, g.stride_h), column = quotient(across, g.stride_w);
		if (row >= g.oh || column >= g.ow || row * (int)g.stride_h.by != down || column * (int)g.stride_w.by != across) {
			return T(0);
		}
		return p.image[((i64)row * g.ow + column) * g.y_pixel + t.at];
	}
};

// Rows of the filter: element (k, j) for row k and filter j of the group.
struct FilterRows {
	typedef const T *Outer;
	typedef i64 Inner;
	static const bool deep = false;
	const Conv &g;
	const T *w;
	__device__ __forceinline__ Outer outer(i64 j) const { return j < g.cout.by ? w + j : (const T *)0; }
	__device__ __forceinline__ Inner inner(i64 k) const { return k * g.filters; }
	__device__ __forceinline__ T at(Outer o, Inner k) const { return o ? o[k] : T(0); }
};

// The filter turned around: element (k, c) for k = (tap, filter of the group) and input channel c.
struct FilterTurned {
	typedef const T *Outer;
	typedef i64 Inner;
	static const bool deep = true;
	const Conv &g;
	const T *w;
	__device__ __forceinline__ Outer outer(i64 c) const { return c < g.cin.by ? w + c * g.filters : (const T *)0; }
	__device__ __forceinline__ Inner inner(i64 k) const {
		const int t = quotient((int)k, g.cout);
		return t * g.cin.by * g.filters + (k - t * g.cout.by);
	}
	__device__ __forceinline__ T at(Outer o, Inner k) const { return o ? o[k] : T(0); }
};

// Pixels of dy: element (k, j) for output pixel k and filter j of the group.
struct OutputRows {
	typedef const T *Outer;
	typedef i64 Inner;
	static const bool deep = false;
	const Conv &g;
	const T *dy;
	__device__ __forceinline__ Outer outer(i64 j) const { return j < g.cout.by ? dy + j * g.y_channel : (const T *)0; }
	__device__ __forceinline__ Inner inner(i64 k) const {
		const i64 n = quotient(k, g.y_size);
		return n * g.y_image + (k - n * g.y_size.by) * g.y_pixel;
	}
	__device__ __forceinline__ T at(Outer o, Inner k) const { return o ? o[k] : T(0); }
};

// Results that are pixels of images, with the steps given.
struct PixelsOut {
	typedef T *Place;
	T *out;
	const Div &size;
	i64 image, pixel, channel;
	const T *bias;
	int flags;
	__device__ __forceinline__ Place place(i64 i) const {
		const i64 n = quotient(i, size);
		return out + n * image + (i - n * size.by) * pixel;
	}
	__device__ __forceinline__ void put(Place p, i64 j, T v) const {
		if (flags & ADD_BIAS) {
			v += bias[j];
		}
		p[j * channel] = flags & RELU ? rectified(v) : v;
	}
};

// Rows of the filter's gradient.
struct FilterOut {
	typedef T *Place;
	T *dw;
	i64 filters;
	__device__ __forceinline__ Place place(i64 i) const { return dw + i * filters; }
	__device__ __forceinline__ void put(Place p, i64 j, T v) const { p[j] = v; }
};

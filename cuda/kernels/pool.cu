// A pooling of images with channels last; channels first are more images of one channel. Padding is what the windows reach
// beyond an image.
struct Pool {
	i64 images;
	Div h, w, channels; // of x
	Div oh, ow;         // of y
	Div sh, sw;         // strides
	i64 kh, kw;         // window
	i64 top, left;      // padding
};

// The positions of an image under a window along one axis.
struct Range {
	i64 lo, hi;
};

__device__ __forceinline__ Range under(i64 out, i64 kernel, i64 stride, i64 before, i64 in) {
	const i64 at = out * stride - before, end = at + kernel;
	return {at > 0 ? at : 0, end < in ? end : in};
}

__device__ __forceinline__ Range rows_under(i64 out, const Pool &p) { return under(out, p.kh, p.sh.by, p.top, p.h.by); }
__device__ __forceinline__ Range columns_under(i64 out, const Pool &p) { return under(out, p.kw, p.sw.by, p.left, p.w.by); }

// The windows over a position of an image along one axis.
__device__ __forceinline__ Range over(i64 at, i64 kernel, const Div &stride, i64 before, i64 out) {
	const i64 from = at + before - kernel; // where the last window would begin that ends in front of the position
	const i64 end = quotient(at + before, stride) + 1;
	return {from < 0 ? 0 : quotient(from, stride) + 1, end < out ? end : out};
}

// An element of an array of images × rows × columns × channels.
struct Place {
	i64 image, row, column, channel;
};

__device__ __forceinline__ Place place(i64 i, const Div &h, const Div &w, const Div &channels) {
	const i64 pixel = quotient(i, channels), line = quotient(pixel, w), image = quotient(line, h);
	return {image, line - image * h.by, pixel - line * w.by, i - pixel * channels.by};
}

// What the windows of one element of y cover, and where its image begins in x.
struct Window {
	Range h, w;
	i64 image; // of the element's channel
};

__device__ __forceinline__ Window window(i64 i, const Pool &p) {
	const Place at = place(i, p.oh, p.ow, p.channels);
	return {rows_under(at.row, p), columns_under(at.column, p), at.image * p.h.by * p.w.by * p.channels.by + at.channel};
}

// The first of the largest elements in row-major order. NaN is larger than any number.
__device__ __forceinline__ i64 first_max(const T *x, const Window &k, const Pool &p) {
	i64 best = k.image + (k.h.lo * p.w.by + k.w.lo) * p.channels.by;
	T most = x[best];
	for (i64 h = k.h.lo; h < k.h.hi; h++) {
		i64 at = k.image + (h * p.w.by + k.w.lo) * p.channels.by;
		for (i64 w = k.w.lo; w < k.w.hi; w++, at += p.channels.by) {
			const T v = x[at];
			if (v > most || (v != v && most == most)) {
				most = v;
				best = at;
			}
		}
	}
	return best;
}

// y ← the largest element under each window.
KERNEL max_pool(T *y, const T *x, const Pool p) {
	FOR_EACH(i, p.images * p.oh.by * p.ow.by * p.channels.by) { y[i] = x[first_max(x, window(i, p), p)]; }
}

// y ← the element of v where x has its maximum under each window.
KERNEL max_pool_gather(T *y, const T *x, const T *v, const Pool p) {
	FOR_EACH(i, p.images * p.oh.by * p.ow.by * p.channels.by) { y[i] = v[first_max(x, window(i, p), p)]; }
}

__device__ __forceinline__ bool same(T a, T b) { return a == b || (a != a && b != b); }

// Whether an element is the first in its window that equals the window's maximum.
__device__ __forceinline__ bool is_first(const T *x, i64 element, T most, const Window &k, const Pool &p) {
	if (!same(x[element], most)) {
		return false;
	}
	for (i64 h = k.h.lo; h < k.h.hi; h++) {
		i64 at = k.image + (h * p.w.by + k.w.lo) * p.channels.by;
		for (i64 w = k.w.lo; w < k.w.hi; w++, at += p.channels.by) {
			if (at >= element) {
				return true;
			}
			if (same(x[at], most)) {
				return false;
			}
		}
	}
	return true;
}

// dx ← the gradients dy of the windows whose first maximum an element is; y is the result of the pooling. Each element looks
// at the windows over it, in their order: no two threads write to one place.
KERNEL max_pool_grad(T *dx, const T *x, const T *y, const T *dy, const Pool p) {
	FOR_EACH(i, p.images * p.h.by * p.w.by * p.channels.by) {
		const Place at = place(i, p.h, p.w, p.channels);
		const Range rows = over(at.row, p.kh, p.sh, p.top, p.oh.by), columns = over(at.column, p.kw, p.sw, p.left, p.ow.by);
		Window k;
		k.image = at.image * p.h.by * p.w.by * p.channels.by + at.channel;
		T total = T(0);
		for (i64 r = rows.lo; r < rows.hi; r++) {
			k.h = rows_under(r, p);
			for (i64 c = columns.lo; c < columns.hi; c++) {
				k.w = columns_under(c, p);
				const i64 out = ((at.image * p.oh.by + r) * p.ow.by + c) * p.channels.by + at.channel;
				if (is_first(x, i, y[out], k, p)) {
					total += dy[out];
				}
			}
		}
		dx[i] = total;
	}
}

// y ← the mean of the elements under each window; padding does not count.
KERNEL avg_pool(T *y, const T *x, const Pool p) {
	FOR_EACH(i, p.images * p.oh.by * p.ow.by * p.channels.by) {
		const Window k = window(i, p);
		T total = T(0);
		for (i64 h = k.h.lo; h < k.h.hi; h++) {
			i64 at = k.image + (h * p.w.by + k.w.lo) * p.channels.by;
			for (i64 w = k.w.lo; w < k.w.hi; w++, at += p.channels.by) {
				total += x[at];
			}
		}
		y[i] = total / T((k.h.hi - k.h.lo) * (k.w.hi - k.w.lo));
	}
}

// dx ← for each element, its shares of the gradients dy of the windows over it.
KERNEL avg_pool_grad(T *dx, const T *dy, const Pool p) {
	FOR_EACH(i, p.images * p.h.by * p.w.by * p.channels.by) {
		const Place at = place(i, p.h, p.w, p.channels);
		const Range rows = over(at.row, p.kh, p.sh, p.top, p.oh.by), columns = over(at.column, p.kw, p.sw, p.left, p.ow.by);
		T total = T(0);
		for (i64 r = rows.lo; r < rows.hi; r++) {
			const Range h = rows_under(r, p);
			for (i64 c = columns.lo; c < columns.hi; c++) {
				const Range w = columns_under(c, p);
				total += dy[((at.image * p.oh.by + r) * p.ow.by + c) * p.channels.by + at.channel] / T((h.hi - h.lo) * (w.hi - w.lo));
			}
		}
		dx[i] = total;
	}
}

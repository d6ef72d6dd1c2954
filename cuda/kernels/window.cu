// Patches of images (n, c, h, w) as rows (n, oh, ow, c·kh·kw), and sums over windows.

struct Window {
	Div h, w, c, oh, ow, kh, kw, stride_h, stride_w;
	i64 dilation_h, dilation_w, top, left;
};

// y ← the patches of x, 0 outside of the images.
KERNEL im2col(T *y, const T *x, const Window g, i64 n) {
	FOR_EACH(i, n) {
		const i64 a = quotient(i, g.kw), q = i - a * g.kw.by;
		const i64 b = quotient(a, g.kh), p = a - b * g.kh.by;
		const i64 d = quotient(b, g.c), channel = b - d * g.c.by;
		const i64 e = quotient(d, g.ow), column = (d - e * g.ow.by) * g.stride_w.by - g.left + q * g.dilation_w;
		const i64 image = quotient(e, g.oh), row = (e - image * g.oh.by) * g.stride_h.by - g.top + p * g.dilation_h;
		const bool inside = row >= 0 && row < g.h.by && column >= 0 && column < g.w.by;
		y[i] = inside ? x[((image * g.c.by + channel) * g.h.by + row) * g.w.by + column] : (T)0;
	}
}

// dx ← for every pixel, the sum of its copies in the patches dy.
KERNEL col2im(T *dx, const T *dy, const Window g, i64 n) {
	FOR_EACH(i, n) {
		const i64 a = quotient(i, g.w), column = i - a * g.w.by + g.left;
		const i64 b = quotient(a, g.h), row = a - b * g.h.by + g.top;
		const i64 image = quotient(b, g.c), channel = b - image * g.c.by;
		T sum = (T)0;
		for (i64 p = 0; p < g.kh.by; p++) {
			const i64 down = row - p * g.dilation_h;
			if (down < 0) {
				break;
			}
			const i64 r = quotient(down, g.stride_h);
			if (r >= g.oh.by || r * g.stride_h.by != down) {
				continue;
			}
			for (i64 q = 0; q < g.kw.by; q++) {
				const i64 across = column - q * g.dilation_w;
				if (across < 0) {
					break;
				}
				const i64 s = quotient(across, g.stride_w);
				if (s < g.ow.by && s * g.stride_w.by == across) {
					sum += dy[((image * g.oh.by + r) * g.ow.by + s) * (g.c.by * g.kh.by * g.kw.by) + (channel * g.kh.by + p) * g.kw.by + q];
				}
			}
		}
		dx[i] = sum;
	}
}

// dx ← the sums of dy over squares of scale×scale pixels. run is the number of pixels in a row of dx.
KERNEL upsample_grad(T *dx, const T *dy, const Div run, i64 scale, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, run), column = i - row * run.by;
		T total = (T)0;
		for (i64 p = 0; p < scale; p++) {
			const T *line = dy + ((row * scale + p) * run.by + column) * scale;
			T sum = (T)0;
			for (i64 q = 0; q < scale; q++) {
				sum += line[q];
			}
			total += sum;
		}
		dx[i] = total;
	}
}

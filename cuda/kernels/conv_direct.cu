// Convolutions of groups of few channels, depthwise ones among them: a thread for each result. blockDim.x threads count
// channels, blockDim.y pixels. conv.cu has larger groups.

// y[pixel, f] ← Σ over taps and channels of f's group, + bias, rectified, as flags say.
KERNEL direct_forward(T *y, const T *x, const T *w, const T *bias, int flags, const Conv g) {
	const int f = blockIdx.x * blockDim.x + threadIdx.x;
	if (f >= g.filters) {
		return;
	}
	const int cin = (int)g.cin.by, group = quotient(f, g.cout), taps = g.kernel_height * (int)g.kernel_width.by;
	const Patches patches = {g, x + (i64)group * cin * g.x_channel};
	for (i64 i = (i64)blockIdx.y * blockDim.y + threadIdx.y; i < g.outputs; i += (i64)gridDim.y * blockDim.y) {
		const Pixel p = patches.pixel(i);
		T sum = T(0);
		for (int k = 0; k < taps * cin; k++) {
			sum += factor(patches.at(p, patches.tap(k))) * factor(w[(i64)k * g.filters + f]);
		}
		if (flags & ADD_BIAS) {
			sum += bias[f];
		}
		const i64 n = quotient(i, g.y_size);
		y[n * g.y_image + (i - n * g.y_size.by) * g.y_pixel + f * g.y_channel] = flags & RELU ? rectified(sum) : sum;
	}
}

// dx[pixel, c] ← Σ over taps and filters of c's group.
KERNEL direct_input(T *dx, const T *dy, const T *w, const Conv g) {
	const int c = blockIdx.x * blockDim.x + threadIdx.x;
	if (c >= g.groups * (int)g.cin.by) {
		return;
	}
	const int group = quotient(c, g.cin), taps = g.kernel_height * (int)g.kernel_width.by;
	const i64 first = group * g.cout.by;
	const Met met = {g, dy + first * g.y_channel};
	const FilterTurned turned = {g, w + first};
	const T *column = turned.outer(c - group * g.cin.by);
	for (i64 i = (i64)blockIdx.y * blockDim.y + threadIdx.y; i < g.inputs; i += (i64)gridDim.y * blockDim.y) {
		const Pixel p = met.outer(i);
		T sum = T(0);
		for (int k = 0; k < taps * (int)g.cout.by; k++) {
			sum += factor(met.at(p, met.inner(k))) * factor(turned.at(column, turned.inner(k)));
		}
		const i64 n = quotient(i, g.x_size);
		dx[n * g.x_image + (i - n * g.x_size.by) * g.x_pixel + c * g.x_channel] = sum;
	}
}

// dw[k, f] ← Σ over the output pixels. blockIdx.x counts groups of blockDim.x filters, blockIdx.y rows k of the filter,
// blockIdx.z parts of depth pixels, whose sums lie apart: dw is gridDim.z × its elements. blockDim.y threads share the pixels
// of a part; x and y together are 256.
KERNEL direct_filter(T *dw, const T *x, const T *dy, i64 depth, const Conv g) {
	__shared__ T part[256];
	const int f = blockIdx.x * blockDim.x + threadIdx.x, cin = (int)g.cin.by, rows = g.kernel_height * (int)g.kernel_width.by * cin;
	const bool inside = f < g.filters;
	const int group = inside ? quotient(f, g.cout) : 0;
	const Patches patches = {g, x + (i64)group * cin * g.x_channel};
	const i64 from = blockIdx.z * depth, end = from + depth < g.outputs ? from + depth : g.outputs;
	dw += (i64)blockIdx.z * rows * g.filters;
	for (int k = blockIdx.y; k < rows; k += gridDim.y) {
		const Tap tap = patches.tap(k);
		T sum = T(0), total = T(0);
		int n = 0;
		if (inside) {
			for (i64 i = from + threadIdx.y; i < end; i += blockDim.y) {
				const i64 image = quotient(i, g.y_size);
				const T d = dy[image * g.y_image + (i - image * g.y_size.by) * g.y_pixel + f * g.y_channel];
				sum += factor(patches.at(patches.pixel(i), tap)) * factor(d);
				if (++n == 256) { // blocks keep rounding small
					total += sum;
					sum = T(0);
					n = 0;
				}
			}
		}
		__syncthreads();
		part[threadIdx.y * blockDim.x + threadIdx.x] = total + sum;
		__syncthreads();
		if (threadIdx.y == 0 && inside) {
			T v = T(0);
			for (int y = 0; y < (int)blockDim.y; y++) {
				v += part[y * blockDim.x + threadIdx.x];
			}
			dw[(i64)k * g.filters + f] = v;
		}
	}
}

// The three convolutions as matrix products. Groups are counted by blockIdx.z, what tile.cuh says besides.

// y: gridDim.y × its elements.
KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) conv_forward(T *y, const T *x, const T *w, const T *bias, int flags, const Tiles t, const Conv g) {
	const Cut cut(t);
	y += blockIdx.y * g.outputs * g.filters;
	for (int z = blockIdx.z; z < g.groups; z += gridDim.z) {
		const i64 first = z * g.cout.by;
		const PatchRows a(g, x + z * g.cin.by * g.x_channel);
		const FilterRows b = {g, w + first};
		const PixelsOut c = {y + first * g.y_channel, g.y_size, g.y_image, g.y_pixel, g.y_channel, bias + first, flags};
		tile_product(a, b, c, cut.row, cut.column, t.rows, t.columns, cut.from, cut.end);
	}
}

// dx: gridDim.y × its elements.
KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) conv_input(T *dx, const T *dy, const T *w, const Tiles t, const Conv g) {
	const Cut cut(t);
	dx += blockIdx.y * g.inputs * g.groups * g.cin.by;
	for (int z = blockIdx.z; z < g.groups; z += gridDim.z) {
		const i64 first = z * g.cout.by;
		const Met a = {g, dy + first * g.y_channel};
		const FilterTurned b = {g, w + first};
		const PixelsOut c = {dx + z * g.cin.by * g.x_channel, g.x_size, g.x_image, g.x_pixel, g.x_channel, dx, 0};
		tile_product(a, b, c, cut.row, cut.column, t.rows, t.columns, cut.from, cut.end);
	}
}

// dw: gridDim.y × its elements.
KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) conv_filter(T *dw, const T *x, const T *dy, const Tiles t, const Conv g) {
	const Cut cut(t);
	dw += blockIdx.y * t.rows * g.filters;
	for (int z = blockIdx.z; z < g.groups; z += gridDim.z) {
		const i64 first = z * g.cout.by;
		const PatchColumns a(g, x + z * g.cin.by * g.x_channel, t.rows);
		const OutputRows b = {g, dy + first * g.y_channel};
		const FilterOut c = {dw + first, g.filters};
		tile_product(a, b, c, cut.row, cut.column, t.rows, t.columns, cut.from, cut.end);
	}
}

// Kernels that only move elements, of any type.

#define MOST_AXES 8

// Axes of a result and the way of a step along each of them in x and in y, in elements; the last changes fastest.
struct Axes {
	Div size[MOST_AXES];
	i64 x[MOST_AXES], y[MOST_AXES];
	int count, pad;
};

// y[i] ← x[the sum of i's steps along the axes]; y is contiguous.
KERNEL permute_each(T *y, const T *x, const Axes axes, i64 n) {
	FOR_EACH(i, n) {
		i64 rest = i, from = 0;
		for (int k = axes.count - 1; k >= 0; k--) {
			const i64 up = quotient(rest, axes.size[k]);
			from += (rest - up * axes.size[k].by) * axes.x[k];
			rest = up;
		}
		y[i] = x[from];
	}
}

// The transposition of matrices (rows, columns): both sides read and write along memory, through tiles of 32×32. axes number
// the matrices; in x a row is row_step elements, in y a column is column_step. Blocks of 32×8 threads take n tiles in turn.
KERNEL permute_tiles(T *y, const T *x, const Axes axes, i64 rows, i64 columns, i64 row_step, i64 column_step, const Div across,
                     const Div tiles, i64 n) {
	__shared__ T tile[32][33];
	for (i64 i = blockIdx.x; i < n; i += gridDim.x) {
		i64 matrix = quotient(i, tiles), from = 0, to = 0;
		const i64 t = i - matrix * tiles.by, down = quotient(t, across);
		const i64 row = down * 32, column = (t - down * across.by) * 32;
		for (int k = axes.count - 1; k >= 0; k--) {
			const i64 up = quotient(matrix, axes.size[k]), at = matrix - up * axes.size[k].by;
			from += at * axes.x[k];
			to += at * axes.y[k];
			matrix = up;
		}
		__syncthreads();
		for (int r = threadIdx.y; r < 32; r += 8) {
			if (row + r < rows && column + threadIdx.x < columns) {
				tile[r][threadIdx.x] = x[from + (row + r) * row_step + column + threadIdx.x];
			}
		}
		__syncthreads();
		for (int c = threadIdx.y; c < 32; c += 8) {
			if (column + c < columns && row + threadIdx.x < rows) {
				y[to + (column + c) * column_step + row + threadIdx.x] = tile[threadIdx.x][c];
			}
		}
	}
}

// y: rows of inner elements, each of them times times; x: the rows.
KERNEL repeat(T *y, const T *x, const Div inner, const Div times, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, inner);
		y[i] = x[quotient(row, times) * inner.by + (i - row * inner.by)];
	}
}

// y ← x with every pixel scale times along rows and columns. y_run and x_run are the pixels in a row.
KERNEL upsample(T *y, const T *x, const Div y_run, const Div scale, i64 x_run, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, y_run);
		y[i] = x[quotient(row, scale) * x_run + quotient(i - row * y_run.by, scale)];
	}
}

// Elements that change their places. T is any type of their size. Of a tensor cut at an axis, element (o, k, r) is number
// (o·n + k)·inner + r, where k runs along the axis of n.

// y(o, k, r) ← x(o, start + k·step, r). y: outer × count × inner, of total elements; x: outer × n × inner.
KERNEL slice(T *y, const T *x, i64 start, i64 step, i64 n, Div count, Div inner, i64 total) {
	FOR_EACH(i, total) {
		const i64 row = quotient(i, inner), o = quotient(row, count), k = row - o * count.by;
		y[i] = x[(o * n + start + k * step) * inner.by + (i - row * inner.by)];
	}
}

// dx(o, start + k·step, r) ← dy(o, k, r), and 0 elsewhere. dx: outer × n × inner, of total elements; dy: outer × count × inner.
KERNEL slice_grad(T *dx, const T *dy, i64 start, Div step, i64 count, Div n, Div inner, i64 total) {
	FOR_EACH(i, total) {
		const i64 row = quotient(i, inner), o = quotient(row, n), behind = row - o * n.by - start;
		T v = (T)0;
		if (behind >= 0) {
			const i64 k = quotient(behind, step);
			if (k * step.by == behind && k < count) {
				v = dy[(o * count + k) * inner.by + (i - row * inner.by)];
			}
		}
		dx[i] = v;
	}
}

// y(o, k, r) ← x(o, indices[k], r). y: outer × count × inner, of total elements; x: outer × n × inner; indices: count, below n.
KERNEL gather(T *y, const T *x, const i64 *indices, i64 n, Div count, Div inner, i64 total) {
	FOR_EACH(i, total) {
		const i64 row = quotient(i, inner), o = quotient(row, count);
		y[i] = x[(o * n + indices[row - o * count.by]) * inner.by + (i - row * inner.by)];
	}
}

// The diagonal of the n × n matrix y, which holds zeros, becomes x.
KERNEL diagonal(T *y, const T *x, i64 n) {
	FOR_EACH(i, n) { y[i * (n + 1)] = x[i]; }
}

// Elements that change their places. T is any type of their size. Of a tensor cut at an axis, element (o, k, r) is number
// (o·n + k)·inner + r, where k runs along the axis of n.

// y(o, k, r) ← x(o, start + k·step, r). y: outer × count × inner, of total elements; x: outer × n × inner.
KERNEL slice(T *y, const T *x, i64 start, i64 step, i64 n, Division count, Division inner, i64 total) {
	FOR_EACH(i, total) {
		const Divided row = divide((Index)i, inner), at = divide(row.quotient, count);
		y[i] = x[((i64)at.quotient * n + start + (i64)at.rest * step) * (i64)inner.by + row.rest];
	}
}

// dx(o, start + k·step, r) ← dy(o, k, r), and 0 elsewhere. dx: outer × n × inner, of total elements; dy: outer × count × inner.
KERNEL slice_grad(T *dx, const T *dy, i64 start, Division step, i64 count, Division n, Division inner, i64 total) {
	FOR_EACH(i, total) {
		const Divided row = divide((Index)i, inner), at = divide(row.quotient, n);
		const i64 behind = (i64)at.rest - start;
		T v = (T)0;
		if (behind >= 0) {
			const Divided k = divide((Index)behind, step);
			if (k.rest == 0 && (i64)k.quotient < count) {
				v = dy[((i64)at.quotient * count + k.quotient) * (i64)inner.by + row.rest];
			}
		}
		dx[i] = v;
	}
}

// Rows of x, of run elements each, go to y, where rows are wide elements apart: a part of a concatenation. total: elements of x.
KERNEL place(T *y, const T *x, Division run, i64 wide, i64 total) {
	FOR_EACH(i, total) {
		const Divided at = divide((Index)i, run);
		y[(i64)at.quotient * wide + at.rest] = x[i];
	}
}

// y(o, k, r) ← x(o, indices[k], r). y: outer × count × inner, of total elements; x: outer × n × inner; indices: count, below n.
KERNEL gather(T *y, const T *x, const i64 *indices, i64 n, Division count, Division inner, i64 total) {
	FOR_EACH(i, total) {
		const Divided row = divide((Index)i, inner), at = divide(row.quotient, count);
		y[i] = x[((i64)at.quotient * n + indices[at.rest]) * (i64)inner.by + row.rest];
	}
}

// The diagonal of the n × n matrix y, which holds zeros, becomes x.
KERNEL diagonal(T *y, const T *x, i64 n) {
	FOR_EACH(i, n) { y[i * (n + 1)] = x[i]; }
}

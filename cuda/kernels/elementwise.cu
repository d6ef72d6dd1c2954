// y ← max(x, 0), NaN where x is NaN. x, y: n elements; they may be the same memory.
KERNEL relu(T *y, const T *x, i64 n) {
	FOR_EACH(i, n) {
		const T v = x[i];
		y[i] = v < T(0) ? T(0) : v;
	}
}

// dx ← y > 0 ? dy : 0, where y is the input or the output of a ReLU.
KERNEL relu_grad(T *dx, const T *y, const T *dy, i64 n) {
	FOR_EACH(i, n) { dx[i] = y[i] > T(0) ? dy[i] : T(0); }
}

KERNEL add(T *y, const T *a, const T *b, i64 n) {
	FOR_EACH(i, n) { y[i] = a[i] + b[i]; }
}

KERNEL mul(T *y, const T *a, const T *b, i64 n) {
	FOR_EACH(i, n) { y[i] = a[i] * b[i]; }
}

// y ← x·factor
KERNEL scale(T *y, const T *x, T factor, i64 n) {
	FOR_EACH(i, n) { y[i] = x[i] * factor; }
}

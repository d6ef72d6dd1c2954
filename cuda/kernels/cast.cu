// y ← x, from elements of type FROM to T; floats are cut towards 0. BOOL is defined where T stands for a boolean.
KERNEL cast(T *y, const FROM *x, i64 n) {
	FOR_EACH(i, n) {
#ifdef BOOL
		y[i] = x[i] != (FROM)0;
#else
		y[i] = (T)x[i];
#endif
	}
}

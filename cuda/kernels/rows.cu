// Rows of elements that change their places: T is any type of their size, or float where SX or SY, the types of x and y in memory,
// is narrow. PACK neighbours move at a time.
#ifndef SX
#define SX T
#endif
#ifndef SY
#define SY T
#endif

// Rows of y, of run packs each, come from x, where rows are wide elements apart, from element start·inner of each on: a slice with
// step 1. The start may move between runs to where packs do not begin. total: packs of y.
KERNEL slice_rows(SY *y, const SX *x, i64 start, i64 inner, const Div run, i64 wide, i64 total) {
	const i64 behind = start * inner;
	FOR_EACH(i, total) {
		const i64 row = quotient(i, run);
		const SX *from = x + row * wide + behind + (i - row * run.by) * PACK;
		if (behind % PACK == 0) {
			carry<PACK>(y + i * PACK, from);
			continue;
		}
		for (int k = 0; k < PACK; k++) {
			carry<1>(y + i * PACK + k, from + k);
		}
	}
}

// Rows of x, of run packs each, go to y, where rows are wide elements apart: a part of a concatenation. total: packs of x.
KERNEL place(SY *y, const SX *x, const Div run, i64 wide, i64 total) {
	FOR_EACH(i, total) {
		const i64 row = quotient(i, run);
		carry<PACK>(y + row * wide + (i - row * run.by) * PACK, x + i * PACK);
	}
}

// y ← planes of x with a border of zeros; where top or left is negative, without their first rows or columns. A plane of y has
// y_rows rows of y_run packs, one of x x_rows rows of x_run. n: packs of y.
KERNEL border(SY *y, const SX *x, const Div y_run, const Div y_rows, i64 x_run, i64 x_rows, i64 top, i64 left, i64 n) {
	FOR_EACH(i, n) {
		const i64 row = quotient(i, y_run), plane = quotient(row, y_rows);
		const i64 r = row - plane * y_rows.by - top, j = i - row * y_run.by - left;
		if (r >= 0 && r < x_rows && j >= 0 && j < x_run) {
			carry<PACK>(y + i * PACK, x + ((plane * x_rows + r) * x_run + j) * PACK);
		} else {
			*(Pack<SY, PACK> *)(y + i * PACK) = Pack<SY, PACK>{};
		}
	}
}

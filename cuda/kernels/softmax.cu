// Rows of scores. A row is the work of a warp, several to a block, where blocks are 32 wide; else of a block.
//
// A row's maximum is taken off before exponentials. NaN is passed over in the search for it and spoils the sum, so that the
// row becomes NaN, as it does with +∞ or if all of it is −∞.

#define ROWS(r, n) for (i64 r = (i64)blockIdx.x * blockDim.y + threadIdx.y; r < (n); r += (i64)gridDim.x * blockDim.y)

#define COLUMNS(i, c) for (i64 i = threadIdx.x; i < (c); i += blockDim.x)

// The sum over the threads of a row, in each of them.
template <typename S> __device__ __forceinline__ S row_sum(S v, S *shared) {
	return blockDim.x == WARP ? warp_sum(v) : block_sum(v, shared);
}

__device__ __forceinline__ T larger(T a, T b) { return b > a ? b : a; }

__device__ __forceinline__ T warp_max(T v) {
	for (int offset = WARP / 2; offset > 0; offset /= 2) {
		v = larger(v, __shfl_xor_sync(FULL_WARP, v, offset));
	}
	return v;
}

// The largest number of a row.
__device__ __forceinline__ T row_max(const T *x, i64 c, T *shared) {
	const T lowest = T(__uint_as_float(0xff800000u)); // −∞
	T v = lowest;
	COLUMNS(i, c) { v = larger(v, x[i]); }
	v = warp_max(v);
	if (blockDim.x == WARP) {
		return v;
	}
	const int lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
	__syncthreads();
	if (lane == 0) {
		shared[threadIdx.x / WARP] = v;
	}
	__syncthreads();
	return warp_max(lane < warps ? shared[lane] : lowest);
}

// Σ exp(x−top) over a row but for one element; −1 leaves out none.
__device__ __forceinline__ T exp_sum(const T *x, i64 c, T top, i64 but, T *shared) {
	T v = T(0);
	COLUMNS(i, c) {
		const T e = exp(x[i] - top);
		v += i == but ? T(0) : e;
	}
	return row_sum(v, shared);
}

// y ← exp(x−top)/Σ exp(x−top). x, y: n × c.
KERNEL softmax(T *y, const T *x, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T top = row_max(row, c, shared), total = exp_sum(row, c, top, -1, shared);
		COLUMNS(i, c) { y[r * c + i] = exp(row[i] - top) / total; }
	}
}

// y ← x − top − log Σ exp(x−top)
KERNEL log_softmax(T *y, const T *x, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T top = row_max(row, c, shared), total = log(exp_sum(row, c, top, -1, shared));
		COLUMNS(i, c) { y[r * c + i] = row[i] - top - total; }
	}
}

// dx ← y·(dy − Σ y·dy)
KERNEL softmax_grad(T *dx, const T *y, const T *dy, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		T total = T(0);
		COLUMNS(i, c) { total += y[r * c + i] * dy[r * c + i]; }
		total = row_sum(total, shared);
		COLUMNS(i, c) { dx[r * c + i] = y[r * c + i] * (dy[r * c + i] - total); }
	}
}

// dx ← dy − exp(y)·Σ dy
KERNEL log_softmax_grad(T *dx, const T *y, const T *dy, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		T total = T(0);
		COLUMNS(i, c) { total += dy[r * c + i]; }
		total = row_sum(total, shared);
		COLUMNS(i, c) { dx[r * c + i] = dy[r * c + i] - exp(y[r * c + i]) * total; }
	}
}

// loss (n) ← log Σ exp(x) − x[label]. Labels are below c: the host has looked at them.
KERNEL softmax_cross_entropy(T *loss, const T *x, const i64 *labels, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const i64 label = labels[r];
		const T top = row_max(row, c, shared), others = exp_sum(row, c, top, label, shared);
		const T score = row[label], total = others + exp(score - top);
		if (threadIdx.x == 0) {
			// A loss near 0 keeps its digits in log(1 + others).
			loss[r] = score == top && total == total ? log1p(others) : log(total) - (score - top);
		}
	}
}

// dx (n × c) ← (softmax(x) − [column is label])·dloss
KERNEL softmax_cross_entropy_grad(T *dx, const T *x, const i64 *labels, const T *dloss, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const i64 label = labels[r];
		const T top = row_max(row, c, shared), others = exp_sum(row, c, top, label, shared);
		const T total = others + exp(row[label] - top), f = dloss[r];
		COLUMNS(i, c) {
			const T p = i == label ? -others : exp(row[i] - top); // −others: p − 1 without cancellation
			dx[r * c + i] = p / total * f;
		}
	}
}

// How near a probability may come to 0 and 1: keras.config.epsilon().
#define FLOOR 1e-7

// loss (n) ← −log of the label's probability, clipped; NaN stays NaN. In double, where 1−1e-7 is a number.
KERNEL cross_entropy(T *loss, const T *p, const i64 *labels, i64 n, i64 c) {
	FOR_EACH(r, n) {
		const double q = p[r * c + labels[r]];
		loss[r] = T(-log(q < FLOOR ? FLOOR : q > 1 - FLOOR ? 1 - FLOOR : q));
	}
}

// dp (n × c), which is 0 ← −dloss/p at the labels whose probability is not clipped.
KERNEL cross_entropy_grad(T *dp, const T *p, const i64 *labels, const T *dloss, i64 n, i64 c) {
	FOR_EACH(r, n) {
		const i64 at = r * c + labels[r];
		const double q = p[at];
		if (!(q < FLOOR || q > 1 - FLOOR)) { // NaN is handed on
			dp[at] = T(-(double)dloss[r] / q);
		}
	}
}

// hit (n) ← whether fewer than k scores of a row are larger than the label's, which is not NaN.
KERNEL top_k(int *hit, const T *x, const i64 *labels, i64 k, i64 n, i64 c) {
	__shared__ i64 shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T score = row[labels[r]];
		i64 better = 0;
		COLUMNS(i, c) { better += row[i] > score; }
		better = row_sum(better, shared);
		if (threadIdx.x == 0) {
			hit[r] = score == score && better < k;
		}
	}
}

// y[0] ← Σ hit (n). One block.
KERNEL count_hits(T *y, const int *hit, i64 n) {
	__shared__ i64 shared[WARP];
	i64 v = 0;
	COLUMNS(i, n) { v += hit[i]; }
	v = block_sum(v, shared);
	if (threadIdx.x == 0) {
		y[0] = T(v);
	}
}

// Rows of scores. A row is the work of a warp, several to a block, where blocks are 32 wide; else of a block.
//
// A row's maximum is taken off before exponentials. NaN is passed over in the search for it and spoils the sum, so that the
// row becomes NaN, as it does with +∞ or if all of it is −∞.
#include "each_row.cuh"

// SDX is the type of scores' gradients in memory.
#ifndef SDX
#define SDX T
#endif

// The most threads of a block: they are told to the compiler, which else may take more registers than so many threads have. Package kernel
// knows the same number.
#define ROW_THREADS 1024

#define COLUMNS(i, c) for (i64 i = threadIdx.x; i < (c); i += blockDim.x)

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
KERNEL __launch_bounds__(ROW_THREADS) softmax(T *y, const T *x, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T top = row_max(row, c, shared), total = exp_sum(row, c, top, -1, shared);
		COLUMNS(i, c) { y[r * c + i] = exp(row[i] - top) / total; }
	}
}

// y ← x − top − log Σ exp(x−top)
KERNEL __launch_bounds__(ROW_THREADS) log_softmax(T *y, const T *x, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T top = row_max(row, c, shared), total = log(exp_sum(row, c, top, -1, shared));
		COLUMNS(i, c) { y[r * c + i] = row[i] - top - total; }
	}
}

// dx ← y·(dy − Σ y·dy)
KERNEL __launch_bounds__(ROW_THREADS) softmax_grad(T *dx, const T *y, const T *dy, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		T total = T(0);
		COLUMNS(i, c) { total += y[r * c + i] * dy[r * c + i]; }
		total = row_sum(total, shared);
		COLUMNS(i, c) { dx[r * c + i] = y[r * c + i] * (dy[r * c + i] - total); }
	}
}

// dx ← dy − exp(y)·Σ dy
KERNEL __launch_bounds__(ROW_THREADS) log_softmax_grad(T *dx, const T *y, const T *dy, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		T total = T(0);
		COLUMNS(i, c) { total += dy[r * c + i]; }
		total = row_sum(total, shared);
		COLUMNS(i, c) { dx[r * c + i] = dy[r * c + i] - exp(y[r * c + i]) * total; }
	}
}

// What the exponentials of a row say of its label.
struct Shares {
	T top, score, others, total; // the largest score, the label's; Σ exp(x−top) without the label's, and with it
	i64 label;
	// All threads of a row must call it.
	__device__ __forceinline__ Shares(const T *row, i64 at, i64 c, T *shared) {
		label = at;
		top = row_max(row, c, shared);
		others = exp_sum(row, c, top, label, shared);
		score = row[label];
		total = others + exp(score - top);
	}
	// log Σ exp(x) − x[label]. A loss near 0 keeps its digits in log(1 + others).
	__device__ __forceinline__ T loss() const { return score == top && total == total ? log1p(others) : log(total) - (score - top); }
	// dx ← (softmax(row) − [column is label])·factor
	__device__ __forceinline__ void grad(SDX *dx, const T *row, T factor, i64 c) const {
		COLUMNS(i, c) {
			const T p = i == label ? -others : exp(row[i] - top); // −others: p − 1 without cancellation
			store(&dx[i], p / total * factor);
		}
	}
};

// How many scores of a row are larger than the label's. All threads of the row get it, and must call it.
__device__ __forceinline__ i64 count_better(const T *row, T score, i64 c, i64 *shared) {
	i64 better = 0;
	COLUMNS(i, c) { better += row[i] > score; }
	return row_sum(better, shared);
}

// loss (n) ← log Σ exp(x) − x[label]. Labels are below c: the host has looked at them.
KERNEL __launch_bounds__(ROW_THREADS) softmax_cross_entropy(T *loss, const T *x, const i64 *labels, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const i64 label = labels[r];
		const Shares p(row, label, c, shared);
		if (threadIdx.x == 0) {
			loss[r] = p.loss();
		}
	}
}

// dx (n × c) ← (softmax(x) − [column is label])·dloss
KERNEL __launch_bounds__(ROW_THREADS) softmax_cross_entropy_grad(SDX *dx, const T *x, const i64 *labels, const T *dloss, i64 n, i64 c) {
	__shared__ T shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const i64 label = labels[r];
		Shares(row, label, c, shared).grad(dx + r * c, row, dloss[r], c);
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
KERNEL __launch_bounds__(ROW_THREADS) top_k(int *hit, const T *x, const i64 *labels, i64 k, i64 n, i64 c) {
	__shared__ i64 shared[WARP];
	ROWS(r, n) {
		const T *row = x + r * c;
		const T score = row[labels[r]];
		const i64 better = count_better(row, score, c, shared);
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

// Several of these of the same scores in one sweep. LOSS, MEAN (in place of losses) and GRAD say which, TOPS how many counts there are.
#ifdef TOPS
// Package kernel knows the same numbers.
#define MOST_TOPS 4
#define MOST_ROWS 8 // of a block, at the same time

struct Counts {
	u64 to[MOST_TOPS]; // addresses of T
	i64 k[MOST_TOPS];
};

// What the rows of a block add up to: losses in double, so that nothing is lost on the way.
struct Tally {
	double loss;
	i64 hits[MOST_TOPS];
	__device__ __forceinline__ void add(const Tally &other) {
		loss += other.loss;
#pragma unroll
		for (int t = 0; t < TOPS; t++) {
			hits[t] += other.hits[t];
		}
	}
};

// loss ← the losses (n), or their mean; dx (n × c) ← their gradient, scaled by dloss (n); counts.to ← how many labels are among the best
// counts.k. partial has a tally for each block; the last block to come puts them together, always in the same order. The counter is 0
// before and after.
KERNEL __launch_bounds__(ROW_THREADS) fused_scores(T *loss, SDX *dx, const Counts counts, Tally *partial, u32 *counter, const T *x,
                                                   const i64 *labels, const T *dloss, i64 n, i64 c) {
#ifdef LOSS
	__shared__ T shared[WARP];
#endif
	__shared__ i64 better[WARP];
	Tally own = {};
	ROWS(r, n) {
		const T *row = x + r * c;
		const i64 label = labels[r];
#ifdef LOSS
		const Shares p(row, label, c, shared);
		if (threadIdx.x == 0) {
#ifdef MEAN
			own.loss += p.loss();
#else
			loss[r] = p.loss();
#endif
		}
#ifdef GRAD
		p.grad(dx + r * c, row, dloss[r], c);
#endif
#endif
		if (TOPS > 0) {
			const T score = row[label];
			const i64 above = count_better(row, score, c, better);
#pragma unroll
			for (int t = 0; t < TOPS; t++) {
				own.hits[t] += score == score && above < counts.k[t];
			}
		}
	}
#if defined(MEAN) || TOPS > 0
	__shared__ Tally tallies[MOST_ROWS];
	__shared__ bool last;
	if (threadIdx.x == 0) {
		tallies[threadIdx.y] = own;
	}
	__syncthreads();
	if (threadIdx.x == 0 && threadIdx.y == 0) {
		for (int y = 1; y < blockDim.y; y++) {
			own.add(tallies[y]);
		}
		partial[blockIdx.x] = own;
		__threadfence(); // what the block has written comes ahead of the count,
		last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
		__threadfence(); // and what others have written is read behind it
	}
	__syncthreads();
	if (!last || threadIdx.y > 0) {
		return;
	}
	Tally all = {};
	for (int b = threadIdx.x; b < gridDim.x; b += blockDim.x) {
		Tally other = {};
		other.loss = __ldcg(&partial[b].loss);
#pragma unroll
		for (int t = 0; t < TOPS; t++) {
			other.hits[t] = __ldcg(&partial[b].hits[t]);
		}
		all.add(other);
	}
#ifdef MEAN
	__shared__ double sums[WARP];
	const double total = row_sum(all.loss, sums);
	if (threadIdx.x == 0) {
		loss[0] = T(total / n);
	}
#endif
#pragma unroll
	for (int t = 0; t < TOPS; t++) {
		const i64 hits = row_sum(all.hits[t], better);
		if (threadIdx.x == 0) {
			*(T *)counts.to[t] = T(hits);
		}
	}
#endif
}
#endif

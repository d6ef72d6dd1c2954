// Matrix products c ← op(a)·op(b), + bias over the columns, rectified, as flags say. Batches are counted by blockIdx.z.

struct Batch {
	i64 count, a, b, c; // products, and the distances of their matrices in elements
};

// A matrix with op applied: element (i, k) is at i·step + k·stride. Where it is stored along k, deep is set.
template <bool along> struct Matrix {
	typedef const T *Outer;
	typedef i64 Inner;
	static const bool deep = along;
	const T *at0;
	i64 length, step, stride; // of rows of A or of columns of B

	__device__ __forceinline__ Outer outer(i64 i) const { return i < length ? at0 + i * step : (const T *)0; }
	__device__ __forceinline__ Inner inner(i64 k) const { return k * stride; }
	__device__ __forceinline__ T at(Outer o, Inner k) const { return o ? o[k] : T(0); }
};

// Rows of results.
struct Rows {
	typedef T *Place;
	T *c;
	i64 width;
	const T *bias;
	int flags;

	__device__ __forceinline__ Place place(i64 i) const { return c + i * width; }
	__device__ __forceinline__ void put(Place p, i64 j, T v) const {
		if (flags & ADD_BIAS) {
			v += bias[j];
		}
		p[j] = flags & RELU ? rectified(v) : v;
	}
};

template <bool trans_a, bool trans_b>
__device__ __forceinline__ void gemm(T *c, const T *a, const T *b, const T *bias, int flags, const Tiles &t, const Batch &n) {
	const Cut cut(t);
	const i64 size = t.rows * t.columns;
	for (i64 z = blockIdx.z; z < n.count; z += gridDim.z) {
		const Matrix<!trans_a> ma = {a + z * n.a, t.rows, trans_a ? 1 : t.products, trans_a ? t.rows : 1};
		const Matrix<trans_b> mb = {b + z * n.b, t.columns, trans_b ? t.products : 1, trans_b ? 1 : t.columns};
		const Rows mc = {c + blockIdx.y * n.count * size + z * n.c, t.columns, bias, flags};
		tile_product(ma, mb, mc, cut.row, cut.column, t.rows, t.columns, cut.from, cut.end);
	}
}

// c: gridDim.y × (count, rows, columns).
KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) gemm_nn(T *c, const T *a, const T *b, const T *bias, int flags, const Tiles t, const Batch n) {
	gemm<false, false>(c, a, b, bias, flags, t, n);
}

KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) gemm_nt(T *c, const T *a, const T *b, const T *bias, int flags, const Tiles t, const Batch n) {
	gemm<false, true>(c, a, b, bias, flags, t, n);
}

KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) gemm_tn(T *c, const T *a, const T *b, const T *bias, int flags, const Tiles t, const Batch n) {
	gemm<true, false>(c, a, b, bias, flags, t, n);
}

KERNEL __launch_bounds__(TILE_THREADS, BLOCKS) gemm_tt(T *c, const T *a, const T *b, const T *bias, int flags, const Tiles t, const Batch n) {
	gemm<true, true>(c, a, b, bias, flags, t, n);
}

// The steps of small and of narrow products, in elements: op(a)[i, k] is at i·a_row + k·a_product, op(b)[k, j] at
// k·b_product + j·b_column.
struct Steps {
	i64 rows, columns, products, a_row, a_product, b_product, b_column;
	Div columns_by, rows_by;
};

__device__ __forceinline__ T finished(T v, const T *bias, i64 j, int flags) {
	if (flags & ADD_BIAS) {
		v += bias[j];
	}
	return flags & RELU ? rectified(v) : v;
}

// A sum of many products in a fixed order, by blocks of 256.
struct Sum {
	T sum, total;
	int n;
	__device__ __forceinline__ Sum() : sum(0), total(0), n(0) {}
	__device__ __forceinline__ void add(T v) {
		sum += v;
		if (++n == 256) {
			total += sum;
			sum = T(0);
			n = 0;
		}
	}
	__device__ __forceinline__ T value() const { return total + sum; }
};

// Small products: a thread for each result of all products of the batch.
KERNEL gemm_small(T *c, const T *a, const T *b, const T *bias, int flags, const Steps s, const Batch n) {
	const i64 size = s.rows * s.columns;
	FOR_EACH(i, n.count * size) {
		const i64 row = quotient(i, s.columns_by), j = i - row * s.columns;
		const i64 z = quotient(row, s.rows_by), r = row - z * s.rows;
		const T *pa = a + z * n.a + r * s.a_row, *pb = b + z * n.b + j * s.b_column;
		Sum sum;
		for (i64 k = 0; k < s.products; k++) {
			sum.add(factor(pa[k * s.a_product]) * factor(pb[k * s.b_product]));
		}
		c[z * n.c + r * s.columns + j] = finished(sum.value(), bias, j, flags);
	}
}

// Narrow products of matrices that lie along k: a block for each result, its threads along k. blockDim.x is a multiple of 32.
KERNEL gemm_dot(T *c, const T *a, const T *b, const T *bias, int flags, const Steps s, const Batch n) {
	__shared__ T shared[WARP];
	const i64 size = s.rows * s.columns;
	for (i64 i = blockIdx.x; i < n.count * size; i += gridDim.x) {
		const i64 row = quotient(i, s.columns_by), j = i - row * s.columns;
		const i64 z = quotient(row, s.rows_by), r = row - z * s.rows;
		const T *pa = a + z * n.a + r * s.a_row, *pb = b + z * n.b + j * s.b_column;
		Sum sum;
		for (i64 k = threadIdx.x; k < s.products; k += blockDim.x) {
			sum.add(factor(pa[k * s.a_product]) * factor(pb[k * s.b_product]));
		}
		const T v = block_sum(sum.value(), shared);
		if (threadIdx.x == 0) {
			c[z * n.c + r * s.columns + j] = finished(v, bias, j, flags);
		}
	}
}

// Narrow products of matrices that lie along their results: 32 lanes along the longer side of the result, 8 along k.
// blockIdx.x counts the groups of lanes, blockIdx.y the results along the shorter side, blockIdx.z the products. tall says
// that the longer side is the rows.
KERNEL gemm_lanes(T *c, const T *a, const T *b, const T *bias, int flags, int tall, const Steps s, const Batch n) {
	__shared__ T part[8][WARP + 1];
	const i64 lane = (i64)blockIdx.x * WARP + threadIdx.x;
	const i64 r = tall ? lane : blockIdx.y, j = tall ? blockIdx.y : lane;
	const bool inside = r < s.rows && j < s.columns;
	for (i64 z = blockIdx.z; z < n.count; z += gridDim.z) {
		Sum sum;
		if (inside) {
			const T *pa = a + z * n.a + r * s.a_row, *pb = b + z * n.b + j * s.b_column;
			for (i64 k = threadIdx.y; k < s.products; k += 8) {
				sum.add(factor(pa[k * s.a_product]) * factor(pb[k * s.b_product]));
			}
		}
		__syncthreads();
		part[threadIdx.y][threadIdx.x] = sum.value();
		__syncthreads();
		if (threadIdx.y == 0 && inside) {
			T v = T(0);
			for (int y = 0; y < 8; y++) {
				v += part[y][threadIdx.x];
			}
			c[z * n.c + r * s.columns + j] = finished(v, bias, j, flags);
		}
	}
}

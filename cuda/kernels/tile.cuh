// The matrix product that gemm.cu and conv.cu share. A block of TILE_THREADS computes a tile of TILE×TILE results, each thread
// 4×4 of them; the operands come through shared memory, DEPTH products at a time. What an operand is, a matrix or the patches
// of images, is a type:
//
//	Outer outer(i64 i)        what all elements of row i of A, or of column i of B, have in common; i may be outside
//	Inner inner(i64 k)        what all elements of product k have in common
//	T at(Outer, Inner)        the element, 0 outside
//	static const bool deep    whether neighbours in memory are neighbours along k: then threads load along k
//
// and so is where results go: Place place(i64 i), put(Place, i64 j, T v), called for results inside only.

#define TILE 64
#define DEPTH 16
#define TILE_THREADS 256
#define PITCH (TILE + 4) // of shared rows: aligned for loads of 4, and spread over the banks
#define BLOCK_SUM 16     // tiles of DEPTH that are summed on their own, so that rounding grows with the number of sums only

// What precision the factors of products have; ROUND is defined for bfloat16.
#ifdef ROUND
__device__ __forceinline__ float factor(float x) { return from_bf16(to_bf16(x)); }
#else
__device__ __forceinline__ T factor(T x) { return x; }
#endif

// Blocks that a multiprocessor is to hold at once: a bound on registers that both element types keep to without spilling.
#define BLOCKS (sizeof(T) == 4 ? 2 : 1)

#define ADD_BIAS 1
#define RELU 2

__device__ __forceinline__ T rectified(T y) { return y < T(0) ? T(0) : y; } // NaN stays

// 4 elements that are loaded together.
struct alignas(16) Four {
	T v[4];
};

// An operand's share of a thread: 4 elements of each tile.
template <class Operand> struct Share {
	static const int outers = Operand::deep ? 4 : 1, inners = Operand::deep ? 1 : 4;
	typename Operand::Outer outer[outers];
	T next[4];

	__device__ __forceinline__ void begin(const Operand &op, i64 first) {
#pragma unroll
		for (int i = 0; i < outers; i++) {
			outer[i] = op.outer(first + row(i));
		}
	}
	__device__ __forceinline__ static int row(int i) {
		return Operand::deep ? threadIdx.x / DEPTH + i * (TILE_THREADS / DEPTH) : threadIdx.x % TILE;
	}
	__device__ __forceinline__ static int product(int i) {
		return Operand::deep ? threadIdx.x % DEPTH : threadIdx.x / TILE + i * (TILE_THREADS / TILE);
	}
	// Reads the elements of products k … k+DEPTH−1, of which those from end on are 0.
	__device__ __forceinline__ void read(const Operand &op, i64 k, i64 end) {
#pragma unroll
		for (int i = 0; i < inners; i++) {
			const i64 at = k + product(i);
			if (at < end) {
				const typename Operand::Inner inner = op.inner(at);
#pragma unroll
				for (int o = 0; o < outers; o++) {
					next[i + o] = op.at(outer[o], inner);
				}
			} else {
#pragma unroll
				for (int o = 0; o < outers; o++) {
					next[i + o] = T(0);
				}
			}
		}
	}
	__device__ __forceinline__ void store(T (*tile)[PITCH]) const {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			tile[product(i)][row(i)] = factor(next[i]);
		}
	}
};

// Adds the products k in [from, end) of the tile whose first row is row and whose first column is column, and puts the sums
// that lie within rows×columns.
template <class A, class B, class C>
__device__ __forceinline__ void tile_product(const A &a, const B &b, const C &c, i64 row, i64 column, i64 rows, i64 columns,
                                             i64 from, i64 end) {
	__shared__ Four a_tile[DEPTH][PITCH / 4], b_tile[DEPTH][PITCH / 4];
	const int y = threadIdx.x / 16, x = threadIdx.x % 16; // of the thread's results, in units of 4
	Share<A> sa;
	Share<B> sb;
	sa.begin(a, row);
	sb.begin(b, column);
	T sum[4][4] = {}, total[4][4] = {};
	int block = 0;
	sa.read(a, from, end);
	sb.read(b, from, end);
	for (i64 k = from; k < end; k += DEPTH) {
		__syncthreads(); // the tiles before are used up
		sa.store((T(*)[PITCH])a_tile);
		sb.store((T(*)[PITCH])b_tile);
		__syncthreads();
		if (k + DEPTH < end) { // the loads run while the products are computed
			sa.read(a, k + DEPTH, end);
			sb.read(b, k + DEPTH, end);
		}
#pragma unroll
		for (int d = 0; d < DEPTH; d++) {
			const Four p = a_tile[d][y], q = b_tile[d][x];
#pragma unroll
			for (int i = 0; i < 4; i++) {
#pragma unroll
				for (int j = 0; j < 4; j++) {
					sum[i][j] += p.v[i] * q.v[j];
				}
			}
		}
		if (++block == BLOCK_SUM) {
			block = 0;
#pragma unroll
			for (int i = 0; i < 4; i++) {
#pragma unroll
				for (int j = 0; j < 4; j++) {
					total[i][j] += sum[i][j];
					sum[i][j] = T(0);
				}
			}
		}
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const i64 r = row + y * 4 + i;
		if (r >= rows) {
			continue;
		}
		const typename C::Place place = c.place(r);
#pragma unroll
		for (int j = 0; j < 4; j++) {
			const i64 s = column + x * 4 + j;
			if (s < columns) {
				c.put(place, s, total[i][j] + sum[i][j]);
			}
		}
	}
}

// How the work of a product is cut: blockIdx.x counts the tiles, columns fastest; blockIdx.y the parts that k is cut into, of
// depth products each (a multiple of DEPTH), whose sums lie apart in results that split_sum adds up.
struct Tiles {
	i64 rows, columns, products, depth;
	Div across; // tiles in a row of tiles
};

struct Cut {
	i64 row, column, from, end;
	__device__ __forceinline__ Cut(const Tiles &t) {
		const i64 down = quotient((i64)blockIdx.x, t.across);
		row = down * TILE;
		column = ((i64)blockIdx.x - down * t.across.by) * TILE;
		from = blockIdx.y * t.depth;
		end = from + t.depth < t.products ? from + t.depth : t.products;
	}
};

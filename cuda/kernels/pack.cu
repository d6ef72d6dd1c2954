// Filters change between the order that Keras keeps them in, (taps, channels, filters), and that of cuDNN, (filters, taps, padded):
// a transposition, with zeros for channels behind the filter's own. S is the type of the packed ones: T, or bf16.
//
// Which filters is told by value, in the kernel's arguments, of which there may be 4 KiB; package kernel knows the same numbers.

#ifndef S
#define S T
#endif

#define MOST 90
#define SIDE 32 // of a tile, in both orders
#define DOWN 8  // rows of threads

struct Filter {
	u64 wide, packed; // addresses
	int taps, channels, padded, filters;
	int across;       // tiles along the filters
	int first;        // block
};

struct Filters {
	Filter of[MOST];
	int count;
};

// The filter that this block works on: the last that begins at or before it.
__device__ __forceinline__ const Filter &filter_of(const Filters &f) {
	int k = 0;
	for (int above = f.count; above - k > 1;) {
		const int middle = (k + above) / 2;
		if (f.of[middle].first <= (int)blockIdx.x) {
			k = middle;
		} else {
			above = middle;
		}
	}
	return f.of[k];
}

// Row r of a packed filter's transpose is tap r / padded, channel r % padded. source is where its row begins in the wide one, or −1.
__device__ __forceinline__ i64 source(const Filter &f, int r) {
	const int tap = r / f.padded, channel = r - tap * f.padded;
	return tap < f.taps && channel < f.channels ? (i64)(tap * f.channels + channel) * f.filters : -1;
}

KERNEL pack(const Filters filters) {
	__shared__ T tile[SIDE][SIDE + 1];
	const Filter &f = filter_of(filters);
	const T *from = (const T *)f.wide;
	S *to = (S *)f.packed;
	const int block = blockIdx.x - f.first, rows = f.taps * f.padded;
	const int row = block / f.across * SIDE, filter = block % f.across * SIDE;
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int k = filter + threadIdx.x;
		const i64 at = source(f, row + i);
		tile[i][threadIdx.x] = at >= 0 && k < f.filters ? from[at + k] : T(0);
	}
	__syncthreads();
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int r = row + threadIdx.x, k = filter + i;
		if (r < rows && k < f.filters) {
			store(&to[(i64)k * rows + r], tile[threadIdx.x][i]);
		}
	}
}

// The way back; what is behind a filter's own channels is dropped.
KERNEL unpack(const Filters filters) {
	__shared__ T tile[SIDE][SIDE + 1];
	const Filter &f = filter_of(filters);
	T *to = (T *)f.wide;
	const S *from = (const S *)f.packed;
	const int block = blockIdx.x - f.first, rows = f.taps * f.padded;
	const int row = block / f.across * SIDE, filter = block % f.across * SIDE;
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int r = row + threadIdx.x, k = filter + i;
		if (r < rows && k < f.filters) {
			tile[i][threadIdx.x] = widen(from[(i64)k * rows + r]);
		}
	}
	__syncthreads();
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int k = filter + threadIdx.x;
		const i64 at = source(f, row + i);
		if (at >= 0 && k < f.filters) {
			to[at + k] = tile[threadIdx.x][i];
		}
	}
}

// y ← images of x with zeros for the channels behind its own. y: pixels × PADDED; x: pixels × channels, in memory of type X. A thread
// writes a pixel.
#ifdef PADDED
#ifndef X
#define X T
#endif
KERNEL pad_channels(S *y, const X *x, int channels, i64 pixels) {
	FOR_EACH(i, pixels) {
		T v[PADDED];
#pragma unroll
		for (int c = 0; c < PADDED; c++) {
			v[c] = c < channels ? widen(x[i * channels + c]) : T(0);
		}
		store_pack<PADDED>(y + i * PADDED, v);
	}
}
#endif

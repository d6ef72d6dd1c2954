// Filters change between the order that Keras keeps them in, (taps, channels, filters), and that of cuDNN, (filters, taps, padded):
// a transposition, with zeros for channels behind the filter's own. S is the type of the packed ones: T, or bf16.
// Package kernel knows how many filters a launch takes.

#include "filters.cuh"

#ifndef S
#define S T
#endif

#define MOST 85

struct Filter {
	u64 wide, packed; // addresses
	int taps, channels, padded, filters;
	// Of a filter whose taps are not all packed: the first tap of it that is, how many are of each of its rows, and how many a row has.
	int tap, columns, row;
	int first; // block
};

struct Filters {
	Filter of[MOST];
	int count;
};

// Row r of a packed filter's transpose is tap r / padded, channel r % padded. source is where its row begins in the wide one, or −1.
__device__ __forceinline__ i64 source(const Filter &f, int r) {
	const int tap = r / f.padded, channel = r - tap * f.padded;
	if (tap >= f.taps || channel >= f.channels) {
		return -1;
	}
	const int down = tap / f.columns, at = f.tap + down * f.row + tap - down * f.columns;
	return (i64)(at * f.channels + channel) * f.filters;
}

// Tiles along the filters.
__device__ __forceinline__ int across(const Filter &f) { return (f.filters + SIDE - 1) / SIDE; }

KERNEL pack(const Filters filters) {
	__shared__ T tile[SIDE][SIDE + 1];
	const Filter &f = filters.of[filter_of(filters)];
	const T *from = (const T *)f.wide;
	S *to = (S *)f.packed;
	const int block = blockIdx.x - f.first, rows = f.taps * f.padded;
	const int row = block / across(f) * SIDE, filter = block % across(f) * SIDE;
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

// The way back, of one filter; what is behind a filter's own channels is dropped, and those of its `all` taps that are not packed become 0.
KERNEL unpack(const Filters filters, int all) {
	__shared__ T tile[SIDE][SIDE + 1];
	const Filter &f = filters.of[0];
	T *to = (T *)f.wide;
	const S *from = (const S *)f.packed;
	const int row = blockIdx.x / across(f) * SIDE, filter = blockIdx.x % across(f) * SIDE;
	const int r = row + threadIdx.x, tap = r / f.padded, below = tap - f.tap, down = below < 0 ? 0 : below / f.row, right = below - down * f.row;
	const bool packed = below >= 0 && right < f.columns && down * f.columns + right < f.taps;
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int k = filter + i;
		T v = T(0);
		if (packed && k < f.filters) {
			v = widen(from[((i64)k * f.taps + down * f.columns + right) * f.padded + r - tap * f.padded]);
		}
		tile[i][threadIdx.x] = v;
	}
	__syncthreads();
	for (int i = threadIdx.y; i < SIDE; i += DOWN) {
		const int k = filter + threadIdx.x, t = (row + i) / f.padded, channel = row + i - t * f.padded;
		if (t < all && channel < f.channels && k < f.filters) {
			to[(i64)(t * f.channels + channel) * f.filters + k] = tile[threadIdx.x][i];
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

// What kernels have in common that lay many filters out anew, in tiles which they turn around in shared memory. A table of filters comes by
// value, in the kernel's arguments, of which there may be 4 KiB: in of[0 … count − 1], each with the first block that works on it.

#define SIDE 32 // of a tile, in both orders
#define DOWN 8  // rows of threads

// The filter that this block works on: the last that begins at or before it.
template <typename Filters> __device__ __forceinline__ int filter_of(const Filters &f) {
	int k = 0;
	for (int above = f.count; above - k > 1;) {
		const int middle = (k + above) / 2;
		if (f.of[middle].first <= (int)blockIdx.x) {
			k = middle;
		} else {
			above = middle;
		}
	}
	return k;
}

// The gradient of a gather: sums of the slices that each index took, in the order of the indices, without float atomics.

#define ORDER_THREADS 1024

// Sorts the numbers 0 … count−1 by indices[k], equal ones by k: order[first[j]] … order[first[j+1]−1] are those with
// indices[k] = j. first: n+1 numbers; order: count numbers. One block of ORDER_THREADS threads.
KERNEL __launch_bounds__(ORDER_THREADS) order_indices(u32 *first, u32 *order, const i64 *indices, i64 n, i64 count) {
	__shared__ i64 chunk[ORDER_THREADS];
	__shared__ u32 sums[ORDER_THREADS];
	const int t = threadIdx.x;
	for (i64 j = t; j <= n; j += ORDER_THREADS) {
		first[j] = 0;
	}
	__syncthreads();
	for (i64 k = t; k < count; k += ORDER_THREADS) {
		atomicAdd(&first[indices[k]], 1u); // of integers, so that their order does not matter
	}
	__syncthreads();
	// first[j] becomes the number of indices below j. Thread t has the run of elements from low on.
	const i64 each = (n + ORDER_THREADS - 1) / ORDER_THREADS, low = each * t < n ? each * t : n, high = low + each < n ? low + each : n;
	u32 sum = 0;
	for (i64 j = low; j < high; j++) {
		sum += first[j];
	}
	sums[t] = sum;
	__syncthreads();
	for (int offset = 1; offset < ORDER_THREADS; offset *= 2) { // Hillis and Steele 1986
		const u32 before = t >= offset ? sums[t - offset] : 0u;
		__syncthreads();
		sums[t] += before;
		__syncthreads();
	}
	u32 below = sums[t] - sum;
	for (i64 j = low; j < high; j++) {
		const u32 here = first[j];
		first[j] = below;
		below += here;
	}
	__syncthreads();
	// A chunk at a time, every index goes to its place, and first[j] moves on behind the last place of j.
	for (i64 from = 0; from < count; from += ORDER_THREADS) {
		const i64 k = from + t, j = k < count ? indices[k] : -1;
		chunk[t] = j;
		__syncthreads();
		u32 rank = 0, after = 0;
		if (j >= 0) {
			for (int s = 0; s < t; s++) {
				rank += chunk[s] == j;
			}
			for (int s = t + 1; s < ORDER_THREADS; s++) {
				after += chunk[s] == j;
			}
			order[first[j] + rank] = (u32)k;
		}
		__syncthreads();
		if (j >= 0 && after == 0) {
			first[j] += rank + 1;
		}
		__syncthreads();
	}
	// first[j] is now where j+1 begins.
	for (i64 end = n; end >= 0; end -= ORDER_THREADS) {
		const i64 j = end - t;
		const u32 begin = j > 0 ? first[j - 1] : 0u;
		__syncthreads();
		if (j >= 0) {
			first[j] = begin;
		}
		__syncthreads();
	}
}

// dx(o, j, r) ← Σ dy(o, k, r) over all k with indices[k] = j. dx: outer × n × inner, of total elements; dy: outer × count ×
// inner.
KERNEL gather_grad(T *dx, const T *dy, const u32 *first, const u32 *order, i64 count, Div n, Div inner, i64 total) {
	FOR_EACH(i, total) {
		const i64 row = quotient(i, inner), o = quotient(row, n), j = row - o * n.by;
		const i64 base = o * count * inner.by + (i - row * inner.by);
		const u32 end = first[j + 1];
		T sum = T(0);
		for (u32 p = first[j]; p < end;) { // sums of sums err less than one long sum
			T part = T(0);
			for (const u32 stop = end - p < 64 ? end : p + 64; p < stop; p++) {
				part += dy[base + order[p] * inner.by];
			}
			sum += part;
		}
		dx[i] = sum;
	}
}

// A parcel of small things for several places in memory. It begins with three words for each: where it goes, where it lies in the
// parcel, and its bytes; 0 where there is none. Each has a block. What goes somewhere lies at a multiple of 16 bytes, here and there.
KERNEL scatter(const u64 *parcel) {
	const u64 *const entry = parcel + 3 * blockIdx.x;
	const u8 *const from = (const u8 *)parcel + entry[1];
	u8 *const to = (u8 *)entry[0];
	const i64 bytes = entry[2], whole = bytes / 4;
	for (i64 i = threadIdx.x; i < whole; i += blockDim.x) {
		((u32 *)to)[i] = ((const u32 *)from)[i];
	}
	for (i64 i = 4 * whole + threadIdx.x; i < bytes; i += blockDim.x) {
		to[i] = from[i];
	}
}

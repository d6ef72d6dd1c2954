// y ← the sum of parts, + bias over the channels, rectified, as flags (1 and 2) say. parts: (count, n); y: n elements, of which
// inner follow each other in one channel.
KERNEL split_sum(T *y, const T *parts, const T *bias, int flags, i64 count, const Div inner, const Div channels, i64 n) {
	FOR_EACH(i, n) {
		T v = T(0);
		for (i64 p = 0; p < count; p++) {
			v += parts[p * n + i];
		}
		if (flags & 1) {
			const i64 at = quotient(i, inner);
			v += bias[at - quotient(at, channels) * channels.by];
		}
		y[i] = flags & 2 && v < T(0) ? T(0) : v;
	}
}

struct Fold {
	i64 n;               // weights
	Div inner, channels; // weights that lie together and belong to one channel, and channels
	int biased, pad;
};

// What a batch norm in inference does, as weights and bias of the product in front of it, see graph.FoldNorm. w, folded: f.n elements; the
// others have one for each channel; bias is read if there is one.
KERNEL fold_norm(T *folded, T *shift, const T *w, const T *gamma, const T *beta, const T *mean, const T *variance, const T *bias, T epsilon, const Fold f) {
	FOR_EACH(i, f.n) {
		const i64 at = quotient(i, f.inner);
		const i64 c = at - quotient(at, f.channels) * f.channels.by;
		folded[i] = w[i] * (gamma[c] * rsqrt(variance[c] + epsilon));
	}
	FOR_EACH(c, f.channels.by) {
		shift[c] = ((f.biased ? bias[c] : T(0)) - mean[c]) * (gamma[c] * rsqrt(variance[c] + epsilon)) + beta[c];
	}
}

package ir

// GroupNorm normalises each sample's groups of channels to mean 0 and variance 1 (biased), without scale and shift. In: x (n, c, …),
// c divisible by Groups; out: y. Wu and He 2018. Stock Gorgonia: GroupNormOp.
type GroupNorm struct {
	Groups  int
	Epsilon float64
}

// GroupNormGrad is the gradient of GroupNorm. In: x, dy; out: dx.
type GroupNormGrad struct {
	Groups  int
	Epsilon float64
}

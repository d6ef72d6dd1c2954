package kernel

// Where there are several ways to compute an operation, its kernel says which of them it was prepared for.

// Way is how the convolution is computed.
func (k *Conv2D[T]) Way() string {
	if k.o.Frozen {
		return k.way.name() + ", packed"
	}
	return k.way.name()
}

// Way is how the gradient is computed.
func (k *Conv2DBackwardInput[T]) Way() string {
	if k.tiles != nil {
		return k.tiles.name()
	}
	return gradientWay(k.direct != nil, k.tiny != nil, k.patches != nil)
}

// Way is how the gradient is computed.
func (k *Conv2DBackwardFilter[T]) Way() string {
	if k.tiles != nil {
		return byWinograd
	}
	return gradientWay(k.direct != nil, k.xs != nil, k.patches != nil)
}

// Way is "gemm".
func (k *MatMul[T]) Way() string { return "gemm" }

func gradientWay(direct, tiny, patches bool) string {
	switch {
	case direct:
		return byDepth
	case tiny:
		return byTaps
	case patches:
		return byPatches
	}
	return byGemm // the images themselves are the matrix
}

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
	return gradientWay(k.direct != nil, k.tiny != nil, k.patches != nil)
}

// Way is how the gradient is computed.
func (k *Conv2DBackwardFilter[T]) Way() string {
	return gradientWay(k.direct != nil, k.xs != nil, k.patches != nil)
}

// Way is "gemm".
func (k *MatMul[T]) Way() string { return "gemm" }

func gradientWay(direct, tiny, patches bool) string {
	switch {
	case direct:
		return "depthwise"
	case tiny:
		return "gemm by tap"
	case patches:
		return "implicit gemm"
	}
	return "gemm" // the images themselves are the matrix
}

package kernel

import "strings"

// Where there are several ways to compute an operation, its kernel says which of them it was prepared for.

// byHead is the way of an attention: products whose results stay in the cache.
const byHead = "gemm by head"

// packed is added to the way of a kernel whose weights are frozen.
const packed = ", packed"

// Way is how the convolution is computed.
func (k *Conv2D[T]) Way() string {
	if k.o.Frozen {
		return k.chosen + packed
	}
	return k.chosen
}

// Way is how the gradient is computed.
func (k *Conv2DBackwardInput[T]) Way() string { return k.chosen }

// Way is how the gradient is computed.
func (k *Conv2DBackwardFilter[T]) Way() string { return k.chosen }

// Way is that of matrices that lie in memory.
func (k *MatMul[T]) Way() string { return byGemm }

// Way is that of a single product.
func (k *BatchMatMul[T]) Way() string { return byGemm }

// Multiplies says whether a way is one of matrix products, which may round their factors.
func Multiplies(way string) bool {
	switch strings.TrimSuffix(way, packed) {
	case byGemm, byPatches, byTaps, byRows, byHead:
		return true
	}
	return false
}

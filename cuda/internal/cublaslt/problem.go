// Package cublaslt multiplies matrices with NVIDIA's cuBLASLt, which is looked for and loaded at run time. Without the tag gpu
// it only knows how to put a product to it.
package cublaslt

import (
	"errors"
	"fmt"
	"math/bits"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// ErrUnsupported says that cuBLASLt has no algorithm for a product; another way to compute it must be taken.
var ErrUnsupported = errors.New("cuda: cuBLASLt has no algorithm for this product")

// Constants of cublasLt.h, cublas_api.h and library_types.h, by their names there.
const (
	cudaR32F, cudaR64F, cudaR16BF            = 0, 1, 14
	compute32F, compute32FFast16BF           = 68, 75
	compute64F, compute32FFastTF32           = 70, 77
	descTransA, descTransB                   = 3, 4
	descEpilogue, descBiasPointer            = 7, 8
	epilogueDefault, epilogueBias            = 1, 4
	layoutBatchCount, layoutBatchStride      = 5, 6
	prefMaxWorkspace, prefAlignment          = 1, 5 // of A; of B, C and D are the next
	statusSuccess, statusNotSupported        = 0, 15
	statusArchMismatch, statusNotInitialized = 8, 1
)

// matrix is a column-major matrix as it lies in memory.
type matrix struct {
	rows, cols, ld int
	trans          bool // its transpose is the operand
	stride         int64
	alignment      int // bytes
	data           int // element type
}

// problem is a product in cuBLASLt's terms: column-major d ← op(a)·op(b).
type problem struct {
	a, b, d        matrix
	compute, scale int
	epilogue       int
	batch          int
	biasAlignment  int
}

// pose puts a product of row-major matrices in terms of column-major ones. Memory that holds the m×n matrix c row by row holds
// cᵀ column by column, and cᵀ = op(b)ᵀ·op(a)ᵀ: so b is the first factor, a the second, and neither is moved. The bias over the
// columns of c is one over the rows of cᵀ, as the epilogue wants it.
func pose(g *kernel.Gemm) (problem, error) {
	p := problem{batch: max(g.Batch, 1), epilogue: epilogueDefault, biasAlignment: alignment}
	data, size := cudaR32F, int64(g.Dtype.Size())
	switch {
	case g.Dtype == tensor.Float32 && g.RoundedAB:
		p.scale, p.compute = cudaR32F, compute32F
	case g.Dtype == tensor.Float32 && g.RoundedC:
		return p, fmt.Errorf("%w: a result of bfloat16 of factors that are not", ErrUnsupported)
	case g.Dtype == tensor.Float32:
		p.scale = cudaR32F
		p.compute = map[kernel.Precision]int{kernel.FP32: compute32F, kernel.TF32: compute32FFastTF32, kernel.BF16: compute32FFast16BF}[g.Precision]
	case g.Dtype == tensor.Float64:
		data, p.scale, p.compute = cudaR64F, cudaR64F, compute64F
	default:
		return p, fmt.Errorf("%w: elements are %v", ErrUnsupported, g.Dtype)
	}
	if g.M <= 0 || g.N <= 0 || g.K <= 0 {
		return p, fmt.Errorf("%w: m, n, k = %d, %d, %d and none may be 0", ErrUnsupported, g.M, g.N, g.K)
	}
	stored := func(rows, cols int, trans, rounded bool, at kernel.Pointer, stride int64) matrix { // op(x) is rows×cols, row-major
		m := matrix{rows: cols, cols: rows, ld: cols, trans: trans, alignment: aligned(at.Offset), stride: stride, data: data}
		size := size
		if rounded {
			m.data, size = cudaR16BF, 2
		}
		if trans {
			m.rows, m.cols, m.ld = rows, cols, rows
		}
		if p.batch > 1 {
			m.alignment = min(m.alignment, aligned(stride*size))
		}
		return m
	}
	p.a = stored(g.K, g.N, g.TransB, g.RoundedAB, g.B, g.StrideB)
	p.b = stored(g.M, g.K, g.TransA, g.RoundedAB, g.A, g.StrideA)
	p.d = stored(g.M, g.N, false, g.RoundedC, g.C, g.StrideC)
	if g.Bias != nil && g.RoundedC {
		return p, fmt.Errorf("%w: a float32 bias of a result of bfloat16", ErrUnsupported)
	}
	if g.Bias != nil {
		p.epilogue = epilogueBias
		p.biasAlignment = aligned(g.Bias.Offset)
	}
	return p, nil
}

// alignment is what all memory of the engine has, and all that cuBLASLt asks for.
const alignment = 64

// aligned is the alignment of a place so many bytes into aligned memory.
func aligned(offset int64) int {
	if offset == 0 {
		return alignment
	}
	return min(alignment, 1<<bits.TrailingZeros64(uint64(offset)))
}

package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
)

// MatMul is [op.MatMul] with an optional bias and ReLU: op(a)·op(b) (+ bias) → (m, n). A dense layer is one of these, and
// so are both of its gradients: dx = dy·Wᵀ and dW = xᵀ·dy.
type MatMul[T Float] struct {
	Scratch[T]
	product groupedProduct[T]
	bias    bool
}

// MatMulOptions say how the factors are stored and what is done to the sums.
type MatMulOptions struct {
	TransA, TransB bool // a is stored (k, m), b is stored (n, k)
	Bias, ReLU     bool // add bias[j] to column j; then max(·, 0)
}

// NewMatMul prepares the product of an m×k by a k×n matrix.
func NewMatMul[T Float](e Env[T], m, n, k int, o MatMulOptions) (*MatMul[T], error) {
	return newMatMul(e, m, n, k, o, nil)
}

func newMatMul[T Float](e Env[T], m, n, k int, o MatMulOptions, sink gemm.Sink[T]) (*MatMul[T], error) {
	if m < 1 || n < 1 || k < 1 {
		return nil, fmt.Errorf("kernel: MatMul of %d×%d by %d×%d; every size must be at least 1", m, k, k, n)
	}
	mm := &MatMul[T]{bias: o.Bias}
	mm.product = newGroupedProduct(e, &mm.Scratch, []gemm.Args[T]{{M: m, N: n, K: k, ReLU: o.ReLU, Sink: sink,
		A: gemm.Operand[T]{Trans: o.TransA}, B: gemm.Operand[T]{Trans: o.TransB}}})
	return mm, nil
}

// NewMatMulUpdate prepares the product of an m×k by a k×n matrix that is the gradient of a weight, with the step u of the
// weight: [MatMul.Update] runs both.
func NewMatMulUpdate[T Float](e Env[T], m, n, k int, o MatMulOptions, u Updater[T]) (*MatMul[T], error) {
	if m*n != u.common().work.n {
		return nil, fmt.Errorf("kernel: a gradient of %d×%d elements for the update of %d", m, n, u.common().work.n)
	}
	mm, err := newMatMul(e, m, n, k, o, &updateSink[T]{update: u.common(), ld: n})
	if err == nil {
		u.common().squares = make([]float64, e.Gemm.SinkParts(&mm.product.args[0]))
	}
	return mm, err
}

// Update computes the gradient from a and b and updates the weight that the step's Begin was told.
func (k *MatMul[T]) Update(a, b []T) {
	args := &k.product.args[0]
	args.A.Data, args.B.Data = a, b
	k.product.run(&k.Scratch)
}

// Run computes y from a and b and, if prepared with Bias, bias (n). y must not overlap them.
func (k *MatMul[T]) Run(y, a, b, bias []T) {
	args := &k.product.args[0]
	args.A.Data, args.B.Data, args.C = a, b, y
	if k.bias {
		args.Bias = bias
	}
	k.product.run(&k.Scratch)
}

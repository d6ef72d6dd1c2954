package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/ir"
)

// MatMul is [op.MatMul] with an optional bias, residual and ReLU: op(a)·op(b) (+ bias) (+ residual) → (m, n). A dense layer is one of these, and
// so are both of its gradients: dx = dy·Wᵀ and dW = xᵀ·dy.
type MatMul[T Float] struct {
	Scratch[T]
	Kept[T]
	product groupedProduct[T]
	o       MatMulOptions
	after   *after[T]
	update  *update[T] // the step that the product is for, if it is not for Run
	inner   area[T]    // its working memory
}

// MatMulOptions say how the factors are stored and what is done to the sums.
type MatMulOptions struct {
	TransA, TransB bool // a is stored (k, m), b is stored (n, k)
	Bias           bool // add bias[j] to column j
	Add            bool // add a residual, shaped like the result
	ReLU           bool // then max(·, 0)
	Frozen         bool // b stays the same from run to run: Pack takes it over

	After *ir.Loop // then this, of one input and one result; nil is nothing
}

// NewMatMul prepares the product of an m×k by a k×n matrix.
func NewMatMul[T Float](e Env[T], m, n, k int, o MatMulOptions) (*MatMul[T], error) {
	return newMatMul(e, m, n, k, o, nil)
}

func newMatMul[T Float](e Env[T], m, n, k int, o MatMulOptions, sink gemm.Sink[T]) (*MatMul[T], error) {
	if m < 1 || n < 1 || k < 1 {
		return nil, fmt.Errorf("kernel: MatMul of %d×%d by %d×%d; every size must be at least 1", m, k, k, n)
	}
	mm := &MatMul[T]{o: o}
	a := gemm.Args[T]{M: m, N: n, K: k, ReLU: o.ReLU, Sink: sink, A: gemm.Operand[T]{Trans: o.TransA}, B: gemm.Operand[T]{Trans: o.TransB}}
	if o.Frozen {
		a.B = gemm.Operand[T]{Packed: true}
		mm.keep(e.Gemm.PackedLen(k, n))
	}
	if o.Add {
		a.Beta = 1
	}
	then, err := newAfter(e.Pool, &mm.Scratch, o.After)
	if err != nil {
		return nil, err
	}
	mm.after, a.After = then, then.gemm()
	mm.product = newGroupedProduct(e, &mm.Scratch, []gemm.Args[T]{a})
	return mm, nil
}

// Pack takes the factor b of a kernel that was prepared as Frozen, for the runs that follow.
func (k *MatMul[T]) Pack(b []T) {
	a := &k.product.args[0]
	k.product.pack(&k.Scratch, k.kept(), gemm.Operand[T]{Data: b, Trans: k.o.TransB}, a.K, a.N)
}

// NewMatMulUpdate prepares the product of an m×k by a k×n matrix that is the gradient of a weight, with the step u of the
// weight: [MatMul.Update] runs both.
func NewMatMulUpdate[T Float](e Env[T], m, n, k int, o MatMulOptions, u Updater[T]) (*MatMul[T], error) {
	if m*n != u.common().work.n {
		return nil, fmt.Errorf("kernel: a gradient of %d×%d elements for the update of %d", m, n, u.common().work.n)
	}
	mm, err := newMatMul(e, m, n, k, o, &updateSink[T]{update: u.common(), ld: n})
	if err != nil {
		return nil, err
	}
	mm.update, mm.inner = u.common(), mm.reserve(u.Workspace())
	mm.update.squares = make([]float64, e.Gemm.SinkParts(&mm.product.args[0]))
	return mm, nil
}

// Update computes the gradient from a and b and updates the weight that the step's Begin was told.
func (k *MatMul[T]) Update(a, b []T) {
	args := &k.product.args[0]
	args.A.Data, args.B.Data = a, b
	k.update.SetScratch(k.inner.of(&k.Scratch))
	k.product.run(&k.Scratch)
}

// Run computes y from a and b, which a Frozen kernel does not look at, and, if prepared with Bias, bias (n), with Add, a residual
// like y, which may be y itself. y must not overlap the others.
func (k *MatMul[T]) Run(y, a, b, bias, residual []T) {
	args := &k.product.args[0]
	args.A.Data, args.B.Data, args.C = a, b, y
	if k.o.Frozen {
		args.B.Data = k.kept()
	}
	if k.o.Bias {
		args.Bias = bias
	}
	if k.o.Add {
		args.D = residual
	}
	k.after.begin(&k.Scratch)
	k.product.run(&k.Scratch)
}

package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// filterUpdate is the step of an optimizer as the gradient of a convolution's kernel sees it.
type filterUpdate[T Float] struct {
	*update[T]
	gemm   *gemm.Gemm[T]
	inner  area[T] // working memory of the step
	direct bool    // the products hand the gradient out
	blocks int     // that they hand out
	zeros  []T
}

// NewConv2DBackwardFilterUpdate prepares the gradient of a kernel with the step u of the kernel: [Conv2DBackwardFilter.Update]
// runs both.
func NewConv2DBackwardFilterUpdate[T Float](e Env[T], g op.ConvGeometry, u Updater[T]) (*Conv2DBackwardFilter[T], error) {
	f := &filterUpdate[T]{update: u.common(), gemm: e.Gemm}
	if n := op.Len(g.Filter()); n != f.work.n {
		return nil, fmt.Errorf("kernel: a gradient of %d elements for the update of %d", n, f.work.n)
	}
	k, err := newConv2DBackwardFilter(e, g, f)
	if err != nil {
		return nil, err
	}
	f.inner = k.reserve(u.Workspace())
	if f.direct {
		f.zeros = make([]T, min(len(k.unseen), 1)*updateBlock)
		f.squares = make([]float64, f.blocks+len(k.unseen))
	} else {
		k.gradient = k.reserve(f.work.n)
	}
	return k, nil
}

// Update computes the gradient from the images x and the gradient dy of the result and updates the kernel that the step's Begin
// was told.
func (k *Conv2DBackwardFilter[T]) Update(x, dy []T) {
	k.update.SetScratch(k.update.inner.of(&k.Scratch))
	if k.update.direct {
		k.run(nil, x, dy)
		return
	}
	dw := k.gradient.of(&k.Scratch)
	k.run(dw, x, dy)
	k.update.Apply(dw)
}

// sinks lets products hand the gradient to the update; origin is where the first element of each is in it. A nil f does nothing.
func (f *filterUpdate[T]) sinks(args []gemm.Args[T], origin func(i int) int) {
	if f == nil {
		return
	}
	f.direct = true
	for i := range args {
		a := &args[i]
		a.Sink = &updateSink[T]{update: f.update, ld: a.LDC, origin: origin(i), first: f.blocks}
		f.blocks += f.gemm.SinkParts(a)
	}
}

// zero updates n elements from lo on whose gradient is 0; i is the number of the call.
func (f *filterUpdate[T]) zero(worker, i, lo, n int) {
	var squares float64
	for hi := lo + n; lo < hi; lo += updateBlock {
		squares += f.apply(worker, lo, f.zeros[:min(updateBlock, hi-lo)])
	}
	f.squares[f.blocks+i] = squares
}

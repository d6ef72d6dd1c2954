//go:build gpu && cgo && linux

package cudnn

// static const float dnn_zero = 0;
// static const void *dnn_zero_at(void) { return &dnn_zero; }
import "C"

import "unsafe"

// masking is what becomes of the gradient of x, a virtual tensor, on its way to memory: it is masked and, if they are wanted, summed by channel.
//
// By a selection it is (y > 0) ? dx : 0, whatever dx is. CUDNN_POINTWISE_RELU_BWD is one operation instead of two, but whether 0 becomes of a
// dx that is NaN or infinite, as it does with us, or NaN, as of a product, NVIDIA does not say.
func (h *Handle) masking(b *builder, p *problem, dx, x unsafe.Pointer) (ops []unsafe.Pointer) {
	does := func(mode int32) attribute {
		return descriptors(pointwiseOp, b.make(kindPointwise, enum(pointwiseMode, typePointwiseMode, mode), enum(pointwiseMath, typeDataType, p.compute)))
	}
	y := h.tensor(b, *p.mask)
	if p.selects {
		zero, above := h.tensor(b, p.zero()), h.tensor(b, p.above())
		ops = append(ops,
			b.make(kindPointwiseOp, does(pointwiseGreater), descriptors(pointwiseX, y), descriptors(pointwiseB, zero), descriptors(pointwiseY, above)),
			b.make(kindPointwiseOp, does(pointwiseSelect), descriptors(pointwiseX, dx), descriptors(pointwiseB, zero), descriptors(pointwiseT, above), descriptors(pointwiseY, x)))
	} else {
		ops = append(ops, b.make(kindPointwiseOp, does(pointwiseReLUGrad), descriptors(pointwiseX, y), descriptors(pointwiseDY, dx), descriptors(pointwiseDX, x)))
	}
	if p.sums != nil {
		adds := []attribute{enum(reductionMode, typeReductionMode, reduceAdd), enum(reductionMath, typeDataType, p.compute)}
		if p.repeats { // what an older cuDNN does not know as an attribute is not asked of it for nothing
			adds = append(adds, values(reductionRepeat, typeBoolean, true))
		}
		ops = append(ops, b.make(kindReductionOp, descriptors(reductionOp, b.make(kindReduction, adds...)), descriptors(reductionX, x), descriptors(reductionY, h.tensor(b, p.sums[0]))))
	}
	return ops
}

// zeroOnHost is where the 0 of zero lies.
func zeroOnHost() uintptr { return uintptr(C.dnn_zero_at()) }

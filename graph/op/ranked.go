package op

import (
	"github.com/chewxy/hm"
	"gorgonia.org/tensor"
)

// ranked is embedded by operations whose result has another number of axes than their inputs, or whose inputs may have
// any number: Gorgonia's type signatures spell the number out, so it must be known before an operation is applied.
// [Apply] fills it in.
type ranked struct {
	salted
	in  []int
	out int
}

// rankKeeper is implemented by embedding ranked.
type rankKeeper interface {
	setRanks(in []tensor.Shape, out tensor.Shape)
	ranksKnown() bool
}

func (r *ranked) ranksKnown() bool { return len(r.in) > 0 }

func (r *ranked) setRanks(in []tensor.Shape, out tensor.Shape) {
	r.in = make([]int, len(in))
	for i, s := range in {
		r.in[i] = len(s)
	}
	r.out = len(out)
}

// Type is the signature for the ranks of the last application: Tensor-r0 a → Tensor-r1 a → … → Tensor-r a. All inputs
// and the result have one element type.
//
// Before the first application nothing is known; inferShape then refuses, so that gorgonia.ApplyOp returns an error.
func (r *ranked) Type() hm.Type {
	if !r.ranksKnown() {
		return signature(typeVar(), anyType())
	}
	types := make([]hm.Type, 0, len(r.in)+1)
	for _, d := range r.in {
		types = append(types, tensorType(d))
	}
	return signature(append(types, tensorType(r.out))...)
}

package graph

import "github.com/stheno-ml/stheno/graph/op"

// FusedConv2DBackwardInput is Conv2DBackwardInput, ReLUGrad of what that gives, and, if Bias, BiasGrad of the result over the channels: what
// becomes of the gradient between two convolutions with a ReLU between them. In: dy, w, y, the ReLU's result; out: dx[, db]. An engine gets
// it that asks for it ([ReLUGradJoiner]).
type FusedConv2DBackwardInput struct {
	Grad *op.Conv2DBackwardInput
	Bias bool
}

// Kind is "FusedConv2DBackwardInput".
func (f *FusedConv2DBackwardInput) Kind() string { return "FusedConv2DBackwardInput" }

func (f *FusedConv2DBackwardInput) String() string {
	return f.Grad.String() + "+ReLUGrad" + suffix("+BiasGrad", f.Bias)
}

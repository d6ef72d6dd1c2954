package graph

import "github.com/stheno-ml/stheno/graph/op"

// FusedMaxPool2DGrad is ReLUGrad(y, dy), MaxPool2DGrad(x, y, …) of that, and, if Bias, BiasGrad of the result over the channels: the gradient
// of a convolution with a bias, a ReLU and a max pooling behind it. In: x, y, dy; out: dx[, db]. Y is the result of that very pooling of x, so
// that the mask can be found from x as well, and every window hands its gradient to one element, so that the sums are those of the masked dy,
// too. An engine gets it that asks for it ([PoolGradJoiner]).
type FusedMaxPool2DGrad struct {
	Grad *op.MaxPool2DGrad
	Bias bool
}

// Kind is "FusedMaxPool2DGrad".
func (f *FusedMaxPool2DGrad) Kind() string { return "FusedMaxPool2DGrad" }

func (f *FusedMaxPool2DGrad) String() string {
	return "ReLUGrad+" + f.Grad.String() + suffix("+BiasGrad", f.Bias)
}

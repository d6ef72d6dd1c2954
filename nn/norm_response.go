package nn

import (
	"cmp"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// LocalResponseNormalization divides each element by a power of what the neighbouring channels say at the same place:
//
//	y[i] = x[i] / (Bias + Alpha · Σ x[j]²)^Beta,   j from i − DepthRadius to i + DepthRadius, as far as there are channels
//
// That is tf.nn.local_response_normalization with its arguments and defaults; Keras has no such layer. It differs from
// others in what a window is and whether Alpha is divided by its size:
//
//   - Krizhevsky et al. 2012 (AlexNet): k is Bias, n is 2·DepthRadius + 1, α is Alpha. Their k = 2, n = 5, α = 1e-4, β = 0.75
//     are LocalResponseNormalization{DepthRadius: 2, Bias: 2, Alpha: 1e-4, Beta: 0.75}.
//   - PyTorch's LocalResponseNorm(size, alpha, beta, k), Caffe's LRN and ONNX's take the mean: Alpha is alpha/size, and
//     DepthRadius (size − 1)/2 for an odd size.
//
// Input and result are batches of images of one shape. It has no weights.
type LocalResponseNormalization struct {
	DepthRadius int     // depth_radius: channels on each side; 0 means 5
	Bias        float64 // bias; 0 means 1
	Alpha       float64 // alpha; 0 means 1
	Beta        float64 // beta; 0 means 0.5
	Name        string
}

// Identity implements [Layer].
func (l LocalResponseNormalization) Identity() (class, name string) {
	return "LocalResponseNormalization", l.Name
}

// Infer implements [Layer].
func (l LocalResponseNormalization) Infer(s *Spec) (Shape, error) {
	if l.DepthRadius < 0 {
		return nil, badArgument("use 0 for the default, 5", "DepthRadius must not be negative, is %d", l.DepthRadius)
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"Bias", l.Bias}, {"Alpha", l.Alpha}, {"Beta", l.Beta}} {
		if err := checkPositive(f.name, f.value); err != nil {
			return nil, err
		}
	}
	if _, _, err := s.field(2); err != nil {
		return nil, err
	}
	return s.Inputs[0], nil
}

// Apply implements [Layer]. The sums over channels are a convolution of 1×1 with a band of ones, which every engine has a fast
// kernel for in both data formats.
func (l LocalResponseNormalization) Apply(c *Context) *gorgonia.Node {
	channels := c.InputShapes[0][channelAxis(c.InputShapes[0], c.Format)-1]
	radius := min(cmp.Or(l.DepthRadius, 5), channels)
	band := make([]float64, channels*channels)
	for i := range channels {
		for j := max(0, i-radius); j <= i+radius && j < channels; j++ {
			band[i*channels+j] = 1
		}
	}
	x := op.Try(c.Inputs[0], c.err)
	window := c.values("window", tensor.Shape{1, 1, channels, channels}, band)
	squares := c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Format: c.Format}}, c.Expr(x.Square()), window)
	sum := op.Try(squares, c.err).Mul(op.Number(cmp.Or(l.Alpha, 1))).Add(op.Number(cmp.Or(l.Bias, 1)))
	return c.Expr(x.Mul(inversePower(sum, cmp.Or(l.Beta, 0.5))))
}

// inversePower is 1/x^p for positive x, by roots where there are some: they are faster and more exact than powers.
func inversePower(x op.Expr, p float64) op.Expr {
	switch p {
	case 0.5:
		return x.InverseSqrt()
	case 0.75:
		root := x.InverseSqrt()
		return root.Mul(root.Sqrt())
	case 1:
		return x.Inverse()
	}
	return x.Log().Mul(op.Number(-p)).Exp()
}

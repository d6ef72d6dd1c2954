package nn

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Nonlinearity names an elementwise function, or one along the last axis, as Keras does. The zero value is Linear. Its
// numbers are Keras 3's; [ReLULayer], [LeakyReLULayer], [ELULayer], [PReLU] and [SoftmaxLayer] take others.
type Nonlinearity string

// The functions of x; σ is the sigmoid. Where a function has a kink, its derivative there is TensorFlow's.
const (
	Linear      Nonlinearity = "linear"      // x
	ReLU        Nonlinearity = "relu"        // max(x, 0)
	ReLU6       Nonlinearity = "relu6"       // min(max(x, 0), 6): Howard et al. 2017
	LeakyReLU   Nonlinearity = "leaky_relu"  // x where x > 0, else 0.2·x (Keras 2's layer has 0.3): Maas et al. 2013
	ELU         Nonlinearity = "elu"         // x where x > 0, else exp(x) − 1: Clevert et al. 2016
	SELU        Nonlinearity = "selu"        // 1.0507·x where x > 0, else 1.7581·(exp(x) − 1): Klambauer et al. 2017
	CELU        Nonlinearity = "celu"        // ELU with α = 1, which is the same: Barron 2017
	GELU        Nonlinearity = "gelu"        // x·Φ(x), by the error function: Hendrycks and Gimpel 2016
	Sigmoid     Nonlinearity = "sigmoid"     // 1/(1 + exp(−x))
	LogSigmoid  Nonlinearity = "log_sigmoid" // log σ(x)
	SiLU        Nonlinearity = "silu"        // x·σ(x): Elfwing et al. 2017
	Swish       Nonlinearity = "swish"       // another name of SiLU: Ramachandran et al. 2017
	Mish        Nonlinearity = "mish"        // x·tanh(softplus(x)): Misra 2019
	Tanh        Nonlinearity = "tanh"
	Softplus    Nonlinearity = "softplus"    // log(1 + exp(x))
	Softsign    Nonlinearity = "softsign"    // x/(1 + |x|)
	Squareplus  Nonlinearity = "squareplus"  // (x + √(x² + 4))/2: Barron 2021
	Exponential Nonlinearity = "exponential" // exp(x)

	HardSigmoid   Nonlinearity = "hard_sigmoid"   // relu6(x + 3)/6, Keras 3's; Keras 2's is clip(0.2·x + 0.5)
	HardSiLU      Nonlinearity = "hard_silu"      // x·hard_sigmoid(x): Howard et al. 2019
	HardSwish     Nonlinearity = "hard_swish"     // another name of HardSiLU
	HardTanh      Nonlinearity = "hard_tanh"      // x within [−1, 1]
	HardShrink    Nonlinearity = "hard_shrink"    // x where |x| > 0.5, else 0
	SoftShrink    Nonlinearity = "soft_shrink"    // x moved by 0.5 towards 0, at most to 0
	TanhShrink    Nonlinearity = "tanh_shrink"    // x − tanh(x)
	SparsePlus    Nonlinearity = "sparse_plus"    // 0 up to −1, x from 1 on, (x + 1)²/4 between
	SparseSigmoid Nonlinearity = "sparse_sigmoid" // (x + 1)/2 within [0, 1]

	// GELUApproximate is 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): Keras's gelu with approximate=True, which has no name
	// there. It is faster than GELU.
	GELUApproximate Nonlinearity = "gelu_approximate"

	// Softmax turns scores along the last axis into probabilities that sum to one.
	Softmax Nonlinearity = "softmax"
	// LogSoftmax is the logarithm of Softmax, exact where that underflows.
	LogSoftmax Nonlinearity = "log_softmax"
)

// Nonlinearities returns all functions, by name.
func Nonlinearities() []Nonlinearity {
	all := []Nonlinearity{Linear, Softmax, LogSoftmax}
	for f := range functions {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// check refuses unknown names and a softmax of single numbers.
func (f Nonlinearity) check(s Shape) error {
	if f == "" || functions[f] != nil || f == Linear {
		return nil
	}
	if f == Softmax || f == LogSoftmax {
		if len(s) == 0 {
			return badShape("give each sample an axis of scores, e.g. with a Reshape",
				"%s wants scores along the last axis, gets %v", f, s)
		}
		return nil
	}
	var names []string
	for _, known := range Nonlinearities() {
		names = append(names, string(known))
	}
	return badArgument(`use "relu", "softmax", "linear" or another of nn.Nonlinearities`, "unknown activation %q%s", string(f),
		suggest.Phrase(string(f), names))
}

// apply adds the function to the graph; Linear adds nothing.
func (f Nonlinearity) apply(c *Context, x *gorgonia.Node) *gorgonia.Node {
	switch {
	case x == nil || c.err != nil:
		return nil
	case f == ReLU:
		return c.Op(&op.ReLU{}, x)
	case f == Softmax:
		return c.rows(&op.Softmax{}, x)
	case f == LogSoftmax:
		return c.rows(&op.LogSoftmax{}, x)
	case functions[f] != nil:
		return c.Expr(functions[f](op.Of(x)))
	}
	return x
}

// rows applies an operation on matrices (N, C) to the vectors along the last axis of x, of any rank, and gives the result the
// shape of x.
func (c *Context) rows(o op.Op, x *gorgonia.Node) *gorgonia.Node {
	if x == nil || c.err != nil {
		return nil
	}
	s := x.Shape().Clone()
	last := s[len(s)-1]
	return c.view(c.Op(o, c.view(x, op.Len(s)/last, last)), s...)
}

// Activation applies a function to its input: Keras's Activation(activation). Any shape; the shape stays.
type Activation struct {
	Func Nonlinearity // activation; Linear by default
	Name string
}

// Identity implements [Layer].
func (l Activation) Identity() (class, name string) { return "Activation", l.Name }

// Infer implements [Layer].
func (l Activation) Infer(s *Spec) (Shape, error) { return s.Inputs[0], l.Func.check(s.Inputs[0]) }

// Apply implements [Layer].
func (l Activation) Apply(c *Context) *gorgonia.Node { return l.Func.apply(c, c.Inputs[0]) }

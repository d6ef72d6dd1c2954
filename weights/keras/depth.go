package keras

import (
	"encoding/json"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// sampleDropout is Keras's Dropout with noise_shape=(None, 1, …, 1): it drops whole samples, by which EfficientNet leaves out
// the branches of its blocks (Huang et al., "Deep Networks with Stochastic Depth", 2016).
type sampleDropout struct {
	Rate float64 // share of samples dropped, 0 ≤ Rate < 1
	Name string
}

// Identity implements [nn.Layer].
func (l sampleDropout) Identity() (class, name string) { return "Dropout", l.Name }

// Infer implements [nn.Layer].
func (l sampleDropout) Infer(s *nn.Spec) (nn.Shape, error) {
	return nn.Dropout{Rate: l.Rate}.Infer(s)
}

// Apply implements [nn.Layer].
func (l sampleDropout) Apply(c *nn.Context) *gorgonia.Node {
	x := c.Inputs[0]
	if x == nil || !c.Training || l.Rate == 0 {
		return x
	}
	seed, stream, step := c.Random()
	batch := x.Shape()[0]
	mask := c.Op(&op.Dropout{Rate: l.Rate, Seed: seed, Stream: stream}, c.Constant("ones", 1, batch), step)
	each := tensor.Shape{batch}
	for range x.Dims() - 1 {
		each = append(each, 1)
	}
	mask = c.Op(&op.Reshape{From: tensor.Shape{batch}, To: each}, mask)
	if c.Err() != nil {
		return nil
	}
	return c.Expr(op.Of(x).Mul(op.Of(mask)))
}

// dropout knows the noise shapes of whole samples and, for images, whole channels.
func dropout(args map[string]json.RawMessage) (nn.Layer, error) {
	raw := args["noise_shape"]
	var shape []*int
	if len(raw) == 0 || json.Unmarshal(raw, &shape) != nil || len(shape) < 2 || shape[0] != nil {
		return nil, nil // none, or what the fields refuse
	}
	for _, d := range shape[1:] {
		if d == nil || *d != 1 {
			return nil, nil
		}
	}
	delete(args, "noise_shape")
	return sampleDropout{}, nil
}

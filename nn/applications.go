package nn

import (
	"cmp"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// The layers of this file are no layers of Keras's own: they are of networks of keras.applications.

// LayerScale multiplies its input by a vector along the last axis that starts small, so that a branch begins to count as training goes
// on: keras.applications' LayerScale(init_values, projection_dim) (Touvron et al., "Going Deeper with Image Transformers", 2021). Any
// shape; the shape stays. Weight: gamma (last axis,), which has no name of its own in Keras.
type LayerScale struct {
	InitValues    float64 // init_values: what gamma starts with; 0 means 1e-6, which in Keras must be given
	ProjectionDim int     // projection_dim: the size of the last axis; 0 means whatever the input has
	Name          string
}

// StochasticDepth leaves out a share DropPathRate of the samples in training and divides the rest by 1−DropPathRate; in inference it
// does nothing: keras.applications' StochasticDepth(drop_path_rate) (Huang et al., "Deep Networks with Stochastic Depth", 2016). It is
// a [Dropout] of whole samples. Any shape; the shape stays.
type StochasticDepth struct {
	DropPathRate float64 // drop_path_rate, 0 ≤ DropPathRate < 1
	Name         string
}

// CustomScaleLayer is the first of two inputs plus Scale times the second: keras.applications' CustomScaleLayer(scale), by which
// InceptionResNetV2 adds its branches.
type CustomScaleLayer struct {
	Scale float64 // scale; 0 means 1, which in Keras must be given
	Name  string
}

// Identity implements [Layer].
func (l LayerScale) Identity() (class, name string) { return "LayerScale", l.Name }

// Identity implements [Layer].
func (l StochasticDepth) Identity() (class, name string) { return "StochasticDepth", l.Name }

// Identity implements [Layer].
func (l CustomScaleLayer) Identity() (class, name string) { return "CustomScaleLayer", l.Name }

// Arity implements [MultiInput]: two.
func (l CustomScaleLayer) Arity() (least, most int) { return 2, 2 }

// Infer implements [Layer].
func (l LayerScale) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	last := in[len(in)-1]
	if l.ProjectionDim != 0 && l.ProjectionDim != last {
		return nil, badShape("set ProjectionDim to the last axis of the input, or leave it out", "ProjectionDim is %d, the last axis of the input has %d", l.ProjectionDim, last)
	}
	if err := checkNumber("InitValues", l.InitValues, "use a small number such as 1e-6"); err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "gamma", Shape: tensor.Shape{last}, Trainable: true, Initializer: Constant{Value: cmp.Or(l.InitValues, 1e-6)}})
	return in, nil
}

// Infer implements [Layer].
func (l StochasticDepth) Infer(s *Spec) (Shape, error) {
	if !(l.DropPathRate >= 0 && l.DropPathRate < 1) {
		return nil, badArgument("e.g. 0.1", "DropPathRate must be at least 0 and less than 1, is %v", l.DropPathRate)
	}
	return s.Inputs[0], nil
}

// Infer implements [Layer].
func (l CustomScaleLayer) Infer(s *Spec) (Shape, error) {
	if err := checkNumber("Scale", l.Scale, "check the number"); err != nil {
		return nil, err
	}
	return s.stretched()
}

// Apply implements [Layer].
func (l LayerScale) Apply(c *Context) *gorgonia.Node {
	return c.Expr(op.Try(c.Inputs[0], c.err).Mul(c.along("gamma", []int{len(c.InputShapes[0])})))
}

// Apply implements [Layer].
func (l StochasticDepth) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.DropPathRate == 0 {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	if x.Err() != nil {
		return c.Fail(x.Err())
	}
	dims := x.Shape().Clone()
	for i := range dims[1:] {
		dims[1+i] = 1
	}
	return c.dropTogether(l.DropPathRate, dims)
}

// Apply implements [Layer].
func (l CustomScaleLayer) Apply(c *Context) *gorgonia.Node {
	return c.Expr(c.fold(func(x, y op.Expr) op.Expr { return x.Add(y.Mul(op.Number(cmp.Or(l.Scale, 1)))) }))
}

package ir

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// GroupNorm normalises each sample's groups of channels to mean 0 and variance 1 (biased), without scale and shift. In:
// x (n, c, …), c divisible by Groups; out: y. Wu and He 2018. Stock Gorgonia: GroupNormOp.
type GroupNorm struct {
	Groups  int
	Epsilon float64
}

// Kind is "GroupNorm".
func (o *GroupNorm) Kind() string { return "GroupNorm" }
func (o *GroupNorm) String() string {
	return fmt.Sprintf("GroupNorm(groups %d, epsilon %v)", o.Groups, o.Epsilon)
}

// Infer returns the shape of x.
func (o *GroupNorm) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	return in[0].Clone(), wantGroups(o.Kind(), in, o.Groups, o.Epsilon)
}

func wantGroups(kind string, in []tensor.Shape, groups int, epsilon float64) error {
	x := in[0]
	if len(x) < 2 {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: "samples and channels, at least 2 axes", Got: shape.Format(x), Shapes: in,
			Remedy: "reshape it before this operation"}
	}
	if groups < 1 || x[1]%groups != 0 {
		return &shape.Error{Op: kind, Axis: 1, Wanted: fmt.Sprintf("a number of channels divisible by Groups %d", groups),
			Got: fmt.Sprint(x[1]), Shapes: in, Remedy: "set Groups to a divisor of the number of channels"}
	}
	return wantAttribute(kind, in, epsilon >= 0, "Epsilon of at least 0", epsilon)
}

// Compute computes y with plain loops.
func (o *GroupNorm) Compute(out, in []op.Array) error {
	switch y := out[0].Data.(type) {
	case []float32:
		return groupNorm(y, in, o.Groups, o.Epsilon)
	case []float64:
		return groupNorm(y, in, o.Groups, o.Epsilon)
	}
	return noType(out[0].Data)
}

func groupNorm[T op.Float](y []T, in []op.Array, groups int, epsilon float64) error {
	x, ok := in[0].Data.([]T)
	if !ok {
		return noType(in[0].Data)
	}
	n := len(x) / (in[0].Shape[0] * groups) // a group's elements lie together
	for at := 0; at < len(x); at += n {
		mean, rstd := groupMoments(x[at:at+n], epsilon)
		for i, v := range x[at : at+n] {
			y[at+i] = T((float64(v) - mean) * rstd)
		}
	}
	return nil
}

// groupMoments returns the mean and 1/√(variance+epsilon).
func groupMoments[T op.Float](x []T, epsilon float64) (mean, rstd float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	squares := 0.0
	for _, v := range x {
		d := float64(v) - mean
		squares += d * d
	}
	return mean, 1 / math.Sqrt(squares/float64(len(x))+epsilon)
}

// GroupNormGrad is the gradient of GroupNorm. In: x, dy; out: dx.
type GroupNormGrad struct {
	Groups  int
	Epsilon float64
}

// Kind is "GroupNormGrad".
func (o *GroupNormGrad) Kind() string { return "GroupNormGrad" }
func (o *GroupNormGrad) String() string {
	return fmt.Sprintf("GroupNormGrad(groups %d, epsilon %v)", o.Groups, o.Epsilon)
}

// Infer returns the shape of x.
func (o *GroupNormGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 2); err != nil {
		return nil, err
	}
	if err := wantGroups(o.Kind(), in, o.Groups, o.Epsilon); err != nil {
		return nil, err
	}
	return in[0].Clone(), wantShape(o.Kind(), in, in[1], in[0], "a gradient")
}

// Compute computes dx with plain loops.
func (o *GroupNormGrad) Compute(out, in []op.Array) error {
	switch dx := out[0].Data.(type) {
	case []float32:
		return groupNormGrad(dx, in, o.Groups, o.Epsilon)
	case []float64:
		return groupNormGrad(dx, in, o.Groups, o.Epsilon)
	}
	return noType(out[0].Data)
}

// groupNormGrad is dx = rstd·(dy − mean(dy) − y·mean(dy·y)), y the normalised x: the closed form of the chain rule
// through mean and variance.
func groupNormGrad[T op.Float](dx []T, in []op.Array, groups int, epsilon float64) error {
	x, okX := in[0].Data.([]T)
	dy, okY := in[1].Data.([]T)
	if !okX || !okY {
		return fmt.Errorf("ir: a gradient to %T of %T and %T; all must have one element type", dx, in[0].Data, in[1].Data)
	}
	n := len(x) / (in[0].Shape[0] * groups)
	for at := 0; at < len(x); at += n {
		x, dy, dx := x[at:at+n], dy[at:at+n], dx[at:at+n]
		mean, rstd := groupMoments(x, epsilon)
		sum, dot := 0.0, 0.0
		for i, d := range dy {
			sum += float64(d)
			dot += float64(d) * (float64(x[i]) - mean) * rstd
		}
		for i, d := range dy {
			dx[i] = T(rstd * (float64(d) - sum/float64(n) - (float64(x[i])-mean)*rstd*dot/float64(n)))
		}
	}
	return nil
}

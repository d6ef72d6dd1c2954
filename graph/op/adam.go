package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// AdamMean is Adam's next first moment: Beta·m + (1 − Beta)·g. Inputs: m, g of one shape. Kingma & Ba 2015.
type AdamMean struct {
	salted
	Beta float64
}

func (o *AdamMean) Kind() string          { return "AdamMean" }
func (o *AdamMean) String() string        { return fmt.Sprintf("AdamMean(beta %v)", o.Beta) }
func (o *AdamMean) Arity() int            { return 2 }
func (o *AdamMean) Type() hm.Type         { return sameType(2) }
func (o *AdamMean) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AdamMean) Hashcode() uint32      { return hashcode(o) }
func (o *AdamMean) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *AdamMean) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AdamMean) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *AdamMean) Reference(out Array, in []Array) error {
	if single(in[0]) {
		adamMean[float32](o, out, in)
	} else {
		adamMean[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape.
func (o *AdamMean) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a moment"), wantSame(o, in, 0, 1), wantBeta(o, in, "Beta", o.Beta))
}

// SymDiff returns an error: updates are not differentiated.
func (o *AdamMean) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func adamMean[T Float](o *AdamMean, out Array, in []Array) {
	y, m, g := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = T(o.Beta*float64(m[i]) + (1-o.Beta)*float64(g[i]))
	}
}

// wantBeta checks a decay rate of Adam: at 1, the bias correction would divide by 0.
func wantBeta(o Op, in []tensor.Shape, name string, beta float64) error {
	return wantAttribute(o, in, beta >= 0 && beta < 1, name+" of at least 0 and below 1", beta,
		"usual are 0.9 for the first moment and 0.999 for the second")
}

// AdamSquare is Adam's next second moment: Beta·v + (1 − Beta)·g². Inputs: v, g of one shape. Kingma & Ba 2015.
type AdamSquare struct {
	salted
	Beta float64
}

func (o *AdamSquare) Kind() string          { return "AdamSquare" }
func (o *AdamSquare) String() string        { return fmt.Sprintf("AdamSquare(beta %v)", o.Beta) }
func (o *AdamSquare) Arity() int            { return 2 }
func (o *AdamSquare) Type() hm.Type         { return sameType(2) }
func (o *AdamSquare) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AdamSquare) Hashcode() uint32      { return hashcode(o) }
func (o *AdamSquare) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *AdamSquare) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AdamSquare) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *AdamSquare) Reference(out Array, in []Array) error {
	if single(in[0]) {
		adamSquare[float32](o, out, in)
	} else {
		adamSquare[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape.
func (o *AdamSquare) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a moment"), wantSame(o, in, 0, 1), wantBeta(o, in, "Beta", o.Beta))
}

// SymDiff returns an error: updates are not differentiated.
func (o *AdamSquare) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func adamSquare[T Float](o *AdamSquare, out Array, in []Array) {
	y, v, g := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = T(o.Beta*float64(v[i]) + (1-o.Beta)*float64(g[i])*float64(g[i]))
	}
}

// AdamStep is the weight's step of Adam in Keras's form, with epsilon outside the bias correction ("epsilon hat" of
// Kingma & Ba 2015, section 2):
//
//	w − lr·√(1 − Beta2^t)/(1 − Beta1^t) · m'/(√v' + Epsilon)
//
// Inputs: w, m' = AdamMean, v' = AdamSquare, of one shape; lr, a scalar; t, the number of the step, an int scalar that
// starts at 1. Result: the shape of w. Keras's defaults are 0.9, 0.999 and 1e-7; all three are literal here. A t below 1
// is an error. Keras: optimizers.Adam.
type AdamStep struct {
	salted
	Beta1, Beta2 float64
	Epsilon      float64
}

func (o *AdamStep) Kind() string { return "AdamStep" }
func (o *AdamStep) String() string {
	return fmt.Sprintf("AdamStep(beta1 %v, beta2 %v, epsilon %v)", o.Beta1, o.Beta2, o.Epsilon)
}
func (o *AdamStep) Arity() int { return 5 }
func (o *AdamStep) Type() hm.Type {
	return signature(typeVar(), typeVar(), typeVar(), anyType(), tensor.Int, typeVar())
}
func (o *AdamStep) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AdamStep) Hashcode() uint32      { return hashcode(o) }
func (o *AdamStep) DiffWRT(int) []bool    { return []bool{false, false, false, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *AdamStep) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AdamStep) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *AdamStep) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return adamStep[float32](o, out, in)
	}
	return adamStep[float64](o, out, in)
}

func (o *AdamStep) intInput(i int) bool { return i == 4 }

// Infer returns the shape of w.
func (o *AdamStep) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a weight"), wantSame(o, in, 0, 1), wantSame(o, in, 0, 2),
		wantScalar(o, in, 3, "a learning rate"), wantScalar(o, in, 4, "a step number"),
		wantBeta(o, in, "Beta1", o.Beta1), wantBeta(o, in, "Beta2", o.Beta2), wantEpsilon(o, in, o.Epsilon))
}

// SymDiff returns an error: updates are not differentiated.
func (o *AdamStep) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// Rate is the bias-corrected learning rate of step t: lr·√(1 − Beta2^t)/(1 − Beta1^t).
func (o *AdamStep) Rate(lr float64, t int) float64 {
	return lr * math.Sqrt(1-math.Pow(o.Beta2, float64(t))) / (1 - math.Pow(o.Beta1, float64(t)))
}

func adamStep[T Float](o *AdamStep, out Array, in []Array) error {
	y, w, m, v := floats[T](out), floats[T](in[0]), floats[T](in[1]), floats[T](in[2])
	t := in[4].Data.([]int)[0]
	if t < 1 {
		return fmt.Errorf("op: %s: step number is %d, want at least 1; count the step before the update", o.Kind(), t)
	}
	rate := o.Rate(scalar[T](in[3]), t)
	for i := range y {
		y[i] = T(float64(w[i]) - rate*float64(m[i])/(math.Sqrt(float64(v[i]))+o.Epsilon))
	}
	return nil
}

package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Momentum is the next velocity of gradient descent with momentum: Momentum·v − lr·g. Inputs: v, g of one shape, lr, a
// scalar. The weight's update is Add(w, v') or [Nesterov]. Polyak 1964; Keras: optimizers.SGD.
type Momentum struct {
	salted
	Momentum float64
}

func (o *Momentum) Kind() string          { return "Momentum" }
func (o *Momentum) String() string        { return fmt.Sprintf("Momentum(momentum %v)", o.Momentum) }
func (o *Momentum) Arity() int            { return 3 }
func (o *Momentum) Type() hm.Type         { return signature(typeVar(), typeVar(), anyType(), typeVar()) }
func (o *Momentum) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Momentum) Hashcode() uint32      { return hashcode(o) }
func (o *Momentum) DiffWRT(int) []bool    { return []bool{false, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Momentum) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Momentum) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Momentum) Reference(out Array, in []Array) error {
	if single(in[0]) {
		momentum[float32](o, out, in)
	} else {
		momentum[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of v.
func (o *Momentum) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a velocity"), wantSame(o, in, 0, 1), wantScalar(o, in, 2, "a learning rate"))
}

// SymDiff returns an error: updates are not differentiated.
func (o *Momentum) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func momentum[T Float](o *Momentum, out Array, in []Array) {
	y, v, g, lr := floats[T](out), floats[T](in[0]), floats[T](in[1]), scalar[T](in[2])
	for i := range y {
		y[i] = T(o.Momentum*float64(v[i]) - lr*float64(g[i]))
	}
}

// Descend is one step of plain gradient descent: w − lr·g. Inputs: w, g of one shape, lr, a scalar. Keras:
// optimizers.SGD(momentum=0).
type Descend struct{ salted }

func (o *Descend) Kind() string          { return "Descend" }
func (o *Descend) String() string        { return "Descend" }
func (o *Descend) Arity() int            { return 3 }
func (o *Descend) Type() hm.Type         { return signature(typeVar(), typeVar(), anyType(), typeVar()) }
func (o *Descend) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Descend) Hashcode() uint32      { return hashcode(o) }
func (o *Descend) DiffWRT(int) []bool    { return []bool{false, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Descend) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Descend) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Descend) Reference(out Array, in []Array) error {
	if single(in[0]) {
		descend[float32](o, out, in)
	} else {
		descend[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of w.
func (o *Descend) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a weight"), wantSame(o, in, 0, 1), wantScalar(o, in, 2, "a learning rate"))
}

// SymDiff returns an error: updates are not differentiated.
func (o *Descend) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func descend[T Float](_ *Descend, out Array, in []Array) {
	y, w, g, lr := floats[T](out), floats[T](in[0]), floats[T](in[1]), scalar[T](in[2])
	for i := range y {
		y[i] = T(float64(w[i]) - lr*float64(g[i]))
	}
}

// Nesterov is the weight's step of Nesterov's accelerated gradient, in Keras's form: w + Momentum·v' − lr·g, where v' is
// the velocity after this step's [Momentum]. Inputs: w, v', g of one shape, lr, a scalar. Nesterov 1983, Sutskever et al.
// 2013; Keras: optimizers.SGD(nesterov=True).
type Nesterov struct {
	salted
	Momentum float64
}

func (o *Nesterov) Kind() string   { return "Nesterov" }
func (o *Nesterov) String() string { return fmt.Sprintf("Nesterov(momentum %v)", o.Momentum) }
func (o *Nesterov) Arity() int     { return 4 }
func (o *Nesterov) Type() hm.Type {
	return signature(typeVar(), typeVar(), typeVar(), anyType(), typeVar())
}
func (o *Nesterov) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Nesterov) Hashcode() uint32      { return hashcode(o) }
func (o *Nesterov) DiffWRT(int) []bool    { return []bool{false, false, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Nesterov) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Nesterov) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Nesterov) Reference(out Array, in []Array) error {
	if single(in[0]) {
		nesterov[float32](o, out, in)
	} else {
		nesterov[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of w.
func (o *Nesterov) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a weight"), wantSame(o, in, 0, 1), wantSame(o, in, 0, 2),
		wantScalar(o, in, 3, "a learning rate"))
}

// SymDiff returns an error: updates are not differentiated.
func (o *Nesterov) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func nesterov[T Float](o *Nesterov, out Array, in []Array) {
	y, w, v, g, lr := floats[T](out), floats[T](in[0]), floats[T](in[1]), floats[T](in[2]), scalar[T](in[3])
	for i := range y {
		y[i] = T(float64(w[i]) + o.Momentum*float64(v[i]) - lr*float64(g[i]))
	}
}

// WeightDecay adds a weight's decay to its gradient: g + Rate·w. Inputs: g, w of one shape. This is PyTorch's
// SGD(weight_decay=Rate), and the gradient of an [L2Penalty] of Rate/2.
type WeightDecay struct {
	salted
	Rate float64
}

func (o *WeightDecay) Kind() string          { return "WeightDecay" }
func (o *WeightDecay) String() string        { return fmt.Sprintf("WeightDecay(rate %v)", o.Rate) }
func (o *WeightDecay) Arity() int            { return 2 }
func (o *WeightDecay) Type() hm.Type         { return sameType(2) }
func (o *WeightDecay) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *WeightDecay) Hashcode() uint32      { return hashcode(o) }
func (o *WeightDecay) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *WeightDecay) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *WeightDecay) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *WeightDecay) Reference(out Array, in []Array) error {
	if single(in[0]) {
		weightDecay[float32](o, out, in)
	} else {
		weightDecay[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of g.
func (o *WeightDecay) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a gradient"), wantSame(o, in, 0, 1))
}

// SymDiff returns an error: updates are not differentiated.
func (o *WeightDecay) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func weightDecay[T Float](o *WeightDecay, out Array, in []Array) {
	y, g, w := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = T(float64(g[i]) + o.Rate*float64(w[i]))
	}
}

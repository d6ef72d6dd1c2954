package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// BiasAdd adds a vector along one axis: y[…,c,…] = x[…,c,…] + b[c]. Inputs: x of any rank from 1, b (C) with C the
// length of x along Axis. Result: the shape of x. It is TensorFlow's bias_add, the bias of Keras's Conv2D and Dense.
// A negative Axis counts from the end; note that the zero value is axis 0, Keras's channels_last is -1.
type BiasAdd struct {
	ranked
	Axis int
}

func (o *BiasAdd) Kind() string          { return "BiasAdd" }
func (o *BiasAdd) String() string        { return fmt.Sprintf("BiasAdd(axis %d)", o.Axis) }
func (o *BiasAdd) Arity() int            { return 2 }
func (o *BiasAdd) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BiasAdd) Hashcode() uint32      { return hashcode(o) }
func (o *BiasAdd) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BiasAdd) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BiasAdd) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) { return inferShape(o, ds) }

// Infer returns the shape of x.
func (o *BiasAdd) Infer(in []tensor.Shape) (tensor.Shape, error) {
	axis, err := channelAxis(o, in, 0, o.Axis)
	if err != nil {
		return nil, err
	}
	return in[0].Clone(), wantShape(o, in, 1, tensor.Shape{in[0][axis]}, "a bias", fmt.Sprintf("it runs along axis %d of input 0", axis))
}

// SymDiff returns dy for x and BiasGrad(dy) for b.
func (o *BiasAdd) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	db, err := Apply(&BiasGrad{Axis: o.Axis}, dy)
	return gorgonia.Nodes{dy, db}, err
}

// Reference computes the operation with plain loops.
func (o *BiasAdd) Reference(out Array, in []Array) error {
	y, x, b := make([]float64, Len(out.Shape)), wide(in[0]), wide(in[1])
	eachChannelRun(in[0].Shape, o.Axis, func(c, from, to int) {
		for i := from; i < to; i++ {
			y[i] = x[i] + b[c]
		}
	})
	store(out, y)
	return nil
}

// BiasGrad sums over all axes but one: the gradient of [BiasAdd] with respect to its bias. Input: dy of any rank from 1.
// Result: (C), C the length of dy along Axis. A negative Axis counts from the end.
type BiasGrad struct {
	ranked
	Axis int
}

func (o *BiasGrad) Kind() string          { return "BiasGrad" }
func (o *BiasGrad) String() string        { return fmt.Sprintf("BiasGrad(axis %d)", o.Axis) }
func (o *BiasGrad) Arity() int            { return 1 }
func (o *BiasGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BiasGrad) Hashcode() uint32      { return hashcode(o) }
func (o *BiasGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BiasGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BiasGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns (C).
func (o *BiasGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	axis, err := channelAxis(o, in, 0, o.Axis)
	if err != nil {
		return nil, err
	}
	return tensor.Shape{in[0][axis]}, nil
}

// SymDiff is the second derivative: d (C) spread over the shape of dy.
func (o *BiasGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&ChannelBroadcast{Axis: o.Axis, Shape: in[0].Shape()}, d))
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *BiasGrad) Reference(out Array, in []Array) error {
	db, dy := make([]float64, Len(out.Shape)), wide(in[0])
	eachChannelRun(in[0].Shape, o.Axis, func(c, from, to int) {
		for _, v := range dy[from:to] {
			db[c] += v
		}
	})
	store(out, db)
	return nil
}

// ChannelBroadcast spreads a vector over a shape: y[…,c,…] = b[c], with c the index along Axis. Input: b (C). Result:
// Shape, of length C along Axis. It is the gradient of [BiasGrad].
type ChannelBroadcast struct {
	ranked
	Axis  int
	Shape tensor.Shape
}

func (o *ChannelBroadcast) Kind() string { return "ChannelBroadcast" }
func (o *ChannelBroadcast) String() string {
	return fmt.Sprintf("ChannelBroadcast(axis %d, shape %s)", o.Axis, shape.Format(o.Shape))
}
func (o *ChannelBroadcast) Arity() int            { return 1 }
func (o *ChannelBroadcast) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *ChannelBroadcast) Hashcode() uint32      { return hashcode(o) }
func (o *ChannelBroadcast) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *ChannelBroadcast) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *ChannelBroadcast) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns Shape.
func (o *ChannelBroadcast) Infer(in []tensor.Shape) (tensor.Shape, error) {
	axis, err := resolveAxis(o.Shape, o.Axis, "Shape")
	if err != nil {
		return nil, fillFrom(err, o.Kind(), "Shape", o.Shape, in)
	}
	return o.Shape.Clone(), wantShape(o, in, 0, tensor.Shape{o.Shape[axis]}, "an input",
		fmt.Sprintf("it runs along axis %d of %s", axis, shape.Format(o.Shape)))
}

// SymDiff returns BiasGrad(dy).
func (o *ChannelBroadcast) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&BiasGrad{Axis: o.Axis}, dy))
}

// Reference computes the operation with plain loops.
func (o *ChannelBroadcast) Reference(out Array, in []Array) error {
	y, b := make([]float64, Len(out.Shape)), wide(in[0])
	eachChannelRun(o.Shape, o.Axis, func(c, from, to int) {
		for i := from; i < to; i++ {
			y[i] = b[c]
		}
	})
	store(out, y)
	return nil
}

// channelAxis resolves an axis, negative from the end, of input i, which must be neither a scalar nor empty.
func channelAxis(o Op, in []tensor.Shape, i, axis int) (int, error) {
	a, err := resolveAxis(in[i], axis, fmt.Sprintf("an input %d", i))
	if err != nil {
		return 0, fill(err, o.Kind(), in...)
	}
	return a, nil
}

// resolveAxis is channelAxis for any shape; the error has Op and Shapes still to be filled in.
func resolveAxis(s tensor.Shape, axis int, what string) (int, *shape.Error) {
	dims := len(s)
	if axis < -dims || axis >= dims {
		return 0, &shape.Error{Axis: shape.NoAxis, Wanted: fmt.Sprintf("%s that has axis %d", what, axis), Got: fmt.Sprintf("%d axes", dims),
			Remedy: "correct Axis"}
	}
	for i, d := range s {
		if d < 1 {
			return 0, &shape.Error{Axis: i, Wanted: what + " without empty axes", Got: fmt.Sprint(d), Remedy: "leave empty batches out"}
		}
	}
	if axis < 0 {
		axis += dims
	}
	return axis, nil
}

// eachChannelRun calls visit for every contiguous run of elements of one channel, in memory order: channel, first
// element, one past the last. axis may be negative.
func eachChannelRun(s tensor.Shape, axis int, visit func(channel, from, to int)) {
	if axis < 0 {
		axis += len(s)
	}
	channels, run := s[axis], Len(s[axis+1:])
	for i := range Len(s) / run {
		visit(i%channels, i*run, (i+1)*run)
	}
}

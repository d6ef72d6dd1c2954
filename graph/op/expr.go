package op

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Expr is a tensor of a graph, or a plain number, to compute with: its methods apply operations, and the first error goes
// from operand to result, so that it is looked at once, in [Expr.Node]. Mish, for one, is
//
//	x := op.Of(node)
//	y, err := x.Mul(x.Softplus().Tanh()).Node()
//
// Numbers become attributes of the operations ([BinaryNumber]) and take the element type of the other operand. Operands of
// different shapes are stretched as NumPy does ([Binary]).
type Expr struct {
	node   *gorgonia.Node // nil: number
	number float64
	err    error
}

// Of is the expression of a node.
func Of(n *gorgonia.Node) Expr {
	if n == nil {
		return failed(errors.New("op: an operand is a nil node; an earlier error was probably not checked"))
	}
	return Expr{node: n}
}

// Try is the expression of a node that comes with an error, as in op.Try(op.Flatten(x)).
func Try(n *gorgonia.Node, err error) Expr {
	if err != nil {
		return failed(err)
	}
	return Of(n)
}

// Number is a number as an operand.
func Number(v float64) Expr { return Expr{number: v} }

func failed(err error) Expr { return Expr{err: err} }

// Node returns the tensor, or the first error of all that it was made of.
func (x Expr) Node() (*gorgonia.Node, error) {
	if x.err == nil && x.node == nil {
		return nil, fmt.Errorf("op: %v is a number without a tensor; make a node of it with op.Const", x.number)
	}
	return x.node, x.err
}

// Err returns the first error of all that x was made of.
func (x Expr) Err() error { return x.err }

// Shape is the shape of the tensor; nil of a number or after an error.
func (x Expr) Shape() tensor.Shape {
	if x.node == nil {
		return nil
	}
	return x.node.Shape()
}

// Apply applies an operation whose first input is x. The others must be tensors, too.
func (x Expr) Apply(o Op, others ...Expr) Expr {
	var in []*gorgonia.Node
	for _, e := range append([]Expr{x}, others...) {
		n, err := e.Node()
		if err != nil {
			return failed(err)
		}
		in = append(in, n)
	}
	return Try(Apply(o, in...))
}

// Unary applies an elementwise function.
func (x Expr) Unary(fn UnaryFn) Expr {
	if x.err == nil && x.node == nil && fn < UnaryFns {
		return Number(fn.Of(x.number))
	}
	return x.Apply(&Unary{Fn: fn})
}

// Binary applies an elementwise function of two operands, of which one may be a number.
func (x Expr) Binary(fn BinaryFn, y Expr) Expr {
	switch {
	case x.err != nil:
		return x
	case y.err != nil:
		return y
	case x.node != nil && y.node != nil:
		return x.Apply(&Binary{Fn: fn}, y)
	case x.node != nil:
		return x.Apply(&BinaryNumber{Fn: fn, Number: y.number})
	case y.node != nil:
		return y.Apply(&BinaryNumber{Fn: fn, Number: x.number, First: true})
	case fn >= BinaryFns:
		return failed(fmt.Errorf("op: there is no function %v", fn))
	}
	return Number(fn.Of(x.number, y.number))
}

// Reduce reduces over axes, which may count from the end, or over all; they are dropped.
func (x Expr) Reduce(fn ReduceFn, axes ...int) Expr {
	return x.Apply(&Reduce{Fn: fn, Axes: slices.Clone(axes)})
}

// ReduceKeep is Reduce that leaves the axes with a size of 1, so that the result stretches to x again.
func (x Expr) ReduceKeep(fn ReduceFn, axes ...int) Expr {
	return x.Apply(&Reduce{Fn: fn, Axes: slices.Clone(axes), KeepDims: true})
}

// Reshape gives the elements another shape, in row-major order. One size may be −1: what is left.
func (x Expr) Reshape(dims ...int) Expr {
	from := x.Shape()
	if shape.Equal(from, dims) {
		return x
	}
	to, open, known := tensor.Shape(dims).Clone(), -1, 1
	for i, d := range to {
		if d == -1 && open < 0 {
			open = i
		} else {
			known *= d
		}
	}
	switch {
	case open < 0 || x.node == nil || known <= 0: // what is wrong is for Infer to say
	case Len(from)%known != 0:
		return failed(&shape.Error{Op: "Reshape", Axis: open, Wanted: fmt.Sprintf("sizes whose product divides %d elements", Len(from)), Got: shape.Format(to),
			Inputs: []string{x.node.Name()}, Shapes: []tensor.Shape{from}, Remedy: "a reshape keeps every element"})
	default:
		to[open] = Len(from) / known
	}
	return x.Apply(&Reshape{From: from.Clone(), To: to})
}

// Expand puts an axis of size 1 at a place, which may count from the end (−1: the last one). Keras: ops.expand_dims.
func (x Expr) Expand(axis int) Expr {
	s := x.Shape()
	at, ok := axisOf(axis, len(s)+1)
	if x.err == nil && !ok {
		return failed(&shape.Error{Op: "Reshape", Axis: shape.NoAxis, Wanted: fmt.Sprintf("a place among %d axes", len(s)+1), Got: fmt.Sprint(axis),
			Shapes: []tensor.Shape{s}, Remedy: "axes count from 0, or from −1 for the last one backwards"})
	}
	if x.err != nil {
		return x
	}
	return x.Reshape(slices.Insert(slices.Clone([]int(s)), at, 1)...)
}

// Permute reorders axes: axis i of the result is axis axes[i] of x.
func (x Expr) Permute(axes ...int) Expr { return x.Apply(&Permute{Axes: slices.Clone(axes)}) }

// BroadcastTo stretches x to a shape.
func (x Expr) BroadcastTo(dims ...int) Expr {
	if shape.Equal(x.Shape(), dims) && x.node != nil {
		return x
	}
	return x.Apply(&BroadcastTo{Shape: tensor.Shape(dims).Clone()})
}

// Slice is x[start:stop] along one axis, with Python's meaning; see [Slice].
func (x Expr) Slice(axis, start, stop int) Expr { return x.Stride(axis, start, stop, 1) }

// Stride is x[start:stop:step] along one axis, with Python's meaning; see [Slice].
func (x Expr) Stride(axis, start, stop, step int) Expr {
	if x.err != nil || x.node == nil {
		return x.Apply(&Slice{})
	}
	dims := len(x.Shape())
	o := &Slice{Starts: make([]int, dims), Stops: make([]int, dims), Steps: make([]int, dims)}
	if err := wantAxis(o, []tensor.Shape{x.Shape()}, x.Shape(), axis); err != nil {
		return failed(named(err, o, []*gorgonia.Node{x.node}))
	}
	at, _ := axisOf(axis, dims)
	for i := range dims {
		o.Stops[i], o.Steps[i] = ToEnd, 1
	}
	o.Starts[at], o.Stops[at], o.Steps[at] = start, stop, step
	return x.Apply(o)
}

// Flip reverses an axis.
func (x Expr) Flip(axis int) Expr { return x.Stride(axis, -1, ToStart, -1) }

// Split cuts an axis into n equal pieces.
func (x Expr) Split(axis, n int) []Expr {
	pieces := make([]Expr, max(n, 0))
	at, ok := axisOf(axis, len(x.Shape()))
	for i := range pieces {
		switch {
		case x.err != nil || !ok:
			pieces[i] = x.Slice(axis, 0, 1)
		case x.Shape()[at]%n != 0:
			pieces[i] = failed(&shape.Error{Op: "Slice", Axis: at, Wanted: fmt.Sprintf("a size that %d divides", n), Got: fmt.Sprint(x.Shape()[at]),
				Inputs: []string{x.node.Name()}, Shapes: []tensor.Shape{x.Shape()}, Remedy: "split it into equal pieces"})
		default:
			size := x.Shape()[at] / n
			pieces[i] = x.Slice(axis, i*size, (i+1)*size)
		}
	}
	return pieces
}

// Gather takes slices along an axis in the order of indices, a tensor of int; see [Gather].
func (x Expr) Gather(axis int, indices Expr) Expr { return x.Apply(&Gather{Axis: axis}, indices) }

// StopGradient is x without a gradient.
func (x Expr) StopGradient() Expr { return x.Apply(&StopGradient{}) }

// Full is a tensor of v in the element type of x, and in its graph.
func (x Expr) Full(v float64, dims ...int) Expr {
	return x.Apply(&Full{Value: v, Shape: tensor.Shape(dims).Clone()})
}

// Join is the tensors one after the other along an axis; see [Concat].
func Join(axis int, xs ...Expr) Expr {
	if len(xs) == 0 {
		return Try(Apply(&Concat{Axis: axis}))
	}
	return xs[0].Apply(&Concat{Axis: axis}, xs[1:]...)
}

// Stack is the tensors, all of one shape, along a new axis.
func Stack(axis int, xs ...Expr) Expr {
	tall := make([]Expr, len(xs))
	for i, x := range xs {
		tall[i] = x.Expand(axis)
	}
	return Join(axis, tall...)
}

// Where is a where the condition is positive, as comparisons say yes, and b elsewhere; what is not taken may be infinite or
// NaN, and a condition that is NaN is not positive. The condition has no gradient. Keras: ops.where.
func Where(condition, a, b Expr) Expr {
	no := Number(1).Sub(condition.Greater(Number(0)))
	return condition.When(a).Add(no.When(b))
}

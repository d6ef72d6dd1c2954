package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Binary is Fn of pairs of elements of a and b, which are stretched to one shape as NumPy does: axes are matched from the
// last one, missing ones count as of size 1, and axes of size 1 take the other's size. Comparisons give 1 and 0 and have no
// gradient; where min and max are equal, the gradient goes to a, as in TensorFlow.
type Binary struct {
	ranked
	Fn BinaryFn
}

func (o *Binary) Kind() string          { return "Binary" }
func (o *Binary) String() string        { return "Binary(" + o.Fn.String() + ")" }
func (o *Binary) Arity() int            { return 2 }
func (o *Binary) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Binary) Hashcode() uint32      { return hashcode(o) }

// DiffWRT says which operands have a gradient: of comparisons none, of when b alone.
func (o *Binary) DiffWRT(int) []bool {
	return []bool{!o.Fn.Compares() && o.Fn != FnWhen, !o.Fn.Compares()}
}

// Do computes the operation for Gorgonia's own machines.
func (o *Binary) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Binary) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes in float64 and rounds once.
func (o *Binary) Reference(out Array, in []Array) error {
	if single(in[0]) {
		binary[float32](o, out, in)
	} else {
		binary[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape that a and b are stretched to.
func (o *Binary) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantBinaryFn(o, in, o.Fn), wantFull(o, in, 0, "an input"), wantFull(o, in, 1, "an input")); err != nil {
		return nil, err
	}
	return stretched(o, in, in[0], in[1])
}

func wantBinaryFn(o Op, in []tensor.Shape, fn BinaryFn) error {
	return wantAttribute(o, in, fn < BinaryFns, "a known function", fn, "set Fn to one of the constants, such as op.FnAdd")
}

// SymDiff returns dy times each derivative, summed to the shape of the operand.
func (o *Binary) SymDiff(in gorgonia.Nodes, out, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	if o.Fn.Compares() {
		return notDifferentiable(o)
	}
	ds, have := make(gorgonia.Nodes, 2), o.DiffWRT(2)
	for i, n := range in {
		if !have[i] {
			continue
		}
		d := derivative(o.Fn, i, Of(in[0]), Of(in[1]), Of(out), Of(dy))
		var err error
		if ds[i], err = sumTo(d, n.Shape()).Node(); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// derivative returns dy times the derivative of y = fn(a, b) by operand i, in the shape of y. The other one may be a number.
func derivative(fn BinaryFn, i int, a, b, y, dy Expr) Expr {
	by := func(da, db func() Expr) Expr { return [2]func() Expr{da, db}[i]() }
	same := func() Expr { return dy }
	switch fn {
	case FnAdd:
		return dy
	case FnSub:
		return by(same, dy.Neg)
	case FnMul:
		return dy.Mul([2]Expr{b, a}[i])
	case FnDiv:
		return by(func() Expr { return dy.Div(b) }, func() Expr { return dy.Mul(y).Div(b).Neg() })
	case FnPow:
		return by(func() Expr { return dy.Mul(b).Mul(a.Pow(b.Sub(Number(1)))) },
			func() Expr { return dy.Mul(y).Mul(a.When(a.Log())) }) // 0 where the logarithm is not real, as in TensorFlow
	case FnMin:
		return by(func() Expr { return a.LessEqual(b).When(dy) }, func() Expr { return Number(1).Sub(a.LessEqual(b)).When(dy) })
	case FnMax:
		return by(func() Expr { return a.GreaterEqual(b).When(dy) }, func() Expr { return Number(1).Sub(a.GreaterEqual(b)).When(dy) })
	case FnWhen:
		return a.When(dy)
	}
	return failed(fmt.Errorf("op: Binary: %v has no derivative", fn))
}

func binary[T Float](o *Binary, out Array, in []Array) {
	y, a, b := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i, at := range positions(out.Shape, 0, strides(in[0].Shape, out.Shape)) {
		y[i] = a[at]
	}
	for i, at := range positions(out.Shape, 0, strides(in[1].Shape, out.Shape)) {
		y[i] = T(o.Fn.Of(float64(y[i]), float64(b[at])))
	}
}

// BinaryNumber is Fn(x, Number) of every element of x, of any shape, or Fn(Number, x) if First is set: [Binary] with a
// constant. Number is rounded to the element type of x. Comparisons have no gradient.
type BinaryNumber struct {
	salted
	Fn     BinaryFn
	Number float64
	First  bool
}

func (o *BinaryNumber) Kind() string { return "BinaryNumber" }
func (o *BinaryNumber) String() string {
	if o.First {
		return fmt.Sprintf("BinaryNumber(%v, number %v first)", o.Fn, o.Number)
	}
	return fmt.Sprintf("BinaryNumber(%v, number %v)", o.Fn, o.Number)
}
func (o *BinaryNumber) Arity() int            { return 1 }
func (o *BinaryNumber) Type() hm.Type         { return sameType(1) }
func (o *BinaryNumber) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BinaryNumber) Hashcode() uint32      { return hashcode(o) }

// DiffWRT is false for comparisons, and for when with x as the condition.
func (o *BinaryNumber) DiffWRT(int) []bool {
	return []bool{!o.Fn.Compares() && (o.Fn != FnWhen || o.First)}
}

// Do computes the operation for Gorgonia's own machines.
func (o *BinaryNumber) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BinaryNumber) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes in float64 and rounds once.
func (o *BinaryNumber) Reference(out Array, in []Array) error {
	if single(in[0]) {
		binaryNumber[float32](o, out, in)
	} else {
		binaryNumber[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *BinaryNumber) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantBinaryFn(o, in, o.Fn), wantFull(o, in, 0, "an input"))
}

// SymDiff returns dy times the derivative.
func (o *BinaryNumber) SymDiff(in gorgonia.Nodes, out, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	if !o.DiffWRT(1)[0] {
		return notDifferentiable(o)
	}
	if o.First {
		return grads(derivative(o.Fn, 1, Number(o.Number), Of(in[0]), Of(out), Of(dy)).Node())
	}
	return grads(derivative(o.Fn, 0, Of(in[0]), Number(o.Number), Of(out), Of(dy)).Node())
}

func binaryNumber[T Float](o *BinaryNumber, out Array, in []Array) {
	y, x, number := floats[T](out), floats[T](in[0]), float64(T(o.Number))
	for i, v := range x {
		if o.First {
			y[i] = T(o.Fn.Of(number, float64(v)))
		} else {
			y[i] = T(o.Fn.Of(float64(v), number))
		}
	}
}

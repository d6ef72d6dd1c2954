package graph

import (
	"fmt"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// stockUnary are the names that stock Gorgonia prints for its unary functions, in the order of ir.UnaryFn.
var stockUnary = []string{"abs", "sign", "ceil", "floor", "sin", "cos", "exp", "ln", "log2", "neg", "square", "sqrt", "inv", "invSqrt",
	"cube", "tanh", "sigmoid", "log1p", "expm1", "softplus"}

func lowerUnary(l *lowering, _ attributes) *Value {
	fn := slices.Index(stockUnary, l.n.Op().String())
	if fn < 0 || len(l.in) != 1 || !isFloat(l.in[0].Dtype) {
		return nil
	}
	return l.emit(&ir.Unary{Fn: ir.UnaryFn(fn)}, l.in[0])
}

// lowerBinary translates the arithmetic and the comparisons. Sums and products of equal shapes become the operations of
// package op, which the passes for residuals and penalties look for.
func lowerBinary(l *lowering, a attributes) *Value {
	fn, ok := stockBinaryFn(a)
	if !ok || len(l.in) != 2 {
		return nil
	}
	x, y := l.in[0], l.in[1]
	if x.Dtype != y.Dtype || !isFloat(x.Dtype) && x.Dtype != tensor.Int {
		return nil
	}
	if isFloat(x.Dtype) && shape.Equal(x.Shape, y.Shape) && l.out.Dtype == x.Dtype {
		switch fn {
		case ir.Add:
			return l.emit(&op.Add{}, x, y)
		case ir.Mul:
			return l.emit(&op.Mul{}, x, y)
		}
	}
	return l.emitAs(l.out.Dtype, &ir.Binary{Fn: fn}, x, y)
}

// stockBinaryFn reads the operator's number out of the operator, which is a scalarBinOp or a tBinOp.
func stockBinaryFn(a attributes) (ir.BinaryFn, bool) {
	operator := a.v.Field(0).Elem()
	if operator.Kind() != reflect.Struct || operator.NumField() == 0 || !operator.Field(0).CanUint() {
		return 0, false
	}
	k := operator.Field(0).Uint()
	return ir.BinaryFn(k), k <= uint64(ir.Ne)
}

func lowerMin(l *lowering, _ attributes) *Value { return l.emit(&ir.Binary{Fn: ir.Min}, l.in...) }
func lowerMax(l *lowering, _ attributes) *Value { return l.emit(&ir.Binary{Fn: ir.Max}, l.in...) }

func lowerCast(l *lowering, _ attributes) *Value {
	numeric := func(dt tensor.Dtype) bool { return isFloat(dt) || dt == tensor.Int }
	if len(l.in) != 1 || !numeric(l.in[0].Dtype) || !numeric(l.out.Dtype) {
		return nil
	}
	return l.emitAs(l.out.Dtype, &ir.Cast{To: l.out.Dtype}, l.in[0])
}

// lowerSame is for operations that hand their input on.
func lowerSame(l *lowering, _ attributes) *Value { return l.reshape(l.in[0], l.out.Shape...) }

func isFloat(dt tensor.Dtype) bool { return dt == tensor.Float32 || dt == tensor.Float64 }

// number returns the value of a constant of one element.
func number(v *Value) (float64, bool) {
	if v == nil || v.Const == nil || v.Len() != 1 {
		return 0, false
	}
	switch d := v.Const.Data.(type) {
	case []float32:
		return float64(d[0]), true
	case []float64:
		return d[0], true
	case []int:
		return float64(d[0]), true
	}
	return 0, false
}

// count returns a constant that is a positive number of things.
func count(v *Value) (int, error) {
	x, ok := number(v)
	if n := int(x); ok && n > 0 && float64(n) == x {
		return n, nil
	}
	return 0, fmt.Errorf("not a constant count")
}

package onnx

import (
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

func exportAffine(e *exporter, n *gorgonia.Node, o op.Op) {
	in, a := op.Children(n)[0], o.(*op.ChannelAffine)
	f := e.common([]*gorgonia.Node{in})
	y := e.form(in, f)
	if a.Scale != 1 || a.Shift == nil {
		y = e.emit("Mul", []string{y, e.number(a.Scale)}, "")
	}
	if a.Shift != nil {
		axis := a.Axis
		if axis < 0 {
			axis += in.Dims()
		}
		to := slices.Repeat([]int{1}, in.Dims()-axisIn(f, axis))
		to[0] = len(a.Shift)
		y = e.emit("Add", []string{y, e.numbers(to, a.Shift)}, "")
	}
	e.set(n, f, y)
}

// unaryTypes are the functions that ONNX has.
var unaryTypes = map[op.UnaryFn]string{op.FnAbs: "Abs", op.FnSign: "Sign", op.FnCeil: "Ceil", op.FnFloor: "Floor", op.FnSin: "Sin", op.FnCos: "Cos",
	op.FnExp: "Exp", op.FnLog: "Log", op.FnNeg: "Neg", op.FnSqrt: "Sqrt", op.FnInverse: "Reciprocal", op.FnTanh: "Tanh", op.FnSigmoid: "Sigmoid",
	op.FnSoftplus: "Softplus", op.FnErf: "Erf"}

func exportUnary(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)
	f := e.common(in)
	x := e.form(in[0], f)
	switch o := o.(type) {
	case *op.ReLU:
		x = e.emit("Relu", []string{x}, e.unique(n.Name()))
	case *op.Scale:
		x = e.emit("Mul", []string{x, e.number(o.Factor)}, e.unique(n.Name()))
	case *op.BinaryNumber:
		if o.First {
			x = e.binary(o.Fn, e.number(o.Number), x)
		} else {
			x = e.binary(o.Fn, x, e.number(o.Number))
		}
	case *op.Unary:
		x = e.unary(o.Fn, x)
	} // StopGradient is nothing here
	e.set(n, f, x)
}

func (e *exporter) unary(fn op.UnaryFn, x string) string {
	if name := unaryTypes[fn]; name != "" {
		return e.emit(name, []string{x}, "")
	}
	switch fn {
	case op.FnSquare:
		return e.emit("Mul", []string{x, x}, "")
	case op.FnCube:
		return e.emit("Mul", []string{e.emit("Mul", []string{x, x}, ""), x}, "")
	case op.FnInverseSqrt:
		return e.emit("Reciprocal", []string{e.emit("Sqrt", []string{x}, "")}, "")
	case op.FnLog1p:
		return e.emit("Log", []string{e.emit("Add", []string{x, e.number(1)}, "")}, "")
	case op.FnExpm1:
		return e.emit("Sub", []string{e.emit("Exp", []string{x}, ""), e.number(1)}, "")
	case op.FnLog2:
		return e.emit("Mul", []string{e.emit("Log", []string{x}, ""), e.number(math.Log2E)}, "")
	}
	e.fail("has the function %v, which has no counterpart in ONNX here", fn)
	return ""
}

var binaryTypes = map[op.BinaryFn]string{op.FnAdd: "Add", op.FnSub: "Sub", op.FnMul: "Mul", op.FnDiv: "Div", op.FnPow: "Pow", op.FnMin: "Min",
	op.FnMax: "Max", op.FnLess: "Less", op.FnGreater: "Greater", op.FnLessEqual: "LessOrEqual", op.FnGreaterEqual: "GreaterOrEqual", op.FnEqual: "Equal",
	op.FnNotEqual: "Equal"}

// binary writes a function of two operands; truth values become 1 and 0.
func (e *exporter) binary(fn op.BinaryFn, a, b string) string {
	if fn == op.FnWhen {
		return e.emit("Where", []string{e.emit("Greater", []string{a, e.number(0)}, ""), b, e.number(0)}, "")
	}
	name := binaryTypes[fn]
	if name == "" {
		e.fail("has the function %v, which has no counterpart in ONNX here", fn)
		return ""
	}
	y := e.emit(name, []string{a, b}, "")
	if fn == op.FnNotEqual {
		y = e.emit("Not", []string{y}, "")
	}
	if fn.Compares() {
		y = e.emit("Cast", []string{y}, "", attr{"to", int(e.elem)})
	}
	return y
}

func exportBinary(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)
	f := e.common(in)
	a, b := e.operand(in[0], f), e.operand(in[1], f)
	switch o := o.(type) {
	case *op.Add:
		a = e.emit("Add", []string{a, b}, e.unique(n.Name()))
	case *op.Mul:
		a = e.emit("Mul", []string{a, b}, e.unique(n.Name()))
	case *op.Binary:
		a = e.binary(o.Fn, a, b)
	}
	e.set(n, f, a)
}

func exportSoftmax(e *exporter, n *gorgonia.Node, o op.Op) {
	e.set(n, logical, e.emit(o.Kind(), []string{e.form(op.Children(n)[0], logical)}, e.unique(n.Name()), attr{"axis", -1}))
}

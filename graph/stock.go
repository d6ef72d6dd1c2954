package graph

import (
	"fmt"
	"reflect"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// HostOp runs an operation that is not recognised through its own Do, on host memory. Correct, and as slow as Gorgonia.
type HostOp struct{ Op gorgonia.Op }

// Kind is "HostOp".
func (h *HostOp) Kind() string   { return "HostOp" }
func (h *HostOp) String() string { return "HostOp(" + h.Op.String() + ")" }

// recognise translates operations of Gorgonia itself. The ones that gorgonia.Grad inserts (sums of gradients) must be
// here for a plan to be free of host operations. The operator's number is in an unexported field, read by reflection:
// String() does not tell addition of scalars from that of tensors, but shapes do.
func recognise(o gorgonia.Op, in []*Value) (Instr, bool) {
	v := reflect.ValueOf(o)
	if v.Kind() != reflect.Struct || v.Type().Name() != "elemBinOp" || v.Type().PkgPath() != stockPackage || len(in) != 2 {
		return nil, false
	}
	dt := in[0].Dtype // ours compute floats only
	if !shape.Equal(in[0].Shape, in[1].Shape) || in[1].Dtype != dt || dt != tensor.Float32 && dt != tensor.Float64 {
		return nil, false
	}
	operator := v.Field(0).Elem() // scalarBinOp or tBinOp
	if operator.Kind() != reflect.Struct || operator.NumField() == 0 || !operator.Field(0).CanUint() {
		return nil, false
	}
	switch operator.Field(0).Uint() {
	case stockAdd:
		return &op.Add{}, true
	case stockMul:
		return &op.Mul{}, true
	}
	return nil, false
}

const stockPackage = "gorgonia.org/gorgonia"

// Numbers of Gorgonia v0.9.18's binary operators; TestStockOperatorNumbers watches them.
const (
	stockAdd = 0
	stockMul = 2
)

// hostable refuses nodes that cannot run through Do.
func hostable(n *gorgonia.Node) error {
	if n.Op().Arity() == 0 || len(op.Children(n)) == 0 {
		return &CompileError{Stage: "capture", Node: n.Name(),
			Reason: fmt.Sprintf("operation %v has no inputs and is not a constant", n.Op()),
			Remedy: "feed it as an input instead"}
	}
	if n.IsScalar() || n.Shape() != nil {
		return nil
	}
	return &CompileError{Stage: "capture", Node: n.Name(), Reason: "the shape of its result is not known",
		Remedy: "give the node a shape with gorgonia.WithShape"}
}

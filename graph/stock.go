package graph

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// HostOp runs an operation that is not recognised through its own Do, on host memory. Correct, and as slow as Gorgonia.
type HostOp struct {
	Op gorgonia.Op

	turn *turn // operations of one graph may have state and are shared by its machines
}

// Kind is "HostOp".
func (h *HostOp) Kind() string   { return "HostOp" }
func (h *HostOp) String() string { return "HostOp(" + h.Op.String() + ")" }

// Do runs the operation on values that nobody else uses. Of the machines of one graph, one at a time does.
func (h *HostOp) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if h.turn != nil {
		h.turn.Lock()
		defer h.turn.Unlock()
	}
	return h.Op.Do(in...)
}

// Compute runs Do on in and copies its value into out. Some of Gorgonia's operations write to their operands for a moment (a matmul
// transposes in place), so in must be copies.
func (h *HostOp) Compute(out op.Array, in []op.Array) error {
	values := make([]gorgonia.Value, len(in))
	for i, a := range in {
		values[i] = a.Value()
	}
	v, err := h.Do(values...)
	if err != nil {
		return err
	}
	if v == nil {
		return errors.New("its Do returned neither a value nor an error")
	}
	a, err := op.AsArray(v)
	if err != nil {
		return err
	}
	if a.Dtype() != out.Dtype() || !shape.EqualButOnes(a.Shape, out.Shape) {
		return fmt.Errorf("it returned %v of shape %v, its node has %v of shape %v", a.Dtype(), a.Shape, out.Dtype(), out.Shape)
	}
	op.Copy(out, a)
	return nil
}

const stockPackage = "gorgonia.org/gorgonia"

// stockOps are the operations of Gorgonia v0.9.18 that are translated, by the names of their types; the others run through
// their own Do. A translation returns the value that it computed, or nil if it does not know this form of the operation.
// Their attributes are in unexported fields, read by reflection; stock_test.go watches every one of them.
var stockOps map[string]func(l *lowering, a attributes) *Value

func init() { // the translations refer to the table's users
	stockOps = map[string]func(l *lowering, a attributes) *Value{
		// stock_elementwise.go
		"elemBinOp":   lowerBinary,
		"elemUnaryOp": lowerUnary,
		"minBetween":  lowerMin,
		"maxBetween":  lowerMax,
		"dtConvOp":    lowerCast,
		"Iop":         lowerSame,
		// stock_matmul.go
		"linAlgBinOp": lowerLinAlg,
		"tensordotOp": lowerTensordot,
		// stock_shape.go
		"reshapeOp":         lowerReshape,
		"transposeOp":       lowerTranspose,
		"repeatOp":          lowerRepeat,
		"sliceOp":           lowerSlice,
		"sliceIncrOp":       lowerSliceGrad,
		"concatOp":          lowerConcat,
		"atOp":              lowerAt,
		"byIndicesOp":       lowerGather,
		"byIndicesOpDiffOp": lowerGatherGrad,
		"diagFlatOp":        lowerDiagFlat,
		"sumOp":             lowerSum,
		"maxOp":             lowerMaxOf,
		// stock_nn.go
		"im2colOp":            lowerIm2Col,
		"col2imOp":            lowerCol2Im,
		"maxPoolOp":           lowerMaxPool,
		"maxPoolDiffOp":       lowerMaxPoolGrad,
		"avgPoolOp":           lowerAvgPool,
		"avgPoolDiffOp":       lowerAvgPoolGrad,
		"globalAveragePoolOp": lowerGlobalAvgPool,
		"upsampleOp":          lowerUpsample,
		"upsampleDiffOp":      lowerUpsampleGrad,
		"softmaxOp":           lowerSoftmax,
		"softmaxDiffOp":       lowerSoftmaxGrad,
		// stock_norm.go
		"BatchNormOp":     lowerBatchNorm,
		"batchnormDiffOp": lowerBatchNormGrad,
		"GroupNormOp":     lowerGroupNorm,
		"groupNormDiffOp": lowerGroupNormGrad,
		// stock_random.go
		"dropoutOp":     lowerDropout,
		"dropoutDiffOp": lowerDropoutGrad,
		"randomOp":      lowerRandom,
	}
}

// stock translates a node of one of Gorgonia's own operations. It reports false, and leaves nothing behind, for others.
func (c *capturer) stock(n *gorgonia.Node, in []*Value, out *Value) bool {
	a := attributesOf(n.Op())
	translate := stockOps[a.typeName()]
	if translate == nil {
		return false
	}
	l := c.lower(n, in, out)
	return l.finish(translate(l, a))
}

// sizeOf returns the value of a node that asks for the size of an axis, which is known: a constant, in the element type that
// Gorgonia counts in.
func sizeOf(n *gorgonia.Node, children []*gorgonia.Node, dt tensor.Dtype) *op.Array {
	a := attributesOf(n.Op())
	if a.typeName() != "sizeOp" || len(children) != 1 {
		return nil
	}
	size, s := 1, children[0].Shape()
	if axis := a.int("axis"); axis < len(s) {
		size = s[axis]
	} else if len(s) > 0 {
		return nil
	}
	k, err := op.NewArray(dt, tensor.ScalarShape())
	if err != nil {
		return nil
	}
	switch d := k.Data.(type) {
	case []float32:
		d[0] = float32(size)
	case []float64:
		d[0] = float64(size)
	case []int:
		d[0] = size
	default:
		return nil
	}
	return &k
}

// hostable refuses nodes that cannot run through Do.
func hostable(n *gorgonia.Node) error {
	if len(op.Children(n)) == 0 {
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

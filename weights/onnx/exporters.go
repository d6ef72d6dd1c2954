package onnx

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// exporters write the operations of graph/op, by their kind.
var exporters = map[string]func(*exporter, *gorgonia.Node, op.Op){
	"Conv2D":              exportConv,
	"Conv2DBackwardInput": exportConvTranspose,
	"BiasAdd":             exportBias,
	"MatMul":              exportMatMul,
	"MaxPool2D":           exportPool,
	"AvgPool2D":           exportPool,
	"GlobalAvgPool2D":     exportGlobalPool,
	"ZeroPad2D":           exportPad,
	"Crop2D":              exportPad,
	"BatchNormInference":  exportBatchNorm,
	"ChannelAffine":       exportAffine,
	"ReLU":                exportUnary,
	"Unary":               exportUnary,
	"Scale":               exportUnary,
	"BinaryNumber":        exportUnary,
	"StopGradient":        exportUnary,
	"Add":                 exportBinary,
	"Mul":                 exportBinary,
	"Binary":              exportBinary,
	"Softmax":             exportSoftmax,
	"LogSoftmax":          exportSoftmax,
	"Reshape":             exportReshape,
	"Permute":             exportPermute,
	"Concat":              exportConcat,
	"Slice":               exportSlice,
	"Reduce":              exportReduce,
	"Gather":              exportGather,
	"BroadcastTo":         exportBroadcast,
	"Full":                exportFull,
}

// formOf is where images of a format lie as ONNX has them.
func formOf(f shape.Layout) form {
	if f == shape.NHWC {
		return channels
	}
	return logical
}

// soleUser returns the only operation that reads n, if it is of a kind.
func (e *exporter) soleUser(n *gorgonia.Node, kind string) (*gorgonia.Node, op.Op) {
	users := e.users[n]
	if len(users) != 1 {
		return nil, nil
	}
	if o, ok := users[0].Op().(op.Op); ok && o.Kind() == kind && op.Children(users[0])[0] == n {
		return users[0], o
	}
	return nil, nil
}

// takesBias returns the BiasAdd that a convolution or product can do itself: of its channels, by a fixed vector.
func (e *exporter) takesBias(n *gorgonia.Node) *gorgonia.Node {
	user, o := e.soleUser(n, "BiasAdd")
	if user == nil || !e.isFixed(op.Children(user)[1]) {
		return nil
	}
	axis := o.(*op.BiasAdd).Axis
	if axis < 0 {
		axis += n.Dims()
	}
	switch o := n.Op().(type) {
	case *op.Conv2D:
		if _, _, c := o.Format.Axes(); axis == c {
			return user
		}
	case *op.Conv2DBackwardInput:
		if _, _, c := o.Format.Axes(); axis == c {
			return user
		}
	case *op.MatMul:
		if axis == 1 {
			return user
		}
	}
	return nil
}

func windowAttrs(h, w shape.Span) []attr {
	return []attr{{"kernel_shape", []int{h.Kernel, w.Kernel}}, {"strides", []int{h.Stride, w.Stride}},
		{"pads", []int{h.Before, w.Before, h.After, w.After}}}
}

// kernel writes the weights of a convolution in ONNX's order, (out, in/groups, rows, columns).
func (e *exporter) kernel(n *gorgonia.Node) string {
	to := []int{3, 2, 0, 1}
	if !e.isFixed(n) {
		return e.emit("Transpose", []string{e.form(n, logical)}, "", attr{"perm", to})
	}
	key := fmt.Sprintf("kernel %d", n.ID())
	if e.constants[key] == "" {
		if a := e.valueOf(n); a != nil {
			e.constants[key] = e.tensor(source(n).Name(), transpose(a, to))
		}
	}
	return e.constants[key]
}

// exportConv writes nothing where a bias follows: that is written with it.
func exportConv(e *exporter, n *gorgonia.Node, _ op.Op) {
	if e.takesBias(n) == nil {
		e.conv(n, n, nil)
	}
}

// conv writes the convolution or transposed convolution n, with a bias or without, as the result of to.
func (e *exporter) conv(n, to *gorgonia.Node, bias []string) {
	in := op.Children(n)
	if o, ok := n.Op().(*op.Conv2DBackwardInput); ok {
		g, err := o.Geometry(o.InputShape, in[1].Shape())
		if err != nil {
			e.fail("%v", err)
			return
		}
		// The sizes that the strides leave open are told apart by output_padding.
		extra := func(s shape.Span) int { return (s.In + s.Before + s.After - s.Reach()) % s.Stride }
		attrs := append(windowAttrs(g.H, g.W), attr{"dilations", []int{g.H.Dilation, g.W.Dilation}}, attr{"group", g.Groups},
			attr{"output_padding", []int{extra(g.H), extra(g.W)}})
		f := formOf(o.Format)
		e.set(to, f, e.emit("ConvTranspose", append([]string{e.form(in[0], f), e.kernel(in[1])}, bias...), e.unique(to.Name()), attrs...))
		return
	}
	o := n.Op().(*op.Conv2D)
	g, err := o.Geometry(in[0].Shape(), in[1].Shape())
	if err != nil {
		e.fail("%v", err)
		return
	}
	attrs := append(windowAttrs(g.H, g.W), attr{"dilations", []int{g.H.Dilation, g.W.Dilation}}, attr{"group", g.Groups})
	f := formOf(o.Format)
	e.set(to, f, e.emit("Conv", append([]string{e.form(in[0], f), e.kernel(in[1])}, bias...), e.unique(to.Name()), attrs...))
}

// exportConvTranspose is exportConv of a transposed convolution, whose kernel (rows, columns, out, in) becomes (in, out, rows, columns).
func exportConvTranspose(e *exporter, n *gorgonia.Node, o op.Op) { exportConv(e, n, o) }

func exportMatMul(e *exporter, n *gorgonia.Node, _ op.Op) {
	if e.takesBias(n) == nil {
		e.product(n, n, nil)
	}
}

func (e *exporter) product(n, to *gorgonia.Node, bias []string) {
	o, in := n.Op().(*op.MatMul), op.Children(n)
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	e.set(to, logical, e.emit("Gemm", append([]string{e.form(in[0], logical), e.form(in[1], logical)}, bias...), e.unique(to.Name()),
		attr{"transA", flag(o.TransA)}, attr{"transB", flag(o.TransB)}))
}

func exportBias(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)
	if e.takesBias(in[0]) == n {
		bias := []string{e.form(in[1], logical)}
		if _, ok := in[0].Op().(*op.MatMul); ok {
			e.product(in[0], n, bias)
		} else {
			e.conv(in[0], n, bias)
		}
		return
	}
	f := e.common(in[:1])
	e.set(n, f, e.emit("Add", []string{e.form(in[0], f), e.perChannel(in[1], in[0].Dims(), o.(*op.BiasAdd).Axis, f)}, e.unique(n.Name())))
}

// perChannel writes a vector so that it stretches along an axis of a tensor in a form.
func (e *exporter) perChannel(n *gorgonia.Node, dims, axis int, f form) string {
	if axis < 0 {
		axis += dims
	}
	to := slices.Repeat([]int{1}, dims-axisIn(f, axis))
	to[0] = n.Shape()[0]
	if len(to) == 1 {
		return e.form(n, logical)
	}
	if e.isFixed(n) {
		if a := e.valueOf(n); a != nil {
			b := *a
			b.shape = to
			return e.tensor(source(n).Name(), &b)
		}
	}
	return e.emit("Reshape", []string{e.form(n, logical), e.list(to)}, "")
}

func exportPool(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)[0]
	kind, a := "MaxPool", op.PoolAttrs{}
	switch o := o.(type) {
	case *op.MaxPool2D:
		a = o.PoolAttrs
	case *op.AvgPool2D:
		kind, a = "AveragePool", o.PoolAttrs
	}
	g, err := a.Geometry(in.Shape())
	if err != nil {
		e.fail("%v", err)
		return
	}
	f := formOf(a.Format)
	e.set(n, f, e.emit(kind, []string{e.form(in, f)}, e.unique(n.Name()), windowAttrs(g.H, g.W)...))
}

func exportGlobalPool(e *exporter, n *gorgonia.Node, o op.Op) {
	in, f := op.Children(n)[0], formOf(o.(*op.GlobalAvgPool2D).Format)
	y := e.emit("GlobalAveragePool", []string{e.form(in, f)}, "")
	e.set(n, logical, e.emit("Flatten", []string{y}, e.unique(n.Name())))
}

func exportPad(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)[0]
	var f form
	var pads []int
	switch o := o.(type) {
	case *op.ZeroPad2D:
		f, pads = formOf(o.Format), []int{0, 0, o.Top, o.Left, 0, 0, o.Bottom, o.Right}
	case *op.Crop2D:
		f, pads = formOf(o.Format), []int{0, 0, -o.Top, -o.Left, 0, 0, -o.Bottom, -o.Right}
	}
	e.set(n, f, e.emit("Pad", []string{e.form(in, f), e.list(pads)}, e.unique(n.Name())))
}

func exportBatchNorm(e *exporter, n *gorgonia.Node, o op.Op) {
	in, axis, dims := op.Children(n), o.(*op.BatchNormInference).Axis, n.Dims()
	if axis < 0 {
		axis += dims
	}
	args := []string{""}
	for _, v := range in[1:] {
		args = append(args, e.form(v, logical))
	}
	epsilon := attr{"epsilon", o.(*op.BatchNormInference).Epsilon}
	f := logical
	if dims == 4 && axis == 3 {
		f = channels
	}
	if axisIn(f, axis) == 1 {
		args[0] = e.form(in[0], f)
		e.set(n, f, e.emit("BatchNormalization", args, e.unique(n.Name()), epsilon))
		return
	}
	to := []int{}
	for i := range dims { // channels to the second place, and back
		if i != axis {
			to = append(to, i)
		}
	}
	to = slices.Insert(to, 1, axis)
	back := make([]int, dims)
	for i, a := range to {
		back[a] = i
	}
	args[0] = e.emit("Transpose", []string{e.form(in[0], logical)}, "", attr{"perm", to})
	y := e.emit("BatchNormalization", args, "", epsilon)
	e.set(n, logical, e.emit("Transpose", []string{y}, e.unique(n.Name()), attr{"perm", back}))
}

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

func exportReshape(e *exporter, n *gorgonia.Node, _ op.Op) {
	open, many := openDims(n, e.twins[n]), 0
	for _, d := range open {
		if d < 0 {
			many++
		}
	}
	if many > 1 {
		e.fail("reshapes the batch into several axes, which cannot be written")
		return
	}
	e.set(n, logical, e.emit("Reshape", []string{e.form(op.Children(n)[0], logical), e.list(open)}, e.unique(n.Name())))
}

func exportPermute(e *exporter, n *gorgonia.Node, o op.Op) {
	in, to := op.Children(n)[0], slices.Clone(o.(*op.Permute).Axes)
	f := e.common([]*gorgonia.Node{in})
	for i, axis := range to {
		to[i] = axisIn(f, axis)
	}
	x := e.form(in, f)
	if !slices.IsSorted(to) {
		x = e.emit("Transpose", []string{x}, e.unique(n.Name()), attr{"perm", to})
	}
	e.set(n, logical, x)
}

// exportConcat writes constants at the ends as padding.
func exportConcat(e *exporter, n *gorgonia.Node, o op.Op) {
	in, axis := op.Children(n), o.(*op.Concat).Axis
	if axis < 0 {
		axis += n.Dims()
	}
	var pads [2]int
	var fill *op.Full
	for side := range pads {
		for len(in) > 1 {
			at := side * (len(in) - 1)
			k, ok := in[at].Op().(*op.Full)
			if !ok || fill != nil && fill.Value != k.Value {
				break
			}
			fill, pads[side] = k, pads[side]+in[at].Shape()[axis]
			in = slices.Delete(slices.Clone(in), at, at+1)
		}
	}
	f := e.common(in)
	var args []string
	for _, v := range in {
		args = append(args, e.form(v, f))
	}
	x := args[0]
	if len(args) > 1 {
		x = e.emit("Concat", args, e.unique(n.Name()), attr{"axis", axisIn(f, axis)})
	}
	if fill != nil {
		widths := make([]int, 2*n.Dims())
		widths[axisIn(f, axis)], widths[n.Dims()+axisIn(f, axis)] = pads[0], pads[1]
		x = e.emit("Pad", []string{x, e.list(widths), e.number(fill.Value)}, "")
	}
	e.set(n, f, x)
}

func exportSlice(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)[0]
	f := e.common([]*gorgonia.Node{in})
	ours, its := o.(*op.Slice).Ranges(in.Shape()), e.twins[n].Op().(*op.Slice).Ranges(e.twins[in].Shape())
	var starts, ends, axes, by []int
	for axis, r := range ours {
		if r.Start == 0 && r.Step == 1 && r.Count == in.Shape()[axis] {
			continue
		}
		if r.Start != its[axis].Start || r.Count != its[axis].Count || r.Step != its[axis].Step {
			e.fail("takes a part of the batch, which cannot be written")
			return
		}
		end := r.Start + (r.Count-1)*r.Step + sign(r.Step)
		if end < 0 {
			end = math.MinInt32
		}
		starts, ends, axes, by = append(starts, r.Start), append(ends, end), append(axes, axisIn(f, axis)), append(by, r.Step)
	}
	x := e.form(in, f)
	if axes != nil {
		x = e.emit("Slice", []string{x, e.list(starts), e.list(ends), e.list(axes), e.list(by)}, e.unique(n.Name()))
	}
	e.set(n, f, x)
}

func exportReduce(e *exporter, n *gorgonia.Node, o op.Op) {
	in, r := op.Children(n)[0], o.(*op.Reduce)
	kinds := map[op.ReduceFn]string{op.ReduceSum: "ReduceSum", op.ReduceMean: "ReduceMean", op.ReduceMax: "ReduceMax", op.ReduceMin: "ReduceMin"}
	f := e.common([]*gorgonia.Node{in})
	axes := make([]int, 0, len(r.Axes))
	kept := []int{} // the axes that stay, in their new order
	gone := map[int]bool{}
	for _, a := range r.Axes {
		if a < 0 {
			a += in.Dims()
		}
		gone[a] = true
	}
	for i := range in.Dims() {
		if gone[i] || len(r.Axes) == 0 {
			axes = append(axes, i)
		} else {
			kept = append(kept, axisIn(f, i))
		}
	}
	result := logical
	switch {
	case r.KeepDims:
		result = f
	case !slices.IsSorted(kept):
		f = logical
	}
	for i, a := range axes {
		axes[i] = axisIn(f, a)
	}
	slices.Sort(axes)
	keep := 0
	if r.KeepDims {
		keep = 1
	}
	args, attrs := []string{e.form(in, f)}, []attr{{"keepdims", keep}}
	if r.Fn == op.ReduceSum { // the first whose axes became an input
		args = append(args, e.list(axes))
	} else {
		attrs = append(attrs, attr{"axes", axes})
	}
	if kinds[r.Fn] == "" {
		e.fail("has the reduction %v, which has no counterpart in ONNX here", r.Fn)
		return
	}
	e.set(n, result, e.emit(kinds[r.Fn], args, e.unique(n.Name()), attrs...))
}

func exportGather(e *exporter, n *gorgonia.Node, o op.Op) {
	in := op.Children(n)
	e.set(n, logical, e.emit("Gather", []string{e.form(in[0], logical), e.form(in[1], logical)}, e.unique(n.Name()), attr{"axis", o.(*op.Gather).Axis}))
}

func exportBroadcast(e *exporter, n *gorgonia.Node, _ op.Op) {
	in := op.Children(n)[0]
	e.set(n, logical, e.emit("Expand", []string{e.form(in, logical), e.sizes(n)}, e.unique(n.Name())))
}

// exportFull writes nothing yet: form does where a constant is asked for, and exportConcat mostly needs none.
func exportFull(*exporter, *gorgonia.Node, op.Op) {}

func (e *exporter) full(n *gorgonia.Node, o *op.Full) string {
	return e.emit("Expand", []string{e.number(o.Value), e.sizes(n)}, e.unique(n.Name()))
}

// sizes writes the shape of n; where the batch is one of its sizes, that is taken from the input when the model runs.
func (e *exporter) sizes(n *gorgonia.Node) string {
	open := openDims(n, e.twins[n])
	if !slices.Contains(open, -1) {
		return e.list(open)
	}
	if e.batch == "" {
		shape := e.emit("Shape", []string{e.values[e.input].logical}, "")
		e.batch = e.emit("Slice", []string{shape, e.list([]int{0}), e.list([]int{1})}, "")
	}
	parts := make([]string, len(open))
	for i, d := range open {
		times := n.Shape()[i] / exportBatches[0]
		switch {
		case d >= 0:
			parts[i] = e.list([]int{d})
		case times*exportBatches[0] != n.Shape()[i] || times*exportBatches[1] != e.twins[n].Shape()[i]:
			e.fail("has a size that is no multiple of the batch, which cannot be written")
		case times == 1:
			parts[i] = e.batch
		default:
			parts[i] = e.emit("Mul", []string{e.batch, e.list([]int{times})}, "")
		}
	}
	return e.emit("Concat", parts, "", attr{"axis", 0})
}

package onnx

import (
	"fmt"
	"slices"
	"strings"

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
	"BatchMatMul":         exportBatchMatMul,
	"MaxPool2D":           exportPool,
	"AvgPool2D":           exportPool,
	"GlobalAvgPool2D":     exportGlobalPool,
	"ZeroPad2D":           exportPad,
	"Crop2D":              exportPad,
	"BatchNormInference":  exportBatchNorm,
	"LayerNorm":           exportLayerNorm,
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
	if len(users) != 1 || users[0] == nil {
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

// call names the next node like the layer of a weight, so that a model that reads the file has the weight under the same name.
func (e *exporter) call(weight *gorgonia.Node) {
	if layer, _, ok := strings.Cut(source(weight).Name(), "/"); ok && e.isFixed(weight) {
		e.label = layer
	}
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
		args := append([]string{e.form(in[0], f), e.kernel(in[1])}, bias...)
		e.call(in[1])
		e.set(to, f, e.emit("ConvTranspose", args, e.unique(to.Name()), attrs...))
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
	args := append([]string{e.form(in[0], f), e.kernel(in[1])}, bias...)
	e.call(in[1])
	e.set(to, f, e.emit("Conv", args, e.unique(to.Name()), attrs...))
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
	args := append([]string{e.form(in[0], logical), e.form(in[1], logical)}, bias...)
	e.call(in[1])
	e.set(to, logical, e.emit("Gemm", args, e.unique(to.Name()),
		attr{"transA", flag(o.TransA)}, attr{"transB", flag(o.TransB)}))
}

// exportBatchMatMul writes a MatMul, which multiplies the last two axes and cannot transpose them.
func exportBatchMatMul(e *exporter, n *gorgonia.Node, o op.Op) {
	b := o.(*op.BatchMatMul)
	args := make([]string, 2)
	for i, in := range op.Children(n) {
		args[i] = e.form(in, logical)
		if [2]bool{b.TransA, b.TransB}[i] {
			to := make([]int, in.Dims())
			for axis := range to {
				to[axis] = axis
			}
			to[len(to)-2], to[len(to)-1] = len(to)-1, len(to)-2
			args[i] = e.emit("Transpose", args[i:i+1], "", attr{"perm", to})
		}
	}
	e.set(n, logical, e.emit("MatMul", args, e.unique(n.Name())))
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
		e.call(in[1])
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
	e.call(in[1])
	y := e.emit("BatchNormalization", args, "", epsilon)
	e.set(n, logical, e.emit("Transpose", []string{y}, e.unique(n.Name()), attr{"perm", back}))
}

// exportLayerNorm writes a LayerNormalization of the last axis, which wants a scale.
func exportLayerNorm(e *exporter, n *gorgonia.Node, o op.Op) {
	l, in := o.(*op.LayerNorm), op.Children(n)
	c := n.Shape()[n.Dims()-1]
	args := []string{e.form(in[0], logical)}
	if l.NoScale {
		args = append(args, e.numbers([]int{c}, slices.Repeat([]float64{1}, c)))
	}
	for _, v := range in[1:] {
		args = append(args, e.form(v, logical))
	}
	e.set(n, logical, e.emit("LayerNormalization", args, e.unique(n.Name()), attr{"axis", -1}, attr{"epsilon", l.Epsilon}))
}

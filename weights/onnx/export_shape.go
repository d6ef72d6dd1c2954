package onnx

import (
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

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
	e.call(in[0])
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

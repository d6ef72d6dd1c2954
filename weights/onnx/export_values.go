package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// form is one of two orders of the axes of a value.
type form uint8

// toChannels says which axis here is axis i of form channels; fromChannels is the way back.
var toChannels, fromChannels = []int{0, 3, 1, 2}, []int{0, 2, 3, 1}

// forms are the names of a value in both orders, "" where it isn't there yet.
type forms struct{ logical, channels string }

func (f *forms) at(want form) *string {
	if want == channels {
		return &f.channels
	}
	return &f.logical
}

// form returns the name of a value in an order, which is made where it isn't there yet.
func (e *exporter) form(n *gorgonia.Node, want form) string {
	f := e.values[n]
	if f == nil {
		f = &forms{}
		e.values[n] = f
	}
	if have := *f.at(want); have != "" {
		return have
	}
	if o, ok := n.Op().(*op.Full); ok && f.logical == "" {
		f.logical = e.full(n, o)
		return e.form(n, want)
	}
	if f.logical == "" && f.channels == "" {
		*f.at(want) = e.leaf(n, want)
		return *f.at(want)
	}
	at := e.at
	e.at = n
	if want == channels {
		f.channels = e.emit("Transpose", []string{f.logical}, "", attr{"perm", toChannels})
	} else {
		f.logical = e.emit("Transpose", []string{f.channels}, "", attr{"perm", fromChannels})
	}
	e.at = at
	return *f.at(want)
}

// leaf writes the value of a weight or a constant.
func (e *exporter) leaf(n *gorgonia.Node, want form) string {
	a := e.valueOf(n)
	if a == nil {
		return ""
	}
	suffix := ""
	if want == channels {
		a, suffix = transpose(a, toChannels), "/channels_first"
	}
	return e.tensor(source(n).Name()+suffix, a)
}

// isFixed says whether n is a weight, a constant, or one of these in another shape or order of axes.
func (e *exporter) isFixed(n *gorgonia.Node) bool {
	root := source(n)
	return root.Op() == nil && root.Value() != nil
}

// source is what n is a reshape or a permutation of; n itself if it is neither.
func source(n *gorgonia.Node) *gorgonia.Node {
	for {
		switch n.Op().(type) {
		case *op.Reshape, *op.Permute:
			n = op.Children(n)[0]
		default:
			return n
		}
	}
}

// valueOf returns the value of what isFixed.
func (e *exporter) valueOf(n *gorgonia.Node) *array {
	switch o := n.Op().(type) {
	case *op.Reshape:
		if a := e.valueOf(op.Children(n)[0]); a != nil {
			b := *a
			b.shape = slices.Clone([]int(o.To))
			return &b
		}
		return nil
	case *op.Permute:
		if a := e.valueOf(op.Children(n)[0]); a != nil {
			return transpose(a, o.Axes)
		}
		return nil
	}
	v := n.Value()
	if v == nil {
		e.fail("needs the value of %q, which has none", n.Name())
		return nil
	}
	x, err := op.AsArray(v)
	if err != nil {
		e.fail("needs the value of %q: %v", n.Name(), err)
		return nil
	}
	a := &array{elem: e.elem, shape: slices.Clone([]int(x.Shape))}
	switch d := x.Data.(type) {
	case []float32:
		a.f32 = d
	case []float64:
		a.f64 = d
	case []int:
		a = vector(d)
		a.shape = slices.Clone([]int(x.Shape))
	default:
		e.fail("needs the value of %q, of type %T", n.Name(), d)
		return nil
	}
	return a
}

// tensor writes an initializer.
func (e *exporter) tensor(name string, a *array) string {
	name = e.unique(name)
	e.tensors = append(e.tensors, tensorMessage(name, a))
	return name
}

// number returns a scalar constant.
func (e *exporter) number(v float64) string { return e.numbers(nil, []float64{v}) }

// numbers returns a constant of floats in the type of the model.
func (e *exporter) numbers(shape []int, values []float64) string {
	key := fmt.Sprint(shape, values)
	if name := e.constants[key]; name != "" {
		return name
	}
	a := &array{elem: e.elem, shape: shape}
	if e.elem == elemDouble {
		a.f64 = values
	} else {
		a.f32 = make([]float32, len(values))
		for i, v := range values {
			a.f32[i] = float32(v)
		}
	}
	e.constants[key] = e.tensor("constant", a)
	return e.constants[key]
}

// list returns a constant vector of integers.
func (e *exporter) list(values []int) string {
	key := fmt.Sprint("ints", values)
	if e.constants[key] == "" {
		e.constants[key] = e.tensor("sizes", vector(values))
	}
	return e.constants[key]
}

// common is the order in which operands of one shape, or of shapes that stretch to it, cause the least work: form channels where one of
// them is there in that form only. It needs all of them with four axes, or fixed.
func (e *exporter) common(in []*gorgonia.Node) form {
	want := logical
	for _, n := range in {
		if f := e.values[n]; !e.isFixed(n) && f != nil && f.logical == "" && f.channels != "" {
			want = channels
		}
	}
	if want == channels {
		for _, n := range in {
			if n.Dims() != 4 && n.Dims() != 0 && !e.isFixed(n) {
				return logical
			}
		}
	}
	return want
}

// operand is form for operands of fewer axes, which elementwise functions stretch.
func (e *exporter) operand(n *gorgonia.Node, want form) string {
	if want == logical || n.Dims() == 4 || n.Dims() == 0 {
		if n.Dims() == 0 {
			want = logical
		}
		return e.form(n, want)
	}
	f := e.values[n]
	if f == nil {
		f = &forms{}
		e.values[n] = f
	}
	if f.channels == "" {
		if a := e.valueOf(n); a != nil {
			b := *a
			b.shape = append(slices.Repeat([]int{1}, 4-len(a.shape)), a.shape...)
			f.channels = e.tensor(source(n).Name()+"/channels_first", transpose(&b, toChannels))
		}
	}
	return f.channels
}

// axisIn says where axis i is in a form.
func axisIn(f form, i int) int {
	if f == channels {
		return fromChannels[i]
	}
	return i
}

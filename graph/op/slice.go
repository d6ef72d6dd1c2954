package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// The ends of an axis in Stops of [Slice]: behind its last element and, for steps backwards, in front of its first one.
const (
	ToEnd   = math.MaxInt
	ToStart = math.MinInt
)

// Slice is x[Starts[0]:Stops[0]:Steps[0], …] with Python's meaning: places below 0 count from the end, those behind an
// axis are its end, and negative steps go backwards (from −1 to [ToStart]: the axis reversed). Each list has one entry an
// axis; Steps may be nil, for steps of 1. Every axis stays, those of one slice too; none may become empty. Keras: ops.slice,
// tf.strided_slice.
type Slice struct {
	ranked
	Starts, Stops []int
	Steps         []int // default: 1
}

func (o *Slice) Kind() string { return "Slice" }
func (o *Slice) String() string {
	return fmt.Sprintf("Slice(starts %v, stops %v, steps %v)", o.Starts, o.Stops, o.Steps)
}
func (o *Slice) Arity() int            { return 1 }
func (o *Slice) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Slice) Hashcode() uint32      { return hashcode(o) }
func (o *Slice) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Slice) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Slice) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies the elements.
func (o *Slice) Reference(out Array, in []Array) error {
	if single(in[0]) {
		sliced[float32](o, out, in)
	} else {
		sliced[float64](o, out, in)
	}
	return nil
}

// Infer returns the number of slices on each axis.
func (o *Slice) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantFull(o, in, 0, "an input"); err != nil {
		return nil, err
	}
	return o.sizes(o, in, in[0])
}

// sizes is Infer for a tensor of shape x, in the name of an operation.
func (o *Slice) sizes(of Op, in []tensor.Shape, x tensor.Shape) (tensor.Shape, error) {
	if len(o.Starts) != len(x) || len(o.Stops) != len(x) || o.Steps != nil && len(o.Steps) != len(x) {
		return nil, &shape.Error{Op: of.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("Starts, Stops and Steps for %d axes", len(x)),
			Got: fmt.Sprintf("%d, %d and %d", len(o.Starts), len(o.Stops), len(o.Steps)), Shapes: in,
			Remedy: "give an axis that stays whole the start 0, the stop op.ToEnd and the step 1"}
	}
	y := make(tensor.Shape, len(x))
	for axis, r := range o.Ranges(x) {
		if y[axis] = r.Count; r.Count < 1 {
			return nil, &shape.Error{Op: of.Kind(), Axis: axis, Wanted: fmt.Sprintf("a range of an axis of %d that is not empty", x[axis]),
				Got: r.asked, Shapes: in, Remedy: "places below 0 count from the end; a step must not be 0"}
		}
	}
	return y, nil
}

// Range is what [Slice] takes of one axis: Count places, the first of which is Start, Step apart.
type Range struct {
	Start, Step, Count int

	asked string
}

// Ranges resolves Starts, Stops and Steps for an input of shape x, as Python does. A Count of 0 is an empty range.
func (o *Slice) Ranges(x tensor.Shape) []Range {
	all := make([]Range, len(x))
	for axis, n := range x {
		start, stop, step := o.Starts[axis], o.Stops[axis], 1
		if o.Steps != nil {
			step = o.Steps[axis]
		}
		r := Range{Step: step, asked: fmt.Sprintf("%d:%d:%d", start, stop, step)}
		if stop == ToEnd {
			r.asked = fmt.Sprintf("%d::%d", start, step)
		}
		low, high := 0, n // what places are cut to
		if step < 0 {
			low, high = -1, n-1
		}
		cut := func(place int) int {
			if place < 0 && place != ToStart {
				place += n
			}
			return min(max(place, low), high)
		}
		start, stop = cut(start), cut(stop)
		switch {
		case step > 0 && stop > start:
			r.Count = (stop-start-1)/step + 1
		case step < 0 && start > stop:
			r.Count = (start-stop-1)/-step + 1
		}
		r.Start = start
		all[axis] = r
	}
	return all
}

// places returns where the first element lies in a tensor of shape x, and how far apart neighbours along each axis do.
func (o *Slice) places(x tensor.Shape) (start int, steps []int) {
	steps = strides(x, x)
	for axis, r := range o.Ranges(x) {
		start += r.Start * steps[axis]
		steps[axis] *= r.Step
	}
	return start, steps
}

// SymDiff returns SliceGrad(dy).
func (o *Slice) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&SliceGrad{Starts: o.Starts, Stops: o.Stops, Steps: o.Steps, Shape: in[0].Shape().Clone()}, dy))
}

func sliced[T Float](o *Slice, out Array, in []Array) {
	y, x := floats[T](out), floats[T](in[0])
	start, steps := o.places(in[0].Shape)
	for i, at := range positions(out.Shape, start, steps) {
		y[i] = x[at]
	}
}

// SliceGrad is the gradient of [Slice]: dy in the places that it takes of a tensor of Shape, and zeros elsewhere.
type SliceGrad struct {
	salted
	Starts, Stops, Steps []int
	Shape                tensor.Shape // of Slice's input
}

// Slice is the operation that this is the gradient of.
func (o *SliceGrad) Slice() *Slice { return &Slice{Starts: o.Starts, Stops: o.Stops, Steps: o.Steps} }

func (o *SliceGrad) Kind() string { return "SliceGrad" }
func (o *SliceGrad) String() string {
	return fmt.Sprintf("SliceGrad(starts %v, stops %v, steps %v, shape %s)", o.Starts, o.Stops, o.Steps, shape.Format(o.Shape))
}
func (o *SliceGrad) Arity() int { return 1 }
func (o *SliceGrad) Type() hm.Type {
	return signature(tensorType(len(o.Shape)), tensorType(len(o.Shape)))
}
func (o *SliceGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *SliceGrad) Hashcode() uint32      { return hashcode(o) }
func (o *SliceGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *SliceGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *SliceGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies the elements.
func (o *SliceGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		sliceGrad[float32](o, out, in)
	} else {
		sliceGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns Shape.
func (o *SliceGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantFull(o, in, 0, "a gradient"), wantAttributeShape(o, in, o.Shape)); err != nil {
		return nil, err
	}
	want, err := o.Slice().sizes(o, in, o.Shape)
	if err != nil {
		return nil, err
	}
	return o.Shape.Clone(), wantShape(o, in, 0, want, "a gradient", "it has the shape of the slice")
}

// SymDiff returns the slice of d: the operation is linear.
func (o *SliceGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(o.Slice(), d))
}

func sliceGrad[T Float](o *SliceGrad, out Array, in []Array) {
	dx, dy := floats[T](out), floats[T](in[0])
	clear(dx)
	start, steps := o.Slice().places(o.Shape)
	for i, at := range positions(in[0].Shape, start, steps) {
		dx[at] = dy[i]
	}
}

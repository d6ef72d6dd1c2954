package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// simplify applies identities: reshapes of reshapes, permutations of permutations, products with 1, squares, sums of sums, and
// broadcasting in place of repeated values, which need not exist. Only the sums may change a result, in its last bits, by the
// order in which they add up.
func simplify(p *program, _ Engine) {
	sweepSteps(p, simplifyShape, simplifyNeutral, simplifyReduce, simplifyBroadcast)
}

func simplifyShape(w *sweep, s *Step) {
	switch o := s.Instr.(type) {
	case *op.Reshape:
		v := w.reshape(s.In[0], s.Out[0].Shape...)
		if r := w.producer(v); r != nil && r == w.steps[len(w.steps)-1] && r.In[0] == s.In[0] {
			w.steps = w.steps[:len(w.steps)-1] // the same again
			return
		}
		w.replace(v)
	case *op.Permute:
		v := w.permute(s.In[0], o.Axes...)
		if r := w.producer(v); r != nil && len(w.steps) > 0 && r == w.steps[len(w.steps)-1] && r.In[0] == s.In[0] {
			if same, ok := r.Instr.(*op.Permute); ok && slices.Equal(same.Axes, o.Axes) {
				w.steps = w.steps[:len(w.steps)-1]
				return
			}
		}
		w.replace(v)
	case *ir.Repeat:
		if s.In[0].Len() == s.Out[0].Len() {
			w.replace(w.reshape(s.In[0], s.Out[0].Shape...))
		}
	}
}

// simplifyNeutral removes what does nothing.
func simplifyNeutral(w *sweep, s *Step) {
	switch o := s.Instr.(type) {
	case *ir.Unary:
		if r := w.producer(s.In[0]); r != nil && o.Fn == ir.Neg {
			if u, ok := r.Instr.(*ir.Unary); ok && u.Fn == ir.Neg {
				w.replace(r.In[0])
			}
		}
	case *op.Mul:
		w.neutral(s, ir.Mul)
	case *ir.Binary:
		if o.Fn == ir.Pow && isNumber(s.In[1], 2) && isFloat(s.Out[0].Dtype) && shape.Equal(s.In[0].Shape, s.Out[0].Shape) {
			w.change(&ir.Unary{Fn: ir.Square}, s.In[0])
			return
		}
		w.neutral(s, o.Fn)
	}
}

// neutral puts the first operand in the place of a step whose second one changes nothing, or the other way round.
func (w *sweep) neutral(s *Step, fn ir.BinaryFn) {
	switch {
	case fn == ir.Mul && isNumber(s.In[0], 1):
		w.replace(s.In[1])
	case (fn == ir.Mul || fn == ir.Div || fn == ir.Pow) && isNumber(s.In[1], 1), fn == ir.Sub && isNumber(s.In[1], 0):
		w.replace(s.In[0])
	}
}

// simplifyReduce makes one reduction of a chain, and the sum over all axes but one a BiasGrad, which others look for.
func simplifyReduce(w *sweep, s *Step) {
	o, ok := s.Instr.(*ir.Reduce)
	if !ok {
		return
	}
	x, axes := s.In[0], o.Axes
	if len(axes) == 0 {
		axes = allAxes(x.Shape)
	}
	if r := w.producer(x); r != nil && w.only(x) {
		if inner, ok := r.Instr.(*ir.Reduce); ok && inner.Fn == o.Fn && len(inner.Axes) > 0 {
			left, _ := otherAxes(r.In[0].Shape, inner.Axes)
			both := slices.Clone(inner.Axes)
			for _, a := range axes {
				both = append(both, left[a])
			}
			slices.Sort(both)
			w.change(&ir.Reduce{Fn: o.Fn, Axes: both}, r.In[0])
			x, axes = r.In[0], both
		}
	}
	if left, _ := otherAxes(x.Shape, axes); o.Fn == ir.ReduceSum && len(left) == 1 && len(x.Shape) > 1 {
		if got, ok := infer(&op.BiasGrad{Axis: left[0]}, []*Value{x}); ok && shape.Equal(got, s.Out[0].Shape) {
			w.change(&op.BiasGrad{Axis: left[0]}, x)
		}
	}
}

func allAxes(s tensor.Shape) []int {
	axes := make([]int, len(s))
	for i := range axes {
		axes[i] = i
	}
	return axes
}

// simplifyBroadcast reads operands that Repeat stretched where they come from, as broadcasting operands. A sum with a vector
// along the channels becomes a BiasAdd.
func simplifyBroadcast(w *sweep, s *Step) {
	var fn ir.BinaryFn
	switch o := s.Instr.(type) {
	case *op.Add:
		fn = ir.Add
	case *op.Mul:
		fn = ir.Mul
	case *ir.Binary:
		fn = o.Fn
	default:
		return
	}
	a, b := w.stretched(s.In[0]), w.stretched(s.In[1])
	out := s.Out[0]
	full := func(v *Value) bool { return shape.Equal(v.Shape, out.Shape) }
	switch {
	case a == s.In[0] && b == s.In[1]:
		return
	case !full(a) && !full(b): // somebody must have the result's shape
		a = s.In[0]
		if !full(a) || b == s.In[1] {
			return
		}
	}
	if fn == ir.Add && isFloat(out.Dtype) && full(a) != full(b) {
		x, v := a, b
		if full(b) {
			x, v = b, a
		}
		if axis, ok := alongOne(v.Shape, out.Shape); ok && (axis == len(out.Shape)-1 || axis == 1) {
			w.change(&op.BiasAdd{Axis: axis}, x, w.reshape(v, v.Len()))
			return
		}
	}
	if got, ok := infer(&ir.Binary{Fn: fn}, []*Value{a, b}); ok && shape.Equal(got, out.Shape) {
		w.change(&ir.Binary{Fn: fn}, a, b)
	}
}

// stretched returns what the repetitions that made v are of, if they only stretch axes of size 1; else v.
func (w *sweep) stretched(v *Value) *Value {
	for {
		s := w.producer(v)
		if s == nil {
			return v
		}
		o, ok := s.Instr.(*ir.Repeat)
		x := (*Value)(nil)
		if ok {
			x = s.In[0]
		}
		if !ok || len(x.Shape) != 0 && (len(x.Shape) != len(v.Shape) || x.Shape[o.Axis] != 1) {
			return v
		}
		v = x
	}
}

// alongOne returns the only axis along which a broadcasting operand of shape s has more than one element, where it fills
// the axis of out.
func alongOne(s, out tensor.Shape) (axis int, ok bool) {
	if len(s) != len(out) || len(s) < 2 {
		return 0, false
	}
	axis = -1
	for i, d := range s {
		if d == 1 && out[i] != 1 {
			continue
		}
		if d != out[i] || axis >= 0 && d != 1 {
			return 0, false
		}
		if d != 1 {
			axis = i
		}
	}
	return axis, axis >= 0
}

package enginetest

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// expand computes the results of a step by what its operation stands for: a fused operation by the operations that it
// was made of, one after the other, in their reference loops. In and out are dense; out never shares memory with in.
func expand(s *graph.Step, in []op.Array) ([]op.Array, error) {
	e := &expansion{}
	out := e.results(s, in)
	if e.err != nil {
		return nil, fmt.Errorf("%s: %w", s.Instr, e.err)
	}
	return out, nil
}

// expansion keeps the first error, so that the compositions below read as formulas.
type expansion struct{ err error }

func (e *expansion) results(s *graph.Step, in []op.Array) []op.Array {
	switch f := s.Instr.(type) {
	case op.Op:
		return []op.Array{e.applyTo(s.Out[0].Dtype, f, in...)}
	case ir.Op:
		return e.compute(s, f, in)
	case *graph.Copy:
		return []op.Array{clone(in[0])}
	case *graph.HostOp:
		return []op.Array{e.host(f, in)}
	case *graph.FusedConv2D:
		_, _, channel := f.Conv.Format.Axes()
		y := []op.Array{e.finished(e.apply(f.Conv, in[:2]...), in[2:], channel, f.Bias, f.Add, f.ReLU, f.After)}
		if f.Stats {
			y = append(y, e.results(&graph.Step{Instr: &graph.BatchStats{Axis: channel}}, y)...)
		}
		return y
	case *graph.FusedMatMul:
		return []op.Array{e.finished(e.apply(f.MatMul, in[:2]...), in[2:], 1, f.Bias, f.Add, f.ReLU, f.After)}
	case *graph.FoldNorm:
		return e.folded(f, in)
	case *graph.BatchStats:
		mean := e.apply(&op.BatchMean{Axis: f.Axis}, in[0])
		return []op.Array{mean, e.apply(&op.BatchVariance{Axis: f.Axis}, in[0], mean)}
	case *graph.FusedBatchNorm:
		y := e.apply(&op.BatchNorm{Axis: f.Axis, Epsilon: f.Epsilon}, in[:5]...)
		if f.Add {
			y = e.apply(&op.Add{}, y, in[5])
		}
		return []op.Array{e.below(e.relu(y, f.ReLU), f.Most)}
	case *graph.BatchNormSums:
		dy := in[3]
		if f.ReLU {
			dy = e.apply(&op.ReLUGrad{}, in[4], dy)
		}
		return []op.Array{
			e.apply(&op.BatchNormGradScale{Axis: f.Axis, Epsilon: f.Epsilon}, in[0], in[1], in[2], dy),
			e.apply(&op.BiasGrad{Axis: f.Axis}, dy),
		}
	case *graph.FusedBatchNormGradInput:
		dy := e.apply(&op.ReLUGrad{}, in[7], in[4])
		return []op.Array{e.apply(f.Grad, in[0], in[1], in[2], in[3], dy, in[5], in[6])}
	case *graph.BatchNormReLUSums:
		y := e.results(&graph.Step{Instr: &graph.FusedBatchNorm{Axis: f.Axis, Epsilon: f.Epsilon, ReLU: true}}, in[:5])[0]
		sums := &graph.BatchNormSums{Axis: f.Axis, Epsilon: f.Epsilon, ReLU: true}
		return e.results(&graph.Step{Instr: sums}, []op.Array{in[0], in[3], in[4], e.maskedBy(y, in[5], f.Most), y})
	case *graph.BatchNormReLUGradInput:
		g := f.Grad
		y := e.results(&graph.Step{Instr: &graph.FusedBatchNorm{Axis: g.Axis, Epsilon: g.Epsilon, ReLU: true}}, []op.Array{in[0], in[1], in[7], in[2], in[3]})[0]
		more := append(append([]op.Array(nil), in[:7]...), y)
		more[4] = e.maskedBy(y, in[4], f.Most)
		return e.results(&graph.Step{Instr: &graph.FusedBatchNormGradInput{Grad: g}}, more)
	case *graph.BatchNormJoinSums:
		dy := e.apply(&op.ReLUGrad{}, in[5], e.apply(&op.Add{}, in[3], in[4]))
		sums := &graph.BatchNormSums{Axis: f.Axis, Epsilon: f.Epsilon}
		return append(e.results(&graph.Step{Instr: sums}, []op.Array{in[0], in[1], in[2], dy}), dy)
	case *graph.BatchNormForward:
		stats := e.results(&graph.Step{Instr: &graph.BatchStats{Axis: f.Axis}}, in[:1])
		norm := append(append(append([]op.Array(nil), in[:3]...), stats...), in[3:]...)
		return append(e.results(&graph.Step{Instr: f.Norm()}, norm), stats...)
	case *graph.BatchNormBackward:
		return e.normBackward(f, in)
	case *graph.MaxPool2DGradBias:
		dx := e.apply(f.Grad, in...)
		_, _, channel := f.Grad.Format.Axes()
		return []op.Array{dx, e.apply(&op.BiasGrad{Axis: channel}, dx)}
	case *graph.FusedMaxPool2DGrad:
		out := []op.Array{e.apply(f.Grad, in[0], in[1], e.apply(&op.ReLUGrad{}, in[1], in[2]))}
		if f.Bias {
			_, _, channel := f.Grad.Format.Axes()
			out = append(out, e.apply(&op.BiasGrad{Axis: channel}, out[0]))
		}
		return out
	case *graph.FusedConv2DBackwardInput:
		dx := e.apply(&op.ReLUGrad{}, in[2], e.apply(f.Grad, in[:2]...))
		if !f.Bias {
			return []op.Array{dx}
		}
		_, _, channel := f.Grad.Format.Axes()
		return []op.Array{dx, e.apply(&op.BiasGrad{Axis: channel}, dx)}
	case *graph.ReLUGradBias:
		dx := e.apply(&op.ReLUGrad{}, in...)
		return []op.Array{dx, e.apply(&op.BiasGrad{Axis: f.Axis}, dx)}
	case *graph.LayerNormBackward:
		return e.layerNormBackward(f, in)
	case *graph.AddL2Grad:
		return []op.Array{e.apply(&op.Add{}, in[0], e.apply(&op.L2PenaltyGrad{Lambda: f.Lambda}, in[1], in[2]))}
	case *graph.L2Penalties:
		sum := e.apply(&op.L2Penalty{Lambda: f.Lambdas[0]}, in[0])
		for i, w := range in[1:] {
			sum = e.apply(&op.Add{}, sum, e.apply(&op.L2Penalty{Lambda: f.Lambdas[i+1]}, w))
		}
		return []op.Array{sum}
	case *graph.FusedScores:
		return e.scores(f, in)
	case *graph.FusedAttention:
		return e.attentionResults(f, in)
	case *graph.FusedAttentionGrad:
		return e.attentionGrads(f, in)
	case *graph.MomentumUpdate:
		return e.momentum(f, in[0], in[1], in[2], in[3])
	case *graph.AdamUpdate:
		w, g := in[0], e.decayed(in[3], in[0], f.WeightDecay)
		m := e.apply(&op.AdamMean{Beta: f.Beta1}, in[1], g)
		v := e.apply(&op.AdamSquare{Beta: f.Beta2}, in[2], g)
		return []op.Array{e.apply(&op.AdamStep{Beta1: f.Beta1, Beta2: f.Beta2, Epsilon: f.Epsilon}, w, m, v, in[4], in[5]), m, v}
	case *graph.FusedUpdate:
		return e.fusedUpdate(s, f, in)
	}
	e.fail(fmt.Errorf("enginetest does not know operation %s; add it to expand.go", s.Instr.Kind()))
	return nil
}

// compute runs an operation that computes all its results itself; their types are the step's.
func (e *expansion) compute(s *graph.Step, o ir.Op, in []op.Array) []op.Array {
	out := make([]op.Array, len(s.Out))
	for i, v := range s.Out {
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			e.fail(err)
			return nil
		}
		out[i] = a
	}
	if err := o.Compute(out, in); err != nil {
		e.fail(err)
	}
	return out
}

func (e *expansion) scores(f *graph.FusedScores, in []op.Array) []op.Array {
	var out []op.Array
	if f.Loss {
		out = append(out, e.apply(&op.SoftmaxCrossEntropy{}, in[:2]...))
	}
	if f.Mean {
		out[0] = e.apply(&op.Mean{}, out[0])
	}
	if f.Grad {
		out = append(out, e.apply(&op.SoftmaxCrossEntropyGrad{}, in...))
	}
	for _, k := range f.TopK {
		out = append(out, e.apply(&op.TopKCorrect{K: k}, in[:2]...))
	}
	return out
}

func (e *expansion) momentum(f *graph.MomentumUpdate, w, v, g, lr op.Array) []op.Array {
	g = e.decayed(g, w, f.WeightDecay)
	next := e.apply(&op.Momentum{Momentum: f.Momentum}, v, g, lr)
	if f.Nesterov {
		return []op.Array{e.apply(&op.Nesterov{Momentum: f.Momentum}, w, next, g, lr), next}
	}
	return []op.Array{e.apply(&op.Add{}, w, next), next}
}

func (e *expansion) fusedUpdate(s *graph.Step, f *graph.FusedUpdate, in []op.Array) []op.Array {
	w := in[0]
	in = append([]op.Array(nil), in...)
	g := f.State()
	if f.Grad != nil {
		in[g] = e.apply(f.Grad.(op.Op), in[g:g+2]...)
		in = slices.Delete(in, g+1, g+2)
	}
	if f.L2 != 0 {
		in[g] = e.apply(&op.Add{}, in[g], e.apply(&op.L2PenaltyGrad{Lambda: f.L2}, w, in[len(in)-1]))
	}
	out := e.results(&graph.Step{Instr: f.Update, In: s.In, Out: s.Out}, in)
	if f.Penalty != 0 {
		out = append(out, e.apply(&op.L2Penalty{Lambda: f.Penalty}, w))
	}
	return out
}

func (e *expansion) decayed(g, w op.Array, rate float64) op.Array {
	if rate == 0 {
		return g
	}
	return e.apply(&op.WeightDecay{Rate: rate}, g, w)
}

// finished is what becomes of the sums y of a product.
func (e *expansion) finished(y op.Array, more []op.Array, axis int, bias, add, relu bool, after *ir.Loop) op.Array {
	if bias {
		y = e.apply(&op.BiasAdd{Axis: axis}, y, more[0])
	}
	if add {
		y = e.apply(&op.Add{}, y, more[len(more)-1])
	}
	y = e.relu(y, relu)
	if after == nil || e.err != nil {
		return y
	}
	out := clone(y)
	if err := after.Compute([]op.Array{out}, []op.Array{y}); err != nil {
		e.fail(err)
	}
	return out
}

// folded is what a batch norm does to weights, whose columns it takes for channels, without its shift, and to the bias.
func (e *expansion) folded(f *graph.FoldNorm, in []op.Array) []op.Array {
	w, gamma, beta, mean, variance := in[0], in[1], in[2], in[3], in[4]
	zero := e.apply(&op.Scale{}, mean)
	bias := zero
	if len(in) > 5 {
		bias = in[5]
	}
	weights := e.apply(&op.BatchNormInference{Axis: f.Axis, Epsilon: f.Epsilon}, w, gamma, zero, zero, variance)
	row := op.Array{Shape: tensor.Shape{1, op.Len(bias.Shape)}, Data: bias.Data}
	shift := e.apply(&op.BatchNormInference{Axis: 1, Epsilon: f.Epsilon}, row, gamma, beta, mean, variance)
	return []op.Array{weights, shift}
}

func (e *expansion) relu(y op.Array, on bool) op.Array {
	if !on {
		return y
	}
	return e.apply(&op.ReLU{}, y)
}

// below is the minimum of y and most, if that is not 0.
func (e *expansion) below(y op.Array, most float64) op.Array {
	if most == 0 {
		return y
	}
	return e.apply(&op.BinaryNumber{Fn: op.FnMin, Number: most}, y)
}

// maskedBy is dy, but 0 where most, if that is not 0, is y or less.
func (e *expansion) maskedBy(y, dy op.Array, most float64) op.Array {
	if most == 0 {
		return dy
	}
	below := e.apply(&op.BinaryNumber{Fn: op.FnSub, Number: 1, First: true}, e.apply(&op.BinaryNumber{Fn: op.FnLessEqual, Number: most, First: true}, y))
	return e.apply(&op.Binary{Fn: op.FnWhen}, below, dy)
}

// apply runs the reference of an operation into new memory.
func (e *expansion) apply(o op.Op, in ...op.Array) op.Array {
	return e.applyTo(in[0].Dtype(), o, in...)
}

func (e *expansion) applyTo(dt tensor.Dtype, o op.Op, in ...op.Array) op.Array {
	if e.err != nil {
		return op.Array{}
	}
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
	}
	s, err := o.Infer(shapes)
	if err != nil {
		return e.fail(err)
	}
	out, err := op.NewArray(dt, s)
	if err != nil {
		return e.fail(err)
	}
	if err := o.Reference(out, in); err != nil {
		return e.fail(err)
	}
	return out
}

// host runs an operation's own Do on copies.
func (e *expansion) host(h *graph.HostOp, in []op.Array) op.Array {
	vs := make([]gorgonia.Value, len(in))
	for i, a := range in {
		vs[i] = clone(a).Value()
	}
	v, err := h.Op.Do(vs...)
	if err != nil {
		return e.fail(err)
	}
	a, err := op.AsArray(v)
	if err != nil {
		return e.fail(err)
	}
	return a
}

func (e *expansion) fail(err error) op.Array {
	if e.err == nil {
		e.err = err
	}
	return op.Array{}
}

// clone copies an array.
func clone(a op.Array) op.Array {
	switch x := a.Data.(type) {
	case []float32:
		return op.Array{Shape: a.Shape.Clone(), Data: append([]float32(nil), x...)}
	case []float64:
		return op.Array{Shape: a.Shape.Clone(), Data: append([]float64(nil), x...)}
	case []int:
		return op.Array{Shape: a.Shape.Clone(), Data: append([]int(nil), x...)}
	}
	return a
}

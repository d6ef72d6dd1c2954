package enginetest

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// normBackward is the sums of a batch norm's backward pass, and the gradient of its input.
func (e *expansion) normBackward(f *graph.BatchNormBackward, in []op.Array) []op.Array {
	x, gamma, mean, variance, dy, more := in[0], in[1], in[2], in[3], in[4], in[5:]
	do := func(i graph.Instr, in ...op.Array) []op.Array { return e.results(&graph.Step{Instr: i}, in) }
	grad := &op.BatchNormGradInput{Axis: f.Axis, Epsilon: f.Epsilon}
	switch {
	case f.Shifted:
		dgamma := e.apply(&op.BatchNormGradScale{Axis: f.Axis, Epsilon: f.Epsilon}, x, mean, variance, dy)
		return []op.Array{e.apply(grad, x, gamma, mean, variance, dy, dgamma, more[0]), dgamma}
	case f.Mask == graph.NormReLU:
		sums := do(&graph.BatchNormSums{Axis: f.Axis, Epsilon: f.Epsilon, ReLU: true}, x, mean, variance, dy, more[0])
		return append(do(&graph.FusedBatchNormGradInput{Grad: grad}, x, gamma, mean, variance, dy, sums[0], sums[1], more[0]), sums...)
	case f.Mask == graph.NormReLUAgain:
		sums := do(&graph.BatchNormReLUSums{Axis: f.Axis, Epsilon: f.Epsilon}, x, gamma, more[0], mean, variance, dy)
		return append(do(&graph.BatchNormReLUGradInput{Grad: grad}, x, gamma, mean, variance, dy, sums[0], sums[1], more[0]), sums...)
	case f.Mask == graph.NormJoin:
		sums := do(&graph.BatchNormJoinSums{Axis: f.Axis, Epsilon: f.Epsilon}, x, mean, variance, dy, more[0], more[1])
		return append([]op.Array{e.apply(grad, x, gamma, mean, variance, sums[2], sums[0], sums[1])}, sums...)
	}
	sums := do(&graph.BatchNormSums{Axis: f.Axis, Epsilon: f.Epsilon}, x, mean, variance, dy)
	return append([]op.Array{e.apply(grad, x, gamma, mean, variance, dy, sums[0], sums[1])}, sums...)
}

// layerNormBackward is the gradients of a layer normalization's input, scale and shift.
func (e *expansion) layerNormBackward(f *graph.LayerNormBackward, in []op.Array) []op.Array {
	x, dy := in[0], in[f.Gradient()]
	dx := e.apply(&op.LayerNormGrad{Epsilon: f.Epsilon, NoScale: f.NoScale}, in[:f.Gradient()+1]...)
	if f.Add {
		dx = e.apply(&op.Add{}, dx, in[len(in)-1])
	}
	out := []op.Array{dx}
	if f.Scale {
		out = append(out, e.apply(&op.LayerNormGradScale{Epsilon: f.Epsilon}, x, dy))
	}
	if f.Shift {
		out = append(out, e.apply(&op.BiasGrad{Axis: -1}, dy))
	}
	return out
}

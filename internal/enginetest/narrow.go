package enginetest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// NarrowStep is one step some of whose operands lie in memory as bfloat16.
type NarrowStep struct {
	Instr    graph.Instr
	In, Out  []tensor.Shape
	Positive []int // inputs that are between 0.5 and 1.5, as variances are; others are normal
}

// NarrowNorms are the steps of batch norms and biases, along the last axis or the second one, of images of a shape.
func NarrowNorms(dims []int, axis int) []NarrowStep {
	x, c := tensor.Shape(dims), tensor.Shape{dims[axis]}
	in := func(s ...tensor.Shape) []tensor.Shape { return s }
	grad := &op.BatchNormGradInput{Axis: axis, Epsilon: 1e-3}
	all := []NarrowStep{
		{&op.BiasAdd{Axis: axis}, in(x, c), in(x), nil},
		{&op.ChannelAffine{Axis: axis, Scale: 0.5, Shift: make([]float64, dims[axis])}, in(x), in(x), nil},
		{&op.BiasGrad{Axis: axis}, in(x), in(c), nil},
		{&graph.ReLUGradBias{Axis: axis}, in(x, x), in(x, c), nil},
		{&graph.BatchStats{Axis: axis}, in(x), in(c, c), nil},
		{&op.BatchVariance{Axis: axis}, in(x, c), in(c), nil},
		{&op.BatchVarianceGrad{Axis: axis}, in(x, c, c), in(x), nil},
		{&op.BatchNormInference{Axis: axis, Epsilon: 1e-3}, in(x, c, c, c, c), in(x), []int{4}},
		{&graph.FusedBatchNorm{Axis: axis, Epsilon: 1e-3, ReLU: true}, in(x, c, c, c, c), in(x), []int{4}},
		{&graph.FusedBatchNorm{Axis: axis, Epsilon: 1e-3, Add: true}, in(x, c, c, c, c, x), in(x), []int{4}},
		{&graph.FusedBatchNorm{Axis: axis, Epsilon: 1e-3, Add: true, ReLU: true}, in(x, c, c, c, c, x), in(x), []int{4}},
		{&graph.BatchNormSums{Axis: axis, Epsilon: 1e-3}, in(x, c, c, x), in(c, c), []int{2}},
		{&graph.BatchNormSums{Axis: axis, Epsilon: 1e-3, ReLU: true}, in(x, c, c, x, x), in(c, c), []int{2}},
		{&graph.BatchNormReLUSums{Axis: axis, Epsilon: 1e-3}, in(x, c, c, c, c, x), in(c, c), []int{4}},
		{&graph.BatchNormJoinSums{Axis: axis, Epsilon: 1e-3}, in(x, c, c, x, x, x), in(c, c, x), []int{2}},
		{&op.BatchNormGradScale{Axis: axis, Epsilon: 1e-3}, in(x, c, c, x), in(c), []int{2}},
		{grad, in(x, c, c, c, x, c, c), in(x), []int{3}},
		{&graph.FusedBatchNormGradInput{Grad: grad}, in(x, c, c, c, x, c, c, x), in(x), []int{3}},
		{&graph.BatchNormReLUGradInput{Grad: grad}, in(x, c, c, c, x, c, c, c), in(x), []int{3}},
		{&op.BatchNormInferenceGradInput{Axis: axis, Epsilon: 1e-3}, in(c, c, x), in(x), []int{1}},
	}
	all = append(all, JoinedNorms(dims, axis)...)
	if axis == 1 {
		all = append(all, NarrowStep{&ir.GroupNorm{Groups: 1, Epsilon: 1e-3}, in(x), in(x), nil},
			NarrowStep{&ir.GroupNormGrad{Groups: 1, Epsilon: 1e-3}, in(x, x), in(x), nil})
	}
	return all
}

// JoinedNorms are the batch norms in one step of images of a shape, and their backward passes.
func JoinedNorms(dims []int, axis int) []NarrowStep {
	x, c := tensor.Shape(dims), tensor.Shape{dims[axis]}
	in := func(s ...tensor.Shape) []tensor.Shape { return s }
	forward := func(add, relu bool) graph.Instr {
		return &graph.BatchNormForward{Axis: axis, Epsilon: 1e-3, Add: add, ReLU: relu}
	}
	backward := func(mask graph.NormMask, shifted bool) graph.Instr {
		return &graph.BatchNormBackward{Axis: axis, Epsilon: 1e-3, Mask: mask, Shifted: shifted}
	}
	return []NarrowStep{
		{forward(false, false), in(x, c, c), in(x, c, c), nil},
		{forward(false, true), in(x, c, c), in(x, c, c), nil},
		{forward(true, false), in(x, c, c, x), in(x, c, c), nil},
		{forward(true, true), in(x, c, c, x), in(x, c, c), nil},
		{backward(graph.NormUnmasked, false), in(x, c, c, c, x), in(x, c, c), []int{3}},
		{backward(graph.NormUnmasked, true), in(x, c, c, c, x, c), in(x, c), []int{3}},
		{backward(graph.NormReLU, false), in(x, c, c, c, x, x), in(x, c, c), []int{3}},
		{backward(graph.NormReLUAgain, false), in(x, c, c, c, x, c), in(x, c, c), []int{3}},
		{backward(graph.NormJoin, false), in(x, c, c, c, x, x, x), in(x, c, c, x), []int{3}},
	}
}

// Require runs the step on an engine, with those operands narrow, results counted behind inputs, that the engine takes so and of which
// narrow says so, and compares with the reference in float64 of numbers that are rounded before. InPlace lets results be written over
// an input where the engine may. It returns the names of what ran.
func (n NarrowStep) Require(t *testing.T, e graph.Engine, inPlace bool, narrow func(operand int) bool) []string {
	p := &narrowPlan{data: map[*graph.Value]op.Array{}}
	step, wide := &graph.Step{Instr: n.Instr}, &graph.Step{Instr: n.Instr}
	for i, s := range n.In {
		x := n.input(i, s)
		if f, ok := n.Instr.(*graph.FusedMaxPool2DGrad); ok && i == 1 { // the pooling's result
			require.NoError(t, (&op.MaxPool2D{PoolAttrs: f.Grad.PoolAttrs}).Reference(x, []op.Array{p.data[step.In[0]]}))
		}
		step.In = append(step.In, p.external(x))
	}
	for _, s := range n.Out {
		step.Out = append(step.Out, p.external(op.Array{Shape: s, Data: make([]float32, op.Len(s))}))
		wide.Out = append(wide.Out, &graph.Value{Shape: s, Dtype: tensor.Float64})
	}
	in, out, _ := e.(graph.Narrower).Narrows(step)
	results, inputs, rounds := slices.Clone(step.Out), make([]op.Array, len(n.In)), false
	over := map[*graph.Value]bool{}
	for i, v := range step.In {
		inputs[i] = widened(p.data[v])
		if i < len(in) && in[i] && narrow(i) {
			step.In[i] = p.kept(v.Shape)
			p.through(step.In[i], v)
		}
	}
	p.plan.Steps = append(p.plan.Steps, step)
	for i, v := range results {
		soil(p.data[v], math.NaN())
		v.Input, v.Output = false, true
		if i >= len(out) || !out[i] || !narrow(len(n.In)+i) {
			continue
		}
		rounds = true
		step.Out[i] = p.kept(v.Shape)
		for j, x := range step.In {
			if inPlace && x.Narrow && !over[x] && step.Out[i].Alias == nil && e.InPlace(n.Instr, tensor.Float32, i, j) {
				step.Out[i].Alias, over[x] = x, true
			}
		}
		p.through(v, step.Out[i])
	}
	want, err := expand(wide, inputs)
	require.NoError(t, err)
	got, kernels := p.run(t, e, results)
	again := false
	switch f := n.Instr.(type) {
	case *graph.FusedConv2D: // the convolution may be rounded before the residual is added, which may cancel it
		again = f.Add
	case *graph.FusedConv2DBackwardInput: // sums are of what was rounded
		again = true
	case *op.Conv2DBackwardFilter: // it may be written as what the images are, in working memory, or parts of it, which may cancel
		rounds = slices.Contains(in, true)
		again = rounds
	}
	for i, w := range want {
		tol := numtest.Tol(tensor.Float32, numtest.Gradient)
		if rounds {
			tol.Rel = 0x1p-8 // of what is written
			if i != len(want)-1 || again {
				tol.Norm = 3 * 0x1p-9 // of sums of it: see PrecisionError
			}
		}
		numtest.AssertClose(t, w.Data, got[i].Data, tol, fmt.Sprintf("%s of %v, result %d", n.Instr, n.In, i))
	}
	return kernels
}

// input makes the numbers of an input, which bfloat16 can hold.
func (n NarrowStep) input(i int, s tensor.Shape) op.Array {
	d := numtest.Normal(seedOf(fmt.Sprint(n.Instr, i)), tensor.Float32, s...)
	if slices.Contains(n.Positive, i) {
		d = numtest.Uniform(seedOf(fmt.Sprint(n.Instr, i)), tensor.Float32, 0.5, 1.5, s...)
	}
	x := d.Data().([]float32)
	for j, v := range x {
		x[j] = toBFloat16(v)
	}
	return op.Array{Shape: s, Data: x}
}

func widened(a op.Array) op.Array {
	x := a.Data.([]float32)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return op.Array{Shape: a.Shape, Data: y}
}

// narrowPlan is a plan made by hand.
type narrowPlan struct {
	plan graph.Plan
	data map[*graph.Value]op.Array // of what is bound
}

func (p *narrowPlan) add(v *graph.Value) *graph.Value {
	v.ID, v.Name, v.Dtype = len(p.plan.Values), fmt.Sprintf("v%d", len(p.plan.Values)), tensor.Float32
	p.plan.Values = append(p.plan.Values, v)
	return v
}

func (p *narrowPlan) external(a op.Array) *graph.Value {
	v := p.add(&graph.Value{Shape: a.Shape, Input: true, Where: graph.External})
	p.data[v] = a
	return v
}

// kept is a value that lies in the arena as bfloat16.
func (p *narrowPlan) kept(s tensor.Shape) *graph.Value {
	v := p.add(&graph.Value{Shape: s, Where: graph.Arena, Offset: p.plan.ArenaBytes, Narrow: true})
	p.plan.ArenaBytes += (v.StoredBytes() + 63) / 64 * 64
	return v
}

// through copies: a sum with zeros takes numbers into memory of bfloat16 and out of it.
func (p *narrowPlan) through(to, from *graph.Value) {
	last := from.Shape[len(from.Shape)-1]
	zeros := p.external(op.Array{Shape: tensor.Shape{last}, Data: make([]float32, last)})
	p.plan.Steps = append(p.plan.Steps, &graph.Step{Instr: &op.BiasAdd{Axis: -1}, In: []*graph.Value{from, zeros}, Out: []*graph.Value{to}})
}

// run runs the plan and returns the values of outputs, and what ran.
func (p *narrowPlan) run(t *testing.T, e graph.Engine, outputs []*graph.Value) (all []op.Array, kernels []string) {
	for v := range p.data {
		if v.Input {
			p.plan.Inputs = append(p.plan.Inputs, v)
		}
	}
	p.plan.Outputs = outputs
	prog, err := e.Build(&p.plan)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	buffers := map[*graph.Value]graph.Buffer{}
	for v, a := range p.data {
		buffers[v] = bind(t, e, prog, v, a)
	}
	require.NoError(t, prog.Run())
	for _, v := range outputs {
		require.NoError(t, buffers[v].Download(p.data[v]))
		all = append(all, p.data[v])
	}
	return all, prog.(graph.KernelTeller).Kernels()
}

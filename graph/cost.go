package graph

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// Cost is the work of a step by the meaning of its operation, whatever a kernel makes of it: a convolution counts every
// tap, also those that see padding, and every operand is read once, every result written once.
type Cost struct {
	FLOPs int64 `json:"flops"` // additions, multiplications, comparisons, roots, exponentials, one each; 0: none, or not known
	Bytes int64 `json:"bytes"`
}

// Coster is an operation that knows its own arithmetic, for those that no table can tell. It is optional.
type Coster interface {
	// FLOPs is the arithmetic on inputs of these shapes.
	FLOPs(in []tensor.Shape) int64
}

// CostOf is the work of one step.
func CostOf(s *Step) Cost {
	c := Cost{FLOPs: flops(s)}
	seen := map[*Value]bool{}
	for _, v := range s.In {
		if !seen[v] { // x·x reads x once
			seen[v] = true
			c.Bytes += int64(v.StoredBytes())
		}
	}
	for _, v := range s.Out {
		c.Bytes += int64(v.StoredBytes())
	}
	return c
}

func flops(s *Step) int64 {
	if len(s.Out) == 0 {
		return 0
	}
	out := int64(s.Out[0].Len())
	switch i := s.Instr.(type) {
	case Coster:
		in := make([]tensor.Shape, len(s.In))
		for k, v := range s.In {
			in[k] = v.Shape
		}
		return i.FLOPs(in)
	case *op.Conv2D:
		return convFLOPs(i.ConvAttrs, s.In[0].Shape, s.In[1].Shape)
	case *FusedConv2D:
		return convFLOPs(i.Conv.ConvAttrs, s.In[0].Shape, s.In[1].Shape) + out*(trues(i.Bias, i.Add, i.ReLU)+4*trues(i.Stats)+loopWork(i.After))
	case *op.Conv2DBackwardInput:
		return convFLOPs(i.ConvAttrs, i.InputShape, s.In[1].Shape)
	case *FusedConv2DBackwardInput:
		return convFLOPs(i.Grad.ConvAttrs, i.Grad.InputShape, s.In[1].Shape) + out*(1+trues(i.Bias))
	case *op.Conv2DBackwardFilter:
		return convFLOPs(i.ConvAttrs, s.In[0].Shape, i.FilterShape)
	case *FusedMatMul:
		return matMulFLOPs(s) + out*(trues(i.Bias, i.Add, i.ReLU)+loopWork(i.After))
	case *op.MaxPool2D:
		return poolFLOPs(i.PoolAttrs, s.In[0].Shape)
	case *op.AvgPool2D:
		return poolFLOPs(i.PoolAttrs, s.In[0].Shape)
	case *op.MaxPool2DGrad:
		return poolFLOPs(i.PoolAttrs, s.In[0].Shape)
	case *MaxPool2DGradBias:
		return poolFLOPs(i.Grad.PoolAttrs, s.In[0].Shape) + int64(s.In[2].Len())
	case *FusedMaxPool2DGrad:
		return poolFLOPs(i.Grad.PoolAttrs, s.In[0].Shape) + int64(s.In[2].Len())*(1+trues(i.Bias))
	case *op.AvgPool2DGrad:
		return poolFLOPs(i.PoolAttrs, i.InputShape)
	case *FusedAttention:
		return AttendedOf(s.In[0].Shape, s.In[1].Shape, s.In[2].Shape, i.Within).flops(2)
	case *FusedAttentionGrad: // five products
		a := AttendedOf(s.In[0].Shape, s.In[1].Shape, s.In[2].Shape, i.Within)
		return a.flops(4) + 2*product(a.Batch, a.Heads, a.Queries, a.Keys, a.Size)
	case *ir.Loop:
		return out * int64(len(i.Steps))
	case *op.ChannelAffine:
		return out * trues(i.Scale != 1, i.Shift != nil)
	case *FusedBatchNorm:
		return out * (3 + trues(i.Add, i.ReLU, i.Most != 0))
	case *BatchNormSums:
		return int64(s.In[0].Len()) * (4 + trues(i.ReLU))
	case *BatchNormReLUSums:
		return int64(s.In[0].Len()) * (7 + trues(i.Most != 0))
	case *BatchNormJoinSums:
		return int64(s.In[0].Len()) * 6
	case *BatchNormForward:
		return out * (7 + trues(i.Add, i.ReLU))
	case *BatchNormBackward:
		return out * (8 + [...]int64{0, 2, 5, 2}[i.Mask] + trues(!i.Shifted))
	case *LayerNormBackward:
		return out * (10 + trues(!i.NoScale, i.Add, i.Shift) + 2*trues(i.Scale))
	case *FusedUpdate:
		n := flops(&Step{Instr: i.Update, In: s.In, Out: s.Out}) + 2*out*trues(i.L2 != 0, i.Penalty != 0)
		if i.Grad != nil {
			n += flops(&Step{Instr: i.Grad, In: s.In[i.State():i.Scalars()], Out: s.Out[:1]})
		}
		return n
	case *FusedScores:
		return i.flops(s)
	case *L2Penalties:
		n := int64(0)
		for _, w := range s.In {
			n += 2 * int64(w.Len())
		}
		return n
	case *MomentumUpdate:
		return out * (4 + trues(i.Nesterov) + 2*trues(i.WeightDecay != 0))
	case *AdamUpdate:
		return out * (12 + 2*trues(i.WeightDecay != 0))
	}
	switch s.Instr.Kind() {
	case "MatMul", "BatchMatMul":
		return matMulFLOPs(s)
	}
	r := rates[s.Instr.Kind()]
	n := out * r.out
	if len(s.In) > 0 {
		n += int64(s.In[0].Len()) * r.in
	}
	return n
}

// loopWork is the arithmetic of a loop behind a product for every element.
func loopWork(l *ir.Loop) int64 {
	if l == nil {
		return 0
	}
	return int64(len(l.Steps))
}

// rate is the arithmetic of an operation for every element of its first result and of its first input.
type rate struct{ out, in int64 }

// rates are the operations whose arithmetic is proportional to one of them. Those that only move numbers are left out.
var rates = map[string]rate{
	"ReLU": {out: 1}, "ReLUGrad": {out: 1}, "ReLUGradBias": {out: 2}, "Add": {out: 1}, "Mul": {out: 1}, "Scale": {out: 1}, "BiasAdd": {out: 1},
	"Dropout": {out: 1}, "AddL2Grad": {out: 2}, "L2PenaltyGrad": {out: 1}, "MeanGrad": {out: 1},
	"Unary": {out: 1}, "Binary": {out: 1}, "Augment": {out: 3}, "CropAndResize": {out: 20}, "AffineTransform": {out: 8}, "AffineTransformGrad": {out: 8},

	"BiasGrad": {in: 1}, "Mean": {in: 1}, "Sum": {in: 1}, "L2Penalty": {in: 2}, "Reduce": {in: 1}, "TopKCorrect": {in: 1},
	"GlobalAvgPool2D": {in: 1}, "GlobalAvgPool2DGrad": {out: 1}, "Col2Im": {in: 1}, "UpsampleGrad": {in: 1}, "GatherGrad": {in: 1},

	"BatchMean": {in: 1}, "BatchVariance": {in: 3}, "BatchStats": {in: 4}, "BatchMeanGrad": {out: 1}, "BatchVarianceGrad": {out: 2},
	"BatchNorm": {out: 3}, "FoldNorm": {out: 1}, "BatchNormInference": {out: 3}, "BatchNormInferenceGradInput": {out: 1}, "BatchNormGradScale": {in: 3},
	"BatchNormGradInput": {out: 5}, "FusedBatchNormGradInput": {out: 6}, "BatchNormReLUGradInput": {out: 7},
	"BatchNormReLUGradInputBound": {out: 8}, "GroupNorm": {out: 6}, "GroupNormGrad": {out: 11},

	"LayerNorm": {out: 7}, "LayerNormGrad": {out: 11}, "LayerNormGradScale": {in: 7},

	"Softmax": {out: 5}, "LogSoftmax": {out: 5}, "SoftmaxGrad": {out: 4}, "LogSoftmaxGrad": {out: 4},
	"SoftmaxCrossEntropy": {in: 4}, "SoftmaxCrossEntropyGrad": {out: 6}, "CrossEntropy": {out: 1},

	"MovingAverage": {out: 3}, "WeightDecay": {out: 2}, "Descend": {out: 2}, "Momentum": {out: 3}, "Nesterov": {out: 4},
	"AdamMean": {out: 3}, "AdamSquare": {out: 4}, "AdamStep": {out: 5},
}

// convFLOPs are two operations for every tap of every output position, in all three directions of a convolution.
func convFLOPs(a op.ConvAttrs, x, w tensor.Shape) int64 {
	g, err := a.Geometry(x, w)
	if err != nil {
		return 0
	}
	return 2 * product(g.N, g.H.Out, g.W.Out, g.F, g.H.Kernel, g.W.Kernel, g.C/max(g.Groups, 1))
}

// poolFLOPs are one operation for every element of every window.
func poolFLOPs(a op.PoolAttrs, x tensor.Shape) int64 {
	g, err := a.Geometry(x)
	if err != nil {
		return 0
	}
	return product(g.N, g.H.Out, g.W.Out, g.C, g.H.Kernel, g.W.Kernel)
}

// matMulFLOPs are two operations for every element of the left factor and every column of the result, also of a batch of
// products.
func matMulFLOPs(s *Step) int64 {
	y := s.Out[0].Shape
	if len(y) == 0 {
		return 2 * int64(s.In[0].Len())
	}
	return 2 * int64(s.In[0].Len()) * int64(y[len(y)-1])
}

func product(sizes ...int) int64 {
	n := int64(1)
	for _, s := range sizes {
		n *= int64(s)
	}
	return n
}

// trues is the number of those that are true.
func trues(all ...bool) (n int64) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

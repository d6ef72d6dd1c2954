package graph

import (
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// Elementwise says whether result out of an operation may be written over its input in: element i of the result
// depends on element i of that input and on no other element of it. Engines use it to answer Engine.InPlace. It is asked
// about inputs that have the result's size; one that is stretched is smaller.
func Elementwise(instr Instr, out, in int) bool {
	switch i := instr.(type) {
	case *op.ReLU, *op.Scale, *op.BiasAdd, *op.Dropout, *op.ChannelAffine, *op.BatchNorm, *op.BatchNormInference:
		return in == 0
	case *op.ReLUGrad, *op.Add, *op.Mul, *op.Momentum, *op.Descend, *op.WeightDecay, *op.MovingAverage,
		*op.AdamMean, *op.AdamSquare:
		return in < 2
	case *op.Nesterov, *op.AdamStep:
		return in < 3
	case *op.BatchNormGradInput, *FusedBatchNormGradInput, *BatchNormReLUGradInput:
		return in == 0 || in == 4
	case *BatchNormJoinSums:
		return out == 2 && in >= 3
	case *BatchNormForward: // each element of y depends on all of x
		return i.Add && out == 0 && in == 3
	case *BatchNormBackward:
		return i.Mask == NormJoin && out == 3 && in >= 4
	case *LayerNormBackward: // dx depends on whole rows of x and dy
		return i.Add && out == 0 && in == i.Gradient()+1
	case *ReLUGradBias:
		return out == 0 && in < 2
	case *FusedBatchNorm:
		return in == 0 || i.Add && in == 5
	case *FusedConv2D: // each element of the residual goes into the sum in whose place it is
		return i.Add && in == 2+int(trues(i.Bias))
	case *FusedMatMul:
		return i.Add && in == 2+int(trues(i.Bias))
	case *AddL2Grad:
		return in < 2
	case *MomentumUpdate, *AdamUpdate:
		return in == out
	case *FusedUpdate:
		return in == out && in < i.State()
	case *ir.Unary:
		return in == 0
	case *ir.Binary:
		return in < 2 && !i.Fn.Compares() // whose result may be of another element type
	case *ir.Loop:
		// Any result over any input: kernels work block by block, and write no block of a result before all that they
		// read of the input it overwrites.
		return in < i.Inputs
	}
	return false
}

// RowByRow says whether result out depends on input in row by row, where [Elementwise] denies that it does element by element: a kernel that
// reads a whole row before it writes one may write the result over the input.
func RowByRow(instr Instr, out, in int) bool {
	switch i := instr.(type) {
	case *op.LayerNorm:
		return in == 0
	case *op.LayerNormGrad:
		return in == 0 || in == 2-int(trues(i.NoScale))
	case *LayerNormBackward:
		return out == 0 && (in == 0 || in == i.Gradient())
	}
	return false
}

// updating says whether an operation is part of an optimizer or of a running average.
func updating(instr Instr) bool {
	switch instr.(type) {
	case *op.Momentum, *op.Descend, *op.WeightDecay, *op.MovingAverage, *op.AdamMean, *op.AdamSquare, *op.Nesterov,
		*op.AdamStep, *op.Add, *MomentumUpdate, *AdamUpdate, *AddL2Grad,
		*FusedUpdate:
		return true
	}
	return false
}

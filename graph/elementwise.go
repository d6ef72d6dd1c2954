package graph

import "github.com/stheno-ml/stheno/graph/op"

// Elementwise says whether result out of an operation may be written over its input in: element i of the result
// depends on element i of that input and on no other element of it. Engines use it to answer Engine.InPlace.
func Elementwise(instr Instr, out, in int) bool {
	switch i := instr.(type) {
	case *op.ReLU, *op.Scale, *op.BiasAdd, *op.Dropout, *op.ChannelAffine, *op.BatchNorm, *op.BatchNormInference:
		return in == 0
	case *op.ReLUGrad, *op.Add, *op.Mul, *op.Momentum, *op.Descend, *op.WeightDecay, *op.MovingAverage,
		*op.AdamMean, *op.AdamSquare:
		return in < 2
	case *op.Nesterov, *op.AdamStep:
		return in < 3
	case *op.BatchNormGradInput, *FusedBatchNormGradInput:
		return in == 0 || in == 4
	case *FusedBatchNorm:
		return in == 0 || i.Add && in == 5
	case *AddL2Grad:
		return in < 2
	case *MomentumUpdate, *AdamUpdate:
		return in == out
	}
	return false
}

// updating says whether an operation is part of an optimizer or of a running average.
func updating(instr Instr) bool {
	switch instr.(type) {
	case *op.Momentum, *op.Descend, *op.WeightDecay, *op.MovingAverage, *op.AdamMean, *op.AdamSquare, *op.Nesterov,
		*op.AdamStep, *op.Add, *MomentumUpdate, *AdamUpdate, *AddL2Grad:
		return true
	}
	return false
}

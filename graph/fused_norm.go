package graph

import "fmt"

// Batch norms in one step: what an engine gets that asks for it (NormJoiner). Their meaning is that of the two steps each stands for.

// BatchNormForward is BatchStats of x, and FusedBatchNorm of x with them. In: x, gamma, beta[, residual]; out: y, mean, variance.
type BatchNormForward struct {
	Axis      int
	Epsilon   float64
	Add, ReLU bool
}

// Kind is "BatchNormForward".
func (f *BatchNormForward) Kind() string { return "BatchNormForward" }

func (f *BatchNormForward) String() string { return "BatchStats+" + f.Norm().String() }

// Norm is the second of the two steps.
func (f *BatchNormForward) Norm() *FusedBatchNorm {
	return &FusedBatchNorm{Axis: f.Axis, Epsilon: f.Epsilon, Add: f.Add, ReLU: f.ReLU}
}

// NormMask says what becomes of the gradient of a batch norm's result before the backward pass of the batch norm.
type NormMask uint8

const (
	// NormUnmasked leaves it.
	NormUnmasked NormMask = iota
	// NormReLU is ReLUGrad with the ReLU's result, an operand.
	NormReLU
	// NormReLUAgain is ReLUGrad with the result of a ReLU right behind the batch norm, computed again: beta is an operand.
	NormReLUAgain
	// NormJoin is Add of two gradients and ReLUGrad of their sum, which is a result of the step.
	NormJoin
)

// BatchNormBackward is the channel sums of a batch norm's backward pass and the gradient of its input. By Mask it stands for
//
//	NormUnmasked    BatchNormSums and BatchNormGradInput; or, if Shifted, BatchNormGradScale and BatchNormGradInput
//	NormReLU        BatchNormSums with ReLU and FusedBatchNormGradInput
//	NormReLUAgain   BatchNormReLUSums and BatchNormReLUGradInput
//	NormJoin        BatchNormJoinSums and BatchNormGradInput
//
// In: x, gamma, mean, variance, dy, and behind them dbeta if Shifted, which only unmasked ones are, y with NormReLU, beta with
// NormReLUAgain, the other gradient and y with NormJoin. Out: dx, dgamma, dbeta unless Shifted, and with NormJoin the masked sum.
type BatchNormBackward struct {
	Axis    int
	Epsilon float64
	Mask    NormMask
	Shifted bool // another step has computed dbeta
}

// Kind is "BatchNormBackward".
func (f *BatchNormBackward) Kind() string { return "BatchNormBackward" }

func (f *BatchNormBackward) String() string {
	prefix := [...]string{"", "ReLUGrad+", "", "Add+ReLUGrad+"}[f.Mask]
	return prefix + fmt.Sprintf("BatchNorm%sBackward(axis %d, epsilon %g)", suffix("ReLU", f.Mask == NormReLUAgain), f.Axis, f.Epsilon) +
		suffix("-dbeta", f.Shifted)
}

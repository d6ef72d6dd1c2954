package graph

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// The fused operations that passes make of several steps. Each says which steps it stands for; its meaning is theirs.

// FusedConv2D is Conv2D, BiasAdd over the channels if Bias, Add of a residual if Add, ReLU if ReLU, a loop if After, and BatchStats of
// what that gives if Stats. In: x, w[, bias][, residual]; out: y[, mean, variance].
type FusedConv2D struct {
	Conv                   *op.Conv2D
	Bias, Add, ReLU, Stats bool
	After                  *ir.Loop // of one input and one result; nil for none; not with Stats
}

// Kind is "FusedConv2D", followed by "Add" with a residual, by "Loop" with a loop and by "Stats" with statistics, which not every engine
// takes.
func (f *FusedConv2D) Kind() string {
	return "FusedConv2D" + suffix("Add", f.Add) + suffix("Loop", f.After != nil) + suffix("Stats", f.Stats)
}

func (f *FusedConv2D) String() string {
	return f.Conv.String() + suffix("+bias", f.Bias) + suffix("+add", f.Add) + activation(f.ReLU, f.After) + suffix("+stats", f.Stats)
}

// FusedMatMul is MatMul, BiasAdd over the columns if Bias, Add of a residual if Add, ReLU if ReLU, a loop if After.
// In: a, b[, bias][, residual]; out: y.
type FusedMatMul struct {
	MatMul          *op.MatMul
	Bias, Add, ReLU bool
	After           *ir.Loop // of one input and one result; nil for none
}

// Kind is "FusedMatMul", followed by "Add" with a residual and by "Loop" with a loop, which not every engine takes.
func (f *FusedMatMul) Kind() string {
	return "FusedMatMul" + suffix("Add", f.Add) + suffix("Loop", f.After != nil)
}

func (f *FusedMatMul) String() string {
	return f.MatMul.String() + suffix("+bias", f.Bias) + suffix("+add", f.Add) + activation(f.ReLU, f.After)
}

// FoldNorm makes the filter and the bias with which a convolution or a matrix product does what it did with a batch norm in
// inference behind it: scale = gamma/√(variance+epsilon) along axis Axis of the filter, bias (bias − mean)·scale + beta.
// In: w, gamma, beta, mean, variance[, bias]; out: the filter, the bias.
type FoldNorm struct {
	Axis    int
	Epsilon float64
}

// Kind is "FoldNorm".
func (f *FoldNorm) Kind() string { return "FoldNorm" }
func (f *FoldNorm) String() string {
	return fmt.Sprintf("FoldNorm(axis %d, epsilon %g)", f.Axis, f.Epsilon)
}

// BatchStats is BatchMean and BatchVariance of the same x in one sweep. In: x; out: mean, variance.
type BatchStats struct{ Axis int }

// Kind is "BatchStats".
func (f *BatchStats) Kind() string   { return "BatchStats" }
func (f *BatchStats) String() string { return fmt.Sprintf("BatchStats(axis %d)", f.Axis) }

// FusedBatchNorm is BatchNorm or BatchNormInference, then Add of a residual if Add, then ReLU if ReLU, and with Most, which is positive,
// the minimum of that and Most. In: x, gamma, beta, mean, variance[, residual]; out: y.
type FusedBatchNorm struct {
	Axis      int
	Epsilon   float64
	Add, ReLU bool
	Most      float64 // 0 for none
}

// Kind is "FusedBatchNorm", or "FusedBatchNormBound" with Most, which not every engine takes.
func (f *FusedBatchNorm) Kind() string { return "FusedBatchNorm" + suffix("Bound", f.Most != 0) }

// bounded is how names of ReLUs with a bound go on.
func bounded(most float64) string {
	switch most {
	case 0:
		return ""
	case 6:
		return "6"
	}
	return fmt.Sprintf("(most %g)", most)
}

func (f *FusedBatchNorm) String() string {
	return fmt.Sprintf("BatchNorm(axis %d, epsilon %g)", f.Axis, f.Epsilon) + suffix("+add", f.Add) + suffix("+relu", f.ReLU) + bounded(f.Most)
}

// BatchNormSums is the pair of channel sums of a batch norm's backward pass: BatchNormGradScale and BiasGrad of dy,
// where dy is taken as ReLUGrad(y, dy) if ReLU. In: x, mean, variance, dy[, y]; out: dgamma, dbeta.
type BatchNormSums struct {
	Axis    int
	Epsilon float64
	ReLU    bool
}

// Kind is "BatchNormSums".
func (f *BatchNormSums) Kind() string { return "BatchNormSums" }

func (f *BatchNormSums) String() string {
	return suffix("ReLUGrad+", f.ReLU) + fmt.Sprintf("BatchNormSums(axis %d, epsilon %g)", f.Axis, f.Epsilon)
}

// FusedBatchNormGradInput is BatchNormGradInput of ReLUGrad(y, dy).
// In: x, gamma, mean, variance, dy, dgamma, dbeta, y; out: dx.
type FusedBatchNormGradInput struct{ Grad *op.BatchNormGradInput }

// Kind is "FusedBatchNormGradInput".
func (f *FusedBatchNormGradInput) Kind() string { return "FusedBatchNormGradInput" }

func (f *FusedBatchNormGradInput) String() string { return "ReLUGrad+" + f.Grad.String() }

// BatchNormReLUSums is BatchNormSums with ReLU for a batch norm that only the ReLU read: where that gave 0 is computed
// again, from x, which is read anyway. With Most dy counts as 0 also where the ReLU gave Most or more.
// In: x, gamma, beta, mean, variance, dy; out: dgamma, dbeta.
type BatchNormReLUSums struct {
	Axis    int
	Epsilon float64
	Most    float64 // 0 for none
}

// Kind is "BatchNormReLUSums", or "BatchNormReLUSumsBound" with Most, which not every engine takes.
func (f *BatchNormReLUSums) Kind() string { return "BatchNormReLUSums" + suffix("Bound", f.Most != 0) }

func (f *BatchNormReLUSums) String() string {
	return fmt.Sprintf("BatchNormReLU%sSums(axis %d, epsilon %g)", bounded(f.Most), f.Axis, f.Epsilon)
}

// BatchNormReLUGradInput is FusedBatchNormGradInput, likewise. In: x, gamma, mean, variance, dy, dgamma, dbeta, beta; out: dx.
type BatchNormReLUGradInput struct {
	Grad *op.BatchNormGradInput
	Most float64 // 0 for none
}

// Kind is "BatchNormReLUGradInput", or "BatchNormReLUGradInputBound" with Most, which not every engine takes.
func (f *BatchNormReLUGradInput) Kind() string {
	return "BatchNormReLUGradInput" + suffix("Bound", f.Most != 0)
}

func (f *BatchNormReLUGradInput) String() string {
	return fmt.Sprintf("BatchNormReLU%sGradInput(axis %d, epsilon %g)", bounded(f.Most), f.Grad.Axis, f.Grad.Epsilon)
}

// BatchNormJoinSums is Add of two gradients, ReLUGrad of their sum and BatchNormSums of that: what becomes of the gradient
// where a residual branch leaves. In: x, mean, variance, a, b, y; out: dgamma, dbeta, dy = ReLUGrad(y, a + b).
type BatchNormJoinSums struct {
	Axis    int
	Epsilon float64
}

// Kind is "BatchNormJoinSums".
func (f *BatchNormJoinSums) Kind() string { return "BatchNormJoinSums" }

func (f *BatchNormJoinSums) String() string {
	return fmt.Sprintf("Add+ReLUGrad+BatchNormSums(axis %d, epsilon %g)", f.Axis, f.Epsilon)
}

// MaxPool2DGradBias is MaxPool2DGrad, and BiasGrad of its result over the channels. In: x, y, dy; out: dx, db.
type MaxPool2DGradBias struct{ Grad *op.MaxPool2DGrad }

// Kind is "MaxPool2DGradBias".
func (f *MaxPool2DGradBias) Kind() string   { return "MaxPool2DGradBias" }
func (f *MaxPool2DGradBias) String() string { return f.Grad.String() + "+BiasGrad" }

// ReLUGradBias is ReLUGrad, and BiasGrad of its result along Axis. In: y, dy; out: dx, db.
type ReLUGradBias struct{ Axis int }

// Kind is "ReLUGradBias".
func (f *ReLUGradBias) Kind() string   { return "ReLUGradBias" }
func (f *ReLUGradBias) String() string { return fmt.Sprintf("ReLUGrad+BiasGrad(axis %d)", f.Axis) }

// AddL2Grad is Add(g, L2PenaltyGrad(w, s)). In: g, w, s (scalar); out: g + 2·Lambda·s·w.
type AddL2Grad struct{ Lambda float64 }

// Kind is "AddL2Grad".
func (f *AddL2Grad) Kind() string   { return "AddL2Grad" }
func (f *AddL2Grad) String() string { return fmt.Sprintf("AddL2Grad(lambda %g)", f.Lambda) }

// L2Penalties is the sum of L2Penalty of some values, one of Lambdas each, added up from the first to the last.
// In: w, …, of any shapes, at most MostPenalties; out: a scalar.
type L2Penalties struct{ Lambdas []float64 }

// MostPenalties is how many values L2Penalties takes.
const MostPenalties = 128

// Kind is "L2Penalties".
func (f *L2Penalties) Kind() string { return "L2Penalties" }

func (f *L2Penalties) String() string { return fmt.Sprintf("L2Penalties(%d values)", len(f.Lambdas)) }

// MomentumUpdate is one optimizer step of one parameter: WeightDecay if it is not 0, Momentum, and then Add or, if
// Nesterov, the Nesterov step. In: w, v, g, lr (scalar); out: w, v.
type MomentumUpdate struct {
	Momentum, WeightDecay float64
	Nesterov              bool
}

// Kind is "MomentumUpdate".
func (f *MomentumUpdate) Kind() string { return "MomentumUpdate" }

func (f *MomentumUpdate) String() string {
	return fmt.Sprintf("MomentumUpdate(momentum %g, decay %g)", f.Momentum, f.WeightDecay) + suffix("+nesterov", f.Nesterov)
}

// AdamUpdate is one Adam step of one parameter: WeightDecay if it is not 0, AdamMean, AdamSquare, AdamStep.
// In: w, m, v, g, lr (scalar), t (Int scalar); out: w, m, v.
type AdamUpdate struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
}

// Kind is "AdamUpdate".
func (f *AdamUpdate) Kind() string { return "AdamUpdate" }

func (f *AdamUpdate) String() string {
	return fmt.Sprintf("AdamUpdate(beta1 %g, beta2 %g, epsilon %g, decay %g)", f.Beta1, f.Beta2, f.Epsilon, f.WeightDecay)
}

// FusedUpdate is an optimizer step of one parameter with what surrounds it in a training step. Grad, if it is not nil, is the
// product that makes the gradient; L2, if it is not 0, is that of an AddL2Grad behind it; Penalty, if it is not 0, is that of an
// L2Penalty of the parameter's old value.
// In: those of Update, where Grad's stand in the place of the gradient, then, with L2, s (scalar); out: those of Update, then,
// with Penalty, the penalty (scalar).
type FusedUpdate struct {
	Grad        Instr // *op.MatMul, *op.Conv2DBackwardFilter, or nil
	Update      Instr // *MomentumUpdate or *AdamUpdate
	L2, Penalty float64
}

// Kind is "FusedUpdate", followed by "Product" with Grad and by "Penalty" with Penalty, which not every engine takes.
func (f *FusedUpdate) Kind() string {
	return "FusedUpdate" + suffix("Product", f.Grad != nil) + suffix("Penalty", f.Penalty != 0)
}

func (f *FusedUpdate) String() string {
	s := f.Update.String()
	if f.Grad != nil {
		s = f.Grad.String() + "+" + s
	}
	if f.L2 != 0 {
		s += fmt.Sprintf("+l2(lambda %g)", f.L2)
	}
	if f.Penalty != 0 {
		s += fmt.Sprintf("+penalty(lambda %g)", f.Penalty)
	}
	return s
}

// State is the number of values that make up the parameter's state: itself and the optimizer's slots, the first operands and
// results. Behind them is the gradient, or the two factors of Grad.
func (f *FusedUpdate) State() int {
	if _, ok := f.Update.(*AdamUpdate); ok {
		return 3
	}
	return 2
}

// Scalars is the place of the first operand behind the gradient: the learning rate.
func (f *FusedUpdate) Scalars() int {
	if f.Grad != nil {
		return f.State() + 2
	}
	return f.State() + 1
}

// Copy copies a value. In: x; out: x.
type Copy struct{}

// Kind is "Copy".
func (*Copy) Kind() string   { return "Copy" }
func (*Copy) String() string { return "Copy" }

func suffix(s string, on bool) string {
	if on {
		return s
	}
	return ""
}

package cpu

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// String says what the engine computes with, e.g. "cpu with 2 threads, avx512 kernels" or, once programs were built that follow a table
// of measured choices, "cpu with 2 threads, avx512 kernels, tuned for 31 convolutions".
func (e *Engine) String() string {
	s := "s"
	if e.Threads() == 1 {
		s = ""
	}
	s = fmt.Sprintf("cpu with %d thread%s, %s kernels", e.Threads(), s, e.Level())
	switch n := e.Choices(); {
	case n == 1:
		s += ", tuned for 1 convolution"
	case n > 1:
		s += fmt.Sprintf(", tuned for %d convolutions", n)
	}
	return s
}

// vectored are the kinds whose kernels run the level's vector loops. Those of the others are loops in Go at every level, but
// for matrix products, which say so themselves (kernel/way.go).
var vectored = map[string]bool{"Unary": true, "Binary": true, "Loop": true, "ReLU": true, "ReLUGrad": true, "Scale": true, "Add": true, "Mul": true, "Permute": true,
	"L2PenaltyGrad": true, "AddL2Grad": true, "BiasAdd": true, "BiasGrad": true, "ChannelAffine": true, "BatchStats": true, "BatchNorm": true, "BatchNormInference": true,
	"FusedBatchNorm": true, "BatchNormSums": true, "BatchNormReLUSums": true, "BatchNormJoinSums": true, "BatchNormReLUGradInput": true,
	"FusedBatchNormBound": true, "BatchNormReLUSumsBound": true, "BatchNormReLUGradInputBound": true,
	"BatchNormGradScale": true, "BatchNormGradInput": true, "FusedBatchNormGradInput": true,
	"BatchNormInferenceGradInput": true, "MaxPool2D": true, "MaxPool2DGrad": true, "MaxPool2DGradBias": true, "AvgPool2D": true, "AvgPool2DGrad": true,
	"GlobalAvgPool2D": true, "GlobalAvgPool2DGrad": true, "FoldNorm": true, "Mean": true, "Sum": true, "L2Penalty": true, "MovingAverage": true,
	"WeightDecay": true, "AdamMean": true, "Descend": true, "Momentum": true,
	"MomentumUpdate": true, "AdamUpdate": true, "FusedUpdate": true, "FusedUpdateProduct": true, "FusedUpdatePenalty": true, "FusedUpdateProductPenalty": true,
	"Softmax": true, "SoftmaxGrad": true, "LogSoftmaxGrad": true, "SoftmaxCrossEntropyGrad": true,
	"LayerNorm": true, "LayerNormGrad": true, "LayerNormGradScale": true, "LayerNormBackward": true, "Reduce": true}

// kernelName says what runs a step that the builder has just prepared.
func (b *builder) kernelName(s *graph.Step) string {
	kind := s.Instr.Kind()
	if kernels[kind].of(s.Out[0].Dtype) != nil {
		way := b.way
		switch {
		case kernel.Multiplies(way) && s.Out[0].Dtype == tensor.Float32 && b.gemm.Rounds():
			return b.gemm.Level().String() + " bf16 " + way
		case way != "":
			return kernel.Level().String() + " " + way
		case vectored[kind]:
			return kernel.Level().String() + " loops"
		}
		return "go loops"
	}
	switch s.Instr.(type) {
	case *graph.Copy:
		return "copy"
	case *graph.HostOp:
		return "host (Gorgonia)"
	}
	return "reference"
}

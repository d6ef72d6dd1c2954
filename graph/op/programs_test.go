package op

import (
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// differentiable lists the programs whose gradients are checked against differences. wrt are the inputs concerned.
func differentiable() []struct {
	program
	wrt []int
} {
	rng := rand.New(rand.NewPCG(1, 2))
	type c = struct {
		program
		wrt []int
	}
	norm := func(axis int) func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		return func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, _, _, err := BatchNormTraining(in[0], in[1], in[2], axis, 1e-3)
			return y, err
		}
	}
	statistics := func(axis int) func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		return func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			m, err := Apply(&BatchMean{Axis: axis}, in[0])
			if err != nil {
				return nil, err
			}
			v, err := Apply(&BatchVariance{Axis: axis}, in[0], m)
			if err != nil {
				return nil, err
			}
			return Apply(&Mul{}, m, v)
		}
	}
	return append(primitives(), []c{
		{operation("Add", func() Op { return &Add{} }, normal(rng, 3, 5), normal(rng, 3, 5)), []int{0, 1}},
		{operation("AffineTransform", func() Op { return &AffineTransform{Sampling: Sampling{Border: BorderReflect, Fill: 3}} }, normal(rng, 2, 3, 4, 2), transforms(rng, 2)), []int{0}},
		{operation("AffineTransform filled", func() Op { return &AffineTransform{Sampling: Sampling{Nearest: true, Fill: 3}} }, normal(rng, 2, 3, 4, 2), transforms(rng, 2)), []int{0}},
		{operation("AffineTransformGrad", func() Op { return &AffineTransformGrad{} }, transforms(rng, 2), normal(rng, 2, 3, 4, 2)), []int{1}},
		{operation("Add scalars", func() Op { return &Add{} }, number(2), number(-3)), []int{0, 1}},
		{operation("Mul", func() Op { return &Mul{} }, normal(rng, 1, 7), normal(rng, 1, 7)), []int{0, 1}},
		{program{"Mul by itself", []Array{normal(rng, 3, 2)}, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return Apply(&Mul{}, in[0], in[0]) }}, []int{0}},
		{program{"Add to itself", []Array{normal(rng, 3, 2)}, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return Apply(&Add{}, in[0], in[0]) }}, []int{0}},
		{operation("Mul scalars", func() Op { return &Mul{} }, number(2), number(-3)), []int{0, 1}},
		{operation("Scale", func() Op { return &Scale{Factor: -1.5} }, normal(rng, 2, 3, 5)), []int{0}},
		{operation("Reshape", func() Op { return &Reshape{From: tensor.Shape{2, 3, 5}, To: tensor.Shape{6, 5}} }, normal(rng, 2, 3, 5)), []int{0}},
		{program{"Flatten", []Array{normal(rng, 3, 2, 1, 5)}, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return Flatten(in[0]) }}, []int{0}},
		{operation("MatMul", func() Op { return &MatMul{} }, normal(rng, 3, 5), normal(rng, 5, 7)), []int{0, 1}},
		{operation("MatMul one row", func() Op { return &MatMul{} }, normal(rng, 1, 5), normal(rng, 5, 1)), []int{0, 1}},
		{operation("MatMul aᵀ", func() Op { return &MatMul{TransA: true} }, normal(rng, 5, 3), normal(rng, 5, 7)), []int{0, 1}},
		{operation("MatMul bᵀ", func() Op { return &MatMul{TransB: true} }, normal(rng, 3, 5), normal(rng, 7, 5)), []int{0, 1}},
		{operation("MatMul aᵀbᵀ", func() Op { return &MatMul{TransA: true, TransB: true} }, normal(rng, 5, 3), normal(rng, 7, 5)), []int{0, 1}},
		{operation("BatchMatMul", func() Op { return &BatchMatMul{} }, normal(rng, 2, 3, 5, 4), normal(rng, 2, 3, 4, 7)), []int{0, 1}},
		{operation("BatchMatMul of one", func() Op { return &BatchMatMul{} }, normal(rng, 1, 1, 3), normal(rng, 1, 3, 1)), []int{0, 1}},
		{operation("BatchMatMul aᵀ", func() Op { return &BatchMatMul{TransA: true} }, normal(rng, 3, 4, 5), normal(rng, 3, 4, 7)), []int{0, 1}},
		{operation("BatchMatMul bᵀ", func() Op { return &BatchMatMul{TransB: true} }, normal(rng, 3, 5, 4), normal(rng, 3, 7, 4)), []int{0, 1}},
		{operation("BatchMatMul aᵀbᵀ", func() Op { return &BatchMatMul{TransA: true, TransB: true} }, normal(rng, 5, 3), normal(rng, 7, 5)), []int{0, 1}},
		{operation("Dropout", func() Op { return &Dropout{Rate: 0.4, Seed: 9, Stream: 2} }, normal(rng, 3, 7), integer(5)), []int{0}},
		{operation("Softmax", func() Op { return &Softmax{} }, normal(rng, 3, 7)), []int{0}},
		{operation("Softmax one row", func() Op { return &Softmax{} }, normal(rng, 1, 2)), []int{0}},
		{operation("LogSoftmax", func() Op { return &LogSoftmax{} }, normal(rng, 3, 7)), []int{0}},
		{operation("SoftmaxCrossEntropy", func() Op { return &SoftmaxCrossEntropy{} }, normal(rng, 5, 7), classes(rng, 5, 7)), []int{0}},
		{operation("SoftmaxCrossEntropy one row", func() Op { return &SoftmaxCrossEntropy{} }, normal(rng, 1, 3), classes(rng, 1, 3)), []int{0}},
		{operation("CrossEntropy", func() Op { return &CrossEntropy{} }, distribution(rng, 5, 7), classes(rng, 5, 7)), []int{0}},
		{operation("Mean", func() Op { return &Mean{} }, normal(rng, 3, 5, 2, 1)), []int{0}},
		{operation("Mean of one", func() Op { return &Mean{} }, normal(rng, 1)), []int{0}},
		{operation("Mean of a scalar", func() Op { return &Mean{} }, number(3)), []int{0}},
		{operation("Sum", func() Op { return &Sum{} }, normal(rng, 3, 5)), []int{0}},
		{operation("MeanGrad", func() Op { return &MeanGrad{Shape: tensor.Shape{3, 5}} }, number(2)), []int{0}},
		{operation("SumGrad", func() Op { return &SumGrad{Shape: tensor.Shape{7}} }, number(2)), []int{0}},
		{operation("L2Penalty", func() Op { return &L2Penalty{Lambda: 0.3} }, normal(rng, 3, 3, 2, 5)), []int{0}},
		{operation("L2PenaltyGrad", func() Op { return &L2PenaltyGrad{Lambda: 0.3} }, normal(rng, 3, 5), number(0.7)), []int{0, 1}},
		{operation("BatchMean NHWC", func() Op { return &BatchMean{Axis: -1} }, normal(rng, 3, 2, 5, 7)), []int{0}},
		{operation("BatchMean NCHW", func() Op { return &BatchMean{Axis: 1} }, normal(rng, 1, 3, 5, 2)), []int{0}},
		{operation("BatchMeanGrad", func() Op { return &BatchMeanGrad{Axis: 1, Shape: tensor.Shape{2, 3, 5}} }, normal(rng, 3)), []int{0}},
		{program{"mean·variance NHWC", []Array{normal(rng, 3, 2, 5, 7)}, statistics(-1)}, []int{0}},
		{program{"mean·variance NCHW", []Array{normal(rng, 1, 3, 5, 2)}, statistics(1)}, []int{0}},
		{program{"BatchNormTraining NHWC", []Array{normal(rng, 3, 5, 3, 7), normal(rng, 7), normal(rng, 7)}, norm(-1)}, []int{0, 1, 2}},
		{program{"BatchNormTraining NCHW", []Array{normal(rng, 3, 5, 3, 2), normal(rng, 5), normal(rng, 5)}, norm(1)}, []int{0, 1, 2}},
		{program{"BatchNormTraining batch 1", []Array{normal(rng, 1, 3, 3, 2), normal(rng, 2), normal(rng, 2)}, norm(3)}, []int{0, 1, 2}},
		{program{"BatchNormTraining dense", []Array{normal(rng, 5, 3), normal(rng, 3), normal(rng, 3)}, norm(-1)}, []int{0, 1, 2}},
		{program{"BatchNormTraining one channel", []Array{normal(rng, 2, 3, 1), normal(rng, 1), normal(rng, 1)}, norm(-1)}, []int{0, 1, 2}},
		{operation("BatchNormInference NHWC", func() Op { return &BatchNormInference{Axis: -1, Epsilon: 1e-3} },
			normal(rng, 3, 2, 3, 5), normal(rng, 5), normal(rng, 5), normal(rng, 5), positive(rng, 5)), []int{0, 1, 2}},
		{operation("BatchNormInference NCHW", func() Op { return &BatchNormInference{Axis: 1, Epsilon: 1e-3} },
			normal(rng, 1, 3, 2, 5), normal(rng, 3), normal(rng, 3), normal(rng, 3), positive(rng, 3)), []int{0, 1, 2}},
		{operation("LayerNorm", func() Op { return &LayerNorm{Epsilon: 1e-3} }, normal(rng, 2, 3, 5), normal(rng, 5), normal(rng, 5)), []int{0, 1, 2}},
		{operation("LayerNorm one row", func() Op { return &LayerNorm{Epsilon: 1e-3} }, normal(rng, 1, 4), normal(rng, 4), normal(rng, 4)), []int{0, 1, 2}},
		{operation("LayerNorm one channel", func() Op { return &LayerNorm{Epsilon: 1e-3} }, normal(rng, 3, 1), normal(rng, 1), normal(rng, 1)), []int{0, 1, 2}},
		{operation("LayerNorm without scale", func() Op { return &LayerNorm{Epsilon: 0.1, NoScale: true} }, normal(rng, 4, 3), normal(rng, 3)), []int{0, 1}},
		{operation("LayerNorm without shift", func() Op { return &LayerNorm{NoShift: true} }, normal(rng, 4, 3), normal(rng, 3)), []int{0, 1}},
		{operation("LayerNorm plain", func() Op { return &LayerNorm{Epsilon: 1e-3, NoScale: true, NoShift: true} }, normal(rng, 4, 3)), []int{0}},
		{operation("LayerNormGrad", func() Op { return &LayerNormGrad{Epsilon: 0.1} }, normal(rng, 2, 3, 5), normal(rng, 5), normal(rng, 2, 3, 5)), []int{0, 1, 2}},
		{operation("LayerNormGrad without scale", func() Op { return &LayerNormGrad{Epsilon: 1e-3, NoScale: true} }, normal(rng, 4, 3), normal(rng, 4, 3)), []int{0, 1}},
		{operation("LayerNormGradScale", func() Op { return &LayerNormGradScale{Epsilon: 1e-3} }, normal(rng, 2, 3, 5), normal(rng, 2, 3, 5)), []int{0, 1}},
	}...)
}

// others lists the operations that are not in differentiable: gradients of first order, metrics and updates.
func others() []program {
	rng := rand.New(rand.NewPCG(3, 4))
	x := func() Array { return normal(rng, 3, 2, 5) }
	v := func() Array { return normal(rng, 5) }
	return []program{
		operation("SoftmaxGrad", func() Op { return &SoftmaxGrad{} }, distribution(rng, 3, 5), normal(rng, 3, 5)),
		operation("LogSoftmaxGrad", func() Op { return &LogSoftmaxGrad{} }, normal(rng, 3, 5), normal(rng, 3, 5)),
		operation("SoftmaxCrossEntropyGrad", func() Op { return &SoftmaxCrossEntropyGrad{} }, normal(rng, 3, 5), classes(rng, 3, 5), normal(rng, 3)),
		operation("CrossEntropyGrad", func() Op { return &CrossEntropyGrad{} }, distribution(rng, 3, 5), classes(rng, 3, 5), normal(rng, 3)),
		operation("TopKCorrect", func() Op { return &TopKCorrect{K: 2} }, normal(rng, 9, 5), classes(rng, 9, 5)),
		operation("BatchVariance", func() Op { return &BatchVariance{Axis: -1} }, x(), v()),
		operation("BatchVarianceGrad", func() Op { return &BatchVarianceGrad{Axis: -1} }, x(), v(), v()),
		operation("BatchNorm", func() Op { return &BatchNorm{Axis: -1, Epsilon: 1e-3} }, x(), v(), v(), v(), positive(rng, 5)),
		operation("BatchNormGradScale", func() Op { return &BatchNormGradScale{Axis: -1, Epsilon: 1e-3} }, x(), v(), positive(rng, 5), x()),
		operation("BatchNormGradInput", func() Op { return &BatchNormGradInput{Axis: -1, Epsilon: 1e-3} }, x(), v(), v(), positive(rng, 5), x(), v(), v()),
		operation("BatchNormInferenceGradInput", func() Op { return &BatchNormInferenceGradInput{Axis: -1, Epsilon: 1e-3} }, v(), positive(rng, 5), x()),
		operation("MovingAverage", func() Op { return &MovingAverage{Momentum: 0.9, Factor: 1.25} }, v(), v()),
		operation("Momentum", func() Op { return &Momentum{Momentum: 0.9} }, x(), x(), number(0.1)),
		operation("Descend", func() Op { return &Descend{} }, x(), x(), number(0.1)),
		operation("Nesterov", func() Op { return &Nesterov{Momentum: 0.9} }, x(), x(), x(), number(0.1)),
		operation("WeightDecay", func() Op { return &WeightDecay{Rate: 0.01} }, x(), x()),
		operation("AdamMean", func() Op { return &AdamMean{Beta: 0.9} }, x(), x()),
		operation("AdamSquare", func() Op { return &AdamSquare{Beta: 0.999} }, positive(rng, 3), normal(rng, 3)),
		operation("AdamStep", func() Op { return &AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7} },
			normal(rng, 3), normal(rng, 3), positive(rng, 3), number(0.01), integer(3)),
	}
}

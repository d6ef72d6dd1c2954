package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// SparseCategoricalCrossentropy is the mean over the batch of −log of the probability that a sample's label has: Keras's
// sparse_categorical_crossentropy with from_logits=False. output (N, classes) holds probabilities, labels (N,) Ints from
// 0; the result is a scalar. Where output is a softmax (the Output of a model that ends with one), the loss is computed
// from its input, fused and stable for scores of any size; other probabilities are clipped to 1e-7 … 1−1e-7 as in Keras.
func SparseCategoricalCrossentropy(output, labels *gorgonia.Node) (*gorgonia.Node, error) {
	if x := softmaxInput(output); x != nil {
		return SparseCategoricalCrossentropyFromLogits(x, labels)
	}
	return meanLoss(&op.CrossEntropy{}, output, labels)
}

// SparseCategoricalCrossentropyFromLogits is the same loss from scores before the softmax ([Net.Logits]): Keras's
// from_logits=True. logits (N, classes), labels (N,) Ints, result a scalar.
func SparseCategoricalCrossentropyFromLogits(logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	return meanLoss(&op.SoftmaxCrossEntropy{}, logits, labels)
}

func meanLoss(o op.Op, scores, labels *gorgonia.Node) (*gorgonia.Node, error) {
	rows, err := op.Apply(o, scores, labels)
	if err != nil {
		return nil, err
	}
	return op.Apply(&op.Mean{}, rows)
}

// softmaxInput returns x where n is the node of softmax(x), else nil.
func softmaxInput(n *gorgonia.Node) *gorgonia.Node {
	if n == nil {
		return nil
	}
	if _, ok := n.Op().(*op.Softmax); !ok {
		return nil
	}
	return op.Children(n)[0]
}

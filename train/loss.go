package train

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// The losses of Config.Loss.
const (
	crossentropyLoss = "sparse_categorical_crossentropy" // the default
	focalLoss        = "sparse_categorical_focal_crossentropy"
)

// Losses are the names of Config.Loss: Keras's, of labels.
func Losses() []string { return []string{crossentropyLoss, focalLoss} }

// LossFunction is the loss that c describes; nil is the plain mean of the sparse categorical crossentropy.
func (c Config) LossFunction() (nn.Loss, error) {
	if s := c.LabelSmoothing; !(s >= 0 && s < 1) {
		return nil, fmt.Errorf("train: --label-smoothing wants a number from 0 to below 1, got %v", s)
	}
	name, text, has := strings.Cut(c.Loss, ":")
	of := fmt.Sprintf("loss %q", name)
	switch name {
	case "", crossentropyLoss:
		if has {
			return nil, parseOptions(of, text, nil)
		}
		if c.LabelSmoothing == 0 {
			return nil, nil
		}
		return nn.SparseCategoricalCrossentropyLoss{LabelSmoothing: c.LabelSmoothing}, nil
	case focalLoss:
		l := nn.SparseCategoricalFocalCrossentropy{Alpha: 0.25, Gamma: 2, LabelSmoothing: c.LabelSmoothing}
		if has {
			options := []option{{name: "alpha", to: &l.Alpha, want: "above 0 and at most 1", ok: func(v float64) bool { return v > 0 && v <= 1 }},
				{name: "gamma", to: &l.Gamma, want: "above 0", ok: above0}}
			if err := parseOptions(of, text, options); err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	return nil, unknown("loss", name, Losses())
}

// lossText is Config.Loss in the one form that run.json has, "" for the default.
func (c Config) lossText() string {
	l, err := c.LossFunction()
	f, ok := l.(nn.SparseCategoricalFocalCrossentropy)
	switch {
	case err != nil:
		return c.Loss
	case !ok:
		return ""
	}
	var options []string
	if f.Alpha != 0.25 {
		options = append(options, fmt.Sprint("alpha=", f.Alpha))
	}
	if f.Gamma != 2 {
		options = append(options, fmt.Sprint("gamma=", f.Gamma))
	}
	if len(options) == 0 {
		return focalLoss
	}
	return focalLoss + ":" + strings.Join(options, ",")
}

// loss is that of kind, or the mean cross-entropy, of which each image has its weight if there are any.
func (s *Step) loss(net *nn.Net, labels *gorgonia.Node, kind stepKind) (*gorgonia.Node, error) {
	var weights *gorgonia.Node
	if kind.weighted {
		weights, s.weights = input[float32](net.Graph, "sample_weights", kind.shapesOnly, kind.n)
		for i := range s.weights {
			s.weights[i] = 1
		}
	}
	switch {
	case kind.loss != nil:
		return kind.loss.Reduced(net.Output, labels, weights)
	case !kind.weighted:
		return nn.SparseCategoricalCrossentropy(net.Output, labels)
	}
	scores, o := net.Logits, op.Op(&op.SoftmaxCrossEntropy{})
	if net.Logits == net.Output { // probabilities that no softmax made
		o = &op.CrossEntropy{}
	}
	return op.Of(scores).Apply(o, op.Of(labels)).Mul(op.Of(weights)).Apply(&op.Mean{}).Node()
}

package train

import (
	"errors"
	"fmt"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// NewEvalStep compiles the evaluation of m for batches of n images on engine e: loss and metrics, no update. Weights are expected to stay:
// what is made of them alone, such as filters with batch normalization folded in, is made in the first run and kept. Weights that are changed
// after it count after [Step.Refresh].
func NewEvalStep(e graph.Engine, m *nn.Model, n int) (*Step, error) {
	return newEvalStep(e, m, nil, source{}, n, false)
}

// newEvalStep is NewEvalStep on images of a source; scored steps keep the model's outputs.
func newEvalStep(e graph.Engine, m *nn.Model, loss nn.Loss, from source, n int, scored bool) (*Step, error) {
	s, net, cost, err := forward(m, stepKind{n: n, source: from, evaluation: true, loss: loss})
	if err != nil {
		return nil, err
	}
	if !scored {
		return s.compile(e, net, cost, nil)
	}
	if s, err = s.compile(e, net, cost, nil, graph.WithOutputs(net.Output)); err != nil {
		return nil, err
	}
	v, err := s.machine.Value(net.Output)
	if err != nil {
		return nil, errors.Join(err, s.machine.Close())
	}
	var ok bool
	if s.scores, ok = v.Data().([]float32); !ok {
		return nil, errors.Join(fmt.Errorf("train: the model's outputs are %T, expected float32", v.Data()), s.machine.Close())
	}
	return s, nil
}

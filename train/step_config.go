package train

import (
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// StepConfig is what training steps differ in. NewTrainStep and its kin make the usual ones.
type StepConfig struct {
	Images int          // of a batch
	Seed   uint64       // of dropout
	Loader *data.Loader // whose batches are fed with FeedBatch; nil: floats are
	// Loss is what is minimised, of the model's output and labels, (images,) class numbers; nil is the mean of the sparse categorical
	// crossentropy. L2 penalties are added.
	Loss          nn.Loss
	Weighted      bool // images weigh in the loss what Weigh has told, 1 at first
	GradientNorms bool // Step.GradientNorms has them
	// LearningRates says what the learning rate is multiplied by for a weight, such as 10 for those of a new head; nil is 1 for all.
	LearningRates func(*nn.Weight) float64
}

// NewConfiguredStep is NewTrainStep for what c says.
func NewConfiguredStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, c StepConfig, opts ...graph.Option) (*Step, error) {
	kind := stepKind{n: c.Images, seed: c.Seed, loss: c.Loss, weighted: c.Weighted, norms: c.GradientNorms, rate: c.LearningRates}
	if c.Loader != nil {
		kind.source = sourceOf(c.Loader)
	}
	return newTrainStep(e, m, opt, slots, kind, opts...)
}

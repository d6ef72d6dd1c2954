package train

import (
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
)

// Plan returns the compiled training step of a full batch.
func (t *Trainer) Plan() (*graph.Plan, error) {
	s, err := t.trainStep(min(t.cfg.Batch, t.loader.Len()))
	if err != nil {
		return nil, err
	}
	return s.Plan(), nil
}

// compile compiles the steps of all sizes of batches, of training and of validation.
func (t *Trainer) compile() error {
	for _, n := range batchSizes(t.loader) {
		if _, err := t.trainStep(n); err != nil {
			return err
		}
	}
	for _, n := range batchSizes(t.tests) {
		if _, err := t.eval.step(n, augmentOf(t.tests.Config())); err != nil {
			return err
		}
	}
	return nil
}

// batchSizes are the sizes of the batches that a loader hands out.
func batchSizes(l *data.Loader) []int {
	full := min(l.Config().Batch, l.Len())
	if rest := l.Len() % full; rest > 0 && !l.Config().DropLast {
		return []int{full, rest}
	}
	return []int{full}
}

// trainStep is the compiled training step for batches of n images.
func (t *Trainer) trainStep(n int) (*Step, error) {
	if s := t.steps[n]; s != nil {
		return s, nil
	}
	opts, err := t.cfg.CompileOptions()
	if err != nil {
		return nil, err
	}
	s, err := NewTrainStepFor(t.loader, t.engine, t.model, t.opt, t.slots, n, t.cfg.Seed, opts...)
	if err != nil {
		return nil, err
	}
	t.steps[n] = s
	if t.profile != nil {
		return s, s.machine.StartProfile()
	}
	return s, nil
}

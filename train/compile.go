package train

import (
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
)

// Plan returns the compiled training step of a full batch.
func (t *Trainer) Plan() (*graph.Plan, error) {
	s, err := t.trainStep(stepKey{images: min(t.cfg.Batch, t.loader.Len())})
	if err != nil {
		return nil, err
	}
	return s.Plan(), nil
}

// stepKey is what the training steps of a run differ in.
type stepKey struct {
	images int
	hold   bool // the batch is not the last of its update
}

// stepsPerEpoch is the number of updates of an epoch.
func (t *Trainer) stepsPerEpoch() int {
	return (t.loader.Batches()-1)/max(t.cfg.Accumulate, 1) + 1
}

// place is where batch i of an epoch stands in its update.
type place struct {
	first, last bool
	part        float64 // fraction of the update's images
	key         stepKey
}

func (t *Trainer) place(i int) place {
	k, n, batches := max(t.cfg.Accumulate, 1), t.cfg.Batch, t.loader.Batches()
	begin := i / k * k // the update's first batch
	images, all := min(n, t.loader.Len()-i*n), t.loader.Len()-begin*n
	if k < batches-begin { // there is another update behind it; else k·n may be more than there are numbers
		all = k * n
	}
	p := place{first: i == begin, last: i == begin+k-1 || i == batches-1}
	p.part = float64(images) / float64(all)
	p.key = stepKey{images, !p.last}
	return p
}

// compile compiles the steps of all sizes of batches, of training and of validation.
func (t *Trainer) compile() error {
	batches, k := t.loader.Batches(), max(t.cfg.Accumulate, 1)
	for i := range batches {
		if i >= k && i < batches-k { // as in the first update
			continue
		}
		if _, err := t.trainStep(t.place(i).key); err != nil {
			return err
		}
	}
	for _, n := range batchSizes(t.tests) {
		if _, err := t.eval.step(n, sourceOf(t.tests)); err != nil {
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

// trainStep is a compiled training step.
func (t *Trainer) trainStep(key stepKey) (*Step, error) {
	if s := t.steps[key]; s != nil {
		return s, nil
	}
	opts, err := t.cfg.CompileOptions()
	if err != nil {
		return nil, err
	}
	loss, err := t.cfg.LossFunction()
	if err != nil {
		return nil, err
	}
	s, err := newTrainStep(t.engine, t.model, t.opt, t.slots,
		stepKind{n: key.images, source: sourceOf(t.loader), seed: t.cfg.Seed, hold: key.hold, weighted: t.cfg.ClassWeights != nil,
			norms: t.cfg.GradientNorms != nil && !key.hold, loss: loss, rate: t.cfg.rates(t.model)}, opts...)
	if err != nil {
		return nil, err
	}
	s.since = t.state.Unfrozen
	t.steps[key] = s
	if t.profile != nil && t.profile.timing {
		return s, s.machine.StartProfile()
	}
	return s, nil
}

package bench

import (
	"context"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// dealing is a case with how it is verified.
type dealing struct {
	Case
	size     int // of the batch that is verified
	distinct int // the different images of which it is dealt
	referred int // those that the reference computes: for inference more than there may be in the batch
}

const (
	// affordable is the arithmetic that a reference may need, where the least number of images does not need more: a few seconds'.
	affordable = 20e9
	// mostDistinct images are as good as many.
	mostDistinct = 8
	// leastBatch is the smallest batch whose training is verified as it is, and with few exceptions the least number of different
	// images. ResNet-50 ends in maps of one pixel for images of 32×32: batch norm over two of them leaves hardly more than their
	// signs, and over four makes a hundred times more of rounding than over eight.
	leastBatch = 6
)

// deals decides how c is verified.
func deals(c Case) (dealing, error) {
	random, err := draws(c)
	if err != nil {
		return dealing{}, err
	}
	if !c.onCPU() {
		d := dealsElsewhere(c)
		if random {
			d.size = d.distinct
		}
		return d, nil
	}
	flops, err := flopsPerImage(c)
	if err != nil {
		return dealing{}, err
	}
	most := max(2, min(mostDistinct, int(affordable/float64(max(flops, 1)))))
	d := dealing{Case: c, size: c.Batch, distinct: min(most, c.Batch), referred: most}
	if c.Mode == Inference { // images do not meet
		return d, nil
	}
	if random {
		d.size = max(leastBatch, most)
		d.distinct, d.referred = d.size, d.size
		return d, nil
	}
	if d.size < leastBatch {
		d.size = mostDistinct
	}
	d.distinct = d.size // if no smaller number divides it
	for n := most; n >= min(leastBatch, most); n-- {
		if d.size%n == 0 {
			d.distinct = n
			break
		}
	}
	d.referred = d.distinct
	return d, nil
}

// draws says whether c's step draws random numbers, by which a network drops some of its own: two places with one image then differ, and a
// batch of different images is verified, for which the reference draws the same.
func draws(c Case) (bool, error) {
	if c.Mode == Inference {
		return false, nil
	}
	m, err := c.model()
	if err != nil {
		return false, err
	}
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 1, Dtype: tensor.Float32, Training: true, ShapesOnly: true})
	if err != nil {
		return false, err
	}
	return net.Step != nil, nil
}

// dealsElsewhere is deals for other devices than the CPU, whose engine's results are the reference: as many images as are as good as many. In
// training a batch that these cannot be dealt to equally often is not verified itself.
func dealsElsewhere(c Case) dealing {
	d := dealing{Case: c, size: c.Batch, distinct: mostDistinct, referred: mostDistinct}
	if c.Mode == Train && c.Batch%mostDistinct != 0 {
		d.size = mostDistinct
	}
	if c.Mode == Inference {
		d.distinct = min(d.distinct, c.Batch)
	}
	return d
}

// flopsPerImage is the arithmetic of a step for one image, from a plan without an engine.
func flopsPerImage(c Case) (n int64, err error) {
	p, err := c.plan(1)
	if err != nil {
		return 0, err
	}
	for _, s := range p.Steps {
		n += graph.CostOf(s).FLOPs
	}
	return n, nil
}

// key is equal for cases whose truth is the same.
func (d dealing) key() Case {
	k := Case{Arch: d.Arch, Size: d.Size, Classes: d.Classes, Mode: d.Mode, Batch: d.referred}
	if !d.onCPU() {
		k.Device = "another"
	}
	return k
}

func (d dealing) truth(ctx context.Context) (*truth, error) {
	if d.Mode == Train {
		return trainingTruth(ctx, d.Case, d.referred)
	}
	return inferenceTruth(ctx, d.Case, d.referred)
}

// newSubject makes a case ready.
func newSubject(e graph.Engine, c Case, b *batch, begin func(*nn.Model) error) (subject, error) {
	if c.Mode == Train {
		return newTrainer(e, c, b, begin)
	}
	return newPredictor(e, c, b, begin)
}

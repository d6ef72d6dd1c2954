package train

import (
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// augmentOf is what makes images of the raw batches of a loader of configuration c and images in memory, nil where it makes them itself.
func augmentOf(c data.LoaderConfig) *op.Augment {
	if !c.Raw {
		return nil
	}
	return &op.Augment{Padding: c.Augment.PadCrop, Cutout: c.Augment.Cutout, Mixup: c.Augment.Mixup > 0, Indexed: c.Indexed,
		Raw: c.Normalize.Raw, Mean: c.Normalize.Mean, Std: c.Normalize.Std}
}

// source is where the images of a step come from; its zero value: they come as floats.
type source struct {
	raw   *op.Augment   // makes them of raw batches
	crop  *picturesIn   // makes them of raw batches of pictures in files
	set   *data.Dataset // that the device has, where raw is indexed
	mixup bool          // they come with the labels of what is mixed in
}

func sourceOf(l *data.Loader) source {
	if d := l.Dataset(); d.Files != nil {
		return source{crop: cropOf(l), mixup: l.Config().Augment.Mixup > 0}
	}
	s := source{raw: augmentOf(l.Config()), mixup: l.Config().Augment.Mixup > 0}
	if s.raw != nil && s.raw.Indexed {
		s.set = l.Dataset()
	}
	return s
}

// stepKind is what the graphs of steps differ in.
type stepKind struct {
	source
	n    int    // images
	seed uint64 // of dropout

	hold       bool                     // gradients are only added to their sums
	weighted   bool                     // images have weights in the loss
	norms      bool                     // the norms of gradients are results
	loss       nn.Loss                  // nil: the mean of the sparse categorical crossentropy
	rate       func(*nn.Weight) float64 // what the learning rate is multiplied by; nil: 1
	evaluation bool
	shapesOnly bool // inputs and weights have no values
}

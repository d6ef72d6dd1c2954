package train

import (
	"fmt"

	"github.com/stheno-ml/stheno/data"
)

// checkAugment refuses augmentation that is too large for images of a shape (rows, columns, channels).
func (c Config) checkAugment(shape [3]int) error {
	switch side := min(shape[0], shape[1]); {
	case c.Cutout > side:
		return fmt.Errorf("train: --cutout wants at most the side of the images, %d, got %d", side, c.Cutout)
	case c.Augment && c.Data != data.FolderName && side <= padCrop:
		return fmt.Errorf("train: --augment moves images by up to %d pixels, and these have a side of %d; leave it out", padCrop, side)
	}
	return nil
}

// padCrop is how far augmentation moves images that are not pictures in files.
const padCrop = 4

// trainingLoader is how a run's training images are served: with files as pictures in files, with raw as bytes.
func (c Config) trainingLoader(files, raw bool) data.LoaderConfig {
	l := data.LoaderConfig{Batch: c.Batch, Seed: c.Seed, Shuffle: true, Normalize: c.Normalize(), Limit: c.LimitTrain, Raw: raw, SkipDamaged: c.SkipDamaged,
		EXIFOrientation: c.EXIF == EXIFApply, Augment: data.Augment{Cutout: c.Cutout, Mixup: c.Mixup}}
	switch {
	case c.Augment && files:
		l.Augment.RandomResizedCrop, l.Augment.HorizontalFlip = true, true
	case c.Augment:
		l.Augment.PadCrop, l.Augment.HorizontalFlip = padCrop, true
	}
	return l
}

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

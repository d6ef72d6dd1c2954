package op

import (
	"fmt"

	"github.com/stheno-ml/stheno/internal/augment"
)

// What Augment and CropAndResize have in common: squares that are cut out of images, and images that are mixed.

// more names them.
func more(cutout int, mixup bool) (text string) {
	if cutout != 0 {
		text = fmt.Sprintf(", cutout %d", cutout)
	}
	if mixup {
		text += ", mixup"
	}
	return text
}

// moreDraws says which integers they add to those of an image.
func moreDraws(k augment.Kind) (text string) {
	if k.Cutout > 0 {
		text = "; then row and column of the square's middle"
	}
	if k.Mixup {
		text += "; then the image that is mixed in, and the share of the image itself"
	}
	return text
}

// checkMore refuses these integers of image i of a batch of images of h×w pixels where they are out of range.
func checkMore(op string, k augment.Kind, draws []int, i, h, w int) error {
	n := k.Numbers()
	d := draws[i*n : (i+1)*n]
	if k.Cutout > 0 {
		if row, column := k.Middle(d); row < 0 || row >= h || column < 0 || column >= w {
			return fmt.Errorf("op: %s: the square cut out of image %d has its middle at (%d, %d), want a pixel of %d×%d; feed what the loader drew",
				op, i, row, column, h, w)
		}
	}
	if k.Mixup {
		if with, share := k.Mix(d); with < 0 || with >= len(draws)/n || share < 0 || share > augment.Whole {
			return fmt.Errorf("op: %s: image %d is mixed with image %d by a share of %d, want an image of 0 to %d and a share of 0 to %d; feed what the loader drew",
				op, i, with, share, len(draws)/n-1, augment.Whole)
		}
	}
	return nil
}

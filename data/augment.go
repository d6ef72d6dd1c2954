package data

import (
	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
)

// Augment is the usual variation of small training images (He et al., "Deep Residual Learning", 2016, section 4.2).
type Augment struct {
	// PadCrop surrounds the image with so many pixels of value 0 (black, before normalization, as torchvision's
	// RandomCrop(32, padding=4) does) and cuts an image of the old size out of that at a random place. 0 is off.
	PadCrop int
	// HorizontalFlip mirrors every second image, by chance, left to right.
	HorizontalFlip bool
}

// draw returns the crop of a sample: a function of (seed, epoch, index) only.
func (a Augment) draw(key [2]uint32, epoch, index uint32) augment.Crop {
	if a.PadCrop == 0 && !a.HorizontalFlip {
		return augment.Crop{}
	}
	w := philox.Block([4]uint32{index, epoch, 0, philox.StreamAugment}, key)
	var c augment.Crop
	if n := uint32(2*a.PadCrop + 1); n > 1 {
		c.Dy, c.Dx = int(philox.Below(w[0], n))-a.PadCrop, int(philox.Below(w[1], n))-a.PadCrop
	}
	c.Flip = a.HorizontalFlip && w[2]>>31 == 1
	return c
}

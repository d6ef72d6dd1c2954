package data

import (
	"errors"
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
)

// Augment is the usual variation of small training images (He et al., "Deep Residual Learning", 2016, section 4.2).
type Augment struct {
	// PadCrop surrounds the image with so many pixels of value 0 (black, before normalization, as torchvision's
	// RandomCrop(32, padding=4) does) and cuts an image of the old size out of that at a random place. 0 is off.
	PadCrop int
	// RandomResizedCrop takes a random part of 8 to 100 % of a picture, of an aspect of 3/4 to 4/3 before it is resized to the image
	// (torchvision's RandomResizedCrop). Of pictures in files only, Dataset.Files; without it their middle is taken, as is usual in
	// tests: for images of 224 the middle of a picture whose shorter side is resized to 256, and in this proportion for others.
	RandomResizedCrop bool
	// HorizontalFlip mirrors every second image, by chance, left to right.
	HorizontalFlip bool
	// Cutout sets a square with sides of so many pixels, around a random pixel of the image and as far as it lies in the image, to 0
	// after normalization (DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017: 16 for
	// CIFAR-10, 8 for CIFAR-100). 0 is off.
	Cutout int
	// Mixup, if above 0, mixes every image with another one of its batch, after all else: λ·image + (1−λ)·other, where λ is drawn for
	// each batch from a Beta distribution with both parameters Mixup, and the other images are those of the batch in a random order
	// (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; 0.2 is a usual value). Of the two an image is made of, the one with the larger
	// share counts as itself: mixing with 1−λ in the inverse order gives the same images. The loss is that of both labels, by their shares:
	// Batch has them.
	Mixup float64
}

// kind is what augmentation adds to crops.
func (a Augment) kind(files bool) augment.Kind {
	return augment.Kind{Boxes: files, Cutout: a.Cutout, Mixup: a.Mixup > 0}
}

// check refuses what does not fit images of a shape (height, width, channels), or pictures in files.
func (a Augment) check(shape [3]int, files bool) error {
	side := min(shape[0], shape[1])
	switch {
	case a.RandomResizedCrop && !files:
		return errors.New("data: LoaderConfig.Augment.RandomResizedCrop is for pictures in files; PadCrop crops images of one size")
	case files && a.PadCrop != 0:
		return errors.New("data: LoaderConfig.Augment.PadCrop is for images of one size; RandomResizedCrop crops pictures in files")
	case a.PadCrop >= side:
		return fmt.Errorf("data: LoaderConfig.Augment.PadCrop is %d; it must be below the image's side, %d", a.PadCrop, side)
	case a.Cutout > side:
		return fmt.Errorf("data: LoaderConfig.Augment.Cutout is %d; it must be at most the image's side, %d", a.Cutout, side)
	case !(a.Mixup >= 0) || math.IsInf(a.Mixup, 0):
		return fmt.Errorf("data: LoaderConfig.Augment.Mixup is %v; it must be a number of at least 0", a.Mixup)
	}
	return nil
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

// put writes all that is drawn for a sample but what is mixed in: a function of (seed, epoch, index) and the image's shape only.
func (a Augment) put(to []int, key [2]uint32, epoch, index uint32, shape [3]int) {
	a.draw(key, epoch, index).Put(to)
	a.putSquare(to, a.kind(false), key, epoch, index, shape)
}

// putSquare writes which square is cut out.
func (a Augment) putSquare(to []int, kind augment.Kind, key [2]uint32, epoch, index uint32, shape [3]int) {
	if kind.Cutout == 0 {
		return
	}
	w := philox.Block([4]uint32{index, epoch, 1, philox.StreamAugment}, key)
	kind.PutMiddle(to, int(philox.Below(w[0], uint32(shape[0]))), int(philox.Below(w[1], uint32(shape[1]))))
}

// mix writes what the n images of a batch are mixed with, and returns the share of the images themselves, from a half to 1: a function of
// (seed, epoch, batch) and n only. order has room for n numbers.
func (a Augment) mix(draws, order []int, kind augment.Kind, seed uint64, epoch, batch uint32) (share int) {
	s := philox.NewSequence(seed, epoch, batch, philox.StreamMixup)
	lambda := philox.Beta(&s, a.Mixup)
	share = int(math.Round(max(lambda, 1-lambda) * augment.Whole))
	for i := range order {
		order[i] = i
	}
	for i := len(order) - 1; i > 0; i-- {
		j := s.Intn(uint32(i + 1))
		order[i], order[j] = order[j], order[i]
	}
	width := kind.Numbers()
	for i, with := range order {
		kind.PutMix(draws[i*width:(i+1)*width], with, share)
	}
	return share
}

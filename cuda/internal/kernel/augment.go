package kernel

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/philox"
)

// Augmentation says how batches are made of images that lie on the device: what data.Augment, data.Normalize and the seed of a
// data.Loader say of those that lie on the host.
type Augmentation struct {
	Height, Width, Channels int
	PadCrop                 int
	HorizontalFlip          bool
	Seed                    uint64
}

// Batch launches what makes a batch of n images in elements of type dt, float32 or float64. The launch reads
//
//   - In(0): the images of the data set, bytes in the order image, row, column, channel;
//   - In(1): the numbers of the batch's images in the set (n int), which the caller has checked;
//   - In(2): the number of the epoch (an int scalar);
//   - In(3): the value of every byte: 256×Channels float32, which is what data.Normalize.Apply makes of an image of 256 rows,
//     one column and Channels channels whose rows are 0, 1, …, 255;
//
// and writes n×Height×Width×Channels elements to Out(0). They are those of the host, bit by bit.
func (a Augmentation) Batch(dt tensor.Dtype, n int) (*Launch, error) {
	size := int64(a.Height) * int64(a.Width) * int64(a.Channels)
	switch {
	case a.Height < 1 || a.Width < 1 || a.Channels < 1 || size > math.MaxInt32/2 || n < 1 || n > math.MaxInt32:
		return nil, fmt.Errorf("cuda: a batch of %d images of %d×%d×%d; want at least one of at least one pixel, of at most 2³⁰ numbers each", n, a.Height, a.Width, a.Channels)
	case a.PadCrop < 0 || a.PadCrop >= min(a.Height, a.Width):
		return nil, fmt.Errorf("cuda: images of %d×%d are moved by up to %d pixels; want fewer than an image's side has", a.Height, a.Width, a.PadCrop)
	}
	const each = 16 // elements of a thread, for which it draws once
	flip := int32(0)
	if a.HorizontalFlip {
		flip = 1
	}
	key := philox.Key(a.Seed)
	parts := min((int(size)+each*threads-1)/(each*threads), 65535)
	return &Launch{Source: drawing("augment.cu", dt, ""), Name: "augment", Grid: Dim3{X: n, Y: parts}, Block: Dim3{X: threads},
		Args: []any{Out(0), In(0), In(1), In(2), In(3), int32(a.Height), int32(a.Width), int32(a.Channels), int32(a.PadCrop), flip, key[0], key[1]}}, nil
}

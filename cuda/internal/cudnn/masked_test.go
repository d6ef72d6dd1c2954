//go:build gpu && cgo && linux

package cudnn

import (
	"testing"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// masked are the convolutions of VGG-16 and of AlexNet, of both its papers, in front of which there is a ReLU, with or without a pooling behind
// it, for images of 224×224.
var masked = []layer{
	{64, 224, 64, 3, 1, 1}, {64, 112, 128, 3, 1, 1}, {128, 112, 128, 3, 1, 1}, {128, 56, 256, 3, 1, 1},
	{256, 56, 256, 3, 1, 1}, {256, 28, 512, 3, 1, 1}, {512, 28, 512, 3, 1, 1}, {512, 14, 512, 3, 1, 1},
	{96, 26, 256, 5, 1, 2}, {256, 12, 384, 3, 1, 1}, {384, 12, 384, 3, 1, 1}, {384, 12, 256, 3, 1, 1},
	{64, 27, 192, 5, 1, 2}, {192, 13, 384, 3, 1, 1}, {384, 13, 256, 3, 1, 1}, {256, 13, 256, 3, 1, 1},
}

// TestMaskedPlans records of which of them cuDNN computes the gradient of the input together with ReLU's, for images of 224×224 and of 32×32.
func TestMaskedPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles dozens of kernels")
	}
	recordPlans(t, "masked", "the gradient of the input and ReLU's", masked, []kernel.Precision{kernel.TF32, kernel.BF16}, func(c *kernel.Convolution) {
		c.Pass, c.Mask = kernel.BackwardInput, &kernel.Pointer{}
	})
}

// A masked gradient has the same bits in every run, whatever was in memory before.
func TestMaskedRepeat(t *testing.T) {
	d, l := device(t)
	layer, batch, most := layer{64, 56, 128, 3, 1, 1}, 32, 4
	if simulated(t, l) {
		layer.size, layer.filters, batch, most = 7, 16, 2, 2 // its third fails on purpose
	}
	c := layer.convolution(batch)
	c.Pass, c.Precision, c.Rounded, c.Mask = kernel.BackwardInput, kernel.BF16, true, &kernel.Pointer{}
	repeatWays(t, d, l, &c, most)
}

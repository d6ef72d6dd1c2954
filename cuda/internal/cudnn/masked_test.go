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

// between are the convolutions of VGG-16 behind the first, and those of ResNet-18 that differ.
var between = append(masked[:8:8], layer{64, 56, 64, 3, 1, 1}, layer{64, 56, 128, 3, 2, 1}, layer{128, 28, 128, 3, 1, 1}, layer{128, 28, 256, 3, 2, 1},
	layer{256, 14, 256, 3, 1, 1}, layer{256, 14, 512, 3, 2, 1}, layer{512, 7, 512, 3, 1, 1}, layer{64, 56, 128, 1, 2, 0})

// TestSelectedPlans records the same of a comparison and a selection.
func TestSelectedPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles dozens of kernels")
	}
	recordPlans(t, "selected", "the gradient of the input, a comparison and a selection", between, []kernel.Precision{kernel.TF32, kernel.BF16}, func(c *kernel.Convolution) {
		c.Pass, c.Mask, c.Select = kernel.BackwardInput, &kernel.Pointer{}, true
	})
}

// TestSummedPlans records the same with sums of the channels behind it, which are the same in every run: other engines have those.
func TestSummedPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles dozens of kernels")
	}
	recordPlans(t, "summed", "the gradient of the input, a comparison, a selection and sums", between[:8], []kernel.Precision{kernel.TF32, kernel.BF16}, func(c *kernel.Convolution) {
		c.Pass, c.Mask, c.Select, c.Sums = kernel.BackwardInput, &kernel.Pointer{}, true, &kernel.Pointer{}
	})
}

// A masked gradient has the same bits in every run, whatever was in memory before; and so have its sums.
func TestMaskedRepeat(t *testing.T) {
	for name, with := range map[string]func(*kernel.Convolution){
		"ReLU gradient":      func(*kernel.Convolution) {},
		"selection":          func(c *kernel.Convolution) { c.Select = true },
		"selection and sums": func(c *kernel.Convolution) { c.Select, c.Sums = true, &kernel.Pointer{} },
	} {
		t.Run(name, func(t *testing.T) { maskedRepeat(t, with) })
	}
}

func maskedRepeat(t *testing.T, with func(*kernel.Convolution)) {
	d, l := device(t)
	layer, batch, most := layer{64, 56, 128, 3, 1, 1}, 32, 4
	if simulated(t, l) {
		layer.size, layer.filters, batch, most = 7, 16, 2, 2 // its third fails on purpose
	}
	c := layer.convolution(batch)
	c.Pass, c.Precision, c.Rounded, c.Mask = kernel.BackwardInput, kernel.BF16, true, &kernel.Pointer{}
	with(&c)
	repeatWays(t, d, l, &c, most)
}

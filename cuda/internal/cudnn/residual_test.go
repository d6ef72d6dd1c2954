//go:build gpu && cgo && linux

package cudnn

import (
	"testing"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// joins are the convolutions of ResNet-50 and of ResNet-18 behind which a residual is added, for images of 224×224.
var joins = []layer{
	{64, 56, 256, 1, 1, 0}, {128, 28, 512, 1, 1, 0}, {256, 14, 1024, 1, 1, 0}, {512, 7, 2048, 1, 1, 0},
	{64, 56, 64, 3, 1, 1}, {128, 28, 128, 3, 1, 1}, {256, 14, 256, 3, 1, 1}, {512, 7, 512, 3, 1, 1},
}

// TestResidualPlans records which of them cuDNN computes together with bias, residual and ReLU, for images of 224×224 and of 32×32.
func TestResidualPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles dozens of kernels")
	}
	recordPlans(t, "residual", "bias, residual and ReLU", joins, []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16}, func(c *kernel.Convolution) {
		c.Bias, c.Residual, c.ReLU = &kernel.Pointer{}, &kernel.Pointer{}, true
	})
}

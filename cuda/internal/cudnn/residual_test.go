//go:build gpu && cgo && linux

package cudnn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	l := library(t)
	if simulated(t, l) {
		t.Skip("it is about cuDNN itself")
	}
	for _, device := range []string{"A100", "H100"} {
		t.Run(device, func(t *testing.T) {
			h, err := l.ForDevice(devices[device])
			require.NoError(t, err)
			defer h.Close()
			var b strings.Builder
			fmt.Fprintf(&b, "cuDNN %s, %s: convolutions with bias, residual and ReLU, batch 64: engine (notes), bytes of working memory\n", l.Version(), device)
			for _, size := range []int{224, 32} {
				fmt.Fprintf(&b, "images of %d×%d\n", size, size)
				for _, layer := range joins {
					layer.size = max(layer.size*size/224, 1)
					fmt.Fprintf(&b, "%d×%d×%d, %d filters %d×%d", layer.size, layer.size, layer.channels, layer.filters, layer.kernel, layer.kernel)
					for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
						c := layer.convolution(64)
						c.Precision, c.Rounded, c.Bias, c.Residual, c.ReLU = precision, precision == kernel.BF16, &kernel.Pointer{}, &kernel.Pointer{}, true
						p, err := h.PlanConvolution(&c, working)
						if err != nil {
							require.ErrorIs(t, err, ErrUnsupported)
							fmt.Fprintf(&b, " | %s none", precision)
							continue
						}
						fmt.Fprintf(&b, " | %s %s, %d", precision, p.Engine, p.Workspace)
						require.NoError(t, p.Close())
					}
					b.WriteByte('\n')
				}
			}
			golden(t, fmt.Sprintf("residual-%s-%s.txt", l.Version(), device), b.String())
		})
	}
}

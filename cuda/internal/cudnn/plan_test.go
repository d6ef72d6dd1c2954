//go:build gpu && cgo && linux

package cudnn

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

func square(n, c, size, k, r, stride, pad int) kernel.Convolution {
	out := (size+2*pad-r)/stride + 1
	return kernel.Convolution{
		Dtype: tensor.Float32, N: n, H: size, W: size, C: c, K: k, R: r, S: r, OH: out, OW: out,
		Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Top: pad, Bottom: pad, Left: pad, Right: pad, Groups: 1,
	}
}

func TestProbe(t *testing.T) {
	l := library(t)
	h, err := l.ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	c := square(64, 64, 56, 64, 3, 1, 1)
	for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
		for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
			c.Precision, c.Pass = precision, pass
			start := time.Now()
			p, err := h.PlanConvolution(&c, 1<<30)
			if err != nil {
				fmt.Println(precision, pass, err)
				continue
			}
			fmt.Println(precision, pass, p.Engine, p.Workspace, time.Since(start))
			p.Close()
		}
	}
}

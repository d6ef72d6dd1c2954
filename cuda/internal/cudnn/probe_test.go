//go:build gpu && cgo && linux

package cudnn

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

func TestProbe2(t *testing.T) {
	l := library(t)
	for _, dev := range []string{"A100", "H100"} {
		h, err := l.ForDevice(devices[dev])
		require.NoError(t, err)
		try := func(name string, c kernel.Convolution) {
			p, err := h.PlanConvolution(&c, 1<<30)
			if err != nil {
				fmt.Println(dev, name, c.Precision, c.Pass, errors.Is(err, ErrUnsupported), err)
				return
			}
			fmt.Println(dev, name, c.Precision, c.Pass, p.Engine, p.Workspace)
			p.Close()
		}
		base := square(32, 64, 28, 64, 3, 1, 1)
		for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
			c := base
			c.Precision = precision
			c.Bias = &kernel.Pointer{}
			try("bias", c)
			c.ReLU = true
			try("bias+relu", c)
			c.Bias = nil
			try("relu", c)
			for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
				c := base
				c.Pass, c.Precision = pass, precision
				c.Top, c.OH = 0, 27
				try("asymmetric", c)
				c = base
				c.Pass, c.Precision = pass, precision
				c.Groups = 32
				try("groups32", c)
				c.Groups = 64
				try("depthwise", c)
				c = base
				c.Pass, c.Precision = pass, precision
				c.Dilation = [2]int{2, 2}
				c.OH, c.OW = 26, 26
				try("dilated", c)
				c = square(32, 3, 32, 64, 3, 1, 1)
				c.Pass, c.Precision = pass, precision
				try("rgb", c)
				c = square(32, 3, 224, 64, 7, 2, 3)
				c.Pass, c.Precision = pass, precision
				try("stem", c)
				c = square(1, 5, 9, 7, 3, 2, 1)
				c.Pass, c.Precision = pass, precision
				try("odd", c)
			}
		}
		for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
			c := base
			c.Dtype, c.Pass = tensor.Float64, pass
			try("double", c)
		}
		c := base
		c.Dtype, c.ReLU = tensor.Float64, true
		try("double relu", c)
	}
}

//go:build gpu && cgo && linux

package cudnn

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

var update = flag.Bool("update", false, "write what the cuDNN at hand plans to testdata")

// layer is a convolution of a network with square images, as the papers' tables give it.
type layer struct{ channels, size, filters, kernel, stride, pad int }

// The distinct convolutions of the networks, for images of 224×224.
var networks = []struct {
	name   string
	fused  bool // with a bias and ReLU
	layers []layer
}{
	{"resnet50", false, []layer{
		{3, 224, 64, 7, 2, 3},
		{64, 56, 64, 1, 1, 0}, {64, 56, 64, 3, 1, 1}, {64, 56, 256, 1, 1, 0}, {256, 56, 64, 1, 1, 0},
		{256, 56, 128, 1, 1, 0}, {128, 56, 128, 3, 2, 1}, {256, 56, 512, 1, 2, 0}, {128, 28, 512, 1, 1, 0}, {512, 28, 128, 1, 1, 0}, {128, 28, 128, 3, 1, 1},
		{512, 28, 256, 1, 1, 0}, {256, 28, 256, 3, 2, 1}, {512, 28, 1024, 1, 2, 0}, {256, 14, 1024, 1, 1, 0}, {1024, 14, 256, 1, 1, 0}, {256, 14, 256, 3, 1, 1},
		{1024, 14, 512, 1, 1, 0}, {512, 14, 512, 3, 2, 1}, {1024, 14, 2048, 1, 2, 0}, {512, 7, 2048, 1, 1, 0}, {2048, 7, 512, 1, 1, 0}, {512, 7, 512, 3, 1, 1},
	}},
	{"vgg16", true, []layer{
		{3, 224, 64, 3, 1, 1}, {64, 224, 64, 3, 1, 1}, {64, 112, 128, 3, 1, 1}, {128, 112, 128, 3, 1, 1}, {128, 56, 256, 3, 1, 1},
		{256, 56, 256, 3, 1, 1}, {256, 28, 512, 3, 1, 1}, {512, 28, 512, 3, 1, 1}, {512, 14, 512, 3, 1, 1},
	}},
}

func (l layer) convolution(batch int) kernel.Convolution {
	out := (l.size+2*l.pad-l.kernel)/l.stride + 1
	return kernel.Convolution{
		Dtype: tensor.Float32, N: batch, H: l.size, W: l.size, C: l.channels, K: l.filters, R: l.kernel, S: l.kernel, OH: out, OW: out,
		Stride: [2]int{l.stride, l.stride}, Dilation: [2]int{1, 1}, Top: l.pad, Bottom: l.pad, Left: l.pad, Right: l.pad, Groups: 1,
	}
}

var passes = map[kernel.Pass]string{kernel.Forward: "forward", kernel.BackwardInput: "backward input", kernel.BackwardFilter: "backward filter"}

// working is the working memory that the engine of package cuda grants.
const working = 256 << 20

// TestEveryConvolutionHasAPlan plans the training of whole networks on GPUs that need not be there. Of the cuDNN that the files
// of testdata are from, the engines must be those written there; for an H200 they are the H100's.
func TestEveryConvolutionHasAPlan(t *testing.T) {
	l := library(t)
	for device, properties := range devices {
		if testing.Short() && device != "H100" {
			continue
		}
		h, err := l.ForDevice(properties)
		require.NoError(t, err)
		var b strings.Builder
		fmt.Fprintf(&b, "cuDNN %s, %s, batch 64: engine (notes), bytes of working memory\n", l.Version(), device)
		for _, net := range networks {
			for _, layer := range net.layers {
				fmt.Fprintf(&b, "%s %d×%d×%d, %d filters %d×%d, stride %d\n", net.name, layer.size, layer.size, layer.channels, layer.filters, layer.kernel, layer.kernel, layer.stride)
				for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
					fmt.Fprintf(&b, "  %-15s", passes[pass])
					for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
						c := layer.convolution(64)
						c.Pass, c.Precision, c.Rounded = pass, precision, precision == kernel.BF16
						if net.fused && pass == kernel.Forward {
							c.Bias, c.ReLU = &kernel.Pointer{}, true
						}
						p, err := h.PlanConvolution(&c, working)
						require.NoError(t, err, "%s %+v %s %s", device, layer, passes[pass], precision)
						require.LessOrEqual(t, p.Workspace, int64(working))
						fmt.Fprintf(&b, " | %s %s, %d", precision, p.Engine, p.Workspace)
						require.NoError(t, p.Close())
					}
					b.WriteByte('\n')
				}
			}
		}
		require.NoError(t, h.Close())
		golden(t, fmt.Sprintf("plans-%s-%s.txt", l.Version(), strings.Replace(device, "H200", "H100", 1)), strings.Replace(b.String(), "H200", "H100", 1))
	}
}

// golden compares a text with a file of testdata, if there is one for the cuDNN at hand.
func golden(t *testing.T, name, text string) {
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Logf("no %s to compare with", file)
		return
	}
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// TestUnusualConvolutionsHavePlans is about what some library calls refuse.
func TestUnusualConvolutionsHavePlans(t *testing.T) {
	l := library(t)
	h, err := l.ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	base := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	for name, change := range map[string]func(c *kernel.Convolution){
		"padding before only": func(c *kernel.Convolution) { c.Bottom, c.Right, c.OH, c.OW = 0, 0, 27, 27 },
		"padding after only":  func(c *kernel.Convolution) { c.Top, c.Left, c.OH, c.OW = 0, 0, 27, 27 },
		"32 groups":           func(c *kernel.Convolution) { c.Groups = 32 },
		"depthwise":           func(c *kernel.Convolution) { c.Groups = 64 },
		"dilated":             func(c *kernel.Convolution) { c.Dilation, c.OH, c.OW = [2]int{2, 2}, 26, 26 },
		"odd":                 func(c *kernel.Convolution) { *c = layer{5, 9, 7, 3, 2, 1}.convolution(1) },
		"double":              func(c *kernel.Convolution) { c.Dtype = tensor.Float64 },
		"without idle taps":   func(c *kernel.Convolution) { *c = layer{512, 2, 512, 2, 2, 0}.convolution(64) },
		"one pixel, strided":  func(c *kernel.Convolution) { *c = layer{512, 1, 512, 1, 2, 0}.convolution(64) },
		"tiny images":         func(c *kernel.Convolution) { *c = layer{2048, 1, 2048, 1, 1, 0}.convolution(512) },
		"tiny images, fused": func(c *kernel.Convolution) {
			*c = layer{2048, 1, 2048, 1, 1, 0}.convolution(512)
			c.Bias, c.ReLU = &kernel.Pointer{}, true
		},
	} {
		for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
			for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
				c := base
				change(&c)
				c.Pass, c.Precision, c.Rounded = pass, precision, precision == kernel.BF16 && c.Dtype == tensor.Float32
				if pass != kernel.Forward {
					c.Bias, c.ReLU = nil, false
				}
				p, err := h.PlanConvolution(&c, working)
				require.NoError(t, err, "%s %s %s", name, passes[pass], precision)
				require.NoError(t, p.Close())
			}
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	l := library(t)
	h, err := l.ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()

	c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	c.OH = 99 // not what the extents make
	_, err = h.PlanConvolution(&c, working)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, "CUDNN_STATUS_BAD_PARAM")

	c = layer{64, 28, 64, 3, 1, 1}.convolution(32)
	c.Dtype, c.ReLU = tensor.Float64, true
	_, err = h.PlanConvolution(&c, working)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, "cuDNN 9.")

	c = layer{64, 56, 64, 3, 1, 1}.convolution(64)
	p, err := h.PlanConvolution(&c, 0)
	if err != nil {
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "bytes of working memory")
		return
	}
	require.Zero(t, p.Workspace)
	require.ErrorContains(t, p.Run(256, 256, 256, 0, 0, 0, 0, 0), "a device that is not there")
	require.NoError(t, p.Close())
}

func TestForDeviceRefusesOtherTexts(t *testing.T) {
	_, err := library(t).ForDevice(`{"deviceVer":900}`)
	require.ErrorContains(t, err, "properties of a device: cudnnBackendFinalize(38)")
}

//go:build gpu && cgo && linux

package cudnn

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// TestWaysAreTakenAgain: whatever cuDNN proposes is proposed once, and can be had again by its choice, out of a text.
func TestWaysAreTakenAgain(t *testing.T) {
	l := library(t)
	h, err := l.ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	layers := []layer{{64, 28, 64, 3, 1, 1}, {3, 32, 16, 3, 1, 1}, {128, 28, 128, 3, 2, 1}}
	if testing.Short() {
		layers = layers[:1]
	}
	most := 0
	for _, layer := range layers {
		for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
			for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
				c := layer.convolution(32)
				c.Pass, c.Precision, c.Rounded = pass, precision, precision == kernel.BF16
				first, err := h.PlanConvolution(&c, working)
				require.NoError(t, err)
				ways, err := h.Ways(&c, working)
				require.NoError(t, err)
				seen := map[string]bool{}
				for n := 0; n < 12; n++ {
					p, err := ways.Next()
					if n > 0 && err != nil {
						require.ErrorIs(t, err, ErrUnsupported)
						break
					}
					require.NoError(t, err)
					if n == 0 {
						require.Equal(t, first.Engine, p.Engine, "the first is the heuristics' first")
					}
					choice, err := p.Choice()
					require.NoError(t, err)
					require.False(t, seen[choice.String()], "%s is proposed twice", choice)
					seen[choice.String()] = true
					text, err := json.Marshal(choice)
					require.NoError(t, err)
					var read Choice
					require.NoError(t, json.Unmarshal(text, &read))
					again, err := h.Take(&c, working, read)
					require.NoError(t, err, "%s %s: %s", passes[pass], precision, choice)
					require.Equal(t, p.Engine, again.Engine)
					require.Equal(t, p.Workspace, again.Workspace)
					require.True(t, again.Measured)
					same, err := again.Choice()
					require.NoError(t, err)
					require.Equal(t, choice, same)
					require.NoError(t, p.Close())
					require.NoError(t, again.Close())
				}
				ways.Close()
				require.NoError(t, first.Close())
				most = max(most, len(seen))
			}
		}
	}
	require.Greater(t, most, 1, "there is nothing to choose from")
}

// Plans outlive the ways that they are of, in any order.
func TestPlansOutliveTheirWays(t *testing.T) {
	h, err := library(t).ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	ways, err := h.Ways(&c, working)
	require.NoError(t, err)
	a, err := ways.Next()
	require.NoError(t, err)
	b, err := ways.Next()
	require.NoError(t, err)
	ways.Close()
	require.NoError(t, a.Close())
	_, err = b.Choice()
	require.NoError(t, err)
	require.NoError(t, b.Close())
}

// A choice that will not do is refused with what is wrong, and no engine gets in that the problem excludes.
func TestChoicesThatWillNotDo(t *testing.T) {
	l := library(t)
	h, err := l.ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	for name, choice := range map[string]Choice{
		"an engine that there is not": {Engine: 1 << 20},
		"a knob that there is not":    {Engine: 3, Knobs: []Knob{{Type: 9999, Value: 1}}},
	} {
		_, err := h.Take(&c, working, choice)
		require.ErrorIs(t, err, ErrUnsupported, name)
	}
	c.Precision = kernel.TF32
	p, err := h.PlanConvolution(&c, working)
	require.NoError(t, err)
	choice, err := p.Choice()
	require.NoError(t, err)
	require.NoError(t, p.Close())
	c.Precision = kernel.FP32
	_, err = h.Take(&c, working, choice)
	require.ErrorContains(t, err, "not wanted: tensor cores", "of fp32")
	if !simulated(t, l) {
		return
	}
	_, err = h.Take(&c, working, Choice{Engine: 0})
	require.ErrorContains(t, err, "not wanted: not deterministic")
	_, err = h.Take(&c, working, Choice{Engine: 5, Knobs: []Knob{{3, 1}, {7, 16}}})
	require.ErrorContains(t, err, "an engine has no such knobs")
	_, err = h.Take(&c, 100, Choice{Engine: 3})
	require.ErrorContains(t, err, "wants 4096 bytes of working memory, may take 100")

	h.OpenOrder = true
	p, err = h.PlanConvolution(&c, working)
	require.NoError(t, err)
	require.Equal(t, "engine 0 (not deterministic)", p.Engine)
	require.NoError(t, p.Close())
}

// TestProblemsTell: equal problems have the same text, whatever differs makes another, and no address is in it.
func TestProblemsTell(t *testing.T) {
	h := &Handle{}
	base := func() *kernel.Convolution {
		c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
		c.Bias, c.ReLU = &kernel.Pointer{}, true
		return &c
	}
	text := func(c *kernel.Convolution) string {
		s, err := h.Problem(c, working)
		require.NoError(t, err)
		return s
	}
	want := text(base())
	require.Equal(t, want, text(base()))
	require.Equal(t, "{pass:0 x:{uid:1 dtype:0 dims:[32 64 28 28] strides:[50176 1 1792 64] alignment:64} w:{uid:2 dtype:0 dims:[64 64 3 3] strides:[576 1 192 64] alignment:64} "+
		"y:{uid:3 dtype:0 dims:[32 64 28 28] strides:[50176 1 1792 64] alignment:64} bias:<nil> relu:true compute:0 pre:[1 1] post:[1 1] strides:[1 1] dilations:[1 1] "+
		"excluded:[2 4 3 8 1 0 7]} bias {uid:4 dtype:0 dims:[1 64 1 1] strides:[64 1 64 64] alignment:64} workspace 268435456", want, "what was measured is kept under this: it must not change")
	require.NotContains(t, want, "0x")
	seen := map[string]bool{want: true}
	for name, change := range map[string]func(c *kernel.Convolution){
		"pass":       func(c *kernel.Convolution) { c.Pass, c.Bias, c.ReLU = kernel.BackwardInput, nil, false },
		"type":       func(c *kernel.Convolution) { c.Dtype = tensor.Float64 },
		"precision":  func(c *kernel.Convolution) { c.Precision = kernel.TF32 },
		"storage":    func(c *kernel.Convolution) { c.Precision, c.Rounded = kernel.BF16, true },
		"batch":      func(c *kernel.Convolution) { c.N++ },
		"channels":   func(c *kernel.Convolution) { c.C++ },
		"filters":    func(c *kernel.Convolution) { c.K++ },
		"stride":     func(c *kernel.Convolution) { c.Stride[1]++ },
		"dilation":   func(c *kernel.Convolution) { c.Dilation[0]++ },
		"padding":    func(c *kernel.Convolution) { c.Bottom++ },
		"groups":     func(c *kernel.Convolution) { c.Groups = 2 },
		"alignment":  func(c *kernel.Convolution) { c.Y.Offset = 4 },
		"bias":       func(c *kernel.Convolution) { c.Bias = nil },
		"its place":  func(c *kernel.Convolution) { c.Bias = &kernel.Pointer{Offset: 8} },
		"ReLU":       func(c *kernel.Convolution) { c.ReLU = false },
		"residual":   func(c *kernel.Convolution) { c.Residual = &kernel.Pointer{} },
		"its offset": func(c *kernel.Convolution) { c.Residual = &kernel.Pointer{Offset: 8} },
		"mask": func(c *kernel.Convolution) {
			c.Pass, c.Bias, c.ReLU, c.Mask = kernel.BackwardInput, nil, false, &kernel.Pointer{}
		},
		"selection": func(c *kernel.Convolution) {
			c.Pass, c.Bias, c.ReLU, c.Mask, c.Select = kernel.BackwardInput, nil, false, &kernel.Pointer{}, true
		},
		"sums of a masked gradient": func(c *kernel.Convolution) {
			c.Pass, c.Bias, c.ReLU, c.Mask, c.Select, c.Sums = kernel.BackwardInput, nil, false, &kernel.Pointer{}, true, &kernel.Pointer{}
		},
		"sums": func(c *kernel.Convolution) { c.ReLU, c.Sums = false, &kernel.Pointer{} },
	} {
		c := base()
		change(c)
		require.False(t, seen[text(c)], name)
		seen[text(c)] = true
	}
	other, err := h.Problem(base(), working-1)
	require.NoError(t, err)
	require.NotEqual(t, want, other)
	h.OpenOrder = true
	require.NotEqual(t, want, text(base()))
}

// The measuring engine lays operands out by these.
func TestBytes(t *testing.T) {
	h, err := library(t).ForDevice(devices["H100"])
	require.NoError(t, err)
	defer h.Close()
	c := layer{64, 28, 32, 3, 2, 1}.convolution(2)
	c.Bias = &kernel.Pointer{}
	p, err := h.PlanConvolution(&c, working)
	require.NoError(t, err)
	require.Equal(t, []int64{4 * 2 * 28 * 28 * 64, 4 * 32 * 3 * 3 * 64, 4 * 2 * 14 * 14 * 32, 4 * 32, 0, 0, 0}, p.Bytes())
	require.NoError(t, p.Close())
	c.Precision, c.Residual = kernel.TF32, &kernel.Pointer{}
	p, err = h.PlanConvolution(&c, working)
	require.NoError(t, err)
	require.Equal(t, []int64{4 * 32, 0, 4 * 2 * 14 * 14 * 32, 0}, p.Bytes()[3:])
	require.NoError(t, p.Close())
	c.Pass, c.Bias, c.Residual, c.Mask = kernel.BackwardInput, nil, nil, &kernel.Pointer{}
	p, err = h.PlanConvolution(&c, working)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 0, 0, 4 * 2 * 28 * 28 * 64}, p.Bytes()[3:])
	require.NoError(t, p.Close())
}

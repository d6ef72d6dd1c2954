//go:build gpu && cgo && linux

package cudnn

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

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

// Sums are the same in every run unless an open order was asked for, and what was measured of one is not followed for the other.
func TestOrderOfMaskedSums(t *testing.T) {
	c := between[0].convolution(2)
	c.Pass, c.Precision, c.Mask, c.Select, c.Sums = kernel.BackwardInput, kernel.TF32, &kernel.Pointer{}, true, &kernel.Pointer{}
	var texts []string
	for _, open := range []bool{false, true} {
		p, err := (&Handle{OpenOrder: open}).pose(&c)
		require.NoError(t, err)
		require.Equal(t, !open, p.repeats)
		texts = append(texts, p.String())
	}
	require.NotEqual(t, texts[0], texts[1])
}

// The simulated cuDNN reads what masks a gradient operation by operation, and refuses what does not fit together.
func TestMaskingGraphs(t *testing.T) {
	l := library(t)
	if !simulated(t, l) {
		t.Skip("it is about the simulated cuDNN")
	}
	image := []int64{64, 64, 56, 56}
	graph := func(draw func(s *sketch, dx unsafe.Pointer)) error {
		b := builder{lib: l}
		defer b.destroy()
		s := &sketch{builder: &b, h: &Handle{lib: l}, dtype: dataFloat}
		dx := s.virtual()
		s.conv(kernel.BackwardInput, dx, s.filter(), s.image())
		draw(s, dx)
		s.h.operations(s.builder, s.ops...)
		return b.err
	}
	selects := func(s *sketch, from, zero, above, by, to unsafe.Pointer) {
		s.pointwise(pointwiseGreater, s.image(), zero, above)
		s.op(kindPointwiseOp, descriptors(pointwiseOp, s.mode(pointwiseSelect)), descriptors(pointwiseX, from), descriptors(pointwiseB, zero),
			descriptors(pointwiseT, by), descriptors(pointwiseY, to))
	}
	boolean := func(s *sketch) unsafe.Pointer { return s.new(image, dataBoolean, true) }
	require.NoError(t, graph(func(s *sketch, dx unsafe.Pointer) { s.reluGrad(s.image(), dx, s.image()) }))
	require.NoError(t, graph(func(s *sketch, dx unsafe.Pointer) { s.selected(dx) }))
	require.NoError(t, graph(func(s *sketch, dx unsafe.Pointer) { s.sums(s.selected(dx)) }))
	require.NoError(t, graph(func(s *sketch, dx unsafe.Pointer) { s.sums(s.selected(dx), values(reductionRepeat, typeBoolean, true)) }))
	for want, draw := range map[string]func(s *sketch, dx unsafe.Pointer){
		"bounds and what is selected otherwise are by value": func(s *sketch, dx unsafe.Pointer) {
			above := boolean(s)
			selects(s, dx, s.new([]int64{1, 1, 1, 1}, dataFloat, false), above, above, s.image())
		},
		"a tensor by value is not one number": func(s *sketch, dx unsafe.Pointer) {
			above := boolean(s)
			selects(s, dx, s.new(image, dataFloat, false, values(tensorByValue, typeBoolean, true)), above, above, s.image())
		},
		"a tensor's type is not simulated": func(s *sketch, dx unsafe.Pointer) {
			above := s.new(image, dataBoolean, false)
			selects(s, dx, s.value(dataFloat), above, above, s.image())
		},
		"not by the virtual, boolean result of the comparison": func(s *sketch, dx unsafe.Pointer) {
			selects(s, dx, s.value(dataFloat), boolean(s), boolean(s), s.image())
		},
		"not from the virtual result of the pass": func(s *sketch, dx unsafe.Pointer) {
			above := boolean(s)
			selects(s, s.image(), s.value(dataFloat), above, above, s.image())
		},
		"changes the shape": func(s *sketch, dx unsafe.Pointer) {
			above := boolean(s)
			selects(s, dx, s.value(dataFloat), above, above, s.new([]int64{64, 64, 56, 28}, dataFloat, false))
		},
		"something else than ReLU's gradient, or a comparison": func(s *sketch, dx unsafe.Pointer) { s.pointwise(pointwiseCopy, dx, nil, s.image()) },
		"something else than sums":                             func(s *sketch, dx unsafe.Pointer) { s.statistics(s.selected(dx)) },
		"a reduction is not of the result in memory": func(s *sketch, dx unsafe.Pointer) {
			s.selected(dx)
			s.sums(dx)
		},
		"lacks attribute 1612": func(s *sketch, dx unsafe.Pointer) {
			s.op(kindReductionOp, descriptors(reductionX, s.selected(dx)), descriptors(reductionY, s.vector()))
		},
	} {
		require.ErrorContains(t, graph(draw), want)
	}
}

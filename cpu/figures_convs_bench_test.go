package cpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BenchmarkGroupedConvs prints the milliseconds of depthwise convolutions, of MobileNet's shapes, and of grouped ones, of ResNeXt's: a line
// each, as bench/peers/torch_convs.py does for PyTorch.
func BenchmarkGroupedConvs(b *testing.B) {
	p := pool.New(benchNumber(b, "STHENO_BENCH_THREADS", 2))
	defer p.Close()
	e := kernel.Env[float32]{Pool: p, Gemm: gemm.New[float32](kernel.Level())}
	must := func(err error) { require.NoError(b, err) }
	for _, s := range []struct{ size, channels, filters, stride, groups int }{{112, 32, 32, 1, 32}, {112, 64, 64, 2, 64}, {56, 128, 128, 1, 128},
		{28, 256, 256, 1, 256}, {14, 512, 512, 1, 512}, {56, 128, 128, 1, 32}, {14, 512, 512, 1, 32}} {
		for _, batch := range []int{1, 16} {
			a := op.ConvAttrs{Strides: [2]int{s.stride, s.stride}, Groups: s.groups,
				Padding: shape.Padding{Mode: shape.Explicit, Top: 1, Bottom: 1, Left: 1, Right: 1}}
			g, err := a.Geometry(tensor.Shape{batch, s.size, s.size, s.channels}, tensor.Shape{3, 3, s.channels / s.groups, s.filters})
			must(err)
			x, y, w := numbers(b, op.Len(g.Input())), numbers(b, op.Len(g.Output())), numbers(b, 9*s.channels/s.groups*s.filters)
			line := func(pass string, run func()) {
				fmt.Printf("%dx%dx%d/%d groups %d, batch %d, %s\t%.4f\n", s.size, s.size, s.channels, s.stride, s.groups, batch, pass, 1e3*secondsOf(run))
			}
			forward, err := kernel.NewConv2D[float32](e, g, kernel.ConvOptions{})
			must(err)
			forward.SetScratch(numbers(b, forward.Workspace()))
			line("forward", func() { forward.Run(y, x, w, nil, nil) })
			input, err := kernel.NewConv2DBackwardInput[float32](e, g)
			must(err)
			input.SetScratch(numbers(b, input.Workspace()))
			line("input", func() { input.Run(x, y, w) })
			filter, err := kernel.NewConv2DBackwardFilter[float32](e, g)
			must(err)
			filter.SetScratch(numbers(b, filter.Workspace()))
			line("filter", func() { filter.Run(w, x, y) })
		}
	}
}

// BenchmarkDepthwiseConvs prints the milliseconds of depthwise convolutions as MobileNetV2, EfficientNet-B0 and ConvNeXt have them, with 16
// images: all passes, and the forward one with the statistics of its channels.
func BenchmarkDepthwiseConvs(b *testing.B) {
	p := pool.New(benchNumber(b, "STHENO_BENCH_THREADS", 2))
	defer p.Close()
	e := kernel.Env[float32]{Pool: p, Gemm: gemm.New[float32](kernel.Level())}
	must := func(err error) { require.NoError(b, err) }
	for _, s := range []struct{ size, channels, kernel, stride int }{{112, 32, 3, 1}, {112, 96, 3, 2}, {56, 144, 3, 1}, {56, 144, 3, 2}, {28, 192, 3, 1},
		{14, 384, 3, 1}, {7, 960, 3, 1}, {56, 144, 5, 2}, {28, 240, 5, 1}, {14, 672, 5, 1}, {7, 1152, 5, 1}, {56, 96, 7, 1}, {14, 384, 7, 1}} {
		a := op.ConvAttrs{Strides: [2]int{s.stride, s.stride}, Groups: s.channels, Padding: shape.Padding{Mode: shape.Same}}
		g, err := a.Geometry(tensor.Shape{16, s.size, s.size, s.channels}, tensor.Shape{s.kernel, s.kernel, 1, s.channels})
		must(err)
		x, y, w := numbers(b, op.Len(g.Input())), numbers(b, op.Len(g.Output())), numbers(b, s.kernel*s.kernel*s.channels)
		line := func(pass string, run func()) {
			fmt.Printf("%dx%dx%d kernel %d/%d, %s\t%.4f\n", s.size, s.size, s.channels, s.kernel, s.stride, pass, 1e3*secondsOf(run))
		}
		forward, err := kernel.NewConv2D[float32](e, g, kernel.ConvOptions{})
		must(err)
		forward.SetScratch(numbers(b, forward.Workspace()))
		line("forward", func() { forward.Run(y, x, w, nil, nil) })
		stats, err := kernel.NewConv2DStats[float32](e, g, kernel.ConvOptions{})
		must(err)
		stats.SetScratch(numbers(b, stats.Workspace()))
		mean, variance := numbers(b, s.channels), numbers(b, s.channels)
		line("forward with statistics", func() { stats.Run(mean, variance, y, x, w, nil) })
		input, err := kernel.NewConv2DBackwardInput[float32](e, g)
		must(err)
		input.SetScratch(numbers(b, input.Workspace()))
		line("input", func() { input.Run(x, y, w) })
		filter, err := kernel.NewConv2DBackwardFilter[float32](e, g)
		must(err)
		filter.SetScratch(numbers(b, filter.Workspace()))
		line("filter", func() { filter.Run(w, x, y) })
	}
}

//go:build gpu && cgo && linux

package cudnn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// TestStatisticsPlans records which convolutions of ResNet-50 cuDNN computes together with the sums of their channels and of the squares,
// for images of 224×224 and of 32×32.
func TestStatisticsPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a hundred kernels")
	}
	layers := slices.Clone(networks[0].layers)
	for i := range layers {
		if layers[i].channels == 3 {
			layers[i].channels = 8 // as they are padded
		}
	}
	recordPlans(t, "statistics", "sums and sums of squares of each channel", layers, []kernel.Precision{kernel.TF32, kernel.BF16}, func(c *kernel.Convolution) {
		c.Sums = &kernel.Pointer{}
	})
}

// recordPlans plans layers of networks for images of 224×224, and of 32×32, with more in the graph than the convolution, and compares what
// engines there are for it with a file of testdata.
func recordPlans(t *testing.T, name, with string, layers []layer, precisions []kernel.Precision, more func(*kernel.Convolution)) {
	t.Helper()
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
			fmt.Fprintf(&b, "cuDNN %s, %s: convolutions with %s, batch 64: engine (notes), bytes of working memory\n", l.Version(), device, with)
			for _, size := range []int{224, 32} {
				fmt.Fprintf(&b, "images of %d×%d\n", size, size)
				for _, layer := range layers {
					layer.size = max(layer.size*size/224, 1)
					fmt.Fprintf(&b, "%d×%d×%d, %d filters %d×%d, stride %d", layer.size, layer.size, layer.channels, layer.filters, layer.kernel, layer.kernel, layer.stride)
					for _, precision := range precisions {
						c := layer.convolution(64)
						c.Precision, c.Rounded = precision, precision == kernel.BF16
						more(&c)
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
			golden(t, fmt.Sprintf("%s-%s-%s.txt", name, l.Version(), device), b.String())
		})
	}
}

// What cuDNN gathers must be the same in every run but for rounding, whatever was in memory before. Its engines add in the order in which
// blocks happen to end, and do not say so: on an H200 9.14 had other bits in the second run.
func TestStatisticsRepeat(t *testing.T) {
	d, l := device(t)
	layer, batch, most := layer{64, 56, 128, 3, 1, 1}, 32, 4
	if simulated(t, l) {
		layer.size, layer.filters, batch, most = 7, 16, 2, 2 // its third fails on purpose
	}
	c := layer.convolution(batch)
	c.Precision, c.Rounded, c.Sums = kernel.BF16, true, &kernel.Pointer{}
	repeatWays(t, d, l, &c, most)
}

// repeatWays runs the first ways of a convolution several times each.
func repeatWays(t *testing.T, d *driver.Device, l *Library, c *kernel.Convolution, most int) {
	require.NoError(t, d.Do(func() error {
		stream, err := driver.NewStream()
		if err != nil {
			return err
		}
		defer stream.Close()
		h, err := l.New(uintptr(stream.Handle()))
		if err != nil {
			return err
		}
		defer h.Close()
		ways, err := h.Ways(c, working)
		if err != nil {
			return err
		}
		defer ways.Close()
		ran := 0
		for range most {
			plan, err := ways.Next()
			if errors.Is(err, ErrUnsupported) {
				break
			}
			if err != nil {
				return err
			}
			err = repeat(t, d, stream, plan)
			if err := errors.Join(err, plan.Close()); err != nil {
				return err
			}
			ran++
		}
		require.NotZero(t, ran)
		return nil
	}))
}

// repeat runs a plan several times on the same random operands.
func repeat(t *testing.T, d *driver.Device, stream *driver.Stream, plan *Plan) error {
	r := rand.New(rand.NewPCG(1, 2))
	var at [8]driver.Ptr
	made := 2 // the image that it writes
	if plan.p.pass == kernel.BackwardInput {
		made = 0
	}
	for i, bytes := range append(plan.Bytes(), plan.Workspace) {
		if bytes == 0 {
			continue
		}
		var err error
		if at[i], err = d.Memory.Alloc(bytes, "a test"); err != nil {
			return err
		}
		defer d.Memory.Free(at[i])
		if i != made && i != 4 && i != 7 {
			b := make([]byte, bytes)
			for k := 0; k < len(b); k += 2 { // bfloat16 of either sign, from 2⁻⁸ to 1
				b[k], b[k+1] = byte(r.Uint32()), 0x3b|byte(r.Uint32())&0x84
			}
			if err := stream.ToDevice(at[i], b); err != nil {
				return err
			}
		}
	}
	var first []byte
	var image string
	for n := range 10 {
		err := errors.Join(stream.Fill(at[made], byte(255-n), plan.Bytes()[made]), stream.Fill(at[4], byte(255-n), plan.Bytes()[4]))
		if err == nil {
			err = plan.Run(uintptr(at[0]), uintptr(at[1]), uintptr(at[2]), uintptr(at[3]), uintptr(at[4]), uintptr(at[5]), uintptr(at[6]), uintptr(at[7]))
		}
		y, sums := make([]byte, plan.Bytes()[made]), make([]byte, plan.Bytes()[4])
		if err := errors.Join(err, stream.ToHost(y, at[made]), stream.ToHost(sums, at[4]), stream.Synchronize()); err != nil {
			return err
		}
		if n == 0 {
			first, image = sums, string(y)
		}
		require.True(t, string(y) == image, "%s: run %d made another image than the first", plan.Engine, n)
		for i := 0; i < len(sums); i += 4 {
			number := func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))) }
			// Each is a sum of some 100,000 numbers of either sign and of size 1.
			require.InDelta(t, number(first), number(sums), 1e-5*math.Max(1000, math.Abs(number(first))), "%s: run %d, sum %d", plan.Engine, n, i/4)
		}
	}
	return nil
}

// A plan that was compiled is not compiled again, and lives as long as one of those who use it.
func TestCompiledPlansAreShared(t *testing.T) {
	h, err := library(t).ForDevice(devices["H100"])
	require.NoError(t, err)
	c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	c.Precision, c.Rounded, c.Sums = kernel.BF16, true, &kernel.Pointer{}
	first, err := h.PlanConvolution(&c, working)
	require.NoError(t, err)
	choice, err := first.Choice()
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "twice is no harm")
	taken, err := h.Take(&c, working, choice)
	require.NoError(t, err)
	require.True(t, taken.Measured)
	again, err := h.PlanConvolution(&c, working)
	require.NoError(t, err)
	require.Equal(t, taken.plan, again.plan)
	require.NotSame(t, taken, again)
	require.False(t, again.Measured)
	other := c
	other.N++
	another, err := h.PlanConvolution(&other, working)
	require.NoError(t, err)
	require.NotEqual(t, again.plan, another.plan)
	for _, p := range []*Plan{taken, again, another} {
		same, err := p.Choice()
		require.NoError(t, err)
		require.Equal(t, choice.Engine, same.Engine)
		require.NoError(t, p.Close())
	}
	require.NoError(t, h.Close())
}

// What was compiled of other ways than the chosen one is let go of; plans that are in use, and those of other convolutions, stay.
func TestForgottenPlans(t *testing.T) {
	h, err := library(t).ForDevice(devices["H100"])
	require.NoError(t, err)
	c := layer{64, 28, 64, 3, 1, 1}.convolution(32)
	c.Precision, c.Rounded, c.Sums = kernel.BF16, true, &kernel.Pointer{}
	other := c
	other.N++
	another, err := h.PlanConvolution(&other, working)
	require.NoError(t, err)
	all, err := h.Ways(&c, working)
	require.NoError(t, err)
	var plans []*Plan
	for range 2 {
		p, err := all.Next()
		require.NoError(t, err)
		plans = append(plans, p)
	}
	all.Close()
	require.Len(t, h.compiled, 3)
	chosen, err := plans[1].Choice()
	require.NoError(t, err)
	require.NoError(t, h.Forget(&c, working-1, chosen))
	require.Len(t, h.compiled, 3, "others have as much memory")
	require.NoError(t, h.Forget(&c, working, chosen))
	require.Len(t, h.compiled, 2)
	taken, err := h.Take(&c, working, chosen)
	require.NoError(t, err)
	require.Equal(t, plans[1].plan, taken.plan, "it is kept")
	_, err = plans[0].Choice() // still has its configuration
	require.NoError(t, err)
	again, err := h.PlanConvolution(&other, working)
	require.NoError(t, err)
	require.Equal(t, another.plan, again.plan)
	for _, p := range append(plans, taken, again, another) {
		require.NoError(t, p.Close())
	}
	require.NoError(t, h.Close())
}

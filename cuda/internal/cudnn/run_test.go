//go:build gpu && cgo && linux

package cudnn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// device takes the first GPU into use, real or simulated.
func device(t *testing.T) (*driver.Device, *Library) {
	t.Helper()
	if _, err := driver.Devices(); err != nil {
		t.Skip("needs a GPU, or the simulated one: ", err)
	}
	l := library(t)
	d, err := driver.Open(0, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, l
}

// memory is a tensor on the host and on the device.
type memory struct {
	x     []float64
	dtype int32
	at    driver.Ptr
}

func (m *memory) encode() []byte {
	var b []byte
	for _, v := range m.x {
		switch m.dtype {
		case dataDouble:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		case dataFloat:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		default: // the values are bfloat16's
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(v))>>16))
		}
	}
	return b
}

func (m *memory) decode(b []byte) {
	for i := range m.x {
		switch m.dtype {
		case dataDouble:
			m.x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		case dataFloat:
			m.x[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		default:
			m.x[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16))
		}
	}
}

// reference is the convolution with sums in float64. All are channels last.
func reference(c *kernel.Convolution, x, w, y, bias, residual, mask []float64) []float64 {
	groups := max(c.Groups, 1)
	channels, filters := c.C/groups, c.K/groups
	out := map[kernel.Pass][]float64{kernel.Forward: y, kernel.BackwardInput: x, kernel.BackwardFilter: w}[c.Pass]
	for i := range out {
		out[i] = 0
	}
	for n := range c.N {
		for oh := range c.OH {
			for ow := range c.OW {
				for k := range c.K {
					for r := range c.R {
						for s := range c.S {
							h, v := oh*c.Stride[0]-c.Top+r*c.Dilation[0], ow*c.Stride[1]-c.Left+s*c.Dilation[1]
							if h < 0 || h >= c.H || v < 0 || v >= c.W {
								continue
							}
							for ch := range channels {
								a, b, o := ((n*c.H+h)*c.W+v)*c.C+k/filters*channels+ch, ((k*c.R+r)*c.S+s)*channels+ch, ((n*c.OH+oh)*c.OW+ow)*c.K+k
								switch c.Pass {
								case kernel.Forward:
									y[o] += x[a] * w[b]
								case kernel.BackwardInput:
									x[a] += y[o] * w[b]
								case kernel.BackwardFilter:
									w[b] += y[o] * x[a]
								}
							}
						}
					}
				}
			}
		}
	}
	for i := range out {
		if c.Bias != nil {
			out[i] += bias[i%c.K]
		}
		if c.Residual != nil {
			out[i] += residual[i]
		}
		if c.ReLU {
			out[i] = max(out[i], 0)
		}
		if c.Mask != nil && !(mask[i] > 0) {
			out[i] = 0
		}
	}
	return out
}

// run runs a convolution on the device and returns what it made and what it should have made, and the sums that it gathered.
func run(t *testing.T, d *driver.Device, l *Library, c *kernel.Convolution) (got, want, gathered []float64) {
	t.Helper()
	p, err := pose(c)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, uint64(c.Pass)))
	fresh := func(n int, dtype int32) *memory {
		m := &memory{x: make([]float64, n), dtype: dtype}
		for i := range m.x { // few bits, so that rounding to bfloat16 keeps them
			m.x[i] = float64(r.IntN(65)-32) / 32
		}
		return m
	}
	x, w, y := fresh(c.N*c.H*c.W*c.C, p.x.dtype), fresh(c.K*c.R*c.S*c.C/max(c.Groups, 1), p.w.dtype), fresh(c.N*c.OH*c.OW*c.K, p.y.dtype)
	bias, sums, residual, mask := fresh(c.K, p.compute), fresh(2*max(c.C, c.K), dataFloat), fresh(c.N*c.OH*c.OW*c.K, p.y.dtype), fresh(c.N*c.H*c.W*c.C, p.x.dtype)
	var unsupported error
	result := map[kernel.Pass]*memory{kernel.Forward: y, kernel.BackwardInput: x, kernel.BackwardFilter: w}[c.Pass]
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
		plan, err := h.PlanConvolution(c, working)
		fused := c.ReLU || c.Bias != nil || c.Sums != nil || c.Residual != nil || c.Mask != nil
		rare := c.Groups == c.C || c.Mask != nil && c.C%2 > 0
		if errors.Is(err, ErrUnsupported) && fused && (c.Precision == kernel.FP32 || rare) && !simulated(t, l) {
			// Without tensor cores, by channel, and to mask an odd number of channels 9.14 has none for all: the rest is a launch then.
			unsupported = err
			return nil
		}
		if err != nil {
			return err
		}
		defer plan.Close()
		t.Log(c.Precision, passes[c.Pass], plan.Engine, plan.Workspace)
		for _, m := range []*memory{x, w, y, bias, sums, residual, mask} {
			if m.at, err = d.Memory.Alloc(int64(len(m.encode())), "a test"); err != nil {
				return err
			}
			if err := stream.ToDevice(m.at, m.encode()); err != nil {
				return err
			}
		}
		workspace, err := d.Memory.Alloc(plan.Workspace, "a test")
		if err != nil {
			return err
		}
		at, sumsAt, residualAt, maskAt := uintptr(0), uintptr(0), uintptr(0), uintptr(0)
		if c.Bias != nil {
			at = uintptr(bias.at)
		}
		if c.Sums != nil {
			sumsAt = uintptr(sums.at)
		}
		if c.Residual != nil {
			residualAt = uintptr(residual.at)
		}
		if c.Mask != nil {
			maskAt = uintptr(mask.at)
		}
		for range 2 { // the second run finds the pointers of the first
			if err := plan.Run(uintptr(x.at), uintptr(w.at), uintptr(y.at), at, sumsAt, residualAt, maskAt, uintptr(workspace)); err != nil {
				return err
			}
		}
		b, s := result.encode(), sums.encode()
		if err := errors.Join(stream.ToHost(b, result.at), stream.ToHost(s, sums.at)); err != nil {
			return err
		}
		if err := stream.Synchronize(); err != nil {
			return err
		}
		want = append([]float64{}, reference(c, x.x, w.x, y.x, bias.x, residual.x, mask.x)...)
		result.decode(b)
		sums.decode(s)
		got, gathered = result.x, sums.x
		return nil
	}))
	if unsupported != nil {
		t.Skip(unsupported)
	}
	return got, want, gathered
}

func TestConvolutionsEqualTheReference(t *testing.T) {
	d, l := device(t)
	plain := kernel.Convolution{N: 2, H: 9, W: 8, C: 8, K: 16, R: 3, S: 3, OH: 9, OW: 8, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Top: 1, Bottom: 1, Left: 1, Right: 1, Groups: 1}
	for name, change := range map[string]func(c *kernel.Convolution){
		"plain":      func(*kernel.Convolution) {},
		"strides":    func(c *kernel.Convolution) { c.Stride, c.OH, c.OW = [2]int{2, 3}, 5, 3 },
		"asymmetric": func(c *kernel.Convolution) { c.Top, c.Left, c.Right, c.OH = 0, 0, 2, 8 },
		"dilated":    func(c *kernel.Convolution) { c.Dilation, c.OH, c.OW = [2]int{2, 1}, 7, 8 },
		"groups":     func(c *kernel.Convolution) { c.Groups = 4 },
		"depthwise":  func(c *kernel.Convolution) { c.Groups, c.K = 8, 8 },
		"odd":        func(c *kernel.Convolution) { c.N, c.C, c.K = 1, 3, 5 },
		"1×1":        func(c *kernel.Convolution) { c.R, c.S, c.Top, c.Bottom, c.Left, c.Right = 1, 1, 0, 0, 0, 0 },
	} {
		for pass := kernel.Forward; pass <= kernel.BackwardFilter; pass++ {
			for _, kind := range []struct {
				name      string
				dtype     tensor.Dtype
				precision kernel.Precision
				rounded   bool
				tolerance float64 // of a result, relative to the greatest
			}{
				{"float64", tensor.Float64, kernel.FP32, false, 1e-12},
				{"fp32", tensor.Float32, kernel.FP32, false, 1e-5},
				{"tf32", tensor.Float32, kernel.TF32, false, 1e-3},
				{"bf16", tensor.Float32, kernel.BF16, true, 1e-2},
			} {
				for _, fused := range []int{0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 16, 48, 52} { // by bits: ReLU, bias, sums, residual, mask, selection
					if of := kernel.Pass(fused >> 4 & 1); fused > 0 && (pass != of || kind.dtype == tensor.Float64) || fused >= 4 && (kind.precision == kernel.FP32 || name == "groups" || name == "depthwise") {
						continue
					}
					if fused > 16 && name != "plain" && name != "strides" && name != "1×1" {
						continue // cuDNN compiles each for a second
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%d", name, passes[pass], kind.name, fused), func(t *testing.T) {
						c := plain
						change(&c)
						c.Pass, c.Dtype, c.Precision, c.Rounded = pass, kind.dtype, kind.precision, kind.rounded
						if c.ReLU = fused&1 != 0; fused&2 != 0 {
							c.Bias = &kernel.Pointer{}
						}
						if fused&4 != 0 {
							c.Sums = &kernel.Pointer{}
						}
						if fused&8 != 0 {
							c.Residual = &kernel.Pointer{}
						}
						if fused&16 != 0 {
							c.Mask, c.Select = &kernel.Pointer{}, fused&32 != 0
						}
						got, want, gathered := run(t, d, l, &c)
						var greatest float64
						for _, v := range want {
							greatest = max(greatest, math.Abs(v))
						}
						require.InDeltaSlice(t, want, got, kind.tolerance*greatest)
						if c.Sums == nil {
							return
						}
						channels := c.K
						if pass == kernel.BackwardInput {
							channels = c.C
						}
						for k := range channels {
							var sum, squares, size float64
							for i := k; i < len(got); i += channels {
								sum, squares, size = sum+got[i], squares+got[i]*got[i], size+math.Abs(got[i])
							}
							require.InDelta(t, sum, gathered[k], 2*kind.tolerance*size, "channel %d", k)
							if pass == kernel.BackwardInput {
								continue
							}
							require.InEpsilon(t, squares, gathered[c.K+k], 2*kind.tolerance, "channel %d", k)
						}
					})
				}
			}
		}
	}
}

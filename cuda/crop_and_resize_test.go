//go:build gpu && cgo && linux

package cuda_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/augment"
)

// TestCropAndResize makes images of pictures on the device and requires those of the host, bit by bit. A draw out of range is an error,
// after which the machine goes on.
func TestCropAndResize(t *testing.T) {
	e := open(t, cuda.Config{})
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		n, pixels, h, w, channels, cutout int
		mixup                             bool
	}{{5, 2000, 16, 16, 3, 0, false}, {3, 400, 9, 33, 1, 0, false}, {2, 30000, 5, 4, 3, 0, false}, {1, 600, 300, 260, 2, 0, false},
		{5, 2000, 16, 16, 3, 7, false}, {5, 2000, 16, 16, 3, 0, true}, {4, 900, 12, 17, 3, 6, true}} {
		kind := augment.Kind{Boxes: true, Cutout: c.cutout, Mixup: c.mixup}
		numbers := kind.Numbers()
		pictures, draws := make([]byte, c.n*c.pixels*c.channels), make([]int, c.n*numbers)
		for i := range pictures {
			pictures[i] = byte(r.Uint32())
		}
		for i := range c.n {
			b := augment.Box{Rows: 1 + r.IntN(c.pixels/4), Flip: r.IntN(2) == 1}
			b.Columns = c.pixels / b.Rows
			b.Top, b.Left = r.IntN(b.Rows*augment.Unit), r.IntN(b.Columns*augment.Unit)
			b.Height, b.Width = 1+r.IntN(b.Rows*augment.Unit-b.Top), 1+r.IntN(b.Columns*augment.Unit-b.Left)
			draw := draws[i*numbers : (i+1)*numbers]
			b.Put(draw)
			if c.cutout > 0 {
				kind.PutMiddle(draw, r.IntN(c.h), r.IntN(c.w))
			}
			if c.mixup {
				kind.PutMix(draw, r.IntN(c.n), augment.Whole-i*r.IntN(augment.Whole/c.n))
			}
		}
		o := &op.CropAndResize{Height: c.h, Width: c.w, Cutout: c.cutout, Mixup: c.mixup}
		for k := range c.channels {
			o.Mean, o.Std = append(o.Mean, 0.4+0.01*float32(k)), append(o.Std, 0.2+0.03*float32(k))
		}
		g := gorgonia.NewGraph()
		x := gorgonia.NewTensor(g, tensor.Uint8, 3, gorgonia.WithName("pictures"), gorgonia.WithShape(c.n, c.pixels, c.channels),
			gorgonia.WithValue(tensor.New(tensor.WithShape(c.n, c.pixels, c.channels), tensor.WithBacking(pictures))))
		d := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithShape(c.n, numbers),
			gorgonia.WithValue(tensor.New(tensor.WithShape(c.n, numbers), tensor.WithBacking(draws))))
		y, err := op.Apply(o, x, d)
		require.NoError(t, err)
		want, err := op.NewArray(tensor.Float32, y.Shape())
		require.NoError(t, err)
		require.NoError(t, o.Reference(want, []op.Array{{Shape: x.Shape(), Data: pictures}, {Shape: d.Shape(), Data: draws}}))
		m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		require.Equal(t, want.Data, y.Value().Data(), "%+v", c)

		before := draws[1]
		draws[1] = c.pixels + 1
		require.ErrorContains(t, m.RunAll(), "the draw of picture 0: a picture of")
		draws[1] = before
		require.NoError(t, m.RunAll())
		require.Equal(t, want.Data, y.Value().Data())
		require.NoError(t, m.Close())
	}
}

// With bf16 images are written as bfloat16, each the host's number rounded once: a product with one is exact.
func TestCropAndResizeToBFloat16(t *testing.T) {
	for name, libs := range without {
		const n, pixels, side, channels = 4, 500, 9, 3
		g := gorgonia.NewGraph()
		pictures, draws := make([]byte, n*pixels*channels), make([]int, n*augment.BoxNumbers)
		for i := range pictures {
			pictures[i] = byte(i * 31 >> 2)
		}
		for i := range n {
			augment.Box{Rows: 20 - i, Columns: 25, Top: 1000, Left: 70000 * i, Height: augment.Unit * 13, Width: augment.Unit * 18, Flip: i == 1}.Put(draws[i*augment.BoxNumbers:])
		}
		x := gorgonia.NewTensor(g, tensor.Uint8, 3, gorgonia.WithName("pictures"), gorgonia.WithShape(n, pixels, channels),
			gorgonia.WithValue(tensor.New(tensor.WithShape(n, pixels, channels), tensor.WithBacking(pictures))))
		d := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithShape(n, augment.BoxNumbers),
			gorgonia.WithValue(tensor.New(tensor.WithShape(n, augment.BoxNumbers), tensor.WithBacking(draws))))
		o := &op.CropAndResize{Height: side, Width: side, Mean: []float32{0.5, 0.4, 0.3}, Std: []float32{0.2, 0.2, 0.25}}
		images, err := op.Apply(o, x, d)
		require.NoError(t, err)
		one := make([]float32, channels*8)
		for c := range channels {
			one[c*8+c] = 1
		}
		w := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("w"), gorgonia.WithShape(1, 1, channels, 8),
			gorgonia.WithValue(tensor.New(tensor.WithShape(1, 1, channels, 8), tensor.WithBacking(one))))
		y, err := op.Apply(&op.Conv2D{}, images, w)
		require.NoError(t, err)
		want, err := op.NewArray(tensor.Float32, images.Shape())
		require.NoError(t, err)
		require.NoError(t, o.Reference(want, []op.Array{{Shape: x.Shape(), Data: pictures}, {Shape: d.Shape(), Data: draws}}))
		m, err := graph.Compile(g, graph.WithEngine(open(t, cuda.Config{Without: libs, Precision: "bf16"})), graph.WithOutputs(y))
		require.NoError(t, err)
		for _, s := range m.Plan().Steps {
			if s.Instr.Kind() == o.Kind() {
				require.True(t, s.Out[0].Narrow, name)
			}
		}
		require.NoError(t, m.RunAll())
		got := y.Value().Data().([]float32)
		for i, v := range want.Data.([]float32) {
			require.InDelta(t, v, got[i/channels*8+i%channels], 1.0/256*math.Abs(float64(v)), "%s: element %d", name, i)
		}
		require.NoError(t, m.Close())
	}
}

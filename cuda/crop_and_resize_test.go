//go:build gpu && cgo && linux

package cuda_test

import (
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
	for _, c := range []struct{ n, pixels, h, w, channels int }{{5, 2000, 16, 16, 3}, {3, 400, 9, 33, 1}, {2, 30000, 5, 4, 3}, {1, 600, 300, 260, 2}} {
		pictures, draws := make([]byte, c.n*c.pixels*c.channels), make([]int, c.n*augment.BoxNumbers)
		for i := range pictures {
			pictures[i] = byte(r.Uint32())
		}
		for i := range c.n {
			b := augment.Box{Rows: 1 + r.IntN(c.pixels/4), Flip: r.IntN(2) == 1}
			b.Columns = c.pixels / b.Rows
			b.Top, b.Left = r.IntN(b.Rows*augment.Unit), r.IntN(b.Columns*augment.Unit)
			b.Height, b.Width = 1+r.IntN(b.Rows*augment.Unit-b.Top), 1+r.IntN(b.Columns*augment.Unit-b.Left)
			b.Put(draws[i*augment.BoxNumbers:])
		}
		o := &op.CropAndResize{Height: c.h, Width: c.w}
		for k := range c.channels {
			o.Mean, o.Std = append(o.Mean, 0.4+0.01*float32(k)), append(o.Std, 0.2+0.03*float32(k))
		}
		g := gorgonia.NewGraph()
		x := gorgonia.NewTensor(g, tensor.Uint8, 3, gorgonia.WithName("pictures"), gorgonia.WithShape(c.n, c.pixels, c.channels),
			gorgonia.WithValue(tensor.New(tensor.WithShape(c.n, c.pixels, c.channels), tensor.WithBacking(pictures))))
		d := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithShape(c.n, augment.BoxNumbers),
			gorgonia.WithValue(tensor.New(tensor.WithShape(c.n, augment.BoxNumbers), tensor.WithBacking(draws))))
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

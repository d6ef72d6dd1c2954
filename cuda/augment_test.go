//go:build gpu && cgo && linux

package cuda

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph/op"
)

// runAlone runs one launch: out is written, in are read.
func runAlone(t *testing.T, e *Engine, l *kernel.Launch, out op.Array, in ...op.Array) {
	require.NoError(t, e.dev.Do(func() error {
		var args []any
		upload := func(a op.Array) kernel.Address {
			b := bytesOf(a)
			p, err := e.dev.Memory.Alloc(int64(len(b)), "a test")
			require.NoError(t, err)
			require.NoError(t, e.stream.ToDevice(p, b))
			return kernel.Address(p)
		}
		places := map[kernel.Base][]kernel.Address{kernel.OutBase: {upload(out)}}
		for _, a := range in {
			places[kernel.InBase] = append(places[kernel.InBase], upload(a))
		}
		for _, a := range l.Args {
			if p, ok := a.(kernel.Pointer); ok {
				a = places[p.Base][p.Index]
			}
			args = append(args, a)
		}
		require.NoError(t, e.compiler.compile([]kernel.Source{l.Source}))
		a, err := e.newLaunch(&kernel.Launch{Source: l.Source, Name: l.Name, Grid: l.Grid, Block: l.Block, Args: args})
		require.NoError(t, err)
		require.NoError(t, a.Launch.Run(e.stream))
		require.NoError(t, e.stream.ToHost(bytesOf(out), driver.Ptr(places[kernel.OutBase][0])))
		require.NoError(t, e.stream.Synchronize())
		a.Close()
		for _, list := range places {
			for _, p := range list {
				require.NoError(t, e.dev.Memory.Free(driver.Ptr(p)))
			}
		}
		return nil
	}))
}

// TestAugmentation makes batches on the device and requires those of package data, bit by bit.
func TestAugmentation(t *testing.T) {
	if _, err := Devices(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	e, err := New(Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	for _, c := range []struct {
		shape   [3]int
		augment data.Augment
	}{
		{[3]int{32, 32, 3}, data.Augment{PadCrop: 4, HorizontalFlip: true}}, {[3]int{9, 7, 1}, data.Augment{PadCrop: 6}},
		{[3]int{80, 70, 2}, data.Augment{HorizontalFlip: true}}, {[3]int{5, 6, 4}, data.Augment{}},
	} {
		const images, batch, epoch, seed = 30, 8, 5, 1<<40 + 7
		size := c.shape[0] * c.shape[1] * c.shape[2]
		set := &data.Dataset{Name: "test", Shape: c.shape, Classes: []string{"one"}, Labels: make([]int32, images), Images: make([]byte, images*size)}
		for i := range set.Images {
			set.Images[i] = byte(i * 37 % 251)
		}
		normalize := data.Normalize{}
		for k := range c.shape[2] {
			normalize.Mean, normalize.Std = append(normalize.Mean, 0.4+0.01*float32(k)), append(normalize.Std, 0.2+0.03*float32(k))
		}
		loader, err := data.NewLoader(set, data.LoaderConfig{Batch: batch, Seed: seed, Shuffle: true, Augment: c.augment, Normalize: normalize})
		require.NoError(t, err)
		table, ramp := make([]float32, 256*c.shape[2]), make([]byte, 256*c.shape[2])
		for i := range ramp {
			ramp[i] = byte(i / c.shape[2])
		}
		require.NoError(t, normalize.Apply(table, ramp, [3]int{256, 1, c.shape[2]}, data.NHWC))
		a := kernel.Augmentation{Height: c.shape[0], Width: c.shape[1], Channels: c.shape[2], PadCrop: c.augment.PadCrop, HorizontalFlip: c.augment.HorizontalFlip, Seed: seed}
		it := loader.Epoch(epoch, 0)
		for it.Next(context.Background()) {
			b := it.Batch()
			l, err := a.Batch(tensor.Float32, b.N)
			require.NoError(t, err)
			got := make([]float32, b.N*size)
			runAlone(t, e, l, op.Array{Data: got}, op.Array{Data: set.Images}, op.Array{Data: b.Index}, op.Array{Data: []int{epoch}}, op.Array{Data: table})
			require.Equal(t, b.Images, got, "%v of %v", c.augment, c.shape)
		}
		require.NoError(t, it.Err())
		require.NoError(t, it.Close())
	}
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// TestAugment makes batches on the device and requires those of package data, bit by bit; the last is smaller. A draw out of range
// is an error, after which the machine goes on.
func TestAugment(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, c := range []struct {
		shape   [3]int
		augment data.Augment
	}{
		{[3]int{32, 32, 3}, data.Augment{PadCrop: 4, HorizontalFlip: true}}, {[3]int{9, 7, 1}, data.Augment{PadCrop: 6}},
		{[3]int{80, 70, 2}, data.Augment{HorizontalFlip: true}}, {[3]int{5, 6, 4}, data.Augment{}},
		{[3]int{32, 32, 3}, data.Augment{PadCrop: 4, HorizontalFlip: true, Cutout: 8}}, {[3]int{9, 7, 1}, data.Augment{Cutout: 7, Mixup: 0.3}},
		{[3]int{32, 32, 3}, data.Augment{PadCrop: 4, HorizontalFlip: true, Mixup: 1}},
	} {
		const images, batch, epoch, seed = 30, 8, 5, 1<<40 + 7
		set := &data.Dataset{Name: "test", Shape: c.shape, Classes: []string{"one"}, Labels: make([]int32, images)}
		set.Images = make([]byte, images*set.PixelCount())
		for i := range set.Images {
			set.Images[i] = byte(i * 37 % 251)
		}
		config := data.LoaderConfig{Batch: batch, Seed: seed, Shuffle: true, Augment: c.augment}
		for k := range c.shape[2] {
			config.Normalize.Mean = append(config.Normalize.Mean, 0.4+0.01*float32(k))
			config.Normalize.Std = append(config.Normalize.Std, 0.2+0.03*float32(k))
		}
		var loaders [2]*data.Loader
		for i := range loaders {
			var err error
			config.Raw = i == 1
			loaders[i], err = data.NewLoader(set, config)
			require.NoError(t, err)
		}
		floats, raw := loaders[0].Epoch(epoch, 0), loaders[1].Epoch(epoch, 0)
		for floats.Next(context.Background()) {
			require.True(t, raw.Next(context.Background()))
			want, b := floats.Batch(), raw.Batch()
			g := gorgonia.NewGraph()
			x := gorgonia.NewTensor(g, tensor.Uint8, 4, gorgonia.WithName("images"), gorgonia.WithShape(b.N, c.shape[0], c.shape[1], c.shape[2]),
				gorgonia.WithValue(tensor.New(tensor.WithShape(b.N, c.shape[0], c.shape[1], c.shape[2]), tensor.WithBacking(b.Pixels))))
			o := &op.Augment{Padding: c.augment.PadCrop, Cutout: c.augment.Cutout, Mixup: c.augment.Mixup > 0, Mean: config.Normalize.Mean, Std: config.Normalize.Std}
			draws := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithShape(b.N, o.Numbers()),
				gorgonia.WithValue(tensor.New(tensor.WithShape(b.N, o.Numbers()), tensor.WithBacking(b.Draws))))
			y, err := op.Apply(o, x, draws)
			require.NoError(t, err)
			ofSet := *o
			ofSet.Indexed = true
			set := gorgonia.NewTensor(g, tensor.Uint8, 4, gorgonia.WithName("set"), gorgonia.WithShape(images, c.shape[0], c.shape[1], c.shape[2]),
				gorgonia.WithValue(tensor.New(tensor.WithShape(images, c.shape[0], c.shape[1], c.shape[2]), tensor.WithBacking(set.Images))))
			index := gorgonia.NewVector(g, tensor.Int, gorgonia.WithName("index"), gorgonia.WithShape(b.N), gorgonia.WithValue(tensor.New(tensor.WithBacking(b.Index))))
			z, err := op.Apply(&ofSet, set, draws, index)
			require.NoError(t, err)
			m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y, z), graph.WithConstants(set))
			require.NoError(t, err)
			require.NoError(t, m.RunAll())
			require.Equal(t, want.Images, y.Value().Data(), "%v of %v", c.augment, c.shape)
			require.Equal(t, want.Images, z.Value().Data(), "%v of %v", c.augment, c.shape)
			require.NoError(t, m.Refresh()) // leaves the set alone

			at := b.Index[b.N-1]
			b.Index[b.N-1] = -1
			require.ErrorContains(t, m.RunAll(), "of the batch is number -1 of the set, want 0 to 29")
			b.Index[b.N-1] = at

			b.Draws[2] = 2
			var se *graph.StepError
			require.ErrorAs(t, m.RunAll(), &se)
			require.ErrorContains(t, se, "the draw of image 0 is")
			b.Draws[2] = 0
			require.NoError(t, m.RunAll())
			require.NoError(t, m.Close())
		}
		require.NoError(t, floats.Err())
		require.NoError(t, floats.Close())
		require.NoError(t, raw.Close())
	}
}

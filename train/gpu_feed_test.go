//go:build gpu && cgo && linux

package train_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

// BenchmarkGPUFeed times whole steps of a loader's augmented batches as the trainer does them, by what is fed: floats, bytes, or numbers
// of images of a set that the device has. images/s is what counts; idle-% is how much of the time the GPU waited.
func BenchmarkGPUFeed(b *testing.B) {
	for _, c := range []struct {
		arch  string
		batch int
	}{{"simplecnn", 1024}, {"resnet50", 256}, {"vgg16", 512}} {
		images := 50000
		if testing.Short() {
			if c.arch != "simplecnn" {
				continue
			}
			c.batch, images = 2, 10
		}
		set := &data.Dataset{Name: "random", Shape: [3]int{32, 32, 3}, Classes: make([]string, 100), Images: make([]byte, images*32*32*3), Labels: make([]int32, images)}
		for i := range set.Classes {
			set.Classes[i] = fmt.Sprint(i)
		}
		for i := range set.Images {
			set.Images[i] = byte(i * 7919 >> 5)
		}
		for i := range set.Labels {
			set.Labels[i] = int32(i % 100)
		}
		for _, way := range []string{"floats", "bytes", "numbers"} {
			b.Run(fmt.Sprintf("%s/batch=%d/%s", c.arch, c.batch, way), func(b *testing.B) {
				l, err := data.NewLoader(set, data.LoaderConfig{Batch: c.batch, Seed: 1, Shuffle: true, DropLast: true,
					Augment: data.Augment{PadCrop: 4, HorizontalFlip: true}, Raw: way != "floats", Indexed: way == "numbers"})
				require.NoError(b, err)
				e := gpu(b, cuda.Config{Precision: "tf32"})
				a, err := arch.ByName(c.arch, arch.Config{})
				require.NoError(b, err)
				m, err := a.Model()
				require.NoError(b, err)
				require.NoError(b, m.Initialize(1, tensor.Float32))
				opt := train.SGD{Momentum: 0.9}
				s, err := train.NewTrainStepFor(l, e, m, opt, train.NewSlots(m, opt), c.batch, 1)
				require.NoError(b, err)
				defer s.Close()
				epoch := 0
				it := l.Epoch(epoch, 0)
				feed := func() {
					if !it.Next(b.Context()) {
						require.NoError(b, it.Close())
						epoch++
						it = l.Epoch(epoch, 0)
						require.True(b, it.Next(b.Context()))
					}
					require.NoError(b, s.FeedBatch(it.Batch(), 1e-4, 0))
				}
				step := func() {
					require.NoError(b, s.Start())
					feed()
					_, err := s.Wait()
					require.NoError(b, err)
				}
				feed()
				for range 5 {
					step()
				}
				b.ReportAllocs()
				require.NoError(b, e.WatchIdle())
				for b.Loop() {
					step()
				}
				idle, err := e.Idle()
				require.NoError(b, err)
				b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "images/s")
				b.ReportMetric(100*idle.Share(), "idle-%")
				require.NoError(b, it.Close())
			})
		}
	}
}

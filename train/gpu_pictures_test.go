//go:build gpu && cgo && linux

package train_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestGPUTrainingOnPictures trains on a folder on the GPU, which crops and resizes itself, and cuts out and mixes, with the losses of the CPU.
func TestGPUTrainingOnPictures(t *testing.T) {
	dir := album(t, 22, 6)
	t.Run("plain", func(t *testing.T) { sameLossesOnPictures(t, dir, func(*train.Config) {}) })
	t.Run("varied", func(t *testing.T) {
		sameLossesOnPictures(t, dir, func(c *train.Config) { c.Augment, c.Cutout, c.Mixup = true, 8, 0.3 })
	})
}

func sameLossesOnPictures(t *testing.T, dir string, change func(*train.Config)) {
	var rows [2][]train.HistoryRow
	for i := range rows {
		c, split := pictured(t, dir)
		c.Batch, c.Epochs = 8, 1
		change(&c)
		if i == 0 {
			w, err := runOf(t, c, split, engine(t, 2), nil)
			require.NoError(t, err)
			rows[i] = w.rows
			continue
		}
		w, err := runOf(t, c, split, gpu(t, cuda.Config{}), nil)
		require.NoError(t, err)
		rows[i] = w.rows
	}
	for k, want := range rows[0] {
		require.InEpsilon(t, want.Loss, rows[1][k].Loss, 1e-3)
		require.InEpsilon(t, want.ValLoss, rows[1][k].ValLoss, 1e-2)
	}
}

// photograph makes a picture of a usual size and amount of detail.
func photograph(b *testing.B, i int, dir, half string) {
	m := image.NewYCbCr(image.Rect(0, 0, 500, 375), image.YCbCrSubsampleRatio420)
	for k := range m.Y {
		m.Y[k] = byte(k%500/3) + byte((k*(i+7)*2654435761)>>9)%32
	}
	for k := range m.Cb {
		m.Cb[k], m.Cr[k] = byte(k/250), byte(i)
	}
	at := filepath.Join(dir, half, "all")
	if err := os.MkdirAll(at, 0o755); err != nil {
		b.Error(err)
		return
	}
	var file bytes.Buffer
	if err := errors.Join(jpeg.Encode(&file, m, nil), os.WriteFile(filepath.Join(at, fmt.Sprint(i, ".jpg")), file.Bytes(), 0o644)); err != nil {
		b.Error(err)
	}
}

// BenchmarkGPUPictures times training steps of ResNet-50 on pictures of 500 × 375 pixels in files: what comes with the decoding, and
// with one batch that is fed again and again. images/s is what counts; workers is how many CPUs decode, and the shares of the time say
// what the host waits for.
func BenchmarkGPUPictures(b *testing.B) {
	net, size, batch, files := "resnet50", 224, 256, 1024
	if testing.Short() {
		net, size, batch, files = "simplecnn", 32, 4, 12
	}
	dir := b.TempDir()
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for k := range workers {
		wg.Go(func() {
			for i := k; i < files; i += workers {
				photograph(b, i, dir, "train")
			}
		})
	}
	wg.Wait()
	photograph(b, 0, dir, "val")
	split, err := data.Open(b.Context(), data.FolderName, data.Options{Dir: dir, Size: size})
	require.NoError(b, err)
	for range 5 { // an epoch of 32 times as many, so that its end, when nothing is prepared ahead, does not count for much
		f := split.Train.Files
		f.Names, split.Train.Labels = append(f.Names, f.Names...), append(split.Train.Labels, split.Train.Labels...)
	}
	l, err := data.NewLoader(split.Train, data.LoaderConfig{Batch: batch, Seed: 1, Shuffle: true, DropLast: true, Raw: true,
		Augment: data.Augment{RandomResizedCrop: true, HorizontalFlip: true}, Normalize: data.Standardize(split.Train)})
	require.NoError(b, err)
	for _, way := range []string{"the same batch", "files"} {
		b.Run(way, func(b *testing.B) {
			e := gpu(b, cuda.Config{Precision: "bf16"})
			a, err := arch.ByName(net, arch.Config{Input: nn.Shape{size, size, 3}, Classes: 1000})
			require.NoError(b, err)
			m, err := a.Model()
			require.NoError(b, err)
			require.NoError(b, m.Initialize(1, tensor.Float32))
			opt := train.SGD{Momentum: 0.9}
			s, err := train.NewTrainStepFor(l, e, m, opt, train.NewSlots(m, opt), batch, 1)
			require.NoError(b, err)
			defer s.Close()
			epoch := 0
			it := l.Epoch(epoch, 0)
			defer func() { require.NoError(b, it.Close()) }()
			var waited, fed, computed time.Duration // for pictures; while they were copied to where the GPU fetches them; for the GPU
			feed := func() {
				begin := time.Now()
				if it.Batch() == nil || way == "files" {
					if !it.Next(b.Context()) {
						require.NoError(b, it.Err())
						require.NoError(b, it.Close())
						epoch++
						it = l.Epoch(epoch, 0)
						require.True(b, it.Next(b.Context()))
					}
				}
				waited += time.Since(begin)
				begin = time.Now()
				require.NoError(b, s.FeedBatch(it.Batch(), 0.1, 0))
				fed += time.Since(begin)
			}
			for range 3 { // the plan is captured
				feed()
				require.NoError(b, s.Start())
				_, err := s.Wait()
				require.NoError(b, err)
			}
			feed()
			waited, fed = 0, 0
			b.ResetTimer()
			for range b.N {
				require.NoError(b, s.Start())
				feed()
				begin := time.Now()
				_, err := s.Wait()
				computed += time.Since(begin)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
			share := func(d time.Duration, unit string) { b.ReportMetric(100*d.Seconds()/b.Elapsed().Seconds(), unit) }
			share(waited, "%-waiting-for-pictures")
			share(fed, "%-feeding")
			share(computed, "%-waiting-for-the-GPU") // near 0: the host is what takes the time
			b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "workers")
		})
	}
}

package train_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// BenchmarkStep times whole training steps; images/s is what counts.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		arch  string
		batch int
	}{{"simplecnn", 64}, {"vgg16", 32}, {"resnet50", 32}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/batch=%d/threads=%d", c.arch, c.batch, threads), func(b *testing.B) {
				a, err := arch.ByName(c.arch, arch.Config{})
				require.NoError(b, err)
				m, err := a.Model()
				require.NoError(b, err)
				require.NoError(b, m.Initialize(1, tensor.Float32))
				e, err := cpu.New(cpu.Config{Threads: threads})
				require.NoError(b, err)
				defer e.Close()
				opt := train.SGD{Momentum: 0.9}
				s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), c.batch, 1)
				require.NoError(b, err)
				defer s.Close()
				images := make([]float32, c.batch*32*32*3)
				labels := make([]int, c.batch)
				numtest.FillUnit("images", 1, images)
				numtest.FillLabels("labels", 1, 100, labels)
				step := 0
				run := func() {
					_, err := s.Run(images, labels, 1e-4, step)
					require.NoError(b, err)
					step++
				}
				run()
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

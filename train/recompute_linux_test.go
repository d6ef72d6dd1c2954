package train_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// BenchmarkRecompute compares training steps of 32 images with and without recomputation: the processor's time for a step on
// one thread, the best of all, and the memory of its values. The ways take turns, so that what else the machine does is
// shared among them.
func BenchmarkRecompute(b *testing.B) {
	for _, name := range []string{"vgg16", "resnet50"} {
		b.Run(name, func(b *testing.B) {
			e, opt := engine(b, 1), train.SGD{Momentum: 0.9}
			images, labels := make([]float32, 32*32*32*3), make([]int, 32)
			numtest.FillUnit("images", 1, images)
			numtest.FillLabels("labels", 1, 100, labels)
			a, err := arch.ByName(name, arch.Config{})
			require.NoError(b, err)
			m, err := a.Model()
			require.NoError(b, err)
			require.NoError(b, m.Initialize(1, tensor.Float32))
			ways := []graph.Recompute{graph.RecomputeOff, graph.RecomputeCheap, graph.RecomputeSegments(0)}
			steps, best := make([]*train.Step, len(ways)), make([]time.Duration, len(ways))
			for k, r := range ways {
				steps[k], err = train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 32, 1, graph.WithRecompute(r))
				require.NoError(b, err)
				defer steps[k].Close()
				best[k] = time.Hour
			}
			i := 0
			for b.Loop() {
				for k, s := range steps {
					begin := processorTime()
					_, err := s.Run(images, labels, 1e-5, i)
					require.NoError(b, err)
					best[k] = min(best[k], processorTime()-begin)
				}
				i++
			}
			for k, s := range steps {
				b.ReportMetric(best[k].Seconds()*1e3, fmt.Sprintf("ms-%s", ways[k]))
				b.ReportMetric(float64(s.Plan().PeakBytes())/(1<<20), fmt.Sprintf("peak-MiB-%s", ways[k]))
			}
		})
	}
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

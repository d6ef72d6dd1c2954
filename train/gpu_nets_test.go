//go:build gpu && cgo && linux

package train_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// BenchmarkGPUNets times the device alone in training steps of the nets that STHENO_NETS names as arch:size:batch:precision, with
// commas: the batch stays on the device. With STHENO_NETS_PROFILE=FILE it appends where the time of each goes, step by step.
func BenchmarkGPUNets(b *testing.B) {
	for _, net := range strings.Split(os.Getenv("STHENO_NETS"), ",") {
		part := strings.Split(net, ":")
		if len(part) != 4 {
			b.Skipf("STHENO_NETS is %q; name nets as resnet50:224:128:bf16", os.Getenv("STHENO_NETS"))
		}
		size, err := strconv.Atoi(part[1])
		require.NoError(b, err)
		batch, err := strconv.Atoi(part[2])
		require.NoError(b, err)
		b.Run(net, func(b *testing.B) {
			e := gpu(b, cuda.Config{Precision: part[3], Tuning: os.Getenv("STHENO_NETS_TUNING"), Log: func(line string) { b.Log(line) }})
			a, err := arch.ByName(part[0], arch.Config{Input: nn.Shape{size, size, 3}})
			require.NoError(b, err)
			m, err := a.Model()
			require.NoError(b, err)
			require.NoError(b, m.Initialize(1, tensor.Float32))
			opt := train.SGD{Momentum: 0.9}
			s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), batch, 1)
			require.NoError(b, err)
			defer s.Close()
			images, labels := make([]float32, batch*size*size*3), make([]int, batch)
			numtest.FillUnit("images", 1, images)
			numtest.FillLabels("labels", 1, 100, labels)
			require.NoError(b, s.Feed(images, labels, 1e-4, 0))
			run := func() {
				require.NoError(b, s.Start())
				_, err := s.Wait()
				require.NoError(b, err)
			}
			for range 4 {
				run()
			}
			b.ResetTimer()
			for b.Loop() {
				run()
			}
			b.StopTimer()
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
			_, held := e.Memory()
			b.ReportMetric(float64(held)/(1<<20), "MiB")
			b.Logf("%s", graph.MemoryTable(e.MemoryUses()))
			if file := os.Getenv("STHENO_NETS_PROFILE"); file != "" {
				require.NoError(b, s.StartProfile())
				for range 5 {
					run()
				}
				s.StopProfile()
				f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
				require.NoError(b, err)
				_, err = fmt.Fprintf(f, "== %s: %d steps\n%s\n", net, len(s.Plan().Steps), s.Profile())
				require.NoError(b, err)
				require.NoError(b, f.Close())
			}
		})
	}
}

package train_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// BenchmarkThreads prints, for nets and for a graph of next to no work, the time of a run on 1, 2 and 16 threads, taken in turns, and how
// many times as fast as on one thread that is: the median of the rounds, and their range. Nothing should be below 1, however little
// there is to do and however few cores there are. What two threads do against one where there is nothing but arithmetic says
// whether the machine gave two cores.
func BenchmarkThreads(b *testing.B) {
	counts := []int{1, 2, 16}
	for _, c := range []struct {
		arch  string
		batch int
	}{{"dense 10×10", 1}, {"simplecnn", 1}, {"simplecnn", 32}, {"vgg16", 32}} {
		var runs []func()
		for _, threads := range counts {
			e, err := cpu.New(cpu.Config{Threads: threads})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, e.Close()) })
			if c.arch == "dense 10×10" {
				runs = append(runs, denseRun(b, e))
			} else {
				runs = append(runs, stepRun(b, e, c.arch, c.batch))
			}
		}
		cores := 2.0
		took, faster := make([][]float64, len(runs)), make([][]float64, len(runs))
		for range 7 {
			for i, run := range runs {
				run()
				n, begin := 0, time.Now()
				for ; n == 0 || time.Since(begin) < 150*time.Millisecond; n++ {
					run()
				}
				took[i] = append(took[i], time.Since(begin).Seconds()/float64(n))
			}
			one, err := cpu.MeasurePeak(1)
			require.NoError(b, err)
			two, err := cpu.MeasurePeak(2)
			require.NoError(b, err)
			cores = min(cores, two/one)
			for i := range runs {
				faster[i] = append(faster[i], took[0][len(took[0])-1]/took[i][len(took[i])-1])
			}
		}
		fmt.Printf("two threads multiply %.2f times as fast as one, in the worst round\n", cores)
		for i, threads := range counts {
			slices.Sort(took[i])
			slices.Sort(faster[i])
			m := len(faster[i]) / 2
			fmt.Printf("| %s, batch %d | %d | %.4g | %.2f (%.2f–%.2f) |\n", c.arch, c.batch, threads, 1e3*took[i][m], faster[i][m], faster[i][0], faster[i][2*m])
		}
	}
}

func stepRun(b *testing.B, e *cpu.Engine, name string, batch int) func() {
	a, err := arch.ByName(name, arch.Config{})
	require.NoError(b, err)
	m, err := a.Model()
	require.NoError(b, err)
	require.NoError(b, m.Initialize(1, tensor.Float32))
	opt := train.SGD{Momentum: 0.9}
	s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), batch, 1)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	images, labels, step := make([]float32, batch*32*32*3), make([]int, batch), 0
	numtest.FillUnit("images", 1, images)
	numtest.FillLabels("labels", 1, 100, labels)
	return func() {
		_, err := s.Run(images, labels, 1e-4, step)
		require.NoError(b, err)
		step++
	}
}

// denseRun is a row of ten numbers through a layer of ten and ReLU, and the gradients of its sum.
func denseRun(b *testing.B, e *cpu.Engine) func() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, 10), gorgonia.WithName("x"), gorgonia.WithInit(gorgonia.GlorotU(1)))
	w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(10, 10), gorgonia.WithName("w"), gorgonia.WithInit(gorgonia.GlorotU(1)))
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Mul(x, w))))))
	_, err := gorgonia.Grad(cost, w)
	require.NoError(b, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithResident(w))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, m.Close()) })
	return func() { require.NoError(b, m.RunAll()) }
}

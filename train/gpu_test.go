//go:build gpu && cgo && linux

package train_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// gpu opens the first GPU. With -short, as on the simulated one, the tests below do a small part of their work.
func gpu(t testing.TB, c cuda.Config) *cuda.Engine {
	t.Helper()
	if _, err := cuda.Devices(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	e, err := cuda.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// TestGPULosses repeats the golden runs of 20 steps. They must be those of Keras and PyTorch, as on the CPU, and the CPU
// engine's, within the same tolerance.
func TestGPULosses(t *testing.T) {
	for _, c := range goldenNets {
		t.Run(c.file, func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("20 steps of a large net")
			}
			golden := numtest.LoadNetRun(t, "testdata/golden/"+c.file+".json")
			e := gpu(t, cuda.Config{})
			begin := time.Now()
			losses, m := trainGolden(t, e, c.arch, golden)
			t.Logf("%d steps on the GPU in %v", golden.Steps, time.Since(begin).Round(time.Millisecond))
			requireGolden(t, golden, losses)
			requireFinalWeights(t, m, golden)
			onCPU, _ := trainGolden(t, engine(t, 0), c.arch, golden)
			worst := 0.0
			for i := range losses {
				off := math.Abs(losses[i]-onCPU[i]) / golden.Losses[i]
				worst = max(worst, off)
				require.LessOrEqual(t, off, golden.Tolerance[i], "step %d: loss %v, %v on the CPU", i, losses[i], onCPU[i])
			}
			t.Logf("at most %.1e from the CPU engine's losses", worst)
		})
	}
}

// TestGPUPrecisionLosses repeats golden runs in less precision. The factors of a product are off by up to 2⁻¹¹ in tf32 and 2⁻⁸ in
// bf16, and a loss by about that while training is young; the bounds are some ten times more.
func TestGPUPrecisionLosses(t *testing.T) {
	for precision, bound := range map[string]float64{"tf32": 0.005, "bf16": 0.05} {
		for _, c := range goldenNets {
			if c.long && testing.Short() || c.file == "resnet50_l2" {
				continue
			}
			t.Run(precision+"/"+c.file, func(t *testing.T) {
				golden := numtest.LoadNetRun(t, "testdata/golden/"+c.file+".json")
				losses, _ := trainGolden(t, gpu(t, cuda.Config{Precision: precision}), c.arch, golden)
				requireLossesNear(t, golden, losses, bound)
			})
		}
	}
}

// gpuStep is a training step of a net on an engine, with batches to feed it.
type gpuStep struct {
	*train.Step
	images []float32
	labels []int
}

func newGPUStep(t testing.TB, e graph.Engine, name string, batch int) (*gpuStep, error) {
	t.Helper()
	a, err := arch.ByName(name, arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	opt := train.SGD{Momentum: 0.9}
	s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), batch, 1)
	if err != nil {
		return nil, err
	}
	g := &gpuStep{s, make([]float32, batch*32*32*3), make([]int, batch)}
	numtest.FillUnit("images", 1, g.images)
	numtest.FillLabels("labels", 1, 100, g.labels)
	return g, nil
}

func (g *gpuStep) run(t testing.TB, steps int) {
	t.Helper()
	for i := range steps {
		_, err := g.Run(g.images, g.labels, 1e-4, i)
		require.NoError(t, err)
	}
}

// TestGPUMemoryDoesNotGrow runs 1,000 steps.
func TestGPUMemoryDoesNotGrow(t *testing.T) {
	steps := 1000
	if testing.Short() {
		steps = 10
	}
	e := gpu(t, cuda.Config{})
	s, err := newGPUStep(t, e, "simplecnn", 8)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	s.run(t, 5)
	requireNoGrowth(t, e, steps, func() { s.run(t, steps) })
}

// residentBytes is the host memory that this process uses.
func residentBytes(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}

// TestGPUOutOfMemory: a step that does not fit is an error that names what it asked for, and the engine goes on with a smaller
// batch. Under a limit of the engine, and where the device itself has no more.
func TestGPUOutOfMemory(t *testing.T) {
	tooMuch := func(t *testing.T, e *cuda.Engine, name string, batch int) {
		s, err := newGPUStep(t, e, name, batch)
		if err == nil { // memory may also be asked for when the step is run
			_, err = s.Run(s.images, s.labels, 1e-4, 0)
			require.NoError(t, s.Close())
		}
		require.ErrorContains(t, err, "out of device memory")
		require.Regexp(t, `needs \d[\d.]* (KiB|MiB|GiB)`, err.Error())
		require.ErrorContains(t, err, "use a smaller batch")
		t.Log(err)
		s, err = newGPUStep(t, e, name, 2)
		require.NoError(t, err)
		s.run(t, 2)
		require.NoError(t, s.Close())
	}
	t.Run("limit", func(t *testing.T) {
		e := gpu(t, cuda.Config{MemoryLimit: 64 << 20})
		tooMuch(t, e, "simplecnn", 4096)
	})
	t.Run("device", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes all of a GPU's memory")
		}
		e := gpu(t, cuda.Config{})
		var peaks [2]int64 // of 8 and 72 images: what more images need, without what the weights do
		for i, batch := range []int{8, 72} {
			small, err := newGPUStep(t, e, "resnet50", batch)
			require.NoError(t, err)
			peaks[i] = int64(small.Plan().PeakBytes())
			require.NoError(t, small.Close())
		}
		images := 2 * e.Device().Memory / ((peaks[1] - peaks[0]) / 64)
		tooMuch(t, e, "resnet50", int(images))
	})
}

// TestGPUCheckpoint goes on with a run of the GPU on the CPU, and again on the GPU. The losses are those of a run on the CPU.
func TestGPUCheckpoint(t *testing.T) {
	c := small(t)
	c.Schedule, c.Augment, c.Standardise = "constant", true, true
	onGPU := func(c train.Config) *watcher {
		w, err := runOn(t, c, gpu(t, cuda.Config{}), nil)
		require.NoError(t, err)
		return w
	}
	want := c
	want.Out = filepath.Join(t.TempDir(), "cpu")
	on, err := run(t, want, nil)
	require.NoError(t, err)

	c.Epochs = 1
	rows := onGPU(c).rows
	c = resumed(t, c)
	c.Epochs = 2
	w, err := run(t, c, nil)
	require.NoError(t, err)
	rows = append(rows, w.rows...)
	c = resumed(t, c)
	c.Epochs = 3
	rows = append(rows, onGPU(c).rows...)
	require.Len(t, rows, 3)
	for i, r := range rows {
		require.InEpsilon(t, on.rows[i].Loss, r.Loss, 1e-3, "epoch %d", i+1)
		require.InEpsilon(t, on.rows[i].ValLoss, r.ValLoss, 1e-3, "epoch %d", i+1)
	}
}

// TestGPUResumedRunIsTheUninterruptedOne bit by bit: the engine adds in a fixed order.
func TestGPUResumedRunIsTheUninterruptedOne(t *testing.T) {
	c := small(t)
	c.Epochs = 2
	sgd(&c)
	c.Schedule = "step:1:0.5"
	_, err := runOn(t, c, gpu(t, cuda.Config{}), nil)
	require.NoError(t, err)
	want := outcomeOf(t, c.Out)

	c.Out = filepath.Join(t.TempDir(), "again")
	_, err = runOn(t, c, gpu(t, cuda.Config{}), func(p train.Progress) bool { return p.Epoch == 1 && p.Batch == 3 && !p.Validating })
	require.True(t, errors.Is(err, train.ErrInterrupted), "%v", err)
	c = resumed(t, c)
	_, err = runOn(t, c, gpu(t, cuda.Config{}), nil)
	require.NoError(t, err)
	requireOutcome(t, want, c.Out)
}

// TestGPURawBatches: a GPU that makes the images itself, of bytes, has the losses of one that is fed with floats, to the bit, and so has
// one that has the whole set.
func TestGPURawBatches(t *testing.T) {
	e := gpu(t, cuda.Config{})
	require.True(t, graph.IsRemote(e))
	require.Greater(t, graph.FreeMemory(e), int64(1<<20))
	for _, c := range []data.LoaderConfig{augmented, mixed} {
		floats, raw, indexed := waysOf(t, c)
		want := lossesOf(t, e, floats)
		require.Len(t, want, 3)
		require.Equal(t, want, lossesOf(t, e, raw))
		require.Equal(t, want, lossesOf(t, e, indexed))
	}
}

// BenchmarkGPUStep times whole training steps as the trainer does them: a batch is fed from host memory while the one before is
// computed. images/s is what counts.
func BenchmarkGPUStep(b *testing.B) {
	batches := map[string]int{"simplecnn": 1024, "vgg16": 512, "resnet50": 256}
	if testing.Short() {
		batches = map[string]int{"simplecnn": 2}
	}
	for _, name := range arch.Names() {
		for _, precision := range train.Precisions() {
			batch := batches[name]
			if batch == 0 {
				continue
			}
			b.Run(fmt.Sprintf("%s/batch=%d/%s", name, batch, precision), func(b *testing.B) {
				e := gpu(b, cuda.Config{Precision: precision})
				s, err := newGPUStep(b, e, name, batch)
				require.NoError(b, err)
				defer s.Close()
				s.run(b, 3)
				feed := func() { require.NoError(b, s.Feed(s.images, s.labels, 1e-4, 0)) }
				feed()
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					require.NoError(b, s.Start())
					feed()
					_, err := s.Wait()
					require.NoError(b, err)
				}
				b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

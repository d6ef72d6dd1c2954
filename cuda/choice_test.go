//go:build gpu && cgo && linux

package cuda_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// pointwise is two equal convolutions of 1×1 of different images and filters: a product or a convolution.
func pointwise() enginetest.Case {
	return enginetest.Case{Name: "pointwise", Build: func(b *enginetest.B) {
		for _, n := range []string{"1", "2"} {
			b.Want("y"+n, numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x"+n, 2, 6, 6, 8), b.Input("w"+n, 1, 1, 8, 16)))
		}
	}}
}

// choose compiles the case, verifies its results, and tells what the engine did.
func choose(t *testing.T, c cuda.Config) (got tuned, name string) {
	t.Helper()
	needGPU(t)
	c.Log = func(line string) { got.lines = append(got.lines, line) }
	e, err := cuda.New(c)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	pointwise().RequireClose(t, e, tensor.Float32)
	b := enginetest.NewB(t, tensor.Float32)
	pointwise().Build(b)
	p, err := e.Build(b.Plan())
	require.NoError(t, err)
	got.kernels = strings.Join(p.(graph.KernelTeller).Kernels(), "; ")
	require.NoError(t, p.Close())
	got.digest = e.Tuned()
	return got, e.String()
}

// The fastest of whole alternatives is measured once, kept and followed.
func TestAlternativesAreMeasured(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t) // where it is known which is the fastest
	dir := t.TempDir()
	t.Setenv(cache.Env, dir)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "1")
	t.Setenv("STHENO_SIM_CUBLASLT_DELAY", "20")
	before, _ := choose(t, cuda.Config{})
	require.Equal(t, "cuBLASLt; cuBLASLt", before.kernels, "what is listed first")
	require.Empty(t, before.digest)

	first, name := choose(t, cuda.Config{Tuning: "measure"})
	require.Equal(t, 1, first.has("measuring 1 convolution, 1 matrix product and 1 alternative of inference on "), "%q", first.lines)
	require.Equal(t, 1, first.has("; for 2 of 2 another way than the library's first is faster; for 1 of 1 alternative another than the first is"), "%q", first.lines)
	require.Equal(t, "cuDNN engine 5, measured; cuDNN engine 5, measured", first.kernels)
	require.Contains(t, name, ", tuned for 1 call of libraries and 1 alternative")
	require.NotEmpty(t, first.digest)

	var file string
	var entry struct {
		Format                   int
		Device, Library, Problem string
		Choice                   struct{ Way string }
		Of                       int
		Milliseconds             float64
		First                    float64 `json:"first_milliseconds"`
	}
	for _, f := range entries(t, filepath.Join(dir, "ways")) {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		if strings.Contains(string(text), `"way":`) {
			require.Empty(t, file)
			file = f
			require.NoError(t, json.Unmarshal(text[32:], &entry))
		}
	}
	require.Equal(t, "cuDNN", entry.Choice.Way)
	require.Equal(t, 2, entry.Of)
	require.Regexp(t, "^NVRTC 12.9[89], cuBLASLt 12.99.0, cuDNN 9.10.0$", entry.Library) // 98 where races are looked for
	require.Contains(t, entry.Problem, "of float32 (2, 6, 6, 8), float32 (1, 1, 8, 16): float32 (2, 6, 6, 16); precision fp32, deterministic true; ways product, cuDNN; commands ")
	require.Less(t, entry.Milliseconds, entry.First)

	for _, tuning := range []string{"measure", ""} {
		again, name := choose(t, cuda.Config{Tuning: tuning})
		require.Zero(t, again.has("measur"), "%q", again.lines)
		require.Equal(t, first.kernels, again.kernels)
		require.Equal(t, first.digest, again.digest)
		require.Contains(t, name, ", tuned for 1 call of libraries and 1 alternative")
	}
	off, name := choose(t, cuda.Config{Tuning: "off"})
	require.Equal(t, before.kernels, off.kernels)
	require.Empty(t, off.digest)
	require.NotContains(t, name, "tuned")
	other, _ := choose(t, cuda.Config{Nondeterministic: true})
	require.NotContains(t, other.kernels, "cuDNN", "it is another choice")
	alone, name := choose(t, cuda.Config{Without: []string{"cudnn"}})
	require.Equal(t, "cuBLASLt, measured; cuBLASLt, measured", alone.kernels)
	require.Contains(t, name, ", tuned for 1 call of libraries")
	require.NotContains(t, name, "alternative")

	// The choice alone makes a digest, as it changes bits.
	forgetCalls := func() {
		for _, f := range entries(t, filepath.Join(dir, "ways")) {
			if f != file {
				require.NoError(t, os.Remove(f))
			}
		}
	}
	forgetCalls()
	only, name := choose(t, cuda.Config{})
	require.Regexp(t, `^cuDNN engine \d[^;]*, measured; `, only.kernels)
	require.Contains(t, name, ", tuned for 1 alternative")
	require.NotEmpty(t, only.digest)
	require.NotEqual(t, first.digest, only.digest)

	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	for damage, b := range map[string][]byte{
		"nothing":     nil,
		"half":        whole[:len(whole)/2],
		"no JSON":     sealed("not this"),
		"a format":    sealed(strings.Replace(string(whole[32:]), `"format":1`, `"format":2`, 1)),
		"no way":      sealed(`{"format":1}`),
		"another way": sealed(strings.Replace(string(whole[32:]), `"way":"cuDNN"`, `"way":"abacus"`, 1)),
	} {
		forgetCalls()
		require.NoError(t, os.WriteFile(file, b, 0o600))
		got, _ := choose(t, cuda.Config{})
		require.Equal(t, before.kernels, got.kernels, damage)
		require.Empty(t, got.digest, damage)
		told := 0
		if strings.Contains(damage, "way") {
			told = 1
		}
		require.Equal(t, told, got.has("what was measured is of no use any more, and the order in which the ways are listed decides; --tuning measure measures again: there is no such way"), "%s: %q", damage, got.lines)
		again, _ := choose(t, cuda.Config{Tuning: "measure"})
		require.Equal(t, first.kernels, again.kernels, damage)
		require.Equal(t, first.digest, again.digest, damage)
	}
}

// Where what is listed first is the fastest, it is followed as measured, and bits are those without measuring.
func TestFirstAlternative(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "4")
	t.Setenv("STHENO_SIM_CUBLASLT_DELAY", "0.01")
	got, name := choose(t, cuda.Config{Tuning: "measure"})
	require.Equal(t, 1, got.has("; for 0 of 1 alternative another than the first is"), "%q", got.lines)
	require.Contains(t, got.kernels, "cuBLASLt, measured")
	require.Contains(t, name, "and 1 alternative")

	t.Setenv(cache.Env, "off")
	got, _ = choose(t, cuda.Config{Tuning: "measure", Without: []string{"cudnn"}})
	require.Zero(t, got.has("alternative"), "%q", got.lines)
}

// Alternatives of all passes on images of bfloat16, with packed filters and working memory.
func TestAlternativesOfTraining(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "2")
	for _, slow := range []string{"0.01", "40"} {
		t.Setenv("STHENO_SIM_CUBLASLT_DELAY", slow)
		t.Setenv(cache.Env, t.TempDir())
		var lines []string
		e, err := cuda.New(cuda.Config{Precision: "bf16", Tuning: "measure", Log: func(l string) { lines = append(lines, l) }})
		require.NoError(t, err)
		chain(16, true).RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
		require.Regexp(t, `measuring \d+ convolutions, \d+ matrix products and 8 alternatives of inference`, strings.Join(lines, "\n"))
		// Six are products; of the first layer's two the simulator cannot tell.
		want := map[string]string{"0.01": "for [012] of 8 alternatives another than the first is", "40": "for [678] of 8 alternatives another than the first is"}[slow]
		require.Regexp(t, want, strings.Join(lines, "\n"))
		require.NoError(t, e.Close())
	}
}

// A net's step with batch norms: convolutions with statistics of their results, whose blocks are counted, and with sums of cuDNN's.
func TestAlternativesOfStatistics(t *testing.T) {
	cuda.Patient(t)
	cuda.GatherAll(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.1")
	var lines []string
	e, err := cuda.New(cuda.Config{Precision: "bf16", Tuning: "measure", Log: func(l string) { lines = append(lines, l) }})
	require.NoError(t, err)
	c := enginetest.Case{Name: "batch norm", Build: func(b *enginetest.B) {
		x, w := b.Input("x", 8, 24, 24, 8), b.Input("w", 1, 1, 8, 8)
		for i := range 2 {
			y := b.Apply(&op.Conv2D{}, x, w)
			mean := b.Apply(&op.BatchMean{Axis: 3}, y)
			variance := b.Apply(&op.BatchVariance{Axis: 3}, y, mean)
			x = b.Apply(&op.BatchNorm{Axis: 3, Epsilon: 1e-3}, y, b.Input(fmt.Sprint("gamma", i), 8), b.Input(fmt.Sprint("beta", i), 8), mean, variance)
		}
		b.Want("y", numtest.Reduction, x)
	}}
	c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
	text := strings.Join(lines, "\n")
	require.Regexp(t, `measuring 2 convolutions, 1 matrix product and 2 alternatives of inference`, text) // the second image is bfloat16 in memory
	require.NotContains(t, text, "is not taken")
	require.NoError(t, e.Close())
}

// What cannot be measured is not tried again with every program.
func TestMeasuringInVain(t *testing.T) {
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	var lines []string
	e, err := cuda.New(cuda.Config{Tuning: "measure", MemoryLimit: 4 << 20, Log: func(l string) { lines = append(lines, l) }})
	require.NoError(t, err)
	for i := range 3 {
		pointwise().RequireClose(t, e, tensor.Float32)
		text := strings.Join(lines, "\n")
		require.Equal(t, 1, strings.Count(text, "measuring 1 convolution"), "program %d: %s", i, text)
		require.Equal(t, 1, strings.Count(text, "are not measured, as there is no memory to do so"), fmt.Sprint(i))
	}
	require.Empty(t, e.Tuned())
	require.NoError(t, e.Close())
}

// Where there is memory for the first way and none for the fastest, nothing is kept: another process may have it.
func TestAlternativesThatDoNotFit(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.01")
	t.Setenv("STHENO_SIM_CUBLASLT_DELAY", "100")
	images := enginetest.Case{Name: "images", Build: func(b *enginetest.B) { // float32, which cuDNN takes rounded
		b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 1, 256, 256, 8), b.Input("w", 1, 1, 8, 8)))
	}}
	dir := t.TempDir()
	t.Setenv(cache.Env, dir) // with the kernels, which all of them share
	vain, kept := 0, 0
	for _, limit := range []int64{18, 40} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "ways")))
		var lines []string
		e, err := cuda.New(cuda.Config{Precision: "bf16", Tuning: "measure", MemoryLimit: limit << 20, Log: func(l string) { lines = append(lines, l) }})
		require.NoError(t, err)
		b := enginetest.NewB(t, tensor.Float32)
		images.Build(b)
		p, err := e.Build(b.Plan())
		require.NoError(t, err)
		require.NoError(t, p.Close())
		require.NoError(t, e.Close())
		if strings.Contains(strings.Join(lines, "\n"), "as there is no memory to do so") {
			vain++
		}
		for _, f := range entries(t, filepath.Join(dir, "ways")) {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			if strings.Contains(string(text), `"way":`) {
				kept++
				require.Contains(t, string(text), `"way":"cuDNN"`, "with %d MiB", limit)
			}
		}
	}
	require.Positive(t, vain)
	require.Positive(t, kept)
}

// A way that computes something else than the first, or not the same in every run, is not taken however fast it is.
func TestWrongAlternatives(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.01")
	t.Setenv("STHENO_SIM_CUBLASLT_DELAY", "10")
	for how, want := range map[string]string{
		"":      "; for 1 of 1 alternative another than the first is",
		"wrong": `"cuDNN" is not taken for Conv2D(strides 1x1, dilations 1x1, groups 1, valid, NHWC): its result 0 differs from that of the first by `,
		"open":  `"cuDNN" is not taken for Conv2D(strides 1x1, dilations 1x1, groups 1, valid, NHWC): 1152 of 1152 elements of result 0 differ from run to run, by `,
	} {
		t.Setenv(cache.Env, t.TempDir())
		t.Setenv("STHENO_SIM_CUDNN", how)
		got, _ := choose(t, cuda.Config{Tuning: "measure"})
		require.Equal(t, 1, got.has(want), "%s: %q", how, got.lines)
		require.Equal(t, how == "", strings.Contains(got.kernels, "cuDNN"), "%s: %s", how, got.kernels)
	}
}

// Convolutions to which residuals are added: the two ways round at other places, which does not make one of them wrong.
func TestAlternativesOfResiduals(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.1")
	for precision, want := range map[string]int{"fp32": 2, "bf16": 3} { // in bf16 the first residual and the last result are float32 in memory
		var lines []string
		e, err := cuda.New(cuda.Config{Precision: precision, Tuning: "measure", Log: func(l string) { lines = append(lines, l) }})
		require.NoError(t, err)
		c := enginetest.Case{Name: "residuals", Build: func(b *enginetest.B) {
			x := b.Apply(&op.Conv2D{}, b.Input("x", 8, 12, 12, 8), b.Input("w", 1, 1, 8, 8))
			for i := range 2 {
				y := b.Apply(&op.Conv2D{}, x, b.Input(fmt.Sprint("w", i), 1, 1, 8, 8))
				y = b.Apply(&op.BiasAdd{Axis: 3}, y, b.Input(fmt.Sprint("b", i), 8))
				x = b.Apply(&op.ReLU{}, b.Apply(&op.Add{}, y, x))
			}
			b.Want("y", numtest.Reduction, x)
		}}
		c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
		text := strings.Join(lines, "\n")
		require.Contains(t, text, "measuring", precision)
		require.Contains(t, text, fmt.Sprint(want, " alternatives of inference"), precision)
		require.NotContains(t, text, "is not taken", precision)
		require.NoError(t, e.Close())
	}
}

//go:build gpu && cgo && linux

package cuda_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// tuned is what an engine does with a convolution and two equal products: its log, the kernels of the plan, and Tuned.
type tuned struct {
	lines   []string
	kernels string
	digest  string
}

// has says how many of the log's lines have a text.
func (t tuned) has(text string) (n int) {
	for _, line := range t.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// tune compiles and runs a little graph, and compares its results.
func tune(t *testing.T, c cuda.Config) tuned {
	t.Helper()
	needGPU(t)
	var got tuned
	c.Log = func(line string) { got.lines = append(got.lines, line) }
	e, err := cuda.New(c)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	b := enginetest.NewB(t, tensor.Float32)
	b.Want("conv", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 2, 6, 6, 4), b.Input("w", 3, 3, 4, 8)))
	a := b.Input("a", 32, 32)
	b.Want("product", numtest.Reduction, b.Apply(&op.MatMul{}, b.Apply(&op.MatMul{}, a, a), a))
	m := b.Compile(e)
	p, err := e.Build(m.Plan())
	require.NoError(t, err)
	got.kernels = strings.Join(p.(graph.KernelTeller).Kernels(), "; ")
	require.NoError(t, p.Close())
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	got.digest = e.Tuned()
	if c.Precision != "" {
		return got
	}
	enginetest.Case{Name: "results", Build: func(b *enginetest.B) {
		b.Want("conv", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 2, 6, 6, 4), b.Input("w", 3, 3, 4, 8)))
		a := b.Input("a", 32, 32)
		b.Want("product", numtest.Reduction, b.Apply(&op.MatMul{}, b.Apply(&op.MatMul{}, a, a), a))
	}}.RequireClose(t, e, tensor.Float32)
	return got
}

// What was measured is kept and followed by later engines that do not measure; "off" knows nothing of it.
func TestWaysAreMeasuredOnce(t *testing.T) {
	cuda.Patient(t)
	needGPU(t)
	dir := t.TempDir()
	t.Setenv(cache.Env, dir)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "2")
	before := tune(t, cuda.Config{})
	require.Zero(t, before.has("measur"))
	require.NotContains(t, before.kernels, "measured")
	require.Empty(t, before.digest)

	first := tune(t, cuda.Config{Tuning: "measure"})
	require.Equal(t, 1, first.has("measuring 1 convolution and 1 matrix product of inference on "), "%q", first.lines)
	require.Equal(t, 1, first.has("; the fastest ways are kept in "+filepath.Join(dir, "ways")), "%q", first.lines)
	require.Equal(t, 1, first.has("measured those of inference in "), "%q", first.lines)
	require.Contains(t, first.kernels, "cuBLASLt, measured")
	require.Regexp(t, `cuDNN engine \d+.*, measured`, first.kernels)
	files := entries(t, filepath.Join(dir, "ways"))
	require.Len(t, files, 2)

	again := tune(t, cuda.Config{Tuning: "measure"})
	require.Zero(t, again.has("measur"), "%q", again.lines)
	require.Equal(t, first.kernels, again.kernels)
	require.Equal(t, first.digest, again.digest)

	for _, tuning := range []string{"", "heuristics"} {
		after := tune(t, cuda.Config{Tuning: tuning})
		require.Zero(t, after.has("measur"))
		require.Equal(t, first.kernels, after.kernels)
		require.Equal(t, first.digest, after.digest)
	}
	off := tune(t, cuda.Config{Tuning: "off"})
	require.Equal(t, before.kernels, off.kernels)
	require.Empty(t, off.digest)

	// Another problem is another entry: nothing here is for it.
	other := tune(t, cuda.Config{Precision: "tf32"})
	require.NotContains(t, other.kernels, "measured")

	needSimulator(t) // where it is known which way is the fastest
	require.Contains(t, first.kernels, "cuDNN engine 5, measured")
	require.Equal(t, 1, first.has("for 2 of 2 another way than the library's first is faster"), "%q", first.lines)
	require.NotEmpty(t, first.digest)
	found := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		var entry struct {
			Format          int
			Device, Library string
			Choice          struct {
				Engine    int
				Knobs     []struct{ Type, Value int }
				Algorithm []uint64
			}
			Of                  int
			Milliseconds, First float64
		}
		require.NoError(t, json.Unmarshal(text[32:], &entry)) // behind the digest
		require.Equal(t, 1, entry.Format)
		require.Contains(t, entry.Device, "compute capability 9.0")
		found[entry.Library] = true
		if strings.HasPrefix(entry.Library, "cuDNN") {
			require.Equal(t, 5, entry.Choice.Engine)
			require.Equal(t, []struct{ Type, Value int }{{3, 1}, {7, 32}}, entry.Choice.Knobs)
			require.Equal(t, 4, entry.Of, "one of them fails when it runs")
		} else {
			require.Len(t, entry.Choice.Algorithm, 8)
			require.Equal(t, uint64(2), entry.Choice.Algorithm[6])
		}
		require.Less(t, entry.Milliseconds, 8.0) // not timed: the simulated library says so
	}
	require.Equal(t, map[string]bool{"cuDNN 9.10.0": true, "cuBLASLt 12.99.0": true}, found)
}

// Whatever is in the cache of choices, or if there can be none, an engine works.
func TestDamagedChoices(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	dir := t.TempDir()
	t.Setenv(cache.Env, dir)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "5")
	want := tune(t, cuda.Config{Tuning: "measure"})
	whole := map[string][]byte{}
	for _, f := range entries(t, filepath.Join(dir, "ways")) {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		whole[f] = b
	}
	for name, damage := range map[string]func([]byte) []byte{
		"nothing":   func([]byte) []byte { return nil },
		"half":      func(b []byte) []byte { return b[:len(b)/2] },
		"changed":   func(b []byte) []byte { b = append([]byte{}, b...); b[len(b)/2] ^= 1; return b },
		"no JSON":   func([]byte) []byte { return sealed("not this") },
		"a format":  func(b []byte) []byte { return sealed(strings.Replace(string(b[32:]), `"format":1`, `"format":2`, 1)) },
		"no choice": func(b []byte) []byte { return sealed(`{"format":1}`) },
		"an engine that there is not": func(b []byte) []byte {
			return sealed(strings.NewReplacer(`"engine":5`, `"engine":77`, `"algorithm":[`, `"algorithm":[1`).Replace(string(b[32:])))
		},
		"an engine that is not wanted": func(b []byte) []byte {
			return sealed(strings.NewReplacer(`"engine":5,"knobs":[{"type":3,"value":1},{"type":7,"value":32}]`, `"engine":0`, `"algorithm":[`, `"algorithm":[1`).Replace(string(b[32:])))
		},
	} {
		for f, b := range whole {
			require.NoError(t, os.WriteFile(f, damage(b), 0o600))
		}
		got := tune(t, cuda.Config{})
		require.NotContains(t, got.kernels, "measured", name)
		require.Empty(t, got.digest, name)
		if strings.Contains(name, "engine") || name == "no choice" {
			require.Equal(t, 1, got.has("what was measured is of no use any more, and cuDNN 9.10.0 decides; --tuning measure measures again"), "%s: %q", name, got.lines)
		} else {
			require.Zero(t, got.has("measure"), name)
		}
		again := tune(t, cuda.Config{Tuning: "measure"})
		require.Equal(t, want.kernels, again.kernels, name)
		require.Equal(t, want.digest, again.digest, name)
	}
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for folder, says := range map[string]int{filepath.Join(file, "no folder can be here"): 1, "/proc/self/fdinfo": 1, "off": 0} {
		t.Setenv(cache.Env, folder)
		got := tune(t, cuda.Config{Tuning: "measure"})
		require.Equal(t, want.kernels, got.kernels, folder)
		require.Equal(t, says, got.has("what is measured cannot be kept, so the next start measures again"), "%q", got.lines)
		require.Equal(t, 1-says, got.has("the fastest ways are kept for this process"), "%q", got.lines)
	}
}

// Processes may measure at once: each keeps what it found, and the folder is whole.
func TestMeasuringAtOnce(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.5")
	var all sync.WaitGroup
	got := make([]tuned, 3)
	for i := range got {
		all.Go(func() { got[i] = tune(t, cuda.Config{Tuning: "measure"}) })
	}
	all.Wait()
	later := tune(t, cuda.Config{})
	require.Regexp(t, `cuDNN engine \d, measured; cuBLASLt, measured`, later.kernels)
	require.Len(t, entries(t, filepath.Join(os.Getenv(cache.Env), "ways")), 2)
}

// Where there is no memory to measure with, the libraries decide.
func TestNoMemoryToMeasure(t *testing.T) {
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	got := tune(t, cuda.Config{Tuning: "measure", MemoryLimit: 4 << 20}) // a run is behind a fill of 8 MiB
	require.Equal(t, 1, got.has("some calls of libraries are not measured, as there is no memory to do so"), "%q", got.lines)
	require.NotContains(t, got.kernels, "measured")
}

// An engine that depends on timing is used only if that is allowed.
func TestNondeterministicEngines(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	t.Setenv("STHENO_SIM_OPEN_ORDER", "1")
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "1")
	for _, tuning := range []string{"off", "measure", ""} {
		require.Contains(t, tune(t, cuda.Config{Tuning: tuning, Nondeterministic: true}).kernels, "cuDNN engine 0 (not deterministic)")
		require.NotContains(t, tune(t, cuda.Config{Tuning: tuning}).kernels, "not deterministic")
	}
}

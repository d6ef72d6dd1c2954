//go:build gpu && cgo && linux

package cuda_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/cuda/internal/find"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// entries are the files of the cache of compiled kernels.
func entries(t *testing.T, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return files
}

// sealed is an entry as the cache keeps it.
func sealed(entry string) []byte {
	sum := sha256.Sum256([]byte(entry))
	return append(sum[:], entry...)
}

// Whatever is in the cache of compiled kernels, or if there can be none, an engine works; what is damaged is made anew.
func TestDamagedCache(t *testing.T) {
	needGPU(t)
	dir := t.TempDir()
	t.Setenv(cache.Env, dir)
	runs := func() {
		t.Helper()
		e := open(t, cuda.Config{})
		m, sum := counter(t, e, vector(1, 2), vector(3, 4))
		require.NoError(t, m.RunAll())
		require.Equal(t, []float32{4, 6}, sum.Data())
		require.NoError(t, m.Close())
		require.NoError(t, e.Close())
	}
	runs()
	all := entries(t, dir)
	require.NotEmpty(t, all)
	ways := map[string]func(b []byte) []byte{
		"nothing":                             func([]byte) []byte { return nil },
		"truncated":                           func(b []byte) []byte { return b[:len(b)/2] },
		"changed":                             func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"garbage, as if it had been compiled": func([]byte) []byte { return sealed("garbage") },
	}
	if _, simulated := sim.Live(); simulated { // a real driver may look behind the end of half a file
		ways["half a cubin, as if it were whole"] = func(b []byte) []byte { return sealed(string(b[sha256.Size : len(b)/2])) }
		ways["a file of another kind"] = func([]byte) []byte { return sealed("\x7fELF" + strings.Repeat("\x00", 100)) }
	}
	for name, damage := range ways {
		for _, f := range all {
			whole, err := os.ReadFile(f)
			require.NoError(t, err)
			bad := damage(append([]byte(nil), whole...))
			require.NoError(t, os.WriteFile(f, bad, 0o600))
			runs()
			now, err := os.ReadFile(f)
			require.NoError(t, err)
			require.NotEqual(t, bad, now, "%s: %s was not replaced", name, f)
		}
		require.ElementsMatch(t, all, entries(t, dir), name)
	}

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv(cache.Env, filepath.Join(file, "no folder can be here"))
	runs()
	t.Setenv(cache.Env, "off")
	runs()
}

// onlyLibraries makes a folder with some files that are no libraries the only place where a library is looked for.
func onlyLibraries(t *testing.T, env, name string, files ...string) {
	dir := t.TempDir()
	for _, f := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), []byte("no library"), 0o600))
	}
	require.Equal(t, env, map[string]find.Library{"NVRTC": find.NVRTC, "cuDNN": find.CuDNN, "cuBLASLt": find.CUBLASLt}[name].Env())
	t.Setenv(env, dir)
}

// Without NVRTC there is no engine, and the error says what was tried and what to do.
func TestNVRTCIsMissing(t *testing.T) {
	needGPU(t)
	onlyLibraries(t, "STHENO_NVRTC_PATH", "NVRTC")
	_, err := cuda.New(cuda.Config{})
	require.ErrorContains(t, err, "NVRTC, which compiles the GPU's kernels, cannot be loaded; install")
	require.ErrorContains(t, err, "not in STHENO_NVRTC_PATH=")
	require.ErrorContains(t, err, find.NVRTC.Remedy)

	onlyLibraries(t, "STHENO_NVRTC_PATH", "NVRTC", "libnvrtc.so.12")
	_, err = cuda.New(cuda.Config{})
	require.ErrorContains(t, err, "libnvrtc.so.12: ")
	require.ErrorContains(t, err, "too short")
	for _, l := range cuda.Libraries() {
		if l.Name == "NVRTC" {
			require.ErrorContains(t, l.Err, "too short")
		}
	}
}

// Without cuDNN or cuBLASLt, or with parts of them, an engine works on its own kernels and says so once.
func TestOtherLibrariesAreMissing(t *testing.T) {
	needGPU(t)
	for _, c := range []struct {
		env, name string
		files     []string
		says      string
	}{
		{"STHENO_CUDNN_PATH", "cuDNN", nil, "without cuDNN convolutions run on the engine's own kernels, slower: it was not found; stheno devices --verbose lists what was tried"},
		{"STHENO_CUDNN_PATH", "cuDNN", []string{"libcudnn.so.9"}, "without cuDNN convolutions run on the engine's own kernels"},
		{"STHENO_CUDNN_PATH", "cuDNN", append([]string{"libcudnn.so.9"}, find.CuDNN.Siblings...), "without cuDNN convolutions run on the engine's own kernels"},
		{"STHENO_CUBLASLT_PATH", "cuBLASLt", nil, "without cuBLASLt matrix products run on the engine's own kernels"},
		{"STHENO_CUBLASLT_PATH", "cuBLASLt", []string{"libcublasLt.so.12"}, "without cuBLASLt matrix products run on the engine's own kernels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onlyLibraries(t, c.env, c.name, c.files...)
			var lines []string
			e, err := cuda.New(cuda.Config{Log: func(line string) { lines = append(lines, line) }})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			n := 0
			for _, line := range lines {
				if strings.Contains(line, c.says) {
					n++
				}
			}
			require.Equal(t, 1, n, "%q", lines)
			for _, p := range enginetest.Products() {
				p.RequireClose(t, e, floatTypes...)
			}
			if len(c.files) == 1 && c.name == "cuDNN" {
				for _, l := range cuda.Libraries() {
					if l.Name == c.name {
						require.ErrorContains(t, l.Err, "its companion libcudnn_graph.so.9 is missing there")
					}
				}
			}
		})
	}
}

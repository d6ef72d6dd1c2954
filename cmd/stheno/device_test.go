package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/train"
)

// noGPU leaves out the tests of what happens without a GPU where there is one.
func noGPU(t *testing.T) {
	t.Helper()
	if gpus, err := cuda.Devices(); err == nil && len(gpus) > 0 {
		t.Skip("this machine has a GPU")
	}
}

func TestAutoWithoutGPU(t *testing.T) {
	noGPU(t)
	dir := filepath.Join(t.TempDir(), "run")
	out := stheno(t, with(quick, "--precision", "tf32", "--out", dir)...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `^note: this run was asked for tf32; the CPU computes it in fp32; use a GPU for tf32 \(no GPU can be used now: .*\)\n`, out.stdout)
	require.Equal(t, 1, strings.Count(out.stdout, "note:"), out.stdout)
	require.Contains(t, out.stdout, "cpu with")

	// The run's precision is recorded, and is not what another command line may change. On the CPU it computes on in fp32.
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"precision": "tf32"`)
	refused(t, []string{"train", "--resume", "--out", dir, "--precision", "bf16", "--epochs", "2"}, "--precision is tf32 there, not bf16")
	refused(t, []string{"train", "--resume", "--out", dir, "--precision", "tf32", "--device", "cpu"}, "the CPU engine computes in fp32")
	again := stheno(t, "train", "--resume", "--out", dir, "--device", "cpu", "--epochs", "2")
	require.Zero(t, again.code, again.stderr)
	require.Contains(t, again.stdout, "note: this run was made in tf32; the CPU computes it in fp32; use a GPU for tf32\n")
	again = stheno(t, "eval", "--run", dir, "--limit-test", "10", "--device", "cpu")
	require.Zero(t, again.code, again.stderr)
	require.Regexp(t, `^note: this run was made in tf32; the CPU computes it in fp32; use a GPU for tf32\n$`, again.stderr)
	again = stheno(t, "eval", "--run", dir, "--limit-test", "10")
	require.Zero(t, again.code, again.stderr)
	require.Regexp(t, `^note: this run was made in tf32; the CPU computes it in fp32; use a GPU for tf32 \(no GPU can be used now: .*\)\n$`, again.stderr)

	// In fp32 there is a word about the GPU only where the program could have used one.
	out = stheno(t, with(quick, "--out", filepath.Join(t.TempDir(), "run"))...)
	require.Zero(t, out.code, out.stderr)
	require.Equal(t, cuda.Built, out.noGPU != "", out.stdout)
	require.LessOrEqual(t, strings.Count(out.noGPU, "\n"), 1, "one line")
	text, err = os.ReadFile(filepath.Join(dir, "history.csv"))
	require.NoError(t, err)
	require.Len(t, strings.Split(strings.TrimSpace(string(text)), "\n"), 3)
}

// On a CPU that multiplies bfloat16, bf16 is a precision like fp32; on another it is a note where the user did not ask for the CPU, or
// not for bf16.
func TestBF16OnTheCPU(t *testing.T) {
	noGPU(t)
	dir := filepath.Join(t.TempDir(), "run")
	args := with(quick, "--precision", "bf16", "--out", dir)
	t.Setenv("STHENO_CPU", "generic") // which computes it everywhere
	out := stheno(t, args...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `(?m)^cpu with .* kernels, precision bf16; `, out.stdout)
	require.NotContains(t, out.stdout, "in fp32")
	require.Contains(t, ok(t, "eval", "--run", dir, "--limit-test", "10"), "precision bf16")
	require.NotContains(t, ok(t, "eval", "--run", dir, "--limit-test", "10", "--precision", "fp32"), "precision")

	t.Setenv("STHENO_CPU", "avx512") // which has none
	refused(t, with(quick, "--device", "cpu", "--precision", "bf16", "--out", dir+"2"), "cpu: precision bf16: environment variable STHENO_CPU=avx512 leaves AVX512-BF16 out; unset it; compute in fp32")
	again := stheno(t, "eval", "--run", dir, "--limit-test", "10", "--device", "cpu")
	require.Zero(t, again.code, again.stderr)
	require.Regexp(t, `^note: this run was made in bf16; the CPU computes it in fp32; use a GPU or a CPU with AVX512-BF16 for bf16\n$`, again.stderr)
	again = stheno(t, "eval", "--run", dir, "--limit-test", "10")
	require.Zero(t, again.code, again.stderr)
	require.Regexp(t, `^note: this run was made in bf16; the CPU computes it in fp32; use a GPU or a CPU with AVX512-BF16 for bf16 \(no GPU can be used now: .*\)\n$`, again.stderr)
}

func TestCUDAWithoutGPU(t *testing.T) {
	noGPU(t)
	run := trained(t)
	for _, args := range [][]string{quick, {"eval", "--run", run}, {"predict", "--run", run, "a.png"}, {"explain", "simplecnn"}} {
		refused(t, with(args, "--device", "cuda"), "cuda: ", "--device cpu computes without a GPU")
	}
	require.Contains(t, ok(t, "devices", "--verbose"), "no GPU: cuda: ")

	// A run of a GPU, on a machine without one.
	file := filepath.Join(run, "run.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), `"device": "auto"`)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), `"device": "auto"`, `"device": "cuda"`, 1)), 0o644))
	resume := []string{"train", "--resume", "--out", run, "--epochs", "2"}
	require.NotContains(t, refused(t, resume, "the run was made with --device cuda; add --device cpu to go on without a GPU\n"), "computes without a GPU")
	require.Contains(t, ok(t, with(resume, "--device", "cpu")...), "epoch 2/2")
	require.Contains(t, ok(t, "train", "--resume", "--out", run, "--epochs", "3"), "epoch 3/3", "the CPU, as before")
}

func TestListGPUs(t *testing.T) {
	list := func(gpus []cuda.Device, err error) string {
		var b strings.Builder
		listGPUs(&b, func() ([]cuda.Device, error) { return gpus, err }, func(n int) error {
			if n == 1 {
				return errors.New("cuda: NVRTC cannot be loaded; install it\ntried a")
			}
			return nil
		})
		return b.String()
	}
	require.Equal(t, "cuda:0 is NVIDIA H200, compute capability 9.0, 132 multiprocessors, 138.5 GiB of 139.8 GiB free, driver for CUDA 12.8, GPU-1\n",
		list([]cuda.Device{{Name: "NVIDIA H200", UUID: "GPU-1", Major: 9, Multiprocessors: 132, Memory: 150110011392, Free: 148712505344, Driver: "12.8"}}, nil))
	require.Contains(t, list([]cuda.Device{{Memory: 150110011392, Free: -1}}, nil), ", an unknown part of 139.8 GiB free, ")
	require.Equal(t, "cuda:1 is A, compute capability 7.0, 2 multiprocessors, 0 B of 1.0 GiB free, driver for CUDA 12.8, GPU-2; "+
		"cannot be used: NVRTC cannot be loaded; install it; details: stheno devices --verbose\n",
		list([]cuda.Device{{Ordinal: 1, Name: "A", UUID: "GPU-2", Major: 7, Multiprocessors: 2, Memory: 1 << 30, Driver: "12.8"}}, nil))
	require.Equal(t, "no GPU: the driver lists none\n", list(nil, nil))
	require.Equal(t, "no GPU: no driver\n", list(nil, errors.New("no driver")))
}

func TestListLibraries(t *testing.T) {
	var b strings.Builder
	listLibraries(&b, []cuda.Library{
		{Name: "NVRTC", Version: "12.9", Path: "/lib/libnvrtc.so.12", Purpose: "compiles kernels"},
		{Name: "cuBLASLt", Version: "12.9", Path: "/lib/libcublasLt.so.12", Purpose: "products", Err: errors.New("too old"), Unused: "STHENO_CUDA_WITHOUT"},
		{Name: "cuDNN", Purpose: "convolutions", Err: errors.New("not found; tried\na\nb")},
	})
	require.Equal(t, `
libraries of the CUDA engine:
  NVRTC     12.9     /lib/libnvrtc.so.12     compiles kernels
  cuBLASLt  12.9     /lib/libcublasLt.so.12  not used, as STHENO_CUDA_WITHOUT asks
  cuDNN     missing  -                       convolutions
  cuDNN: not found; tried
    a
    b
`, b.String())
}

// The flag's words name every precision that there is.
func TestPrecisionsAreListed(t *testing.T) {
	require.Equal(t, "fp32, tf32 (a GPU), bf16 (a GPU, or a CPU with AVX512-BF16)", precisionList())
	for _, name := range train.Precisions() {
		require.Contains(t, precisionUsage, name)
	}
}

// More threads than CPUs are slower, which is told, and told once.
func TestMoreThreadsThanCPUs(t *testing.T) {
	cpus := runtime.GOMAXPROCS(0)
	most, more := strconv.Itoa(cpus), strconv.Itoa(cpus+1)
	note := fmt.Sprintf("note: %s threads are more than the %d CPU", more, cpus)
	run := filepath.Join(t.TempDir(), "run")
	train := []string{"train", "--data", "sample", "--limit-train", "32", "--limit-test", "10", "--batch", "16", "--epochs", "1", "--device", "cpu"}
	require.Contains(t, ok(t, with(train, "--threads", more, "--out", run)...), note)
	require.NotContains(t, ok(t, with(train, "--threads", most, "--out", run+"2")...), "threads are more than")
	on := []string{"--device", "cpu", "--threads", more}
	for _, args := range [][]string{{"eval", "--run", run, "--limit-test", "10"}, {"predict", "--run", run, writePNG(t, t.TempDir(), 0)}, {"explain", "simplecnn"}} {
		out := stheno(t, with(args, on...)...)
		require.Zero(t, out.code, out.stderr)
		require.Contains(t, out.stderr, note)
	}
	bench := []string{"--arch", "simplecnn", "--batch", "2", "--mode", "inference", "--threads", most + "," + more}
	for _, args := range [][]string{{"bench", "--seconds", "0.01", "--rounds", "1"}, {"tune", "--dry-run"}} {
		require.Equal(t, 1, strings.Count(ok(t, with(args, bench...)...), "threads are more than the"), args[0])
	}
}

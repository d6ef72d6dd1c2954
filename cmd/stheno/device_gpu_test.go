//go:build gpu && cgo && linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
)

// TestGPUCommands trains, resumes, evaluates, predicts and explains on a GPU, real or simulated.
func TestGPUCommands(t *testing.T) {
	if _, err := cuda.Devices(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	list := ok(t, "devices", "--verbose")
	require.Regexp(t, `(?m)^cuda:0 is .*, compute capability \d+\.\d, .* free, driver for CUDA \d+\.\d, GPU-`, list)
	require.Contains(t, list, "NVRTC")

	dir := filepath.Join(t.TempDir(), "run")
	small := []string{"train", "--data", "sample", "--limit-train", "8", "--limit-test", "4", "--batch", "8", "--epochs", "1", "--precision", "tf32", "--out", dir}
	out := stheno(t, small...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `(?m)^cuda.*, precision tf32; adam`, out.stdout, "auto takes the GPU")
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"precision": "tf32"`)
	out = stheno(t, "train", "--resume", "--out", dir, "--device", "cpu", "--epochs", "2")
	require.Zero(t, out.code, out.stderr)
	out = stheno(t, "train", "--resume", "--out", dir, "--device", "cuda:0", "--epochs", "3")
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, out.stdout, "epoch 3/3")

	for _, args := range [][]string{{"eval", "--run", dir, "--limit-test", "2", "--batch", "2"}, {"predict", "--run", dir, writePNG(t, t.TempDir(), 0)},
		{"explain", "simplecnn", "--batch", "2"}} {
		out = stheno(t, with(args, "--device", "cuda")...)
		require.Zero(t, out.code, out.stderr)
	}
	refused(t, with(quick, "--device", "cuda:99"), "--device cpu computes without a GPU")

	// Without NVRTC there is no engine: auto computes on the CPU and says why, cuda is refused with what to do.
	t.Setenv("STHENO_NVRTC_PATH", t.TempDir())
	out = stheno(t, with(quick, "--device", "auto", "--out", filepath.Join(t.TempDir(), "run"))...)
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, out.noGPU, "computing on the CPU: cuda: the GPU's kernels are compiled by NVRTC, which cannot be loaded")
	refused(t, with(quick, "--device", "cuda"), "NVRTC was not found")
}

//go:build gpu && cgo && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

	out = stheno(t, "train", "--resume", "--out", dir, "--device", "cpu", "--epochs", "4")
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "--device cuda goes on", "the CPU is asked for")
	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "5")
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, out.stdout, "note: the run was made with --device cpu and goes on there; --device cuda goes on on the GPU\n")
	out = stheno(t, "train", "--resume", "--out", dir, "--device", "cuda", "--epochs", "6")
	require.Zero(t, out.code, out.stderr)

	eval := []string{"eval", "--run", dir, "--limit-test", "2", "--batch", "2"}
	for _, args := range [][]string{eval, {"predict", "--run", dir, writePNG(t, t.TempDir(), 0)}, {"explain", "simplecnn", "--batch", "2"},
		{"explain", "--recipe", "resnet18-cifar100-fast", "--batch", "2"}} {
		out = stheno(t, with(args, "--device", "cuda")...)
		require.Zero(t, out.code, out.stderr)
		if args[0] == "explain" {
			require.Regexp(t, `(?m)^ +0  Augment `, out.stdout, "as training begins")
		} else {
			require.Regexp(t, `(?m)^(note: computing on )?cuda:0.*, precision tf32$`, out.stdout+out.stderr, "that of the run")
		}
	}
	require.Regexp(t, `(?m)^cuda:0.*, precision fp32$`, ok(t, with(eval, "--precision", "fp32")...))
	refused(t, with(quick, "--device", "cuda:99"), "--device cpu computes without a GPU")

	// A mistake is not a reason to compute elsewhere.
	t.Run("mistake", func(t *testing.T) {
		t.Setenv("STHENO_CUDA_WITHOUT", "cudnn, cudann")
		for _, device := range []string{"auto", "cuda"} {
			refused(t, with(quick, "--device", device), `STHENO_CUDA_WITHOUT names a library "cudann" to do without; known are cudnn and cublaslt`+"\n")
		}
		require.Regexp(t, `(?m)^cuda:0 is .*; cannot be used: .*cudann.*$`, ok(t, "devices"))
		t.Setenv("STHENO_CUDA_WITHOUT", "cuDNN")
		require.Regexp(t, `(?m)^  cuDNN +.* not used, as STHENO_CUDA_WITHOUT asks$`, ok(t, "devices", "--verbose"))
	})

	// Without NVRTC there is no engine: auto computes on the CPU and says why, cuda is refused with what to do.
	t.Setenv("STHENO_NVRTC_PATH", t.TempDir())
	out = stheno(t, with(quick, "--device", "auto", "--out", filepath.Join(t.TempDir(), "run"))...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `^note: no GPU can be used \(NVRTC, .*, cannot be loaded\); computing on the CPU; stheno devices says more\n$`, out.noGPU)
	refused(t, with(quick, "--device", "cuda"), "NVRTC was not found", "--device cpu computes without a GPU")
	refused(t, []string{"train", "--resume", "--out", dir, "--epochs", "7"}, "the run was made with --device cuda; add --device cpu to go on without a GPU")
	require.Regexp(t, `(?m)^cuda:0 is .*; cannot be used: NVRTC, .*; details: stheno devices --verbose$`, ok(t, "devices"))
}

// simulated says whether the GPU is that of make gpu-test.
func simulated(t *testing.T) {
	t.Helper()
	if gpus, err := cuda.Devices(); err != nil || gpus[0].Name != "Simulated GPU" {
		t.Skip("needs the simulated GPU of make gpu-test")
	}
}

// TestGPUTooSmall: what does not fit leaves no folder behind, so that the same command with a smaller batch works.
func TestGPUTooSmall(t *testing.T) {
	simulated(t)
	t.Setenv("STHENO_SIM_MEMORY", "30000000")
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"train", "--data", "sample", "--device", "cuda", "--limit-train", "512", "--limit-test", "8", "--epochs", "1", "--out", dir}
	refused(t, with(args, "--batch", "512"), "out of device memory", "use a smaller batch")
	require.NoDirExists(t, dir)

	// Whichever allocation fails.
	args = with(args, "--limit-train", "8", "--batch", "8")
	for n := 1; ; n++ {
		t.Setenv("STHENO_SIM_FAIL_ALLOC", strconv.Itoa(n)+"+")
		out := stheno(t, args...)
		if out.code == 0 {
			require.Greater(t, n, 3)
			break
		}
		require.Contains(t, out.stderr, "out of device memory")
		if !strings.Contains(out.stderr, "resume with:") {
			require.NoDirExists(t, dir)
			continue
		}
		require.DirExists(t, dir) // a step was done
		t.Setenv("STHENO_SIM_FAIL_ALLOC", "")
		out = stheno(t, "train", "--resume", "--out", dir)
		require.Zero(t, out.code, out.stderr)
		require.NoError(t, os.RemoveAll(dir))
	}
}

// TestGPULost: it is said once what happened, and how to go on. In a process of its own, which has no GPU afterwards.
func TestGPULost(t *testing.T) {
	simulated(t)
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"train", "--data", "sample", "--device", "cuda", "--limit-train", "16", "--limit-test", "4", "--batch", "4", "--epochs", "1", "--save-every", "2", "--out", dir}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), commandEnv+"="+strings.Join(args, "\n"), "STHENO_SIM_FAULT=max_pool:7") // two a step
	text, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, strings.Count(string(text), "error: "), "%s", text)
	require.Contains(t, string(text), "the GPU's context is lost")
	require.Contains(t, string(text), "\n    the newest checkpoint is "+filepath.Join(dir, "checkpoints", "checkpoint-000000002.safetensors")+
		"; resume with: stheno train --resume --out "+dir+"\n")
	require.Contains(t, ok(t, "train", "--resume", "--out", dir), "0 epochs done, epoch 1 begun; 2 steps in all")
}

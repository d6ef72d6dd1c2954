package sim_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/sim"
)

// build compiles the libraries and a program of testdata against them.
func build(t *testing.T, program string, libraries ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles C++, which takes half a minute")
	}
	libs, err := filepath.Abs("../../../.build/sim") // where "make sim" puts them
	require.NoError(t, err)
	err = sim.Build(libs)
	if errors.Is(err, sim.ErrNoCompiler) {
		t.Skip(err)
	}
	require.NoError(t, err)
	compiler := os.Getenv("CXX")
	if compiler == "" {
		compiler = "g++"
	}
	bin := filepath.Join(t.TempDir(), program)
	args := []string{"-std=c++17", "-g", "-Isrc", "-o", bin, filepath.Join("testdata", program+".cpp"), "-L" + libs, "-Wl,-rpath," + libs}
	for _, l := range libraries {
		args = append(args, "-l:"+l)
	}
	out, err := exec.Command(compiler, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// run runs one case of a program, each in a process of its own.
func run(t *testing.T, bin, name string, env ...string) string {
	t.Helper()
	cmd := exec.Command(bin, name)
	cmd.Env = append(os.Environ(), append(env, "STHENO_SIM_CACHE="+filepath.Dir(bin))...)
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s\n%s", name, out, told.String())
	return string(out)
}

func TestDriver(t *testing.T) {
	bin := build(t, "drive", "libcuda.so.1", "libnvrtc.so.12")
	for _, name := range []string{"copies", "running", "refused", "graphs", "faults", "images", "leaks"} {
		t.Run(name, func(t *testing.T) {
			for _, order := range []string{"", "reverse", "random"} {
				run(t, bin, name, "STHENO_SIM_ORDER="+order)
			}
		})
	}
	t.Run("memory", func(t *testing.T) { run(t, bin, "memory", "STHENO_SIM_MEMORY=1000000") })
	t.Run("ordering", func(t *testing.T) { run(t, bin, "ordering", "STHENO_SIM_DELAY=20000") })
}

// TestOrderShowsAMissingBarrier: the numbers of a kernel without its barrier are not the same in all orders of its threads.
func TestOrderShowsAMissingBarrier(t *testing.T) {
	bin := build(t, "drive", "libcuda.so.1", "libnvrtc.so.12")
	forward := run(t, bin, "running", "STHENO_SIM_ORDER=")
	require.Contains(t, forward, "62")
	require.NotEqual(t, forward, run(t, bin, "running", "STHENO_SIM_ORDER=reverse"))
	require.NotEqual(t, forward, run(t, bin, "running", "STHENO_SIM_ORDER=random"))
}

// TestCheck: with STHENO_SIM_CHECK=1 what nothing orders is found, in all orders, and what C++ leaves undefined, and nothing else.
func TestCheck(t *testing.T) {
	bin := build(t, "check", "libcuda.so.1", "libnvrtc.so.12")
	for _, name := range []string{"blocks", "grids", "undefined", "streams", "graphs"} {
		t.Run(name, func(t *testing.T) { run(t, bin, name, "STHENO_SIM_CHECK=1") })
	}
	bin = build(t, "drive", "libcuda.so.1", "libnvrtc.so.12")
	for _, name := range []string{"copies", "refused", "graphs", "faults", "images", "leaks"} {
		t.Run(name, func(t *testing.T) { run(t, bin, name, "STHENO_SIM_CHECK=1") })
	}
}

func TestMatrixProducts(t *testing.T) {
	bin := build(t, "product", "libcublasLt.so.12", "libcuda.so.1", "libnvrtc.so.12")
	for _, name := range []string{"products", "refused"} {
		t.Run(name, func(t *testing.T) { run(t, bin, name) })
	}
}

// TestWithoutACompiler: the error of a program that cannot be compiled because there is no compiler says so.
func TestWithoutACompiler(t *testing.T) {
	t.Setenv("CXX", filepath.Join(t.TempDir(), "no-compiler"))
	require.ErrorIs(t, sim.Build(t.TempDir()), sim.ErrNoCompiler)
}

// TestBuildTellsWhatTheCompilerSaid: a compiler that fails is an error with its messages.
func TestBuildTellsWhatTheCompilerSaid(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	require.NoError(t, os.WriteFile(bad, []byte("#!/bin/sh\necho out of luck >&2\nexit 1\n"), 0o700))
	t.Setenv("CXX", bad)
	require.ErrorContains(t, sim.Build(t.TempDir()), "out of luck")
}

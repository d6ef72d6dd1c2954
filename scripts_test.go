//go:build linux

package stheno_test

import (
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script runs a script of folder scripts, below root, and returns what it says and its status.
func script(t *testing.T, root, name string, env []string, args ...string) (string, int) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	cmd := exec.Command("bash", append([]string{filepath.Join(root, "scripts", name)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// program packs a script as a program of "make gpu-bins".
func program(t *testing.T, root, name, text string) {
	t.Helper()
	file, err := os.Create(filepath.Join(root, ".build", "gpu", name+".gz"))
	require.NoError(t, err)
	w := gzip.NewWriter(file)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
}

// Every script for a GPU says what it is for, without beginning.
func TestScriptsHaveHelp(t *testing.T) {
	files, err := filepath.Glob("scripts/gpu-*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		head := strings.TrimPrefix(strings.Split(string(text), "\n")[1], "# ")
		for _, flag := range []string{"-h", "--help"} {
			out, code := script(t, ".", filepath.Base(file), nil, flag)
			require.Zero(t, code, file)
			require.True(t, strings.HasPrefix(out, head+"\n"), "%s: %s", file, out)
			require.NotContains(t, out, "set -")
		}
	}
	out, code := script(t, ".", "gpu-env.sh", nil)
	require.Equal(t, 2, code)
	require.Contains(t, out, "no command")
}

// A training that is called again goes on, and one that fails leaves the results of an earlier one.
func TestTrainingScript(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "scripts"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".build", "gpu"), 0o755))
	for _, name := range []string{"gpu-train.sh", "gpu-unpack.sh"} {
		text, err := os.ReadFile(filepath.Join("scripts", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "scripts", name), text, 0o644))
	}
	out, code := script(t, root, "gpu-train.sh", nil)
	require.Equal(t, 1, code)
	require.Equal(t, "gpu-unpack: .build/gpu/stheno.gz or .xz cannot be unpacked; run make gpu-bins\n", out)

	program(t, root, "stheno", `#!/bin/sh
case $1 in
devices) if [ -n "$NO_GPU" ]; then echo 'no GPU: none'; else echo 'cuda:0 is a stub, for tests'; fi ;;
train)
	echo "called with $*"
	while [ "$1" != --out ]; do shift; done
	mkdir -p "$2"
	echo '{}' >"$2/run.json"
	printf 'epoch\n1\n' >"$2/history.csv"
	exit "${STATUS:-0}"
	;;
esac
`)
	results, run := filepath.Join(root, "results"), filepath.Join(root, "run")
	env := []string{"OUT=" + results, "RUN=" + run}
	out, code = script(t, root, "gpu-train.sh", append(env, "NO_GPU=1"))
	require.Equal(t, 1, code)
	require.Equal(t, "no GPU: none\ngpu-train: there is no GPU that can be used; without one: stheno train --device cpu --recipe …\n", out)
	require.NoDirExists(t, results)

	out, code = script(t, root, "gpu-train.sh", append(env, "STATUS=1"))
	require.Equal(t, 1, code)
	require.NotContains(t, out, "--resume")
	require.NoDirExists(t, results, "it failed")
	out, code = script(t, root, "gpu-train.sh", env, "--epochs", "2")
	require.Zero(t, code, out)
	require.Regexp(t, `called with train .* --resume --epochs 2\n`, out)
	require.FileExists(t, filepath.Join(results, "history.csv"))
}

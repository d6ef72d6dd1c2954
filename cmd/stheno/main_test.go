package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the command, built once for the tests that need a process of their own.
var program string

// TestMain keeps the tests away from the user's cache folder and from the network.
func TestMain(m *testing.M) {
	if line := os.Getenv(commandEnv); line != "" {
		os.Exit(execute(context.Background(), strings.Split(line, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(testMain(m))
}

// commandEnv makes the test program run a command line, of which it names one argument a line, instead of the tests.
const commandEnv = "STHENO_TEST_COMMAND"

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stheno-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	nowhere := "http://127.0.0.1:1"
	for name, value := range map[string]string{
		"XDG_CACHE_HOME": filepath.Join(dir, "cache"), "HOME": dir, "LocalAppData": filepath.Join(dir, "cache"),
		"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "http_proxy": nowhere, "https_proxy": nowhere, "NO_PROXY": "", "no_proxy": "",
	} {
		os.Setenv(name, value)
	}
	program = filepath.Join(dir, "stheno.exe")
	// HOME is another now: the go command is told where its own cache is.
	build := exec.Command("go", "build", "-tags", tags(), "-o", program, ".")
	build.Env = append(os.Environ(), goEnv...)
	if text, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the command: %v\n%s", err, text)
		return 1
	}
	return m.Run()
}

// tags are the build tags of the tests, which the command is built with as well.
func tags() string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			return s.Value
		}
	}
	return ""
}

// goEnv is where the go command keeps things, asked before TestMain changes the environment.
var goEnv = func() []string {
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err != nil || len(lines) != 3 {
		return nil // the build will say what is wrong
	}
	return []string{"GOCACHE=" + string(lines[0]), "GOMODCACHE=" + string(lines[1]), "GOPATH=" + string(lines[2])}
}()

// result is what a command line did.
type result struct {
	code           int
	stdout, stderr string
	noGPU          string // what was said of computing on the CPU; a program with the CUDA engine says it in most tests
}

// noGPULine says why a program with the CUDA engine computes on the CPU.
var noGPULine = regexp.MustCompile(`(?m)^note: no GPU can be used \(.*\); computing on the CPU; stheno devices says more\n`)

// stheno runs a command line in this process.
func stheno(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(t.Context(), args, &out, &errs)
	none := noGPULine.FindString(out.String()) + noGPULine.FindString(errs.String())
	return result{code, noGPULine.ReplaceAllString(out.String(), ""), noGPULine.ReplaceAllString(errs.String(), ""), none}
}

// ok runs a command line that must succeed without a word on standard error.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	r := stheno(t, args...)
	require.Zero(t, r.code, "%s%s", r.stdout, r.stderr)
	require.Empty(t, r.stderr)
	return r.stdout
}

// trained is a run of a second, made once.
func trained(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	ok(t, "train", "--data", "sample", "--limit-train", "128", "--limit-test", "50", "--epochs", "1", "--batch", "32", "--out", dir)
	return dir
}

func TestInterruptedBeforeAnythingBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	require.Equal(t, exitInterrupted, execute(ctx, []string{"data", "describe", "cifar100"}, &out, &errs))
	require.Equal(t, "interrupted\n", errs.String())
}

// full is a device without room.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, fmt.Errorf("no space left on device")
	}
	return len(p), nil
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	dir := trained(t)
	for _, args := range [][]string{{"version"}, {"devices"}, {"summary", "vgg16"}, {"summary", "vgg16", "--format", "json"}, {"explain", "simplecnn"}, {"data", "describe", "sample"},
		{"eval", "--run", dir, "--limit-test", "10"}, {"--help"}, {"predict", "--run", dir, writePNG(t, t.TempDir(), 0)}} {
		var errs bytes.Buffer
		code := execute(t.Context(), args, &full{10}, &errs)
		require.Equal(t, 1, code, "%v", args)
		require.Contains(t, errs.String(), "no space left on device", "%v", args)
	}
	// A training goes on: what it is for is in its folder.
	var errs bytes.Buffer
	out := filepath.Join(t.TempDir(), "run")
	code := execute(t.Context(), []string{"train", "--data", "sample", "--limit-train", "64", "--limit-test", "10", "--epochs", "1", "--out", out}, &full{10}, &errs)
	require.Zero(t, code)
	require.Equal(t, "stheno: standard output is lost (no space left on device); going on without it\n", errs.String())
	ok(t, "eval", "--run", out, "--limit-test", "10")
}

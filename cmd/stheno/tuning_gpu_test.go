//go:build gpu && cgo && linux

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGPUTuning measures, follows what was measured in another part of the run, and records both that and that results may differ from run
// to run.
func TestGPUTuning(t *testing.T) {
	simulated(t)
	cache := t.TempDir()
	t.Setenv("STHENO_CUDA_CACHE", cache)
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.2") // so that another way than the first is the fastest of most
	t.Setenv("STHENO_SIM_OPEN_ORDER", "1")
	record := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "run.json"))
		require.NoError(t, err)
		return string(text)
	}
	dir := filepath.Join(t.TempDir(), "run")
	train := []string{"train", "--data", "sample", "--device", "cuda", "--limit-train", "4", "--limit-test", "2", "--batch", "4", "--epochs", "1"}
	out := stheno(t, with(train, "--tuning", "Measure", "--out", dir)...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `(?m)^note: measuring \d+ convolutions, \d+ matrix products and \d+ alternatives of training on Simulated GPU; the fastest ways are kept in `+cache+`/ways$`, out.stdout)
	require.Regexp(t, `(?m)^note: measured those of training in \d+\.\d s; for \d+ of \d+ another way than the library's first is faster; for \d+ of \d+ alternatives another than the first is$`, out.stdout)
	require.Regexp(t, `(?m)^cuda:0, Simulated GPU .*, tuned for \d+ calls of libraries and \d+ alternatives, precision fp32; adam`, out.stdout)
	require.Regexp(t, `"tuning": "[0-9a-f]{16}"`, record(dir))
	require.NotContains(t, record(dir), "nondeterministic")

	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "2")
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "measur")
	require.NotContains(t, out.stdout, "other tuned", "the same choices")
	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "3", "--tuning", "off")
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "measured ways of libraries", "the user knows")
	require.NotContains(t, record(dir), `"tuning":`)
	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "4", "--tuning", "auto")
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, out.stdout, "the run followed other measured ways of libraries (none) than there are now (")
	require.NotContains(t, out.stdout, "names a table")
	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "5", "--device", "cpu")
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "tuned convolutions", "another device has other bits anyway")
	refused(t, []string{"train", "--resume", "--out", dir, "--epochs", "6", "--deterministic=false"}, "--deterministic is true there, not false")

	// A run that began without measured choices goes on without them.
	dir = filepath.Join(t.TempDir(), "run")
	out = stheno(t, with(train, "--tuning", "off", "--deterministic=false", "--out", dir)...)
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "tuned for")
	require.Contains(t, record(dir), `"nondeterministic": true`)
	out = stheno(t, "train", "--resume", "--out", dir, "--epochs", "2")
	require.Zero(t, out.code, out.stderr)
	require.NotContains(t, out.stdout, "tuned for")
	require.Contains(t, record(dir), `"nondeterministic": true`)

	table := filepath.Join(t.TempDir(), "table.json")
	allBy(t, otherWay(t), table)
	for value, want := range map[string]string{"mesure": `did you mean "measure"?`, table + ".none": "there is no file", table: "is a table for the CPU, and cuda follows none"} {
		refused(t, with(train, "--tuning", value), "--tuning", want)
		refused(t, []string{"bench", "--device", "cuda", "--budget", "1", "--tuning", value}, "--tuning", want)
	}
	refused(t, []string{"bench", "--device", "cpu,cuda", "--budget", "1", "--tuning", "mesure"}, `did you mean "measure"?`)
	refused(t, with(train, "--tuning", ""), "--tuning is empty; use auto, measure, off, or the name")
	refused(t, with(train, "--deterministic=perhaps"), `--deterministic wants true or false, got "perhaps"`)
}

// stopper ends a context when a text was written to it.
type stopper struct {
	bytes.Buffer
	at   string
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.at) {
		s.stop()
	}
	return n, err
}

// TestGPUMeasuringIsInterrupted: Ctrl-C ends every command that measures, as it does elsewhere, and a later one measures.
func TestGPUMeasuringIsInterrupted(t *testing.T) {
	simulated(t)
	t.Setenv("STHENO_CUDA_CACHE", t.TempDir())
	t.Setenv("STHENO_SIM_LIBRARY_DELAY", "0.2")
	interrupted := func(args ...string) string {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		said := &stopper{at: "note: measuring ", stop: stop}
		require.Equal(t, exitInterrupted, execute(ctx, args, said, said), "%v: %s", args, said)
		require.Contains(t, said.String(), said.at)
		require.NotContains(t, said.String(), "error:")
		return said.String()
	}
	dir := filepath.Join(t.TempDir(), "run")
	measure := []string{"--device", "cuda", "--tuning", "measure"}
	train := []string{"train", "--data", "sample", "--limit-train", "4", "--limit-test", "2", "--batch", "4", "--epochs", "1", "--out", dir}
	require.Regexp(t, `(?m)^interrupted$`, interrupted(with(train, measure...)...))
	require.NoDirExists(t, dir, "there is nothing to resume")
	out := stheno(t, with(train, "--device", "cuda", "--tuning", "off")...)
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, interrupted(with([]string{"train", "--resume", "--out", dir, "--epochs", "2"}, measure...)...),
		"interrupted before a step was done\nresume with: stheno train --resume --out "+dir+"\n")
	for _, args := range [][]string{{"eval", "--run", dir}, {"predict", "--run", dir, writePNG(t, t.TempDir(), 0)}, {"explain", "simplecnn", "--batch", "4"},
		{"bench", "--arch", "simplecnn", "--batch", "2", "--seconds", "0.01", "--no-verify"}} {
		require.Regexp(t, `(?m)^interrupted$`, interrupted(with(args, measure...)...))
	}
	out = stheno(t, with([]string{"predict", "--run", dir, writePNG(t, t.TempDir(), 0)}, measure...)...)
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `note: measured those of inference in`, out.stderr)
}

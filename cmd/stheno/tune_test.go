package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
)

// briefTune measures a net that takes no time.
var briefTune = []string{"tune", "--arch", "simplecnn", "--classes", "10", "--batch", "6", "--threads", "1"}

// cacheFolder gives a test a cache folder of its own.
func cacheFolder(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("LocalAppData", dir)
	t.Setenv("HOME", dir)
	path, err := tuningPath()
	require.NoError(t, err)
	return path
}

func TestTune(t *testing.T) {
	path := cacheFolder(t)
	out := ok(t, briefTune...)
	require.Regexp(t, `(?m)^simplecnn 32×32, batch 6, train, 1 thread: \d convolutions with several ways, `, out)
	require.Regexp(t, `(?m)^convolution +pass +in a step +model's way +implicit gemm ms  .*best +gain$`, out)
	require.Regexp(t, `(?m)^3×3 16→32 at 15×15, batch 6 +input +1 +(winograd 4x4|implicit gemm) +\d`, out)
	require.Regexp(t, `(?m)^a step(: .* ms predicted .* ms measured .*| gains nothing)$`, out)
	require.Regexp(t, `(?m)^simplecnn 32×32, batch 6, inference, 1 thread: `, out)
	require.Regexp(t, `(?m)^3×3 16→32 at 15×15, batch 6 +forward, packed +1 `, out)
	require.Regexp(t, `(?m)^\d convolutions measured; the table of \d convolutions is `+path+`$`, out)
	require.NotContains(t, out, "\x1b")
	table, err := cpu.LoadTuning(path)
	require.NoError(t, err)

	// What is measured later is added. A dry run changes nothing.
	n := table.Len()
	report := filepath.Join(t.TempDir(), "report.json")
	ok(t, with(briefTune, "--batch", "7", "--mode", "inference", "--json", report)...)
	table, err = cpu.LoadTuning(path)
	require.NoError(t, err)
	require.Greater(t, table.Len(), n)
	text, err := os.ReadFile(report)
	require.NoError(t, err)
	var r tuneReport
	require.NoError(t, json.Unmarshal(text, &r))
	require.Equal(t, path, r.File)
	require.Len(t, r.Cases, 2)
	for _, c := range r.Cases {
		require.Len(t, c.Convolutions, c.All)
	}
	was, err := os.ReadFile(path)
	require.NoError(t, err)
	res := stheno(t, with(briefTune, "--mode", "inference", "--dry-run", "--json", "-")...)
	require.Zero(t, res.code, res.stderr)
	require.True(t, json.Valid([]byte(res.stdout)), "standard output is the report alone")
	is, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(was), string(is))

	// A table that is damaged, or of other kernels, is begun anew.
	require.NoError(t, os.WriteFile(path, was[:len(was)/2], 0o644))
	require.Contains(t, ok(t, with(briefTune, "--mode", "inference")...), "is replaced by a new one: it is damaged: unexpected end of JSON input\n")
	_, err = cpu.LoadTuning(path)
	require.NoError(t, err)
}

func TestTuneRefuses(t *testing.T) {
	cacheFolder(t)
	nowhere := filepath.Join(t.TempDir(), "nowhere", "a.json")
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--arch", "simplecmn"}, `did you mean "simplecnn"?`},
		{[]string{"--mode", "infer"}, `unknown mode "infer"`},
		{[]string{"--batch", "0"}, "batch size 0"},
		{[]string{"--precision", "tf32"}, `precision "tf32"`},
		{[]string{"--output", nowhere}, "there is no folder " + filepath.Dir(nowhere)},
		{[]string{"--json", nowhere}, "--json " + nowhere + ": there is no folder " + filepath.Dir(nowhere)},
		{[]string{"--output", ""}, "--output is empty; name a file"},
		{[]string{"--output", t.TempDir()}, "is not a regular file"},
		{[]string{"simplecnn"}, "takes flags only"},
	} {
		refused(t, with([]string{"tune"}, c.flags...), c.want)
	}
}

// otherWay is a way that the model does not want everywhere: with plain Go it wants implicit gemm, and else Winograd's algorithm.
func otherWay(t *testing.T) string {
	t.Helper()
	if strings.Contains(ok(t, "explain", "simplecnn", "--classes", "10", "--batch", "6", "--threads", "1", "--device", "cpu", "--tuning", "off"), "winograd 4x4") {
		return "implicit gemm"
	}
	return "winograd 4x4"
}

// allBy writes a table to path that wants a way wherever there is that way.
func allBy(t *testing.T, way, path string, flags ...string) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "measured.json")
	ok(t, with(briefTune, append(flags, "--output", other)...)...)
	text, err := os.ReadFile(other)
	require.NoError(t, err)
	var f map[string]any
	require.NoError(t, json.Unmarshal(text, &f))
	for _, line := range f["convolutions"].([]any) {
		l := line.(map[string]any)
		for _, measured := range l["times"].([]any) {
			if measured.(map[string]any)["way"] == way {
				l["way"] = way
			}
		}
	}
	text, err = json.Marshal(f)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, text, 0o644))
}

// Commands follow the table in the cache folder, or the one that is named, or none.
func TestTuningFlag(t *testing.T) {
	path := cacheFolder(t)
	net := []string{"explain", "simplecnn", "--classes", "10", "--batch", "6", "--threads", "1", "--device", "cpu"}
	plain := ok(t, net...)
	require.NotContains(t, plain, "tuned")
	other := otherWay(t)
	allBy(t, other, path)
	tuned := ok(t, net...)
	require.Regexp(t, `cpu with 1 thread, \w+ kernels, tuned for \d convolutions`, tuned)
	require.Greater(t, strings.Count(tuned, other), strings.Count(plain, other))
	require.Equal(t, plain, ok(t, with(net, "--tuning", "off")...))
	require.Equal(t, plain, strings.Replace(ok(t, with(net, "--threads", "2")...), "2 threads", "1 thread", 1), "the table is for one thread")
	named := filepath.Join(t.TempDir(), "named.json")
	require.NoError(t, os.Rename(path, named))
	require.Equal(t, plain, ok(t, net...))
	require.Equal(t, tuned, ok(t, with(net, "--tuning", named)...))

	bench := stheno(t, with(brief, "--classes", "10", "--mode", "inference", "--tuning", named, "--json", "-")...)
	require.Zero(t, bench.code, bench.stderr)
	require.Contains(t, bench.stdout, "tuned for")

	// A table that cannot be used is complained of: a note where nobody asked for it.
	refused(t, with(net, "--tuning", path), "--tuning: ")
	refused(t, with(net, "--tuning", ""), "--tuning is empty")
	for name, text := range map[string]string{"damaged": "{", "measured for generic kernels": `{"format":1,"kernels":1,"level":"generic","convolutions":[]}`} {
		if strings.Contains(filepath.Base(path), "generic") && name != "damaged" {
			continue // these are the kernels here
		}
		touch(t, path, text)
		r := stheno(t, net...)
		require.Zero(t, r.code, r.stderr)
		require.Equal(t, plain, r.stdout)
		require.Regexp(t, `^note: convolutions are computed as if nothing had been measured: cpu: .*`+name, r.stderr)
		require.Equal(t, 1, strings.Count(r.stderr, "note:"))
		refused(t, with(net, "--tuning", path), name)
		r = stheno(t, with(brief, "--classes", "10", "--mode", "inference", "--json", "-")...)
		require.Zero(t, r.code, r.stderr)
		require.Equal(t, 1, strings.Count(r.stderr, "note: convolutions"), "once, not for each case")
	}
}

// A run records which choices it follows. It goes on with them, and says so where it cannot.
func TestTunedRun(t *testing.T) {
	path, run := cacheFolder(t), filepath.Join(t.TempDir(), "run")
	small := []string{"train", "--data", "sample", "--limit-train", "12", "--limit-test", "10", "--epochs", "1", "--batch", "6", "--threads", "1", "--device", "cpu"}
	digest := func() string {
		text, err := os.ReadFile(filepath.Join(run, "run.json"))
		require.NoError(t, err)
		var c struct{ Tuning, Engine string }
		require.NoError(t, json.Unmarshal(text, &c))
		require.Equal(t, c.Tuning != "", strings.Contains(c.Engine, "tuned for"))
		return c.Tuning
	}
	resume := func(epochs string, flags ...string) string {
		return ok(t, append([]string{"train", "--resume", "--out", run, "--epochs", epochs}, flags...)...)
	}
	const note = "other tuned convolutions"
	ok(t, with(small, "--out", run)...)
	require.Empty(t, digest())

	allBy(t, otherWay(t), path, "--mode", "train")
	require.NotContains(t, resume("2"), "tuned", "a run that began without a table goes on without it")
	require.Empty(t, digest())
	out := resume("3", "--tuning", "auto")
	require.Contains(t, out, note+" (none) than these (")
	require.Contains(t, out, "tuned for")
	first := digest()
	require.Len(t, first, 16)
	require.NotContains(t, resume("4"), note)
	require.Equal(t, first, digest())
	require.Contains(t, resume("5", "--tuning", "off"), note+" ("+first+") than these (none)")
	require.Empty(t, digest())

	out = ok(t, "eval", "--run", run, "--limit-test", "10", "--threads", "1", "--device", "cpu")
	require.Contains(t, out, ", tuned for ")
	require.NotContains(t, ok(t, "eval", "--run", run, "--limit-test", "10", "--threads", "1", "--device", "cpu", "--tuning", "off"), "tuned")
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/train"
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
	require.Equal(t, plain, ok(t, with(net, "--tuning", "OFF")...))
	require.Equal(t, tuned, ok(t, with(net, "--tuning", "Auto")...))
	asked := stheno(t, with(net, "--tuning", "measure")...)
	require.Zero(t, asked.code, asked.stderr)
	require.Equal(t, tuned, asked.stdout, "as auto")
	require.Equal(t, "note: --tuning measure is for a GPU; for the CPU, stheno tune measures\n", asked.stderr)
	require.Equal(t, plain, strings.Replace(ok(t, with(net, "--threads", "2")...), "2 threads", "1 thread", 1), "the table is for one thread")
	named := filepath.Join(t.TempDir(), "named.json")
	require.NoError(t, os.Rename(path, named))
	require.Equal(t, plain, ok(t, net...))
	require.Equal(t, tuned, ok(t, with(net, "--tuning", named)...))

	// What is said to be tuned is what the plan has, not what the table has; nothing, and why, where that is nothing.
	table, err := cpu.LoadTuning(named)
	require.NoError(t, err)
	var n int
	_, err = fmt.Sscanf(regexp.MustCompile(`tuned for \d+`).FindString(tuned), "tuned for %d", &n)
	require.NoError(t, err)
	require.Less(t, n, table.Len(), "the table has inference, too")
	for _, flags := range [][]string{{"--threads", "2"}, {"--batch", "5"}} {
		r := stheno(t, with(net, append(flags, "--tuning", named)...)...)
		require.Zero(t, r.code, r.stderr)
		require.NotContains(t, r.stdout, "tuned")
		require.Equal(t, "note: nothing in "+named+" is for the convolutions here, which are computed as if nothing had been measured; "+
			"it is for: threads 1; batch 6; precision fp32\n", r.stderr)
	}
	text, err := os.ReadFile(named)
	require.NoError(t, err)
	strange := filepath.Join(t.TempDir(), "strange.json")
	touch(t, strange, strings.ReplaceAll(string(text), `"`+other+`"`, `"by magic"`))
	r := stheno(t, with(net, "--tuning", strange)...)
	require.Zero(t, r.code, r.stderr)
	require.Regexp(t, `^note: the table of measured choices compared other ways to compute \d+ convolutions? than there are, `, r.stderr)

	timed := stheno(t, with(brief, "--classes", "10", "--mode", "inference", "--tuning", named, "--json", "-")...)
	require.Zero(t, timed.code, timed.stderr)
	require.Contains(t, timed.stdout, "tuned for")

	// A table that cannot be used is complained of: a note where nobody asked for it.
	refused(t, with(net, "--tuning", path), "--tuning: ")
	refused(t, with(net, "--tuning", ""), "--tuning is empty")
	for name, text := range map[string]string{"damaged": "{", "measured for generic kernels": `{"format":1,"kernels":2,"level":"generic","convolutions":[]}`} {
		if strings.Contains(filepath.Base(path), "generic") && name != "damaged" {
			continue // these are the kernels here
		}
		touch(t, path, text)
		r = stheno(t, net...)
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

// A table of another processor is used, and said to be one.
func TestTuningOfAnotherCPU(t *testing.T) {
	cacheFolder(t)
	if bench.ThisMachine().CPU == "" {
		t.Skip("the system does not tell the processor's name")
	}
	path := filepath.Join(t.TempDir(), "table.json")
	var text bytes.Buffer
	require.NoError(t, cpu.NewTuning("Z80").WriteJSON(&text))
	touch(t, path, text.String())
	flags := with(briefTune, "--mode", "train", "--output", path)
	require.Contains(t, ok(t, flags...), "note: the table of measured choices in "+path+" was measured on another CPU, Z80; ")
	r := stheno(t, "explain", "simplecnn", "--classes", "10", "--batch", "6", "--threads", "1", "--device", "cpu", "--tuning", path)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "another CPU, Z80; ")
	require.Contains(t, r.stdout, "tuned for")
}

// What is no table, or one of a newer version, is not overwritten, and refused before anything is measured.
func TestTuneKeepsOtherFiles(t *testing.T) {
	cached := cacheFolder(t)
	path := filepath.Join(t.TempDir(), "file")
	const newer = `{"format":2,"kernels":2,"convolutions":"elsewhere"}`
	for _, c := range []struct{ file, text, want string }{
		{path, "Dear diary, today I tuned", "it is damaged"},
		{path, `{"name":"app","version":"1.0.0"}`, "is no table that measurements can be added to"},
		{path, newer, "is a table of a newer version"},
		{path, `{"format":1,`, "it is damaged"},
		{cached, newer, "is a table of a newer version"},
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(c.file), 0o755))
		touch(t, c.file, c.text)
		flags := with(briefTune, "--mode", "inference")
		if c.file != cached {
			flags = append(flags, "--output", c.file)
		}
		r := stheno(t, flags...)
		require.Equal(t, 1, r.code)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, c.want)
		require.Contains(t, r.stderr, c.file)
		require.Contains(t, r.stderr, "name another file with --output, or delete this one")
		text, err := os.ReadFile(c.file)
		require.NoError(t, err)
		require.Equal(t, c.text, string(text))
	}
	touch(t, path, "") // nothing is lost
	ok(t, with(briefTune, "--mode", "inference", "--output", path)...)
	refused(t, with(briefTune, "--output", path, "--json", path), "are one file")
}

// Two that measure for one table at a time both keep what they measured.
func TestTuneMerges(t *testing.T) {
	path := cacheFolder(t)
	cmd := newTune()
	var out bytes.Buffer
	cmd.SetOut(&out)
	first := tune{Matrix: bench.Matrix{Archs: []string{"simplecnn"}, Classes: 10, Batches: []int{6}, Threads: []int{1}, Precisions: []string{"fp32"}},
		modes: []string{"inference"}, done: map[cpu.Convolution]cpu.Measurement{}, lines: newProgressLine(cmd, false)}
	cases, err := first.cases()
	require.NoError(t, err)
	require.NoError(t, first.begin(false))
	ok(t, "tune", "--arch", "simplecnn", "--classes", "10", "--batch", "7", "--threads", "1")
	other, err := cpu.LoadTuning(path)
	require.NoError(t, err)
	_, err = first.measure(t.Context(), cases[0], "")
	require.NoError(t, err)
	require.NotEmpty(t, first.done)
	require.NoError(t, first.save())
	both, err := cpu.LoadTuning(path)
	require.NoError(t, err)
	require.Equal(t, len(first.done)+other.Len(), both.Len())

	touch(t, path, `{"format":2}`) // and what came meanwhile is not overwritten
	require.ErrorContains(t, first.save(), "what was measured is not kept")
}

// A step that gains nothing from the choices is told with what to do about it.
func TestTuneInVain(t *testing.T) {
	for tuned, want := range map[float64]bool{0: false, 0.9: false, 0.995: true, 1.2: true} {
		r := tunedCase{Seconds: 1, Tuned: tuned}
		require.Equal(t, want, r.inVain(), tuned)
	}
	require.False(t, (&tunedCase{}).inVain(), "nothing was timed")
	w := tune{file: "a.json"}
	require.Equal(t, "which is not faster: measure again while nothing else runs, or leave the choices out with --tuning off, or for good by deleting a.json\n", w.advice())
	w.dry = true
	require.NotContains(t, w.advice(), "deleting")
}

func TestTuneInterruptedBeforeItMeasured(t *testing.T) {
	path := cacheFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := newTune()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(briefTune[1:])
	require.ErrorIs(t, cmd.ExecuteContext(ctx), context.Canceled)
	require.Contains(t, out.String(), "note: nothing was measured before the interruption\n")
	require.NoFileExists(t, path)
}

// A run goes on with the table that was named when it began, and says so where that is another one by now, or gone.
func TestTunedRunOfANamedTable(t *testing.T) {
	cacheFolder(t)
	run, table := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "table.json")
	allBy(t, otherWay(t), table, "--mode", "train")
	recorded := func() (c train.Config) {
		text, err := os.ReadFile(filepath.Join(run, "run.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &c))
		return c
	}
	resume := func(epochs string, flags ...string) string {
		return ok(t, append([]string{"train", "--resume", "--out", run, "--epochs", epochs}, flags...)...)
	}
	t.Chdir(filepath.Dir(table))
	ok(t, "train", "--data", "sample", "--limit-train", "12", "--limit-test", "10", "--epochs", "1", "--batch", "6", "--threads", "1", "--device", "cpu",
		"--tuning", "table.json", "--out", run)
	began := recorded()
	require.Len(t, began.Tuning, 16)
	require.Equal(t, table, began.TuningFile)
	t.Chdir(t.TempDir())
	out := resume("2")
	require.Contains(t, out, "tuned for")
	require.NotContains(t, out, "tuned convolutions")
	require.Equal(t, began.Tuning, recorded().Tuning)
	require.Equal(t, table, recorded().TuningFile)

	require.NoError(t, os.Rename(table, table+".away"))
	out = resume("3")
	require.Contains(t, out, "tuned ("+began.Tuning+") with "+table+", which cannot be used any more: ")
	require.Contains(t, out, "("+began.Tuning+") than these (none); its table is "+table+": ")
	require.Empty(t, recorded().Tuning)

	out = resume("4", "--tuning", table+".away")
	require.Contains(t, out, "(none) than these ("+began.Tuning+"); its table is "+table+".away: ")
	require.Equal(t, table+".away", recorded().TuningFile)

	var empty bytes.Buffer
	require.NoError(t, cpu.NewTuning(bench.ThisMachine().CPU).WriteJSON(&empty))
	touch(t, table+".away", empty.String())
	out = resume("5")
	require.Contains(t, out, "("+began.Tuning+") than these (none); its table is "+table+".away: ")
	require.Contains(t, out, "nothing in "+table+".away is for the convolutions here")
	resume("6", "--tuning", "off")
	require.Empty(t, recorded().TuningFile)
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

	allBy(t, otherWay(t), path)
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

	eval := []string{"eval", "--run", run, "--limit-test", "10", "--threads", "1", "--device", "cpu"}
	require.Contains(t, ok(t, with(eval, "--batch", "6")...), ", tuned for ")
	require.NotContains(t, ok(t, with(eval, "--batch", "6", "--tuning", "off")...), "tuned")
	require.NotContains(t, ok(t, eval...), "tuned", "the table is for other batches")
}

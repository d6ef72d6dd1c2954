package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/bench"
)

// brief is a benchmark that takes no time.
var brief = []string{"bench", "--arch", "simplecnn", "--classes", "10", "--batch", "6", "--threads", "1", "--seconds", "0.001", "--rounds", "2"}

func TestBench(t *testing.T) {
	dir := t.TempDir()
	file, profile, svg := filepath.Join(dir, "report.json"), filepath.Join(dir, "profile.txt"), filepath.Join(dir, "roofline.svg")
	out := ok(t, with(brief, "--json", file, "--profile", profile, "--roofline", svg)...)
	require.Regexp(t, `(?m)^simplecnn 32×32, batch 6, train, 1 thread: \d+ images/s; loss to \S+, gradients to \S+, .* of the reference in float64; a batch of 6$`, out)
	require.Regexp(t, `(?m)^cpu with 1 thread at best: \d+ GFLOP/s, \S+ GB/s from and to memory$`, out)
	require.Regexp(t, `(?m)^network +images +batch +mode +threads +images/s +spread +ms +GFLOP/s +of peak +memory +plan +allocs +differs$`, out)
	require.Regexp(t, `(?m)^simplecnn +32×32 +6 +train +1 +\d+ `, out)
	require.Regexp(t, `(?m)^simplecnn +32×32 +6 +inference +1 +\d+ `, out)
	require.Regexp(t, `(?m)^computed by cpu with 1 thread, \w+ kernels$`, out)
	require.Contains(t, out, "\nreport written to "+file+"\nprofiles written to "+profile+"\nroofline plot written to "+svg+"\n")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	report, err := bench.ReadJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Len(t, report.Cases, 2)
	require.NotEmpty(t, report.Cases[0].Kinds)
	text, err = os.ReadFile(profile)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^simplecnn 32×32, batch 6, train, 1 thread\n\d+ runs of \d+ steps on cpu.*\nall steps .*\nsimplecnn 32×32, batch 6, inference, 1 thread\n`, string(text))
	text, err = os.ReadFile(svg)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(text, new(struct{})))

	r := stheno(t, with(brief, "--mode", "inference", "--json", "-")...)
	require.Zero(t, r.code, r.stderr)
	require.True(t, json.Valid([]byte(r.stdout)), "standard output is the report alone")
	require.Contains(t, r.stderr, "batch 6, inference, 1 thread: ")
}

// Cases may be named one by one.
func TestBenchCases(t *testing.T) {
	out := ok(t, "bench", "--threads", "1", "--seconds", "0.001", "--rounds", "1", "--no-verify", "--case", "simplecnn:32:3:inference:fp32,simplecnn:28:2:train:fp32")
	require.Regexp(t, `(?m)^simplecnn +32×32 +3 +inference +1 +\d+ `, out)
	require.Regexp(t, `(?m)^simplecnn +28×28 +2 +train +1 +\d+ `, out)
	for text, classes := range map[string]int{"alexnet:224:2:train:fp32": 1000, "alexnet:96:2:train:fp32": 100} {
		b := benchmark{list: []string{text}, seconds: 1, rounds: 1, tuning: &tuning{value: "auto"}}
		b.Classes, b.Devices = 100, []string{"cpu"}
		cases, err := b.cases(t.Context(), func(string) {})
		require.NoError(t, err)
		require.Len(t, cases, 1)
		require.Equal(t, classes, cases[0].Classes, text)
	}
	for _, wrong := range []string{"simplecnn", "simplecnn:32:a:train:fp32", "simplecnn:32:2:both:fp32", "simplecnn:32:2:train:fp32:5"} {
		refused(t, []string{"bench", "--case", wrong}, "--case wants net:size:batch:mode:precision", fmt.Sprintf("got %q", wrong))
	}
	refused(t, []string{"bench", "--case", "simplecnn:32:2:train:fp8"}, `unknown precision "fp8"`)
	refused(t, []string{"bench", "--case", "simplecnn:32:2:train:fp32", "--batch", "3"}, "--case names whole cases; leave --batch out, or --case")
}

// What no time is left for is said, and what is not verified is, too.
func TestBenchBudget(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "bars.svg")
	refused(t, with(brief, "--budget", "0.0001", "--plot", svg), "a budget of 0.0001 seconds is too small for any case", "the rounds of a case take 0.0; use ", " seconds at the least")
	require.NoFileExists(t, svg, "there is nothing to draw")
	r := stheno(t, with(brief, "--budget", "0.0001", "--json", "-")...)
	require.NotZero(t, r.code)
	require.True(t, json.Valid([]byte(r.stdout)))
	require.Regexp(t, `(?m)^note: left out: simplecnn 32×32, batch 6, train, 1 thread; simplecnn 32×32, batch 6, inference, 1 thread: a budget of`, r.stderr)
	out := ok(t, with(brief, "--budget", "3600", "--no-verify", "--plot", svg)...)
	require.Equal(t, 2, strings.Count(out, " images/s; not verified\n"))
	require.Contains(t, out, "\nplot written to "+svg+"\n")
	text, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(text, new(struct{})))
}

// A case that fails does not take those before it along.
func TestBenchWritesWhatThereIs(t *testing.T) {
	wrong := &bench.MismatchError{Case: bench.Case{Arch: "vgg16"}, Engine: "cpu"}
	done := &bench.Report{Cases: []bench.Result{{Case: bench.Case{Arch: "simplecnn", Size: 32, Batch: 6, Mode: bench.Train}}}}
	file := filepath.Join(t.TempDir(), "report.json")
	b := benchmark{json: file}
	var out strings.Builder
	require.ErrorIs(t, b.finish(&out, done, wrong), wrong)
	require.Regexp(t, `(?m)^simplecnn +32×32 +6 +train`, out.String())
	require.FileExists(t, file)
	out.Reset()
	why := errors.New("no luck\n    try again")
	failed := &bench.CasesError{Causes: []error{why}}
	done.LeftOut = []bench.LeftOut{{Case: done.Cases[0].Case, Why: why.Error()}}
	err := (&benchmark{}).finish(&out, done, failed)
	require.ErrorIs(t, err, why)
	require.EqualError(t, err, `1 of the cases failed; "left out" above says why`)
	require.Contains(t, out.String(), ": no luck; try again\n")
	out.Reset()
	for _, none := range []*bench.Report{nil, {}} {
		require.ErrorIs(t, b.finish(&out, none, wrong), wrong)
	}
	require.Empty(t, out.String())
}

// Go would end the process when it asks for the memory.
func TestBenchLargerThanTheMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the size of the memory is read on Linux only")
	}
	for _, args := range [][]string{
		{"bench", "--arch", "resnet50", "--size", "224", "--mode", "inference"},
		{"bench", "--arch", "simplecnn", "--size", "256"},
		{"tune", "--arch", "simplecnn", "--size", "256", "--dry-run", "--mode", "train"},
	} {
		refused(t, with(args, "--batch", "1048576", "--threads", "1"), "batch 1048576", "1 thread wants ", "iB for the batch", "the machine has ", "use a smaller batch, or smaller images")
	}
}

func TestModes(t *testing.T) {
	both := []bench.Mode{bench.Train, bench.Inference}
	require.Equal(t, both, modesOf([]string{"both"}))
	require.Equal(t, both, modesOf([]string{"inference", "train"}))
	require.Equal(t, both, modesOf([]string{"train", "both"}))
	require.Equal(t, both[1:], modesOf([]string{"inference"}))
	require.Equal(t, append(both, "infer"), modesOf([]string{"infer", "both"}))
}

func TestBenchRefuses(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere", "a.svg")
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--arch", "simplecmn"}, `unknown architecture "simplecmn"; did you mean "simplecnn"?`},
		{[]string{"--mode", "infer"}, `unknown mode "infer"; did you mean "inference"? --mode takes train, inference, both`},
		{[]string{"--batch", "0"}, "batch size 0; use one from 1"},
		{[]string{"--batch", "many"}, "--batch wants whole numbers with commas between them, got"},
		{[]string{"--size", "1"}, ""},
		{[]string{"--threads", "-1"}, "number of threads -1"},
		{[]string{"--device", "auto"}, "a benchmark names its devices"},
		{[]string{"--device", "cpi"}, `unknown device "cpi"; did you mean "cpu"?`},
		{[]string{"--precision", "fp23"}, `unknown precision "fp23"`},
		{[]string{"--seconds", "0"}, "--seconds wants a number above 0"},
		{[]string{"--rounds", "0"}, "--rounds wants at least 1, got 0"},
		{[]string{"--json", "a.svg", "--roofline", "a.svg"}, "one file"},
		{[]string{"--roofline", nowhere}, "there is no folder " + filepath.Dir(nowhere)},
		{[]string{"--json", nowhere}, "--json " + nowhere},
		{[]string{"--json", "a", "--profile", "a"}, "--json and --profile name one file, a; they are two"},
		{[]string{"--profile", nowhere}, "--profile " + nowhere},
		{[]string{"--roofline", "b.png"}, "--roofline b.png: the plot is an SVG; name a file that ends in .svg"},
		{[]string{"--plot", "b.png"}, "--plot b.png: the plot is an SVG"},
		{[]string{"--plot", nowhere}, "--plot " + nowhere},
		{[]string{"--roofline", "a.svg", "--plot", "a.svg"}, "--roofline and --plot name one file, a.svg; they are two"},
		{[]string{"--budget", "-1"}, "--budget wants a number of seconds above 0, or 0 for no limit, got -1"},
		{[]string{"--budget", "NaN"}, "--budget wants"},
		{[]string{"--classes", "0"}, "--classes wants at least 2, got 0"},
		{[]string{"--bach", "3"}, "did you mean --batch?"},
		{[]string{"simplecnn"}, "takes flags only"},
	} {
		refused(t, with([]string{"bench"}, c.flags...), c.want)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/bench"
)

const machineLine = `{"gpu":"NVIDIA H200","driver":"580.1","memory":"143771 MiB","cpu":"a Xeon","stheno":"stheno 1 (abc)","date":"2026-11-27T03:00:00Z"}` + "\n"

// line is a contestant's line about a training step of a SimpleCNN.
func line(framework, variant, rates, more string) string {
	return `{"framework":"` + framework + `","version":"2.11","variant":"` + variant + `","arch":"simplecnn","size":32,"classes":100,"batch":64,"mode":"train",` +
		`"precision":"bf16","feed":"bytes",` + rates + more + "}\n"
}

// sthenos is a report as "stheno bench --json" writes it.
func sthenos(t *testing.T, rate float64) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, (&bench.Report{Cases: []bench.Result{{
		Case:            bench.Case{Arch: "simplecnn", Size: 32, Classes: 100, Batch: 64, Device: "cuda", Threads: 16, Mode: bench.Train, Precision: "bf16"},
		ImagesPerSecond: rate, Rates: []float64{rate - 10, rate, rate + 10}, PeakMemory: 1,
	}}}).WriteJSON(&b))
	return b.String()
}

func read(t *testing.T, texts ...string) *record {
	t.Helper()
	r := &record{}
	for _, text := range texts {
		require.NoError(t, r.read(strings.NewReader(text)))
	}
	return r
}

// row is the first table row that begins with a text.
func row(t *testing.T, document, begin string) string {
	t.Helper()
	for _, line := range strings.Split(document, "\n") {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	t.Fatalf("no line begins with %q in\n%s", begin, document)
	return ""
}

func TestTable(t *testing.T) {
	r := read(t, machineLine+sthenos(t, 3000)+
		line("PyTorch", "eager", `"images_per_second":1000,"rates":[900,1000,1100],"peak_memory_bytes":5000000`, `,"parameters":325956,"losses":[5,1]`)+
		line("PyTorch", "max-autotune", `"images_per_second":2000,"rates":[2000]`, `,"losses":[5,5]`)+
		line("JAX", "jit", `"error":"out of\n memory `+strings.Repeat("é", 400)+`"`, ""))
	text := r.document()
	require.Equal(t, "| SimpleCNN 32² | 64 | bf16 | 3,000 | 1,000 | **2,000** | 3.00 | 1.50 | 1.50 |", row(t, text, "| SimpleCNN"))
	require.Contains(t, text, "| Stheno | PyTorch eager | max-autotune | ÷ eager |")
	require.Contains(t, text, "## NVIDIA H200\n\n2 of 2 goals that were measured are reached: in training at 32² ")
	require.Contains(t, text, "\nOf the 54 cases of training and 54 of inference that CASES=all lists: Stheno 1 and 0, PyTorch eager 1 and 0, torch.compile 0 and 0, ")
	require.NotContains(t, text, "| "+notVerified)
	unseen := read(t, strings.Replace(machineLine, `"date"`, `"commit":"abc123","date"`, 1)+
		strings.Replace(sthenos(t, 3000), `"verified": ""`, `"verified": "not verified"`, 1)).document()
	require.Contains(t, unseen, "| 0.7 % | not verified |\n")
	require.Contains(t, unseen, ", commit abc123\n")
	require.Contains(t, text, "| SimpleCNN 32² | 64 | bf16 | – | 5.00 | – |", "memory")
	require.Contains(t, text, "| PyTorch eager | 1,000 | 900–1,100 | 20.0 % |  |")
	require.Contains(t, text, "| max-autotune | 2,000 | 2,000–2,000 | 0.0 % | **the loss did not fall**: 5 to 5 |")
	require.Contains(t, text, "- SimpleCNN 32², batch 64, bf16, train, JAX jit: out of memory "+strings.Repeat("é", 286)+" …\n")
	require.Contains(t, text, "- NVIDIA H200, driver 580.1, 143771 MiB; a Xeon\n- PyTorch 2.11\n- JAX 2.11\n- measured on 2026-11-27T03:00:00Z with stheno 1 (abc)\n")
}

func TestGoalsThatAreMissed(t *testing.T) {
	text := read(t, machineLine+sthenos(t, 1050)+
		line("PyTorch", "eager", `"images_per_second":1000,"rates":[1000]`, "")+
		line("PyTorch", "compile", `"images_per_second":500,"rates":[500]`, "")).document()
	require.Contains(t, text, "1 of 2 goals that were measured are reached: ")
	require.Contains(t, text, "| SimpleCNN 32², batch 64, bf16 | training | PyTorch eager | 2.00 | 1.05 |\n")

	imagenet := testCase{Arch: "resnet50", Size: 224, Classes: 1000, Batch: 256, Mode: "train", Precision: "bf16"}
	require.Len(t, goals(imagenet), 2)
	imagenet.Mode = "inference"
	require.Len(t, goals(imagenet), 1)
}

// Calls of the script are merged: the latest number counts, an error replaces none, and GPUs are kept apart.
func TestMerging(t *testing.T) {
	first := machineLine + line("PyTorch", "eager", `"images_per_second":1000,"rates":[1000]`, "") + line("PyTorch", "compile", `"error":"not done in 9 s"`, "")
	second := machineLine + line("PyTorch", "eager", `"images_per_second":1200,"rates":[1200]`, "") + line("PyTorch", "compile", `"images_per_second":7,"rates":[7]`, "")
	third := strings.ReplaceAll(machineLine, "H200", "H100") + sthenos(t, 5) + line("PyTorch", "eager", `"error":"it failed"`, "")
	fourth := machineLine + line("PyTorch", "eager", `"error":"it failed later"`, "")
	r := read(t, first, second, third, fourth)
	require.Equal(t, []string{"NVIDIA H200", "NVIDIA H100"}, r.gpus())
	text := r.document()
	require.Contains(t, text, "| SimpleCNN 32² | 64 | bf16 | **1,200** | 7.00 | – | – | – |\n")
	require.Contains(t, text, "| SimpleCNN 32² | 64 | bf16 | 5.00 | – | – | – |\n")
	require.NotContains(t, text, "not done in 9 s")
	require.NotContains(t, text, "failed later")
	require.Contains(t, text, "PyTorch eager: it failed\n")
}

// A net with other parameters is not ours, and its speed says nothing.
func TestOtherNets(t *testing.T) {
	text := read(t, machineLine+line("PyTorch", "eager", `"images_per_second":1000,"rates":[1000]`, `,"parameters":325957`)).document()
	require.Contains(t, text, "this is another net: it trains 325957 parameters, ours 325956")
	require.NotContains(t, text, "1,000 |")
}

// The nets of the contestants in Python, by what they say of them.
func TestTrainedParameters(t *testing.T) {
	for _, c := range []struct {
		arch          string
		size, classes int
		want          int
	}{{"simplecnn", 32, 100, 325956}, {"vgg16", 32, 100, 34006948}, {"vgg16", 224, 1000, 138357544}, {"resnet50", 32, 100, 23712932},
		{"resnet50", 224, 1000, 25557032}, {"resnet18-cifar", 32, 100, 11220132}, {"alexnet", 224, 1000, 50844008}} {
		got, err := testCase{Arch: c.arch, Size: c.size, Classes: c.classes}.trained()
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.arch)
	}
	_, err := testCase{Arch: "resnet51", Size: 32, Classes: 100}.trained()
	require.Error(t, err)
}

// What "stheno bench" leaves out, and its device's memory rather than the host's.
func TestReports(t *testing.T) {
	r := read(t, machineLine+`{"machine":{"cpu":"x"},"cases":[{"arch":"vgg16","size":32,"classes":100,"batch":64,"mode":"train","precision":"tf32",
		"images_per_second":100,"rates":[100],"peak_memory_bytes":9,"device_memory_bytes":7000000,"joules_per_image":0.0125}],
		"left_out":[{"arch":"vgg16","size":224,"classes":1000,"batch":64,"mode":"train","precision":"tf32","why":"no time"}]}`)
	require.Len(t, r.entries, 2)
	require.EqualValues(t, 7000000, r.entries[0].Memory)
	text := r.document()
	require.Contains(t, text, "12.5 mJ an image")
	require.Contains(t, text, "- VGG-16 224², batch 64, tf32, train, Stheno: no time\n")
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{line("JAX", "jit", `"error":"x"`, ""), `value 1: the first value must be the machine's, with "gpu"`},
		{machineLine + "{}", `value 2: wanted an object with "gpu", "framework" or "machine"`},
		{machineLine + "[]", "value 2: "},
		{machineLine + `{"framework":"JAX","batch":"many"}`, "value 2: "},
		{"nothing", "value 1: "},
	} {
		require.ErrorContains(t, (&record{}).read(strings.NewReader(c.text)), c.want)
	}
	require.ErrorContains(t, run("", nil), "no files")
	require.ErrorContains(t, run("", []string{"none.json"}), "none.json")

	text := read(t, machineLine+line("JAX", "jit", `"images_per_second":10,"rates":[10]`, "")+`{"framework":"JA`).document()
	require.Contains(t, text, "**10.0**")
	require.Contains(t, text, "Cut short: 2026-11-27T03:00:00Z: value 3: ")
}

func TestNotesStay(t *testing.T) {
	folder := t.TempDir()
	in, out := filepath.Join(folder, "a.json"), filepath.Join(folder, "gpu.md")
	require.NoError(t, os.WriteFile(in, []byte(machineLine+sthenos(t, 5)), 0o644))
	require.NoError(t, os.WriteFile(out, []byte("old\n\n## Notes\n\nBy hand.\n"), 0o644))
	for range 2 {
		require.NoError(t, run(out, []string{in}))
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "# On the GPU"))
		require.True(t, strings.HasSuffix(string(text), "\n## Notes\n\nBy hand.\n"))
		require.Equal(t, 1, strings.Count(string(text), "By hand."))
	}
}

package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a report with round numbers.
func sample() *Report {
	c := Case{Arch: "resnet50", Size: 224, Classes: 1000, Batch: 16, Device: "cpu", Threads: 2, Mode: Train, Precision: "fp32"}
	first := Result{Case: c, Rates: []float64{14, 15, 16}, FLOPs: 400e9, Bytes: 10e9, PeakMemory: 1610612736, PlanMemory: 1556925644, Engine: "cpu with 2 threads, avx512 kernels",
		Verified: "gradients to 4e-06 of the reference in float64; a batch of 16, dealt from 2 images", Checks: []Check{{"loss", "", 1e-8, 1e-5}, {"gradients", "", 4e-6, 1e-3}},
		Kinds: []Kind{{"Conv2D+bias+relu", 53, 0.7, 390e9, 5e9}, {"MomentumUpdate", 161, 0.1, 1e8, 4e8}, {"Copy", 1, 0.05, 0, 1e9}, {"Mean", 1, 1e-6, 1e3, 1e4}}}
	second := first
	second.Mode, second.Batch, second.Rates, second.FLOPs, second.PeakMemory, second.Allocs, second.Kinds = Inference, 1, []float64{45.5}, 7.7e9, 0, 0.25, nil
	second.Checks = []Check{{"scores", "image 0 of the batch", 5e-7, 2e-4}}
	third := second
	third.Arch, third.Size, third.Device, third.Threads, third.Precision = "simplecnn", 32, "cuda:0", 0, "tf32"
	r := &Report{Machine: Machine{CPU: "Abacus 9000", Cores: 2, Flags: []string{"avx2", "fma"}, OS: "linux", Arch: "amd64", Go: "go1.26", Version: "v1.2.3", Commit: "abc+",
		Ceilings: []Ceiling{{"cpu", 1, "", 250e9, 30e9}, {"cpu", 2, "", 500e9, 40e9}, {"cuda:0", 0, "tf32", 900e12, 4e12}}}}
	for _, c := range []Result{first, second, third} {
		c.rated(r.Machine.ceilingOf(c.Case))
		r.Cases = append(r.Cases, c)
	}
	return r
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run with -update and look at the difference")
}

func TestTable(t *testing.T) {
	golden(t, "table.txt", sample().Table())
	r := sample()
	r.Cases = r.Cases[:1]
	require.NotContains(t, r.Table(), "device", "what is usual has no column")
	r.Cases = append(r.Cases, r.Cases[0])
	r.Cases[1].Batch = 1
	r.Cases[1].Engine += ", tuned for 3 convolutions"
	r.Cases[1].verified(&Verification{Batch: 8, Distinct: 8, Checks: r.Cases[1].Checks})
	require.Contains(t, r.Cases[1].Verified, "; verified at batch 8, timed at batch 1")
	golden(t, "table-small.txt", r.Table())
	const few, random = "A training step of so few images", "A training step that drops some of its network at random"
	require.NotContains(t, r.Table(), random)
	r.Cases[1].Batch = 64 // of a network with dropout
	require.NotContains(t, r.Table(), few)
	require.Contains(t, r.Table(), random)
	r.Cases = nil
	require.NotContains(t, r.Table(), "images/s")
	require.Equal(t, "unknown processor, 1 core, plan9/riscv64, go1.26\n", Machine{Cores: 1, OS: "plan9", Arch: "riscv64", Go: "go1.26"}.String())
}

func TestRates(t *testing.T) {
	r := Result{Case: Case{Batch: 10}, Rates: []float64{40, 10, 20, 30}, FLOPs: 5e9}
	r.rated(Ceiling{})
	require.Equal(t, 25.0, r.ImagesPerSecond)
	require.InDelta(t, 1.2, r.Spread, 1e-12)
	require.Equal(t, 400.0, r.Milliseconds)
	require.InDelta(t, 12.5, r.GFLOPs, 1e-12)
	require.Zero(t, r.PeakShare, "not known")
}

func TestJSON(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, sample().WriteJSON(&text))
	golden(t, "report.json", text.String())
	back, err := ReadJSON(&text)
	require.NoError(t, err)
	require.Equal(t, sample(), back)
	_, err = ReadJSON(strings.NewReader("{"))
	require.Error(t, err)

	// What programs that compare us with others rely on.
	var raw struct {
		Machine map[string]any
		Cases   []map[string]any
	}
	text.Reset()
	require.NoError(t, sample().WriteJSON(&text))
	require.NoError(t, json.Unmarshal(text.Bytes(), &raw))
	for _, key := range []string{"arch", "size", "batch", "threads", "mode", "precision", "images_per_second", "rates", "ms", "gflops", "peak_share", "peak_memory_bytes", "allocs", "verified"} {
		require.Contains(t, raw.Cases[0], key)
	}
	require.Equal(t, "train", raw.Cases[0]["mode"])
}

func TestRoofline(t *testing.T) {
	draw := func(r *Report) string {
		var svg bytes.Buffer
		require.NoError(t, r.WriteRoofline(&svg))
		require.NoError(t, xml.Unmarshal(svg.Bytes(), new(struct{})))
		return svg.String()
	}
	r := sample()
	all := draw(r)
	for _, words := range []string{"Abacus 9000", "cpu with 1 thread: 250 GFLOP/s, 30 GB/s", "cpu with 2 threads: 500 GFLOP/s", "FLOP per byte",
		"resnet50 224×224, batch 16, train, 2 threads", "simplecnn 32×32, batch 1, inference on cuda:0 in tf32"} {
		require.Contains(t, all, words)
	}
	require.NotContains(t, all, "MomentumUpdate")

	r.Cases = r.Cases[:1]
	one := draw(r)
	require.Contains(t, one, "Conv2D+bias+relu, 82%")
	require.Contains(t, one, "MomentumUpdate, 12%")
	require.NotContains(t, one, "Copy", "it computes nothing")
	require.NotContains(t, one, "Mean", "it takes no time")
	r.Machine.Ceilings = nil
	require.NotContains(t, draw(r), "threads: ")

	r.Cases = nil
	require.ErrorContains(t, r.WriteRoofline(&bytes.Buffer{}), "nothing was measured")
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	require.Positive(t, m.Cores)
	require.NotEmpty(t, m.Go)
	require.NotNil(t, m.Flags)
}

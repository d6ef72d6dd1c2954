//go:build gpu && cgo && linux

package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cuda"
)

// TestGPUBench sets a GPU, real or simulated, beside the CPU.
func TestGPUBench(t *testing.T) {
	gpus, err := cuda.Devices()
	if err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	dir := t.TempDir()
	file, svg := filepath.Join(dir, "report.json"), filepath.Join(dir, "bars.svg")
	short := []string{"bench", "--arch", "simplecnn", "--classes", "10", "--threads", "1", "--seconds", "0.001", "--rounds", "1"}
	out := ok(t, with(short, "--device", "cpu,cuda", "--batch", "8", "--precision", "fp32,tf32", "--json", file, "--plot", svg)...)
	require.Contains(t, out, "note: the CPU is left out in tf32, which it has not\n")
	require.Regexp(t, `(?m)^simplecnn 32×32, batch 8, train on cuda in tf32: [\d.]+ images/s; loss to \S+, .* of the CPU engine in float32; a batch of 8$`, out)
	require.Regexp(t, `(?m)^cuda in tf32 at best: \d+ [GT]FLOP/s, \S+ GB/s from and to memory$`, out)
	require.Contains(t, out, "plot written to "+svg+"\n")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	report, err := bench.ReadJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Empty(t, report.LeftOut)
	require.Len(t, report.Cases, 6)
	for _, c := range report.Cases {
		if c.Device == "cpu" {
			continue
		}
		require.Positive(t, c.DeviceMemory)
		total := int64(0)
		for _, u := range c.DeviceMemoryUses {
			total += u.Bytes
		}
		require.Equal(t, c.DeviceMemory, total, "%v", c.DeviceMemoryUses)
		require.Positive(t, c.PeakShare)
		require.Positive(t, c.BandwidthShare)
		require.Positive(t, c.Speedup)
		if gpus[0].Name == "Simulated GPU" {
			require.Positive(t, c.Energy, "300 watts")
		}
	}
	text, err = os.ReadFile(svg)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(text, new(struct{})))

	out = ok(t, with(short, "--device", "cuda", "--batch", "4", "--mode", "train", "--no-verify")...)
	require.Contains(t, out, "images/s; not verified\n")
	if gpus[0].Name == "Simulated GPU" { // which has 8 GiB
		out = ok(t, with(short, "--device", "cuda", "--batch", "65536", "--mode", "train", "--no-verify")...)
		require.Contains(t, out, "out of device memory")
		require.Regexp(t, `(?m)^left out: simplecnn 32×32, batch 65536, train on cuda: `, out)
	}
}

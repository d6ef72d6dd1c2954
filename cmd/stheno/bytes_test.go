package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
)

func TestByteCount(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "1": 1, "1500000": 1500000, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "2 GiB": 2 << 30,
		"1.5GB": 1500000000, "10kB": 10000, "7B": 7} {
		var b byteCount
		require.NoError(t, b.Set(text), text)
		require.Equal(t, want, int(b), text)
		var again byteCount
		require.NoError(t, again.Set(b.String()))
		require.Equal(t, b, again, text)
	}
	for _, text := range []string{"", "GiB", "-1MiB", "2giga", "NaN", "1e30GiB", "Inf"} {
		require.ErrorContains(t, new(byteCount).Set(text), "no amount of memory", text)
	}
	require.Equal(t, "1536MiB", byteCount(3<<29).String())
	require.Equal(t, "7.5 MiB", memory(15<<19))
	require.Equal(t, "1023.9 MiB", memory(1<<30-1<<17))
	require.Equal(t, "1.0 GiB", memory(1<<30))
	require.Equal(t, "12.0 GiB", memory(12<<30))
}

func TestMemoryFlags(t *testing.T) {
	out := t.TempDir() + "/run"
	args := []string{"train", "--data", "sample", "--limit-train", "32", "--limit-test", "16", "--batch", "16", "--out", out}
	refused(t, append(args, "--memory-budget", "1MiB"), "the plan cannot do with 1.0 MiB", "the least is")
	refused(t, append(args, "--memory-budget", "much"), `--memory-budget wants an amount of memory such as 512MiB or 2GiB, got "much"`)
	refused(t, append(args, "--recompute", "chep"), `did you mean "cheap"?`)
	refused(t, append(args, "--recompute", "cheap", "--memory-budget", "1GiB"), "not both")
	require.NoDirExists(t, out)

	require.Contains(t, ok(t, append(args, "--epochs", "1", "--recompute", "segments:2")...), "recomputation segments:2")
	require.Contains(t, ok(t, "train", "--resume", "--out", out, "--epochs", "2", "--schedule", "cosine", "--memory-budget", "1GiB"), "recomputation off")
}

func TestDeviceMemory(t *testing.T) {
	require.Empty(t, deviceMemory(nil))
	uses := []graph.MemoryUse{{Purpose: "weights", Bytes: 3 << 20}, {Purpose: "steps", Bytes: 2 << 20}}
	require.Equal(t, "device memory 5.0 MiB: weights 3.0 MiB, steps 2.0 MiB", deviceMemory(uses))
	uses = append(uses, graph.MemoryUse{Purpose: "inputs", Bytes: 1 << 20}, graph.MemoryUse{Purpose: "outputs", Bytes: 1 << 10}, graph.MemoryUse{Purpose: "lists", Bytes: 1 << 10})
	require.Equal(t, "device memory 6.0 MiB: weights 3.0 MiB, steps 2.0 MiB, inputs 1.0 MiB, the rest 2.0 KiB", deviceMemory(uses))
}

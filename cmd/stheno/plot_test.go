package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlot(t *testing.T) {
	r := stheno(t, "plot", "resnet50", "--classes", "10")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, xml.Unmarshal([]byte(r.stdout), new(struct{})))
	require.Contains(t, r.stdout, "res2a_branch2a")
	require.Contains(t, r.stdout, "(None, 2048) → (None, 10)")

	file := filepath.Join(t.TempDir(), "net.dot")
	r = stheno(t, "plot", "simplecnn", "--output", file, "--hide-shapes", "--show-activations")
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "wrote "+file+"\n", r.stdout)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "digraph")
	require.Contains(t, string(text), `activation softmax`)
	require.NotContains(t, string(text), "None")

	for _, args := range [][]string{{"plot"}, {"plot", "vgg61"}, {"plot", "vgg16", "--format", "png"}, {"plot", "vgg16", "--output", "net.png"}} {
		r = stheno(t, args...)
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stderr, "error: ")
	}
}

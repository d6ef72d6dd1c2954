package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/gradients"
)

func TestGradients(t *testing.T) {
	out := filepath.Join(t.TempDir(), "g")
	args := []string{"gradients", "--data", "sample", "--depth", "8", "--steps", "3", "--batch", "4", "--every", "2", "--threads", "1", "--out", out}
	for range 2 { // the second time over the first one's files
		r := stheno(t, args...)
		require.Zero(t, r.code, r.stderr)
		require.Contains(t, r.stdout, "plain and residual network of 8 layers, no normalization, glorot_uniform, ")
		require.Contains(t, r.stdout, "plain8: gradient of the first layer ")
		require.Contains(t, r.stdout, "wrote "+filepath.Join(out, "gradients.png"))
	}
	files, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Len(t, files, 5)
	report, err := train.ReadJSON[gradients.Report](filepath.Join(out, "gradients.json"))
	require.NoError(t, err)
	require.Equal(t, 8, report.Config.Depth)
	require.Len(t, report.Nets[1].Loss, 3)

	for text, args := range map[string][]string{
		"Depth must be 6n+2":        {"--depth", "21"},
		"--steps wants at least 1":  {"--steps", "0"},
		`did you mean "he_normal"?`: {"--init", "he_norma"},
		"takes flags only":          {"picture.png"},
	} {
		r := stheno(t, append([]string{"gradients", "--data", "sample"}, args...)...)
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stderr, text)
	}
}

func TestClassWeightsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weights.txt")
	touch(t, file, "1 2\n3,4\n0.5\n1 1 1 1 1\n")
	out := filepath.Join(t.TempDir(), "run")
	r := stheno(t, "train", "--data", "sample", "--limit-train", "8", "--limit-test", "4", "--batch", "8", "--epochs", "1", "--threads", "1", "--out", out,
		"--class-weight", "@"+file, "--label-smoothing", "0.1", "--loss", "sparse_categorical_focal_crossentropy")
	require.Zero(t, r.code, r.stderr)
	c, _, err := train.ReadConfig(out)
	require.NoError(t, err)
	require.Equal(t, "1,2,3,4,0.5,1,1,1,1,1", c.ClassWeight)
	require.Equal(t, "sparse_categorical_focal_crossentropy", c.Loss)
	require.Equal(t, 0.1, c.LabelSmoothing)
	more := []string{"train", "--out", out, "--resume", "--epochs", "2", "--threads", "1"}
	r = stheno(t, append(more, "--label-smoothing", "0.2")...)
	require.Contains(t, r.stderr, "--label-smoothing is 0.1 there, not 0.2")
	r = stheno(t, append(more, "--class-weight", "@"+file)...)
	require.Zero(t, r.code, r.stderr)

	empty := filepath.Join(t.TempDir(), "empty")
	touch(t, empty, "\n")
	r = stheno(t, "train", "--class-weight", "@"+empty)
	require.Contains(t, r.stderr, "it should hold a number for each class")
	r = stheno(t, "train", "--loss", "hinge")
	require.Contains(t, r.stderr, `unknown loss "hinge"`)
}

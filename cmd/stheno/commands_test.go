package main

import (
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/data"
)

// sampleImage is a test image of the built-in set.
func sampleImage(t *testing.T, i int) *image.NRGBA {
	t.Helper()
	split, err := data.Sample()
	require.NoError(t, err)
	m := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for k, p := 0, split.Test.Image(i); k < 32*32; k++ {
		m.SetNRGBA(k%32, k/32, color.NRGBA{p[3*k], p[3*k+1], p[3*k+2], 255})
	}
	return m
}

// writePNG writes a sample image to a folder and returns its path.
func writePNG(t *testing.T, dir string, i int) string {
	t.Helper()
	path := filepath.Join(dir, strconv.Itoa(i)+".png")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, sampleImage(t, i)))
	require.NoError(t, f.Close())
	return path
}

var answer = regexp.MustCompile(`^ +([0-9.]+)%  (.+)$`)

func TestPredict(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	good, jpg, bad, nowhere := writePNG(t, dir, 1), filepath.Join(dir, "a.jpg"), filepath.Join(dir, "bad.png"), filepath.Join(dir, "nowhere.png")
	f, err := os.Create(jpg)
	require.NoError(t, err)
	require.NoError(t, jpeg.Encode(f, sampleImage(t, 2), nil))
	require.NoError(t, f.Close())
	touch(t, bad, "no picture")

	r := stheno(t, "predict", "--run", run, "--top", "10", good, bad, jpg, nowhere, dir)
	require.Equal(t, 1, r.code)
	for _, path := range []string{bad, nowhere, dir + ":"} {
		require.Contains(t, r.stderr, path)
	}
	require.Equal(t, 3, strings.Count("\n"+r.stderr, "\nerror: "))
	for line := range strings.Lines(r.stderr) {
		require.True(t, strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, " "), line)
	}
	require.NotContains(t, r.stdout, bad)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	require.Len(t, lines, 22)
	require.Equal(t, good, lines[0])
	require.Equal(t, jpg, lines[11])
	for _, block := range [][]string{lines[1:11], lines[12:]} {
		sum, last := 0.0, 100.0
		names := map[string]bool{}
		for _, line := range block {
			m := answer.FindStringSubmatch(line)
			require.NotNil(t, m, line)
			p, err := strconv.ParseFloat(m[1], 64)
			require.NoError(t, err)
			require.LessOrEqual(t, p, last, "the most probable first")
			sum, last, names[m[2]] = sum+p, p, true
		}
		require.InDelta(t, 100, sum, 0.06, "ten numbers with two places")
		require.Len(t, names, 10)
	}
	require.Len(t, strings.Split(strings.TrimSpace(ok(t, "predict", "--run", run, good)), "\n"), 6)
}

func TestEval(t *testing.T) {
	run := trained(t)
	history, err := os.ReadFile(filepath.Join(run, "history.csv"))
	require.NoError(t, err)
	cells := strings.Split(strings.Split(string(history), "\n")[1], ",")
	loss, err := strconv.ParseFloat(cells[5], 64)
	require.NoError(t, err)
	out := ok(t, "eval", "--run", run, "--limit-test", "50", "--batch", "17")
	csv := filepath.Join(t.TempDir(), "confusion.csv")
	details := ok(t, "eval", "--run", run, "--limit-test", "50", "--batch", "17", "--report", "--confusion", csv)
	require.True(t, strings.HasPrefix(details, strings.TrimRight(out, "\n")), "the same figures, then the report")
	require.Regexp(t, `(?m)^accuracy +0\.\d{4} +50$`, details)
	matrix, err := os.ReadFile(csv)
	require.NoError(t, err)
	require.Equal(t, 1+strings.Count(strings.SplitN(string(matrix), "\n", 2)[0], ","), strings.Count(string(matrix), "\n"), "a row for each class")
	refused(t, []string{"eval", "--run", run, "--confusion", filepath.Join(csv, "no", "file")}, "--confusion", "make the folder first")
	refused(t, []string{"eval", "--run", run, "--confusion", filepath.Dir(csv)}, "is a folder")
	refused(t, []string{"eval", "--run", run, "--confusion="}, "--confusion= is empty")
	require.Contains(t, out, "50 test images")
	m := regexp.MustCompile(`loss ([0-9.]+)`).FindStringSubmatch(out)
	require.NotNil(t, m)
	got, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	require.True(t, math.Abs(got-loss) < 1e-4, "%v, in the history %v", got, loss)
}

func TestSummary(t *testing.T) {
	out := ok(t, "summary", "simplecnn")
	require.Contains(t, out, "Total params: 325,956")
	require.Contains(t, out, "(None, 30, 30, 16)")
	require.Contains(t, ok(t, "summary", "simplecnn", "--batch", "32"), "(32, 30, 30, 16)")
	require.Contains(t, ok(t, "summary", "resnet50", "--input", "224x224x3", "--classes", "1000"), "25,610,152")
	require.Contains(t, ok(t, "summary", "resnet50", "--data-format", "channels_first"), "Permute")
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(ok(t, "summary", "vgg16", "--format", "json")), &v))
	require.NotEmpty(t, v)
}

func TestDevicesAndVersion(t *testing.T) {
	require.Regexp(t, `^cpu with \d+ threads?, \w+ kernels\n(cuda:\d is .*\n)*(no GPU: .*\n)?$`, ok(t, "devices"))
	out := ok(t, "version")
	require.Contains(t, out, runtime.Version())
	require.Contains(t, out, runtime.GOOS+"/"+runtime.GOARCH)
	require.Contains(t, out, map[bool]string{false: "without the CUDA engine", true: "with the CUDA engine"}[cuda.Built])
	require.Equal(t, out, ok(t, "--version"))
	help := ok(t, "train", "--help")
	require.Contains(t, help, "plain VGG-16 hardly starts to learn without it")
	require.Contains(t, help, "includes the L2 penalties")
	require.Contains(t, ok(t), "Available Commands")
}

// Help has words for people, not the names of Go's types.
func TestHelpIsForPeople(t *testing.T) {
	var all func(*cobra.Command)
	all = func(c *cobra.Command) {
		require.NotRegexp(t, `\w+Slice|\(default \[\]\)|stringArray`, c.UsageString(), c.CommandPath())
		for _, sub := range c.Commands() {
			all(sub)
		}
	}
	all(newRoot())
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// aSecond are flags of a training of a second.
var aSecond = []string{"--data", "sample", "--limit-train", "64", "--limit-test", "20", "--epochs", "1", "--batch", "32"}

func flags(more ...string) []string { return append(append([]string{"train"}, aSecond...), more...) }

// TestTrainFromARun: a run begins with another one's weights and network, is resumed without it, and explained and evaluated as any.
func TestTrainFromARun(t *testing.T) {
	first := trained(t)
	out := filepath.Join(t.TempDir(), "run")
	said := ok(t, flags("--weights", first, "--freeze", "backbone", "--out", out)...)
	require.Contains(t, said, "simplecnn: 302,826 parameters (2,570 trainable)")
	require.NotContains(t, said, "note: new")
	require.NotContains(t, said, "expects of pixels")
	require.NoError(t, os.RemoveAll(first))
	said = ok(t, "train", "--resume", "--out", out, "--epochs", "2")
	require.Contains(t, said, "(2,570 trainable)")
	require.Contains(t, ok(t, "eval", "--run", out, "--limit-test", "20"), "on 20 test images")
	require.Contains(t, ok(t, "summary", out), "Total params: 302,826")
	refused(t, []string{"train", "--resume", "--out", out, "--freeze", "none"}, "--freeze is backbone there, not none")
	ok(t, "train", "--resume", "--out", out, "--weights", first, "--epochs", "2") // as it was recorded
	refused(t, []string{"train", "--resume", "--out", out, "--weights", "other"}, "--weights is "+first+" there")
	file := filepath.Join(t.TempDir(), "net.onnx") // and with the last run in another format
	ok(t, "convert", out, file)
	next := filepath.Join(t.TempDir(), "next")
	said = ok(t, flags("--weights", file, "--lr", "1e-4", "--reinit", "head", "--freeze", "backbone", "--out", next)...)
	require.Contains(t, said, "as --reinit says")
	require.Contains(t, said, "is not known: it is given pixels of 0 to 1")
	require.Contains(t, said, "onnx: 302,826 parameters (2,570 trainable)")
	require.Contains(t, ok(t, "eval", "--run", next, "--limit-test", "20"), "on 20 test images")
}

// TestFineTuneOnPictures: pictures become what the network takes, of two classes it knows nothing.
func TestFineTuneOnPictures(t *testing.T) {
	first, dir := trained(t), pictureFolder(t)
	out := filepath.Join(t.TempDir(), "run")
	said := ok(t, "train", "--weights", first, "--data", "folder", "--data-dir", dir, "--freeze", "backbone", "--unfreeze-at", "2", "--batch", "6", "--epochs", "2", "--profile", "--out", out)
	require.Contains(t, said, "note: pictures become 32×32×3, as the network in")
	require.Contains(t, said, "note: new, with initial values: dense_1, the classifier: ")
	require.Contains(t, said, "has none for 2 classes")
	require.Contains(t, said, "(514 trainable)")
	require.Contains(t, said, "note: epoch 2: all layers are trained from now on, 300,770 parameters; the optimizer begins anew")
	require.Contains(t, said, "profile of batches of 6: 3 ") // of the frozen epoch
	require.Contains(t, ok(t, "eval", "--run", out), "on 6 test images")
	refused(t, []string{"train", "--weights", first, "--data", "folder", "--data-dir", dir, "--size", "16", "--out", out + "2"}, "does not fit")
}

// TestExplainFrozen: nothing goes backwards through what is frozen.
func TestExplainFrozen(t *testing.T) {
	backward := func(args ...string) (filters, updates int) {
		text := ok(t, append([]string{"explain", "resnet20-cifar", "--batch", "2", "--device", "null"}, args...)...)
		return strings.Count(text, "Conv2DBackward") + strings.Count(text, "BatchNormBackward"), strings.Count(text, "AdamUpdate")
	}
	all, updates := backward()
	require.Greater(t, all, 30)
	require.Greater(t, updates, 50)
	none, updates := backward("--freeze", "backbone")
	require.Zero(t, none)
	require.Equal(t, 2, updates)
	some, updates := backward("--freeze", "conv1*,bn*,res2*,res3*")
	require.Greater(t, some, 0)
	require.Less(t, some, all/2)
	require.Equal(t, 8, updates)
	refused(t, []string{"explain", "resnet20-cifar", "--freeze", "res5*"}, "--freeze", "no layer is called")
	refused(t, []string{"explain", "resnet20-cifar", "--freeze", "backbone", "--inference"}, "--freeze goes with a training step")
}

// TestRecipeOfWeights: a recipe names its weights by where it lies itself.
func TestRecipeOfWeights(t *testing.T) {
	first := trained(t)
	dir := t.TempDir()
	require.NoError(t, os.Rename(first, filepath.Join(dir, "base")))
	recipe := filepath.Join(dir, "tune.yaml")
	require.NoError(t, os.WriteFile(recipe, []byte("train:\n  weights: base\n  freeze: backbone\n  mean: 0.5,0.5,0.5\n  lr: 0.002\n"), 0o644))
	out := filepath.Join(t.TempDir(), "run")
	said := ok(t, flags("--recipe", recipe, "--out", out)...)
	require.Contains(t, said, "(2,570 trainable)")
	c, _, err := train.ReadConfig(out)
	require.NoError(t, err)
	require.Equal(t, []any{"simplecnn", filepath.Join(dir, "base"), "backbone", []float32{0.5, 0.5, 0.5}}, []any{c.Arch, c.Weights, c.Freeze, c.Mean})
	ok(t, "train", "--resume", "--recipe", recipe, "--out", out)
	require.NoError(t, os.WriteFile(recipe, []byte("train:\n  weights: base\n  freeze: bakcbone\n"), 0o644))
	refused(t, flags("--recipe", recipe, "--out", filepath.Join(dir, "other")), "no layer is called")
	require.NoError(t, os.WriteFile(recipe, []byte("train:\n  freeze: backbone\n"), 0o644))
	refused(t, flags("--recipe", recipe), "tune.yaml:2", "--freeze goes with --weights")
	require.NoError(t, os.WriteFile(recipe, []byte("train:\n  weights: base\n"), 0o644))
	refused(t, []string{"explain", "--recipe", recipe}, "name an architecture to explain")
}

func TestWrongFlagsOfWeights(t *testing.T) {
	first := trained(t)
	alone := filepath.Join(t.TempDir(), "w.npz")
	ok(t, "convert", first, alone)
	for line, want := range map[string]string{
		"--weights nowhere.h5":                                    "no such file",
		"--weights=":                                              "--weights= is empty",
		"--weights " + alone:                                      "holds weights and no network; name the one that they are for with --arch",
		"--weights " + first + " --arch vgg16":                    "does not fit",
		"--weights " + first + " --freeze dens":                   `did you mean "dense"?`,
		"--weights " + first + " --freeze *":                      "nothing is left to train",
		"--freeze backbone":                                       "--freeze goes with --weights",
		"--weights " + first + " --standardise --raw-pixels":      "--standardise computes mean and deviation",
		"--weights " + first + " --mean 0.5":                      "--mean wants a number for each of 3 channels, got 1",
		"--weights " + first + " --mean 0.5,0.5,0.5 --raw-pixels": "--raw-pixels excludes --mean and --std",
		"--weights " + first + " --batch-norm":                    "simplecnn has no --batch-norm",
	} {
		out := filepath.Join(t.TempDir(), "run")
		refused(t, flags(append(strings.Fields(line), "--out", out)...), want)
		_, err := os.Stat(out)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// TestFineTuneRealWeights begins with networks of others.
func TestFineTuneRealWeights(t *testing.T) {
	root := realData(t)
	out := filepath.Join(t.TempDir(), "resnet20")
	said := ok(t, flags("--weights", filepath.Join(root, "weights", "cifar10_resnet20-12fca82f.th"), "--arch", "resnet20-cifar", "--mean", "0.485,0.456,0.406",
		"--std", "0.229,0.224,0.225", "--reinit", "head", "--freeze", "backbone", "--out", out)...)
	require.Contains(t, said, "new, with initial values: fc10, as --reinit says")
	require.Contains(t, said, "271,098 parameters (650 trainable)")
	out = filepath.Join(t.TempDir(), "resnet8")
	said = ok(t, flags("--weights", filepath.Join(root, "weights", "mlperf_tiny_cifar10_resnet8.h5"), "--raw-pixels", "--freeze", "backbone", "--out", out)...)
	require.Contains(t, said, "keras: 78,666 parameters (650 trainable)")
	require.Contains(t, said, "the classifier, dense, is that of")
	require.Contains(t, said, "begin it anew with --reinit head")
	text, err := os.ReadFile(filepath.Join(out, train.RunFileName))
	require.NoError(t, err)
	var c train.Config
	require.NoError(t, json.Unmarshal(text, &c))
	require.True(t, c.RawPixels)
	require.False(t, c.NewHead)
}

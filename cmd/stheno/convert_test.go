package main

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/numpy"
)

// realData is the folder with real data for tests: STHENO_TEST_DATA, or shared/data beside the project.
func realData(t *testing.T) string {
	t.Helper()
	root := os.Getenv("STHENO_TEST_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(root, "weights")); err != nil {
		t.Skip("no real data here: set STHENO_TEST_DATA to a folder with it")
	}
	root, err := filepath.Abs(root)
	require.NoError(t, err)
	return root
}

// cifar10 unpacks the test images.
func cifar10(t *testing.T, root string) string {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("xz is not installed, which unpacks the real data")
	}
	dir := t.TempDir()
	out, err := exec.Command("bash", filepath.Join(root, "unpack.sh"), "cifar10", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// Another person's ResNet-20, trained in PyTorch in 2018, has here the accuracy that it has there.
func TestConvertedNetworkHasItsAccuracy(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand images")
	}
	root := realData(t)
	images, out := cifar10(t, root), filepath.Join(t.TempDir(), "resnet20.safetensors")
	said := ok(t, "convert", filepath.Join(root, "weights", "cifar10_resnet20-12fca82f.th"), out, "--arch", "resnet20-cifar", "--data", "cifar10",
		"--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
	require.Contains(t, said, `PyTorch, 97 tensors under "state_dict.module"`)
	require.Contains(t, said, "all 97 weights (271,098 numbers) matched by PyTorch's names")
	said = ok(t, "eval", "--checkpoint", out, "--data-dir", images, "--offline")
	require.Contains(t, said, "on 10000 test images of CIFAR-10")
	require.Contains(t, said, "top-1 91.73%")
	// The normalization is the network's: with another one it is worse.
	said = ok(t, "eval", "--checkpoint", out, "--data-dir", images, "--offline", "--raw-pixels", "--limit-test", "1000")
	m := regexp.MustCompile(`top-1 ([0-9]+)`).FindStringSubmatch(said)
	require.NotNil(t, m)
	require.Less(t, len(m[1]), 3)
	require.NotEqual(t, "9", m[1][:1], said)
}

// A whole model of Keras, with raw pixels: MLPerf Tiny's ResNet-8, whose reference says 87.2 %.
func TestConvertedModelOfKerasHasItsAccuracy(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand images")
	}
	root := realData(t)
	images, out := cifar10(t, root), filepath.Join(t.TempDir(), "resnet8.safetensors")
	in := filepath.Join(root, "weights", "mlperf_tiny_cifar10_resnet8.h5")
	said := ok(t, "convert", in, out, "--data", "cifar10", "--raw-pixels")
	require.Contains(t, said, "matched by equal names")
	said = ok(t, "eval", "--checkpoint", out, "--data-dir", images, "--offline")
	require.Contains(t, said, "top-1 87.2")
	for want, args := range map[string][]string{
		"--classes is for networks that --arch names": {in, out, "--classes", "10"},
		"takes images of [32 32 3] with 10 classes":   {in, out, "--data", "cifar100"},
		"missing ": {in, out, "--arch", "resnet20-cifar", "--data", "cifar10"},
	} {
		r := stheno(t, append([]string{"convert"}, args...)...)
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stderr, want)
	}
}

// What goes out as arrays or safetensors comes in again bit by bit.
func TestConvertThereAndBack(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	best := filepath.Join(run, train.CheckpointDir, weights.BestName)
	first, err := weights.LoadCheckpoint(best)
	require.NoError(t, err)
	arch := first.Arch
	require.Contains(t, ok(t, "convert", best, at("a.npz"), "--arch", arch), "matched by equal names")
	require.Contains(t, ok(t, "convert", at("a.npz"), at("b.safetensors"), "--arch", arch, "--to", "safetensors"), "holds the weights")
	said := ok(t, "convert", at("b.safetensors"), at("c.safetensors"), "--arch", arch)
	require.Contains(t, said, "10 classes, as the last layer in the file has")
	require.Contains(t, said, "is a checkpoint")
	last, err := weights.LoadCheckpoint(at("c.safetensors"))
	require.NoError(t, err)
	require.Equal(t, first.Section("model/"), last.Section("model/"))
	plain, err := weights.ReadSafetensors(at("b.safetensors"))
	require.NoError(t, err)
	arrays, err := numpy.Read(at("a.npz"))
	require.NoError(t, err)
	require.Equal(t, plain.Tensors, arrays.Tensors)

	// The checkpoint is one for eval and predict; what data set it is of, it does not know.
	r := stheno(t, "eval", "--checkpoint", at("c.safetensors"))
	require.Contains(t, r.stderr, "name one with --data")
	require.Contains(t, ok(t, "eval", "--checkpoint", at("c.safetensors"), "--data", "sample", "--limit-test", "20"), "20 test images")
	require.Contains(t, ok(t, "predict", "--checkpoint", at("c.safetensors"), writePNG(t, dir, 1)), "class ")

	said = ok(t, "convert", at("a.npz"), "--arch", arch, "--dry-run")
	for _, x := range plain.Tensors {
		require.Regexp(t, regexp.QuoteMeta(x.Name)+` +\[.*<- `+regexp.QuoteMeta(x.Name), said)
	}
}

func TestConvertRefuses(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	best := filepath.Join(run, train.CheckpointDir, weights.BestName)
	out := filepath.Join(dir, "out.safetensors")
	names, empty := filepath.Join(dir, "names.json"), filepath.Join(dir, "empty.json")
	touch(t, names, "[1]")
	touch(t, empty, "{}")
	plain := filepath.Join(dir, "plain.safetensors")
	ok(t, "convert", best, plain, "--to", "safetensors")
	for want, args := range map[string][]string{
		"holds weights and no network":            {plain, out},
		"unknown architecture":                    {best, out, "--arch", "resnet21"},
		"a file to read and a file to write":      {best, "--arch", "simplecnn"},
		"is the file to be read":                  {best, best, "--arch", "simplecnn"},
		"unknown output":                          {best, out, "--arch", "simplecnn", "--to", "tflite"},
		"leave --data-format out":                 {best, out, "--arch", "simplecnn", "--data-format", "channels_first"},
		"--raw-pixels excludes":                   {best, out, "--arch", "simplecnn", "--raw-pixels", "--mean", "1,1,1"},
		"--mean wants a number for each of 3":     {best, out, "--arch", "simplecnn", "--mean", "1,1"},
		"--std wants positive":                    {best, out, "--arch", "simplecnn", "--std", "1,0,1"},
		"--std wants positive numbers, got +Inf":  {best, out, "--arch", "simplecnn", "--std", "1,Inf,1"},
		"--mean wants finite numbers, got NaN":    {best, out, "--arch", "simplecnn", "--mean", "1,NaN,1"},
		"--std wants numbers with commas between": {best, out, "--arch", "simplecnn", "--std", "a"},
		"give one of --classes and --data":        {best, out, "--arch", "simplecnn", "--data", "cifar10", "--classes", "7"},
		"want a JSON object":                      {best, out, "--arch", "simplecnn", "--map", names},
		"lists no names":                          {best, out, "--arch", "simplecnn", "--map", empty},
		"no such file":                            {filepath.Join(dir, "nowhere"), out, "--arch", "simplecnn"},
		"is no file of weights":                   {names, out, "--arch", "simplecnn"},
		"missing     block1_conv1/kernel":         {best, out, "--arch", "vgg16"},
		"unexpected  conv2d/kernel":               {best, out, "--arch", "vgg16"},
		"write all of it with torch.onnx.export":  {filepath.Join("..", "..", "weights", "convert", "testdata", "golden", "net.pth"), out, "--arch", "simplecnn"},
		"wanted [256 7], got [256 10]":            {best, out, "--arch", "simplecnn", "--classes", "7"},
	} {
		r := stheno(t, append([]string{"convert"}, args...)...)
		require.Equal(t, 1, r.code, want)
		require.Contains(t, r.stderr, want)
		require.True(t, strings.HasPrefix(r.stderr, "error: "), r.stderr)
	}
	_, err := os.Stat(out)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing was written")
}

// Networks that PyTorch pads otherwise, or gives another epsilon, become PyTorch's; others stay.
func TestNetworksLikePyTorchs(t *testing.T) {
	base := train.Config{Arch: "resnet18", Input: [3]int{64, 64, 3}, Classes: []string{"a", "b"}}
	got, changed := train.LikeTorch(base)
	require.True(t, changed && got.SymmetricPadding && got.BatchNormEpsilon == 1e-5)
	base.Arch = "vgg16"
	got, changed = train.LikeTorch(base)
	require.True(t, changed && !got.SymmetricPadding && got.BatchNormEpsilon == 1e-5)
	base.Arch = "simplecnn"
	got, changed = train.LikeTorch(base)
	require.False(t, changed)
	require.Equal(t, base, got)
}

// Whoever feeds a converted network is told what it expects of pixels: ONNX does not hold it, and foreign files do not say it.
func TestConvertTellsOfPixels(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	train := []string{"train", "--data", "sample", "--limit-train", "32", "--limit-test", "10", "--batch", "16", "--epochs", "1"}
	ok(t, with(train, "--out", at("plain"))...)
	ok(t, with(train, "--standardise", "--out", at("standard"))...)
	require.Contains(t, ok(t, "convert", at("plain"), at("plain.onnx")), "note: it is to be given pixels of 0 to 1\n")
	require.Regexp(t, `note: it is to be given pixels of 0 to 1, in each channel minus 0\.\d+, 0\.\d+, 0\.\d+ divided by 0\.\d+, 0\.\d+, 0\.\d+\n`, ok(t, "convert", at("standard"), at("standard.onnx")))
	require.Contains(t, ok(t, "convert", at("plain"), at("raw.onnx"), "--raw-pixels"), "note: it is to be given pixels of 0 to 255\n")

	const unsaid = "note: it is given pixels of 0 to 1; if it was trained on others, say so with --mean and --std, or with --raw-pixels\n"
	require.Contains(t, ok(t, "convert", at("standard.onnx"), at("a.safetensors")), unsaid)
	for _, said := range [][]string{{"--raw-pixels"}, {"--mean", "0.2,0.2,0.2", "--std", "0.3,0.3,0.3"}} {
		require.NotContains(t, ok(t, with([]string{"convert", at("standard.onnx"), at("b.safetensors")}, said...)...), "note: it is")
	}
	require.NotContains(t, ok(t, "convert", at("standard"), at("c.safetensors")), "note: it is", "the run says it")
	require.NotContains(t, ok(t, "convert", at("standard.onnx"), at("d.onnx")), "note: it is", "nothing is known")
}

// Networks that rescale pixels themselves are given these as they are, whoever trained them, unless the flags say otherwise.
func TestConvertOfNetworksThatRescale(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, "train", "--arch", "mobilenetv3-small", "--data", "sample", "--limit-train", "32", "--limit-test", "10", "--batch", "16", "--epochs", "1", "--out", at("run"))
	ok(t, "convert", at("run"), at("a.npz"))
	const note = "note: the network rescales pixels of 0 to 255 itself, and is given these\n"
	said := ok(t, "convert", at("a.npz"), at("b.safetensors"), "--arch", "mobilenetv3-small", "--classes", "10")
	require.Contains(t, said, note)
	require.NotContains(t, said, "pixels of 0 to 1")
	eval := func(args ...string) string {
		_, result, found := strings.Cut(ok(t, with([]string{"eval", "--data", "sample", "--limit-test", "20"}, args...)...), "images of")
		require.True(t, found)
		return result
	}
	require.Equal(t, eval("--run", at("run")), eval("--checkpoint", at("b.safetensors")))
	_, cfg, err := train.LoadModel(at("b.safetensors"))
	require.NoError(t, err)
	require.True(t, cfg.RawPixels)
	require.NotContains(t, ok(t, "convert", at("a.npz"), at("c.safetensors"), "--arch", "mobilenetv3-small", "--classes", "10", "--mean", "0.5,0.5,0.5"), note)
	_, cfg, err = train.LoadModel(at("c.safetensors"))
	require.NoError(t, err)
	require.False(t, cfg.RawPixels)

	for _, name := range []string{"zoo_convnexts", "zoo_adapted"} { // the latter's means are weights
		packed, err := os.Open("../../weights/keras/testdata/" + name + ".keras.gz")
		require.NoError(t, err)
		defer packed.Close()
		z, err := gzip.NewReader(packed)
		require.NoError(t, err)
		whole, err := io.ReadAll(z)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at(name+".keras"), whole, 0o666))
		require.Contains(t, ok(t, "convert", at(name+".keras"), at(name+".safetensors")), note)
		_, cfg, err = train.LoadModel(at(name + ".safetensors"))
		require.NoError(t, err)
		require.True(t, cfg.RawPixels)
		require.Contains(t, ok(t, "convert", at(name+".keras"), at("d.onnx")), "note: it is to be given pixels of 0 to 255\n")
	}
	require.Contains(t, ok(t, "summary", at("zoo_convnexts.safetensors"), "--format", "keras3"), "(Sequential)")
}

// A name that is another program's promises a file for that program.
func TestConvertWritesNoForeignFiles(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	for _, name := range []string{"a.h5", "a.keras", "a.weights.h5", "a.PT", "a.pth"} {
		out := filepath.Join(dir, name)
		refused(t, []string{"convert", run, out}, out+": files of ", "are read and not written; name OUT.onnx or OUT.npz for other programs, or OUT.safetensors for stheno")
		require.NoFileExists(t, out)
	}
	out := filepath.Join(dir, "a.pt")
	require.Contains(t, ok(t, "convert", run, out, "--to", "checkpoint"), "is a checkpoint", "as was asked for")
}

package main

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// after is what eval says behind the file's name.
func after(said string) string {
	return regexp.MustCompile(`on [0-9]+ test images.*`).FindString(said)
}

// A run becomes ONNX without being told what it is, and the file a checkpoint that measures the same.
func TestRunToONNXToCheckpoint(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.Contains(t, ok(t, "convert", run, at("net.onnx")), "is the network in ONNX, from (None, 32, 32, 3) to (None, 10)")
	said := ok(t, "convert", at("net.onnx"), at("net.safetensors"), "--data", "sample")
	require.Contains(t, said, "the network in the file, from (None, 32, 32, 3) to (None, 10)")
	require.Contains(t, said, "is a checkpoint")
	want := after(ok(t, "eval", "--run", run, "--limit-test", "50", "--device", "cpu"))
	require.NotEmpty(t, want)
	require.Equal(t, want, after(ok(t, "eval", "--checkpoint", at("net.safetensors"), "--limit-test", "50", "--device", "cpu")))
	require.Contains(t, ok(t, "predict", "--checkpoint", at("net.safetensors"), writePNG(t, dir, 1)), "%")

	// From the checkpoint it goes on to every other format, and from ONNX too.
	for _, in := range []string{at("net.safetensors"), at("net.onnx"), filepath.Join(run, train.CheckpointDir, weights.BestName)} {
		for _, name := range []string{"again.onnx", "again.npz", "again.safetensors"} {
			require.Contains(t, ok(t, "convert", in, at(name)), at(name)+" ")
		}
		require.Contains(t, ok(t, "convert", in, "--dry-run"), "[256 10]")
	}
	require.Equal(t, want, after(ok(t, "eval", "--checkpoint", at("again.safetensors"), "--limit-test", "50", "--device", "cpu")))
	first, err := weights.LoadCheckpoint(filepath.Join(run, train.CheckpointDir, weights.BestName))
	require.NoError(t, err)
	last, err := weights.LoadCheckpoint(at("again.safetensors"))
	require.NoError(t, err)
	require.Equal(t, first.Arch, last.Arch)
	require.Equal(t, first.Section("model/"), last.Section("model/"))

	for _, name := range []string{run, at("net.safetensors"), at("net.onnx"), at("again.safetensors")} {
		require.Contains(t, ok(t, "summary", name), "(None, 32, 32, 3)")
		require.Contains(t, ok(t, "plot", name), "<svg")
	}
}

// A network that takes channels first gets a Permute in front, in a checkpoint only.
func TestConvertChannelsFirst(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join("..", "..", "weights", "onnx", "testdata", "golden", "shapes_17", "model.onnx"), filepath.Join(dir, "out.safetensors")
	require.Contains(t, ok(t, "convert", in, out), "from (None, 7, 6, 3) to (None, 5)")
	require.Contains(t, ok(t, "summary", out), "(Permute)")
	require.Contains(t, ok(t, "predict", "--checkpoint", out, writePNG(t, dir, 1)), "class ")
	require.Contains(t, ok(t, "convert", in, filepath.Join(dir, "out.onnx")), "from (None, 3, 7, 6) to (None, 5)")
}

// ofKeras is a file that Keras wrote.
func ofKeras(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("..", "..", "weights", "keras", "testdata", name+".gz"))
	require.NoError(t, err)
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	require.NoError(t, err)
	content, err := io.ReadAll(z)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), name)
	touch(t, file, string(content))
	return file
}

// Layers that augment in Keras alone are noted, and the network can be used.
func TestConvertTellsOfAugmentation(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	require.NotContains(t, ok(t, "convert", ofKeras(t, "augmented_keras2.h5"), out), "augment images") // turned, shifted and zoomed here, too
	require.Contains(t, ok(t, "summary", out, "--format", "keras3"), "random_rotation (RandomRotation)")
	require.Contains(t, ok(t, "predict", "--checkpoint", out, writePNG(t, t.TempDir(), 1)), "class ")

	inner := nn.NewBuilder("inner")
	x := inner.Input(nn.Shape{3, 3, 1})
	m, err := inner.Model(x, inner.Add(nn.Augmentation{Class: "RandomHue"}, inner.Add(nn.RandomFlip{}, x)))
	require.NoError(t, err)
	b := nn.NewBuilder("outer")
	x = b.Input(nn.Shape{3, 3, 1})
	m, err = b.Model(x, b.Add(nn.Augmentation{Class: "RandAugment"}, b.Add(m, x)))
	require.NoError(t, err)
	var text strings.Builder
	noteAugmentation(&text, m)
	require.Contains(t, text.String(), "note: RandAugment, RandomHue: layers that augment images in Keras's training do nothing here, in training either; --augment,")
}

// Models in models are shown with their layers.
func TestExpandNested(t *testing.T) {
	for _, name := range []string{"nested.keras", "nested_keras2.h5"} {
		file := ofKeras(t, name)
		for _, format := range []string{"keras2", "keras3"} {
			require.Greater(t, strings.Count(ok(t, "summary", file, "--format", format, "--expand-nested"), "\n"),
				strings.Count(ok(t, "summary", file, "--format", format), "\n"))
		}
		require.Greater(t, len(ok(t, "plot", file, "--format", "dot", "--expand-nested")), len(ok(t, "plot", file, "--format", "dot")))
		refused(t, []string{"summary", file, "--expand-nested"}, "--expand-nested goes with --format keras2 or keras3")
	}
}

// Networks whose stem halves images three times at once are for larger ones.
func TestInputOfLargeNetworks(t *testing.T) {
	require.Contains(t, ok(t, "summary", "alexnet", "--stem", "imagenet"), "(None, 224, 224, 3)")
	require.Contains(t, ok(t, "summary", "alexnet"), "(None, 32, 32, 3)")
	refused(t, []string{"summary", "alexnet", "--stem", "imagenet", "--input", "32x32x3"}, "window 3×3 wants at least 3 rows", "it takes, for one, --input 224x224x3")
	refused(t, []string{"summary", "nosuch"}, "the architectures are simplecnn")
}

// field is a field of a protobuf message that holds bytes.
func field(num int, body string) string {
	return string(binary.AppendUvarint([]byte{byte(num<<3 | 2)}, uint64(len(body)))) + body
}

// images declares an input or output; size is that of rows and columns, 0 for an open one.
func images(name string, size int) string {
	var dims string
	for _, n := range []int{1, 3, size, size} {
		if n == 0 {
			dims += field(1, field(2, "open"))
		} else {
			dims += field(1, "\x08"+string(rune(n)))
		}
	}
	return field(1, name) + field(2, field(1, "\x08\x01"+field(2, dims)))
}

// onnxFile writes a model of nodes "Type in… → out".
func onnxFile(t *testing.T, inputs []string, nodes ...string) string {
	t.Helper()
	graph := field(2, "net")
	last := ""
	for _, n := range nodes {
		words := strings.Fields(n)
		last = words[len(words)-1]
		node := field(4, words[0]) + field(2, last)
		for _, in := range words[1 : len(words)-1] {
			node += field(1, in)
		}
		graph += field(1, node)
	}
	for _, in := range inputs {
		graph += field(11, in)
	}
	graph += field(12, field(1, last))
	path := filepath.Join(t.TempDir(), "net.onnx")
	touch(t, path, "\x08\x08"+field(7, graph)+field(8, "\x10\x11"))
	return path
}

func TestNetworksInFilesRefused(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	best := filepath.Join(run, train.CheckpointDir, weights.BestName)
	bare := filepath.Join(dir, "bare.safetensors") // a checkpoint of a program that has its own configuration
	require.NoError(t, weights.SaveCheckpoint(bare, &weights.Checkpoint{Arch: "mine", Metric: math.NaN()}))
	plain := filepath.Join(dir, "plain.safetensors")
	ok(t, "convert", best, plain, "--to", "safetensors")
	two := onnxFile(t, []string{images("a", 8), images("b", 8)}, "Add a b sum", "GlobalAveragePool sum mean", "Flatten mean y")
	several := severalFile(t)
	odd := onnxFile(t, []string{images("a", 8)}, "Foo a f", "NonMaxSuppression f n", "Foo n y")
	open := onnxFile(t, []string{images("a", 0)}, "GlobalAveragePool a mean", "Flatten mean y")
	picture := onnxFile(t, []string{images("a", 8)}, "Relu a y")
	broken := filepath.Join(dir, "broken.onnx")
	text, err := os.ReadFile(picture)
	require.NoError(t, err)
	touch(t, broken, string(text[:len(text)-9]))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"is a folder and not that of a run", []string{"convert", dir, out}},
		{"is a folder and not that of a run", []string{"summary", dir}},
		{"does not say of which network", []string{"convert", bare, out}},
		{"does not say of which network", []string{"summary", bare}},
		{"holds weights and no network; name the architecture", []string{"summary", plain}},
		{"has 2 inputs and 1 outputs; checkpoints, and train, eval and predict, are of networks that take one image", []string{"convert", two, out}},
		{"train.Fitter takes models of several", []string{"convert", several, out}},
		{"train.Fitter takes models of several", []string{"convert", several, out, "--to", "onnx", "--raw-pixels"}},
		{"3 nodes of operations that are not supported: Foo (2), NonMaxSuppression (1)", []string{"convert", odd, out}},
		{"3 nodes of operations that are not supported: Foo (2), NonMaxSuppression (1)", []string{"summary", odd}},
		{"such as --input 224x224x3", []string{"convert", open, out}},
		{"does not fit images of (None, 9, 9, 4)", []string{"convert", open, out, "--input", "9x9x4"}},
		{"checkpoints are of networks that take images and return a number a class", []string{"convert", picture, out}},
		{"broken.onnx: byte ", []string{"plot", broken}},
		{"--classes is for networks that --arch names", []string{"convert", best, out, "--classes", "10"}},
		{"--match is for weights of networks that --arch names", []string{"convert", best, out, "--match", "order"}},
		{"takes images of [32 32 3] with 10 classes, cifar100", []string{"convert", best, out, "--data", "cifar100"}},
		{"--classes is for networks of ours", []string{"summary", best, "--classes", "10"}},
		{"--batch is for architectures", []string{"summary", best, "--batch", "4"}},
		{"no architecture has that name", []string{"summary", "nowhere.onnx"}},
		{"resnet152", []string{"summary"}},
	} {
		refused(t, c.args, c.want)
	}
	_, err = os.Stat(out)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing was written")
	require.Contains(t, ok(t, "convert", open, out, "--input", "9x8x3"), "from (None, 9, 8, 3) to (None, 3)")
	require.Contains(t, ok(t, "summary", out), "(None, 9, 8, 3)")
}

// severalFile is a model of Keras with several inputs and outputs.
func severalFile(t *testing.T) string {
	t.Helper()
	packed, err := os.Open("../../weights/keras/testdata/several.keras.gz")
	require.NoError(t, err)
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "several.keras")
	touch(t, path, string(text))
	return path
}

// TestNetworksOfSeveral: what looks at networks and converts them takes those of several inputs and outputs.
func TestNetworksOfSeveral(t *testing.T) {
	file, dir := severalFile(t), t.TempDir()
	said := ok(t, "summary", file, "--format", "keras3")
	require.Contains(t, said, "[(None, 5), (None, 4),")
	require.Contains(t, ok(t, "summary", file, "--format", "json"), `"outputs"`)
	require.Contains(t, ok(t, "plot", file), "pair")
	net := filepath.Join(dir, "several.onnx")
	said = ok(t, "convert", file, net)
	require.Contains(t, said, "from table (None, 6), spare (None, 2), words (None, 3) to class (None, 3), value (None, 1), pair (None, 4), value (None, 1), table (None, 6)")
	require.Contains(t, ok(t, "summary", net), "words (InputLayer)")
	require.Contains(t, ok(t, "convert", net, filepath.Join(dir, "again.onnx")), "from table (None, 6), spare (None, 2), words (None, 3) to")
	require.Contains(t, ok(t, "convert", file, filepath.Join(dir, "several.npz")), "holds the weights")
}

// TestNetworksThatShare: checkpoints hold in which places layers are, and predict as the file does.
func TestNetworksThatShare(t *testing.T) {
	for _, name := range []string{"behind.keras", "behind_keras2.h5"} {
		file, dir := ofKeras(t, name), t.TempDir()
		want := ok(t, "summary", file, "--format", "keras3")
		require.Contains(t, want, "x[0][0], block[0][0],")
		require.Contains(t, ok(t, "summary", file, "--format", "json"), `"block[1][0]"`)
		require.Contains(t, ok(t, "plot", file, "--format", "dot"), "l1 -> l1;")
		checkpoint, net := filepath.Join(dir, "out.safetensors"), filepath.Join(dir, "net.onnx")
		ok(t, "convert", file, checkpoint, "--raw-pixels")
		softmax := regexp.MustCompile(`\n├[^│]*\n│ softmax \(Activation\) .* scores\[0\]\[0\] .*`) // which convert put behind the scores
		got := ok(t, "summary", checkpoint, "--format", "keras3")
		require.Len(t, softmax.FindAllString(got, -1), 1)
		require.Equal(t, want, softmax.ReplaceAllString(got, ""))
		ok(t, "convert", checkpoint, net, "--raw-pixels")
		again := filepath.Join(dir, "again.safetensors")
		ok(t, "convert", net, again, "--raw-pixels")
		image := writePNG(t, dir, 1)
		probabilities := ok(t, "predict", "--checkpoint", checkpoint, image)
		require.Contains(t, probabilities, "class ")
		require.Equal(t, probabilities, ok(t, "predict", "--checkpoint", again, image))
	}
}

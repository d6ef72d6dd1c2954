package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// A network goes to ONNX and comes back with the same weights, bit by bit.
func TestConvertToONNXAndBack(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	best := filepath.Join(run, train.CheckpointDir, weights.BestName)
	first, err := weights.LoadCheckpoint(best)
	require.NoError(t, err)
	file, back := filepath.Join(dir, "net.onnx"), filepath.Join(dir, "back.safetensors")
	require.Contains(t, ok(t, "convert", best, file, "--arch", first.Arch), "is the network in ONNX, from (None, 32, 32, 3) to (None, 10)")
	said := ok(t, "convert", file, back, "--arch", first.Arch)
	require.Contains(t, said, "ONNX, ")
	require.Contains(t, said, "matched by equal names")
	last, err := weights.LoadCheckpoint(back)
	require.NoError(t, err)
	require.Equal(t, first.Section("model/"), last.Section("model/"))
}

// The checkpoint of a network that returns scores has a softmax behind them; other files have what the network returns. What ends otherwise is noted.
func TestConvertPutsASoftmaxBehindScores(t *testing.T) {
	dir := t.TempDir()
	picture := writePNG(t, dir, 1)
	shares := func(checkpoint string) (sum float64) {
		for _, share := range regexp.MustCompile(`([0-9.]+)%  class`).FindAllStringSubmatch(ok(t, "predict", "--checkpoint", checkpoint, picture), -1) {
			v, err := strconv.ParseFloat(share[1], 64)
			require.NoError(t, err)
			sum += v
		}
		return sum
	}
	for _, ends := range []nn.Nonlinearity{nn.Softmax, "", nn.Sigmoid} {
		b := nn.NewBuilder("net")
		in := b.Input(nn.Shape{4, 4, 3})
		m, err := b.Model(in, b.Add(nn.Dense{Units: 5, Activation: ends}, b.Add(nn.Flatten{}, in)))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		file, checkpoint := filepath.Join(dir, "net.onnx"), filepath.Join(dir, "net.safetensors")
		require.NoError(t, onnx.Write(file, m, onnx.WriteConfig{}))
		said := ok(t, "convert", file, checkpoint)
		require.Equal(t, ends == "", strings.Contains(said, "note: the network ends with scores; in the checkpoint a softmax is behind them"), said)
		require.Equal(t, ends == nn.Sigmoid, strings.Contains(said, "note: the network does not end with a softmax"), said)
		if ends != nn.Sigmoid {
			require.InDelta(t, 100, shares(checkpoint), 0.05)
		}
		require.NotContains(t, ok(t, "convert", checkpoint, filepath.Join(dir, "again.safetensors")), "ends with scores")
		require.NotContains(t, ok(t, "convert", file, filepath.Join(dir, "net.npz")), "softmax")
	}
}

// Keras's file of a whole network becomes ONNX without being told what it is; PyTorch's weights with its name.
func TestConvertOthersToONNX(t *testing.T) {
	root, dir := realData(t), t.TempDir()
	file := filepath.Join(dir, "resnet20.onnx")
	require.Contains(t, ok(t, "convert", filepath.Join(root, "weights", "cifar10_resnet20-12fca82f.th"), file, "--arch", "resnet20-cifar", "--data", "cifar10"),
		"is the network in ONNX")
	back := filepath.Join(dir, "resnet20.safetensors")
	require.Contains(t, ok(t, "convert", file, back, "--arch", "resnet20-cifar", "--data", "cifar10"), "all 97 weights (271,098 numbers) matched by equal names")
}

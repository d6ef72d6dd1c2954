package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
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

// Keras's file of a whole network becomes ONNX without being told what it is; PyTorch's weights with its name.
func TestConvertOthersToONNX(t *testing.T) {
	root, dir := realData(t), t.TempDir()
	file := filepath.Join(dir, "resnet20.onnx")
	require.Contains(t, ok(t, "convert", filepath.Join(root, "weights", "cifar10_resnet20-12fca82f.th"), file, "--arch", "resnet20-cifar", "--data", "cifar10"),
		"is the network in ONNX")
	back := filepath.Join(dir, "resnet20.safetensors")
	require.Contains(t, ok(t, "convert", file, back, "--arch", "resnet20-cifar", "--data", "cifar10"), "all 97 weights (271,098 numbers) matched by equal names")
}

// A checkpoint knows its network, also one that Keras described, and needs no --arch.
func TestConvertCheckpointWithoutArch(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	best := filepath.Join(run, train.CheckpointDir, weights.BestName)
	require.Contains(t, ok(t, "convert", best, filepath.Join(dir, "net.onnx")), "is the network in ONNX, from (None, 32, 32, 3) to (None, 10)")
	again := filepath.Join(dir, "again.safetensors")
	ok(t, "convert", best, again)
	first, before, err := train.LoadModel(best)
	require.NoError(t, err)
	last, after, err := train.LoadModel(again)
	require.NoError(t, err)
	require.Equal(t, before, after)
	for i, w := range first.Weights() {
		require.Equal(t, w.Value.Data(), last.Weights()[i].Value.Data())
	}
}

func TestConvertCheckpointOfKerasToONNX(t *testing.T) {
	root, dir := realData(t), t.TempDir()
	mid := filepath.Join(dir, "resnet8.safetensors")
	ok(t, "convert", filepath.Join(root, "weights", "mlperf_tiny_cifar10_resnet8.h5"), mid, "--data", "cifar10", "--raw-pixels")
	require.Contains(t, ok(t, "convert", mid, filepath.Join(dir, "resnet8.onnx")), "is the network in ONNX, from (None, 32, 32, 3) to (None, 10)")
}

package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// fakeCIFAR100 makes a folder with one file of so many black images of class 0 and the given bytes at their offsets.
func fakeCIFAR100(t *testing.T, name string, records int64, bytes map[int64]byte) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(records*3074)) // takes no room on most file systems
	for at, b := range bytes {
		_, err := f.WriteAt([]byte{b}, at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return dir
}

func touch(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestBadDataFiles(t *testing.T) {
	run := func(dir string, name string) []string {
		return []string{"train", "--data", name, "--data-dir", dir, "--offline", "--out", filepath.Join(t.TempDir(), "run"), "--epochs", "1", "--limit-train", "32"}
	}
	empty := t.TempDir()
	refused(t, run(empty, "cifar100"), empty, "holds no CIFAR-100")
	refused(t, run(filepath.Join(empty, "nowhere"), "cifar100"), "nowhere", "no such file")

	dir := fakeCIFAR100(t, "train.bin", 50000, map[int64]byte{3*3074 + 1: 100})
	refused(t, run(dir, "cifar100"), "test.bin", "missing")
	touch(t, filepath.Join(dir, "test.bin"), "")
	text := refused(t, run(dir, "cifar100"), filepath.Join(dir, "train.bin"), "label out of range", "record 3", "0 … 99", "found 100")
	require.NotContains(t, text, "\n    ", "one line")

	dir = fakeCIFAR100(t, "train.bin", 49999, nil)
	touch(t, filepath.Join(dir, "test.bin"), "")
	refused(t, run(dir, "cifar100"), filepath.Join(dir, "train.bin"), "truncated")
	dir = fakeCIFAR100(t, "train.bin", 50001, nil)
	touch(t, filepath.Join(dir, "test.bin"), "")
	refused(t, run(dir, "cifar100"), filepath.Join(dir, "train.bin"), "too long")

	dir = t.TempDir()
	archive := filepath.Join(dir, "cifar-100-binary.tar.gz")
	touch(t, archive, strings.Repeat("this is no archive", 100))
	refused(t, run(dir, "cifar100"), archive)
	refused(t, run(archive, "cifar100"), archive)
	touch(t, archive, "")
	refused(t, run(archive, "cifar100"), archive)
}

// TestMNISTIsTooSmallForVGG trains nets on 28×28×1 images.
// A changed pixel shows in the digest alone.
func TestChangedDataFile(t *testing.T) {
	dir := fakeCIFAR100(t, "test.bin", 10000, map[int64]byte{5000: 1})
	run := trained(t)
	eval := []string{"eval", "--run", run, "--data", "cifar100", "--data-dir", dir}
	refused(t, eval, filepath.Join(dir, "test.bin"), "wrong digest", "--allow-modified")
	refused(t, with(eval, "--allow-modified"), "10 classes") // the file was read
	r := stheno(t, "data", "verify", "cifar100", "--data-dir", dir, "--offline")
	require.Equal(t, 1, r.code)
	require.NotContains(t, r.stdout+r.stderr, "using the file")

	// A run on changed files goes on without being told again, but not on files that changed since.
	pixels := fakeCIFAR100(t, "train.bin", 50000, map[int64]byte{5000: 1})
	require.NoError(t, os.Rename(filepath.Join(dir, "test.bin"), filepath.Join(pixels, "test.bin")))
	out := filepath.Join(t.TempDir(), "run")
	args := []string{"train", "--data-dir", pixels, "--epochs", "1", "--limit-train", "40", "--limit-test", "10", "--out", out}
	refused(t, args, filepath.Join(pixels, "train.bin"), "wrong digest")
	ok(t, with(args, "--allow-modified")...)
	ok(t, "train", "--resume", "--out", out)

	// Without a word on the data, eval looks where the run was trained.
	require.Contains(t, ok(t, "eval", "--run", out, "--allow-modified", "--limit-test", "10"), "10 test images of CIFAR-100")
	refused(t, []string{"eval", "--run", out, "--data", "cifar100", "--offline"}, "not asked (offline)")
	moved := pixels + "-moved"
	require.NoError(t, os.Rename(pixels, moved))
	refused(t, []string{"eval", "--run", out}, "recorded in "+out, pixels, "--data-dir", "--data cifar100")
	refused(t, []string{"train", "--resume", "--out", out}, "recorded in "+out, pixels, "--data-dir")
	t.Chdir(moved)
	ok(t, "train", "--resume", "--out", out, "--data-dir", ".")
	c, _, err := train.ReadConfig(out)
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(c.DataDir), c.DataDir)
	t.Chdir(t.TempDir())
	ok(t, "train", "--resume", "--out", out)
	pixels = moved

	f, err := os.OpenFile(filepath.Join(pixels, "train.bin"), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{2}, 6000)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	refused(t, []string{"train", "--resume", "--out", out}, pixels, "other digests")
}

func TestMNISTIsTooSmallForVGG(t *testing.T) {
	dir := t.TempDir()
	for name, count := range map[string]uint32{"train": 60000, "t10k": 10000} {
		header := binary.BigEndian.AppendUint32(nil, 0x803)
		for _, n := range []uint32{count, 28, 28} {
			header = binary.BigEndian.AppendUint32(header, n)
		}
		path := filepath.Join(dir, name+"-images-idx3-ubyte")
		touch(t, path, string(header))
		require.NoError(t, os.Truncate(path, int64(len(header))+int64(count)*784))
		header = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), count)
		path = filepath.Join(dir, name+"-labels-idx1-ubyte")
		touch(t, path, string(header))
		require.NoError(t, os.Truncate(path, int64(len(header))+int64(count)))
	}
	args := func(arch string) []string {
		return []string{"train", "--arch", arch, "--data", "mnist", "--data-dir", dir, "--offline", "--allow-modified", "--epochs", "1", "--limit-train", "40",
			"--limit-test", "10", "--out", filepath.Join(t.TempDir(), "run")}
	}
	refused(t, args("vgg16"), "block5_pool", "2 rows", "larger input")
	out := ok(t, args("simplecnn")...)
	require.Contains(t, out, "done:")
}

func TestData(t *testing.T) {
	out := ok(t, "data", "describe", "sample")
	require.Contains(t, out, "5000 training and 1000 test images")
	require.Contains(t, out, "Ankle boot 500")
	require.Contains(t, ok(t, "data", "fetch", "sample"), "built in")
	require.Contains(t, ok(t, "data", "verify", "sample"), "built in")
	require.Contains(t, ok(t, "data"), "fetch")
	refused(t, []string{"data", "describe", "cifar10", "--offline"}, "cifar10", "not asked (offline)", "--data-dir")
}

func TestOfflineTrainsOnTheSample(t *testing.T) {
	t.Chdir(t.TempDir())
	out := ok(t, "train", "--offline", "--epochs", "1", "--limit-train", "64", "--limit-test", "20")
	first, _, _ := strings.Cut(out, "\n")
	require.Contains(t, first, "cifar100 is not here")
	require.Contains(t, first, "built-in sample")
	runs, err := filepath.Glob("runs/simplecnn-sample-*")
	require.NoError(t, err)
	require.Len(t, runs, 1)
	ok(t, "train", "--resume", "--offline", "--out", runs[0], "--epochs", "2")
}

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// pictureFolder is a folder of pictures: classes odd and even.
func pictureFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 24 {
		half := "train"
		if i >= 18 {
			half = "val"
		}
		at := filepath.Join(dir, half, []string{"even", "odd"}[i%2])
		require.NoError(t, os.MkdirAll(at, 0o755))
		writePNG(t, at, i)
	}
	return dir
}

func TestFolderOfPictures(t *testing.T) {
	dir, out := pictureFolder(t), filepath.Join(t.TempDir(), "run")
	said := ok(t, "data", "describe", "folder", "--data-dir", dir)
	require.Contains(t, said, "pictures in "+filepath.Base(dir)+" (folder): 18 training and 6 test images")
	require.Contains(t, said, "folder/train: 18 pictures, whose sizes and pixels are not looked at, 2 classes\n  images per class: even 9 odd 9\n")
	require.Contains(t, ok(t, "data", "verify", "folder", "--data-dir", dir), "all 24 pictures can be decoded")
	refused(t, []string{"data", "fetch", "folder", "--data-dir", dir}, "is not fetched", "docs/imagenet.md")
	refused(t, []string{"train", "--data", "folder"}, "the data set \"folder\" needs the folder", "--data-dir")
	refused(t, []string{"train", "--size", "64"}, "--size goes with --data folder")

	said = ok(t, "train", "--data", "folder", "--data-dir", dir, "--size", "32", "--augment", "--standardise", "--batch", "6", "--epochs", "1", "--out", out)
	require.Contains(t, said, "18 training and 6 test images")
	require.Contains(t, ok(t, "train", "--resume", "--out", out, "--epochs", "2"), "resuming from")
	require.Contains(t, ok(t, "eval", "--run", out), "6 ")
	picture := filepath.Join(dir, "val", "odd", strconv.Itoa(19)+".png")
	require.Regexp(t, `% +(odd|even)`, ok(t, "predict", "--run", out, picture))

	touch(t, picture, "no picture")
	require.Contains(t, refused(t, []string{"data", "verify", "folder", "--data-dir", dir}, "1 of 24 pictures cannot be used"), "take them out of their folders before a run begins, or train with --skip-damaged")
	require.Contains(t, stheno(t, "data", "verify", "folder", "--data-dir", dir).stdout, "picture "+picture+": is neither PNG nor JPEG")
	refused(t, []string{"eval", "--run", out}, picture, "is neither PNG nor JPEG", "data verify folder --data-dir "+dir+`" names all`, "--skip-damaged")
	require.Contains(t, ok(t, "eval", "--run", out, "--skip-damaged"), "note: damaged, and another one of its class is in its place: "+picture)
	resume := []string{"train", "--resume", "--out", out, "--epochs", "3"}
	refused(t, resume, picture, "data verify folder --data-dir "+dir, "train --resume --out "+out+" --skip-damaged\n")
	said = ok(t, append(resume, "--skip-damaged")...)
	require.Contains(t, said, "note: damaged, and another one of its class is in its place: "+picture)
	require.Contains(t, said, "note: damaged pictures with others in their places: 0 of training, 1 of tests")
	refused(t, []string{"train", "--resume", "--out", out, "--val-split", "0.5"}, "--val-split is 0 there, not 0.5")

	require.NoError(t, os.Rename(dir, dir+"-moved"))
	require.NotContains(t, refused(t, []string{"eval", "--run", out}, "name another with --data-dir"), "--data folder")
	require.Contains(t, ok(t, "eval", "--run", out, "--data-dir", dir+"-moved", "--skip-damaged"), "on 6 test images")
}

// What users of folders get wrong is told, before anything is trained or fetched.
func TestFolderHints(t *testing.T) {
	dir, out := pictureFolder(t), filepath.Join(t.TempDir(), "run")
	refused(t, []string{"train", "--data-dir", dir}, "holds pictures in train and val, and not cifar100; give --data folder")
	refused(t, []string{"train", "--data", "imagenet"}, `did you mean "folder"? That is ImageNet, and other pictures`)
	refused(t, []string{"data", "verify", "folder", "--data-dir", filepath.Join(dir, "train")}, "name the folder above, "+dir)
	folder := []string{"train", "--data", "folder", "--data-dir", dir, "--size", "32", "--epochs", "1", "--batch", "6", "--out", out}
	refused(t, append(folder, "--cutout", "8"), "--cutout and --mixup are not for --data folder; leave them out, or where a recipe sets them give --cutout 0 --mixup 0")
	refused(t, []string{"train", "--data", "sample", "--skip-damaged"}, "--skip-damaged goes with --data folder")
	refused(t, []string{"data", "describe", "sample", "--val-split", "0.2"}, `is for the set "folder"`)

	touch(t, filepath.Join(dir, "train", "odd", "a.webp"), "picture")
	touch(t, filepath.Join(dir, "val", "loose.png"), "picture")
	for _, line := range [][]string{{"data", "describe", "folder", "--data-dir", dir}, {"data", "verify", "folder", "--data-dir", dir}, folder} {
		said := ok(t, line...)
		require.Contains(t, said, "note: "+filepath.Join(dir, "train")+": a file is no .jpg, .jpeg or .png and is left out: odd/a.webp\n")
		require.Contains(t, said, "note: "+filepath.Join(dir, "val")+": a picture lies beside the folders of classes and is left out: loose.png\n")
	}
	refused(t, []string{"predict", "--run", out, dir}, "is a folder; name the pictures in it")
}

// A folder without val is divided, in the evaluation as in training.
func TestFolderWithoutTests(t *testing.T) {
	dir, out := pictureFolder(t), filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "val")))
	folder := []string{"train", "--data", "folder", "--data-dir", dir, "--size", "32", "--epochs", "1", "--batch", "6", "--out", out}
	refused(t, folder, "has no folder val of test pictures", "--val-split 0.2")
	require.Contains(t, ok(t, "data", "describe", "folder", "--data-dir", dir, "--val-split", "0.2"), "14 training and 4 test images")
	require.Contains(t, ok(t, append(folder, "--val-split", "0.2")...), "14 training and 4 test images")
	require.Contains(t, ok(t, "eval", "--run", out), "on 4 test images")
	require.Contains(t, ok(t, "train", "--resume", "--out", out, "--epochs", "2"), "resuming from")
}

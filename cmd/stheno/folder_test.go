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
	require.Contains(t, said, "folder/train: 18 images of 224x224x3, 2 classes\n  images per class: even 9 odd 9\n")
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
	require.Contains(t, refused(t, []string{"data", "verify", "folder", "--data-dir", dir}, "1 of 24 pictures cannot be used"), "take them out")
	require.Contains(t, stheno(t, "data", "verify", "folder", "--data-dir", dir).stdout, "picture "+picture+": is neither PNG nor JPEG")
	refused(t, []string{"eval", "--run", out}, picture, "is neither PNG nor JPEG")
}

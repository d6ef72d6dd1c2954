package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	refused(t, []string{"train", "--data-dir", dir}, "holds pictures in train, and not cifar100; give --data folder")
	refused(t, []string{"train", "--data", "imagenet"}, `did you mean "folder"? That is ImageNet, and other pictures`)
	refused(t, []string{"data", "verify", "folder", "--data-dir", filepath.Join(dir, "train")}, "name the folder above, "+dir)
	folder := []string{"train", "--data", "folder", "--data-dir", dir, "--size", "32", "--epochs", "1", "--batch", "6", "--out", out}
	refused(t, with(folder, "--size", "4"), "simplecnn does not take images of --size 4; it takes, for one, --size 224")
	refused(t, []string{"train", "--data", "sample", "--arch", "inceptionv3", "--out", out}, "inceptionv3 does not take the images of sample, 32×32×3; train another network, or pictures of your own with --data folder, which are 224×224 unless")
	refused(t, append(folder, "--cutout", "33"), "--cutout wants at most the side of the images, 32, got 33")
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

	refused(t, []string{"train", "--data-dir", dir}, "holds pictures in train, and not cifar100; give --data folder")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "train", "none"), 0o755))
	refused(t, with(folder, "--val-split", "0.2", "--out", out+"2"), filepath.Join(dir, "train", "none")+": holds no pictures", "put pictures of it there, or remove the folder")
	require.NoError(t, os.Remove(filepath.Join(dir, "train", "none")))

	// What is said of damaged pictures is a command that finds them.
	for i := range 18 {
		touch(t, filepath.Join(dir, "train", []string{"even", "odd"}[i%2], strconv.Itoa(i)+".png"), "no picture")
	}
	for _, args := range [][]string{{"train", "--resume", "--out", out, "--epochs", "3"}, {"eval", "--run", out}} {
		text := refused(t, args, "is neither PNG nor JPEG")
		said := regexp.MustCompile(`"stheno (data verify [^"]*)" names all`).FindStringSubmatch(text)
		require.NotNil(t, said, text)
		refused(t, strings.Fields(said[1]), "18 of 18 pictures cannot be used")
	}
}

// TestEXIFOrientation: pictures that lie on their side are turned if that is asked for, and are then the same to training, eval and predict
// as those that stand.
func TestEXIFOrientation(t *testing.T) {
	dirs := map[string]string{"standing": t.TempDir(), "lying": t.TempDir()}
	for _, half := range []string{"train", "val"} {
		for i := range 8 {
			at := filepath.Join(half, []string{"even", "odd"}[i%2])
			for kind, dir := range dirs {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, at), 0o755))
				m := image.NewGray(image.Rect(0, 0, 40, 48))
				if kind == "lying" {
					m = image.NewGray(image.Rect(0, 0, 48, 40))
				}
				for y := range 48 {
					for x := range 40 {
						v := color.Gray{uint8(i*20 + 3*x + y)}
						if kind == "lying" { // orientation 6: what is shown on top lies on the left, the right end first
							m.Set(y, 39-x, v)
						} else {
							m.Set(x, y, v)
						}
					}
				}
				var b bytes.Buffer
				require.NoError(t, png.Encode(&b, m))
				raw := b.Bytes()
				if kind == "lying" {
					chunk := []byte("eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
					size, sum := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4)), binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
					raw = slices.Concat(raw[:33], size, chunk, sum, raw[33:])
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, at, fmt.Sprint(i, ".png")), raw, 0o644))
			}
		}
	}
	runs := map[string]string{}
	for name, more := range map[string][]string{"standing": nil, "lying": {"--exif", "apply"}, "as they lie": {"--exif", "ignore"}} {
		dir, out := dirs["lying"], filepath.Join(t.TempDir(), "run")
		if name == "standing" {
			dir = dirs["standing"]
		}
		ok(t, append([]string{"train", "--data", "folder", "--data-dir", dir, "--size", "32", "--epochs", "1", "--batch", "4", "--augment", "--out", out}, more...)...)
		runs[name] = out
	}
	measured := func(run string, args ...string) string {
		said := ok(t, append([]string{"eval", "--run", run}, args...)...)
		return said[strings.Index(said, ": loss "):]
	}
	require.Equal(t, measured(runs["standing"]), measured(runs["lying"]))
	require.NotEqual(t, measured(runs["lying"]), measured(runs["lying"], "--exif", "ignore"))
	predicted := func(kind string, more ...string) string {
		file := filepath.Join(dirs[kind], "val", "odd", "1.png")
		_, said, _ := strings.Cut(ok(t, append([]string{"predict", "--run", runs["lying"], file}, more...)...), "\n")
		return said
	}
	require.Equal(t, predicted("standing"), predicted("lying"))
	require.NotEqual(t, predicted("lying"), predicted("lying", "--exif", "ignore"))
	text, err := os.ReadFile(filepath.Join(runs["as they lie"], "run.json"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "exif", "the default says nothing")
	resume := []string{"train", "--resume", "--epochs", "2", "--out"}
	require.Contains(t, ok(t, append(resume, runs["as they lie"], "--exif", "ignore")...), "epoch 2/2")
	refused(t, append(resume, runs["lying"], "--exif", "ignore"), "--exif is apply there, not ignore")

	require.Contains(t, ok(t, "data", "verify", "folder", "--data-dir", dirs["lying"]), "16 of 16 pictures have an EXIF orientation, and are seen as their pixels lie in the file; train --exif apply")
	require.NotContains(t, ok(t, "data", "verify", "folder", "--data-dir", dirs["standing"]), "have an EXIF")
	refused(t, []string{"train", "--data", "sample", "--exif", "apply"}, "--exif goes with --data folder")
	refused(t, []string{"train", "--data", "folder", "--data-dir", dirs["lying"], "--exif", "aply"}, `--exif wants ignore or apply, got "aply"; did you mean "apply"?`)
	refused(t, []string{"predict", "--run", runs["lying"], "--exif", "", "a.png"}, "--exif= is empty")
	refused(t, []string{"predict", "--run", trained(t), "--exif", "apply", "a.png"}, "--exif apply is for networks and images of --data folder, and this is about sample")
}

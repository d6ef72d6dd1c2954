package data

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func jpegBytes(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}))
	return b.Bytes()
}

// scene is a picture in colour of h×w pixels, another one for every seed.
func scene(h, w, seed int) image.Image {
	return paint(image.NewRGBA(image.Rect(0, 0, w, h)), func(x, y int) color.Color {
		return color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(40*seed + 10*(x/9+y/7)), 255}
	})
}

func put(t testing.TB, raw []byte, path ...string) string {
	t.Helper()
	at := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(t, os.WriteFile(at, raw, 0o644))
	return at
}

// album makes a folder of pictures of several sizes: two classes, five and four of training, two and one of tests.
func album(t testing.TB) string {
	dir := t.TempDir()
	for i := range 9 {
		class := []string{"cat", "dog"}[i/5]
		put(t, jpegBytes(t, scene(40+7*i, 70-5*i, i)), dir, "train", class, class+"_"+string(rune('a'+i))+".JPEG")
	}
	put(t, jpegBytes(t, scene(300, 211, 9)), dir, "val", "dog", "large.jpeg")
	put(t, jpegBytes(t, scene(50, 60, 10)), dir, "val", "cat", "1.jpg")
	put(t, jpegBytes(t, scene(20, 20, 11)), dir, "val", "cat", "more", "2.jpg")
	return dir
}

func openAlbum(t testing.TB, dir string, size int) *Split {
	s, err := Open(bg, FolderName, Options{Dir: dir, Size: size})
	require.NoError(t, err)
	return s
}

func TestOpenFolder(t *testing.T) {
	dir := album(t)
	put(t, nil, dir, "train", "README") // none of these is a picture or a class
	put(t, nil, dir, "train", "cat", "list.txt")
	put(t, nil, dir, "train", "cat", ".hidden.jpg")
	put(t, nil, dir, "train", ".cache", "x.jpg")
	s := openAlbum(t, dir, 0)
	require.Equal(t, []string{"cat", "dog"}, s.Train.Classes)
	require.Equal(t, [3]int{224, 224, 3}, s.Train.Shape)
	require.Equal(t, []int32{0, 0, 0, 0, 0, 1, 1, 1, 1}, s.Train.Labels)
	require.Equal(t, []string{"cat/cat_a.JPEG", "cat/cat_b.JPEG"}, s.Train.Files.Names[:2])
	require.Equal(t, []string{"cat/1.jpg", "cat/more/2.jpg", "dog/large.jpeg"}, s.Test.Files.Names)
	require.Equal(t, []int32{0, 0, 1}, s.Test.Labels)
	require.Equal(t, filepath.Join(dir, "val", "cat", "more", "2.jpg"), s.Test.Files.Path(1))
	require.NoError(t, s.Train.Validate())
	require.Len(t, s.Files, 2)
	require.Equal(t, "no published digest", s.Files[0].String())

	// The digest is that of the list, which is how a run knows its data again.
	again := openAlbum(t, dir, 0)
	require.Equal(t, s.Files, again.Files)
	require.NoError(t, os.Rename(filepath.Join(dir, "val", "cat", "1.jpg"), filepath.Join(dir, "val", "cat", "3.jpg")))
	again = openAlbum(t, dir, 0)
	require.Equal(t, s.Files[0], again.Files[0])
	require.NotEqual(t, s.Files[1].MD5, again.Files[1].MD5)

	only, err := Open(bg, FolderName, Options{Dir: dir, TestOnly: true})
	require.NoError(t, err)
	require.Nil(t, only.Train)
	require.Equal(t, again.Test, only.Test)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "train")))
	only, err = Open(bg, FolderName, Options{Dir: dir, TestOnly: true})
	require.NoError(t, err)
	require.Equal(t, again.Test, only.Test)

	d := Describe(s.Train)
	require.Equal(t, []int{5, 4}, d.PerClass)
	require.Empty(t, d.Mean)
	require.Equal(t, []float32{0.485, 0.456, 0.406}, Standardize(s.Train).Mean)
	_, err = s.Train.Expand(300, 300, 3)
	require.ErrorContains(t, err, "there is nothing to expand")
}

func TestOpenFolderFollowsLinksToClasses(t *testing.T) {
	dir := album(t)
	require.NoError(t, os.Rename(filepath.Join(dir, "train", "cat"), filepath.Join(dir, "elsewhere")))
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "train", "cat")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	require.Equal(t, 9, openAlbum(t, dir, 0).Train.Len())
}

func TestOpenFolderFaults(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(dir string)
		size   int
		want   string
	}{
		"no training": {func(dir string) { _ = os.RemoveAll(filepath.Join(dir, "train")) }, 0, "train: the folder cannot be read: "},
		"no tests":    {func(dir string) { _ = os.RemoveAll(filepath.Join(dir, "val")) }, 0, "has no folder val of test pictures"},
		"no classes": {func(dir string) {
			_ = os.RemoveAll(filepath.Join(dir, "train", "cat"))
			_ = os.RemoveAll(filepath.Join(dir, "train", "dog"))
		}, 0, "holds no folders of classes; expected are DIR/train/CLASS/*.jpg"},
		"flat tests": {func(dir string) {
			_ = os.RemoveAll(filepath.Join(dir, "val"))
			put(t, nil, dir, "val", "1.jpg")
		}, 0, "holds no pictures in folders of classes"},
		"empty class":   {func(dir string) { _ = os.Mkdir(filepath.Join(dir, "train", "ant"), 0o755) }, 0, "ant: holds no pictures (.jpg, .jpeg, .png)"},
		"another class": {func(dir string) { put(t, nil, dir, "val", "fox", "1.jpg") }, 0, "fox: is a class that is not among those of training"},
		"large images":  {func(string) {}, 1 << 13, "the images' size is 8192; expected 1 … 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := album(t)
			c.damage(dir)
			_, err := Open(bg, FolderName, Options{Dir: dir, Size: c.size})
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := Open(bg, FolderName, Options{})
	require.ErrorContains(t, err, "name it with --data-dir")
	_, err = Open(bg, FolderName, Options{Dir: filepath.Join(t.TempDir(), "nowhere")})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Open(bg, "cifar10", Options{Size: 64})
	require.ErrorContains(t, err, `only those of "folder" have any`)
}

// Some of the pictures are of all classes.
func TestHeadOfFolder(t *testing.T) {
	s := openAlbum(t, album(t), 8)
	h := s.Train.Head(4)
	require.Equal(t, []int32{0, 0, 0, 1}, h.Labels)
	require.Equal(t, s.Train.Files.Names[6], h.Files.Names[3])
	require.NoError(t, h.Validate())
	require.Same(t, s.Train, s.Train.Head(9))
}

func TestValidateFiles(t *testing.T) {
	d := openAlbum(t, album(t), 8).Train
	for _, change := range []func(d *Dataset){
		func(d *Dataset) { d.Shape[2] = 1 }, func(d *Dataset) { d.Shape[0] = 9 }, func(d *Dataset) { d.Images = []byte{1} },
		func(d *Dataset) { d.Files = &Files{Names: d.Files.Names[1:]} },
	} {
		bad := *d
		change(&bad)
		require.ErrorContains(t, bad.Validate(), "labels of files want as many names")
	}
}

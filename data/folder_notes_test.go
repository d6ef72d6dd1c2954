package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// saidOf is what opening a folder tells, without the folder's name.
func saidOf(t *testing.T, o Options) (*Split, []string) {
	t.Helper()
	var said []string
	o.Logf = func(format string, args ...any) {
		said = append(said, strings.ReplaceAll(filepath.ToSlash(fmt.Sprintf(format, args...)), filepath.ToSlash(o.Dir), "DIR"))
	}
	s, err := Open(bg, FolderName, o)
	require.NoError(t, err)
	return s, said
}

// What is in a folder and not used is told in a line each.
func TestFolderTellsWhatIsLeftOut(t *testing.T) {
	dir := album(t)
	_, said := saidOf(t, Options{Dir: dir})
	require.Empty(t, said)
	put(t, nil, dir, "train", "cat", "a.webp")
	put(t, nil, dir, "train", "cat", "more", "b.gif")
	put(t, nil, dir, "train", "cat", ".DS_Store")
	put(t, nil, dir, "train", "README")
	put(t, nil, dir, "val", "loose.jpg")
	put(t, nil, dir, "test", "cat", "1.jpg")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "val", "dog")))
	_, said = saidOf(t, Options{Dir: dir})
	require.Equal(t, []string{
		"DIR: tests are made on the pictures in val; those in test are not used (of val, valid, validation, test it is the first that is there)",
		"DIR/train: 2 files are no .jpg, .jpeg or .png and are left out, such as cat/a.webp",
		"DIR/val: a picture lies beside the folders of classes and is left out: loose.jpg",
		"DIR/val: a class has no pictures here, so that nothing is measured of it: dog",
	}, said)

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "train", "dog")))
	_, said = saidOf(t, Options{Dir: dir})
	require.Contains(t, said, "DIR/train holds one class, cat, so that there is nothing to tell apart; expected is a folder for every class")
}

// Folders beside the one that is meant, and in capitals.
func TestFolderElsewhere(t *testing.T) {
	dir := album(t)
	for name, want := range map[string]string{
		"train": "this is the folder train itself; name the folder above, " + dir, "val": "this is the folder val itself; name the folder above, " + dir,
	} {
		_, err := Open(bg, FolderName, Options{Dir: filepath.Join(dir, name)})
		require.ErrorContains(t, err, want)
	}
	flat := t.TempDir()
	put(t, nil, flat, "ant", "1.jpg")
	put(t, nil, flat, "bee", "1.jpg")
	_, err := Open(bg, FolderName, Options{Dir: flat})
	require.ErrorContains(t, err, "if the folders in it are the classes, such as ant, move them into "+filepath.Join(flat, "train"))

	want := openAlbum(t, dir, 8)
	require.NoError(t, os.Rename(filepath.Join(dir, "train"), filepath.Join(dir, "Train")))
	require.NoError(t, os.Rename(filepath.Join(dir, "val"), filepath.Join(dir, "Validation")))
	s := openAlbum(t, dir, 8)
	require.Equal(t, want.Train.Files.Names, s.Train.Files.Names)
	require.Equal(t, want.Files[1].MD5, s.Files[1].MD5)

	for _, name := range []string{"imagenet", "ImageNet-1k", "imagefolder"} {
		require.ErrorContains(t, Known(name), `did you mean "folder"? That is ImageNet, and other pictures in folders of their classes, which --data-dir names`)
	}
}

// Without a folder of tests, a share of every class is for validation: the same one wherever the folder lies, and all but the same where
// pictures are added.
func TestValSplit(t *testing.T) {
	grow := func(dir string, from, to int) string {
		for i := from; i < to; i++ {
			for _, class := range []string{"ant", "bee"} {
				put(t, nil, dir, "train", class, fmt.Sprintf("%03d.jpg", i))
			}
		}
		return dir
	}
	dir := grow(t.TempDir(), 0, 30)
	put(t, nil, dir, "train", "cat", "alone.jpg")
	put(t, nil, dir, "train", "dog", "1.jpg")
	put(t, nil, dir, "train", "dog", "2.jpg")
	s, said := saidOf(t, Options{Dir: dir, ValSplit: 0.2})
	require.Equal(t, []string{"DIR/train: a class has no pictures here, so that nothing is measured of it: cat"}, said)
	require.Equal(t, []int{24, 24, 1, 1}, Describe(s.Train).PerClass)
	require.Equal(t, []int{6, 6, 0, 1}, Describe(s.Test).PerClass)
	require.NotEqual(t, s.Files[0].MD5, s.Files[1].MD5)
	require.Equal(t, []string{"folder/train", "folder/test"}, []string{s.Train.Name, s.Test.Name})
	require.NoError(t, s.Train.Validate())
	require.NoError(t, s.Test.Validate())
	both := map[string]bool{}
	for _, d := range []*Dataset{s.Train, s.Test} {
		for i, name := range d.Files.Names {
			require.Equal(t, d.Classes[d.Labels[i]], filepath.Dir(name))
			both[name] = true
		}
	}
	require.Len(t, both, 63)

	other := grow(t.TempDir(), 0, 30)
	again, _ := saidOf(t, Options{Dir: other, ValSplit: 0.2, TestOnly: true})
	require.Nil(t, again.Train)
	require.Equal(t, s.Test.Files.Names[:12], again.Test.Files.Names)
	grow(other, 30, 31)
	again, _ = saidOf(t, Options{Dir: other, ValSplit: 0.2})
	same := 0
	for _, name := range again.Test.Files.Names {
		if both[name] && slices.Contains(s.Test.Files.Names, name) {
			same++
		}
	}
	require.GreaterOrEqual(t, same, 10)

	put(t, nil, other, "val", "ant", "1.jpg")
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Dir: other, ValSplit: 0.2}, "leave --val-split out"},
		{Options{Dir: dir, ValSplit: 1}, "expected a number from 0 to below 1"},
		{Options{Dir: dir}, "--val-split 0.2 takes every fifth picture of training for validation"},
	} {
		_, err := Open(bg, FolderName, c.o)
		require.ErrorContains(t, err, c.want)
	}
	_, err := Open(bg, "cifar10", Options{ValSplit: 0.5})
	require.ErrorContains(t, err, "has test images of its own")
	single := t.TempDir()
	put(t, nil, single, "train", "ant", "1.jpg")
	_, err = Open(bg, FolderName, Options{Dir: single, ValSplit: 0.5})
	require.ErrorContains(t, err, "no class of two pictures")
}

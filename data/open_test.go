package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func offline(t *testing.T, dir string) *Options {
	return &Options{Dir: dir, CacheDir: filepath.Join(t.TempDir(), "cache"), Offline: true}
}

func TestOpenFindsTheFiles(t *testing.T) {
	for name, c := range map[string]*tiny{"cifar": tinyCIFAR(), "idx": tinyIDX()} {
		for _, below := range append([]string{""}, c.spec.folders...) {
			t.Run(name+"/"+below, func(t *testing.T) {
				dir := t.TempDir()
				c.put(t, filepath.Join(dir, filepath.FromSlash(below)))
				s, err := c.spec.open(bg, offline(t, dir))
				c.check(t, s, err)
			})
		}
	}
}

func TestOpenReadsTheArchive(t *testing.T) {
	c := tinyCIFAR()
	dir := t.TempDir()
	path := filepath.Join(dir, c.spec.archive)
	write(t, path, c.archive)
	for _, named := range []string{dir, path} {
		s, err := c.spec.open(bg, offline(t, named))
		c.check(t, s, err)
		require.Equal(t, path, s.Source)
		require.Equal(t, path+":cifar-100-binary/test.bin", s.Files[1].Path)
	}
	require.Equal(t, []string{c.spec.archive}, names(t, dir), "nothing is written there")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err := c.spec.open(ctx, offline(t, dir))
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpenReadsPlainAndDottedIDX(t *testing.T) {
	c := tinyIDX()
	dir := c.put(t, t.TempDir())
	require.NoError(t, os.Rename(filepath.Join(dir, "train-images-idx3-ubyte.gz"), filepath.Join(dir, "train-images.idx3-ubyte.gz")))
	require.NoError(t, os.Remove(filepath.Join(dir, "t10k-labels-idx1-ubyte.gz")))
	write(t, filepath.Join(dir, "t10k-labels-idx1-ubyte"), idx([]byte{9, 0}, idxLabels, 2))
	s, err := c.spec.open(bg, offline(t, dir))
	c.check(t, s, err)
}

func TestOpenPrefersDirThenCache(t *testing.T) {
	c := tinyCIFAR()
	o := offline(t, t.TempDir())
	cached := c.put(t, filepath.Join(o.CacheDir, "cifar100"))
	s, err := c.spec.open(bg, o)
	c.check(t, s, err)
	require.Equal(t, cached, s.Source)
	c.put(t, o.Dir)
	s, err = c.spec.open(bg, o)
	c.check(t, s, err)
	require.Equal(t, o.Dir, s.Source)
}

func TestOpenTestOnly(t *testing.T) {
	c := tinyCIFAR()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "test.bin"), c.files["test.bin"])
	o := offline(t, dir)
	_, err := c.spec.open(bg, o)
	require.ErrorContains(t, err, "train.bin: CIFAR-100 is incomplete here: this file is missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	o.TestOnly = true
	s, err := c.spec.open(bg, o)
	require.NoError(t, err)
	require.Nil(t, s.Train)
	require.Equal(t, 5, s.Test.Len())
}

// CIFAR-10 comes in six files, in an archive in any order.
func TestOpenJoinsTheBatchesOfCIFAR10(t *testing.T) {
	s := *findSet("cifar10")
	s.files = slices.Clone(s.files)
	all := cifarBytes(CIFAR10, 12)
	var entries []entry
	for i := range s.files {
		s.files[i].count = 2
		s.files[i].md5 = ""
		body := all[2*i*3073 : 2*(i+1)*3073]
		entries = append([]entry{{name: "cifar-10-batches-bin/" + s.files[i].name, body: body}}, entries...)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "cifar-10-binary.tar.gz")
	write(t, path, tarball(entries...))
	split, err := s.open(bg, offline(t, dir))
	require.NoError(t, err)
	require.Equal(t, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, split.Train.Labels)
	require.Equal(t, []int32{0, 1}, split.Test.Labels)
	require.Equal(t, byte(9*7), split.Train.Image(9)[0])

	write(t, path, tarball(entries[1:]...))
	_, err = s.open(bg, offline(t, dir))
	require.ErrorContains(t, err, "the archive does not hold test_batch.bin")
	write(t, path, tarball(append(entries, entries[3])...))
	_, err = s.open(bg, offline(t, dir))
	require.ErrorContains(t, err, "holds this file twice")
}

func TestOpenReportsDamage(t *testing.T) {
	c := tinyCIFAR()
	train := c.files["train.bin"]
	edited := slices.Clone(train)
	edited[3074*7+1] = 100
	for _, k := range []struct {
		name, text string
		body       []byte
		offset     int64
	}{
		{"empty", "the file is empty at offset 0: expected 215,180 bytes (70 records of 3,074), found 0", nil, 0},
		{"truncated", "truncated at offset 3074: expected 215,180 bytes (70 records of 3,074), found 3,074", train[:3074], 3074},
		{"too long", "the file is too long at offset 215180", append(slices.Clone(train), 1, 2), 215180},
		{"mislabelled", "label out of range in record 7 at offset 21519: expected 0 … 99, found 100", edited, 21519},
	} {
		t.Run(k.name, func(t *testing.T) {
			dir := c.put(t, t.TempDir())
			write(t, filepath.Join(dir, "train.bin"), k.body)
			_, err := c.spec.open(bg, offline(t, dir))
			e, ok := errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			require.ErrorContains(t, err, "data: "+filepath.Join(dir, "train.bin")+": "+k.text)
			require.Equal(t, k.offset, e.Offset)

			write(t, filepath.Join(dir, "a", c.spec.archive), tarball(entry{name: "x/train.bin", body: k.body}))
			_, err = c.spec.open(bg, offline(t, filepath.Join(dir, "a")))
			_, ok = errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			require.ErrorContains(t, err, c.spec.archive+":x/train.bin: "+k.text)
		})
	}
	i := tinyIDX()
	dir := i.put(t, t.TempDir())
	write(t, filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"), zipped(idx([]byte{9}, idxLabels, 1)))
	_, err := i.spec.open(bg, offline(t, dir))
	require.ErrorContains(t, err, "wrong length in the header at offset 4: expected 2 labels, found 1")
	i.put(t, dir)
	write(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), zipped(idx(make([]byte, 4*9), idxImages, 4, 3, 3)))
	_, err = i.spec.open(bg, offline(t, dir))
	require.ErrorContains(t, err, "expected 4×28×28, found 4×3×3")
	write(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), nil)
	_, err = i.spec.open(bg, offline(t, dir))
	require.ErrorContains(t, err, "the file is empty")
}

func TestOpenReportsADamagedArchive(t *testing.T) {
	c := tinyCIFAR()
	flip := func(at int) []byte {
		b := slices.Clone(c.archive)
		b[at] ^= 0x55
		return b
	}
	for name, raw := range map[string][]byte{
		"empty": nil, "cut": c.archive[:len(c.archive)/2], "cut in the checksum": c.archive[:len(c.archive)-3],
		"flipped": flip(len(c.archive) / 2), "checksum": flip(len(c.archive) - 6), "no gzip": []byte("<html>not found</html>"),
		"gzip but no tar": zipped(make([]byte, 700)[:600]), "empty tar": tarball(),
		"cut tar": zipped([]byte("cifar-100-binary/train.bin")),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.spec.archive), raw)
			_, err := c.spec.open(bg, offline(t, dir))
			_, ok := errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			require.ErrorContains(t, err, filepath.Join(dir, c.spec.archive))
		})
	}
}

func TestDigests(t *testing.T) {
	c := tinyCIFAR()
	other := slices.Clone(c.files["test.bin"])
	other[100] ^= 1 // a pixel: nothing but the digest shows it
	dir := c.put(t, t.TempDir())
	write(t, filepath.Join(dir, "test.bin"), other)
	var lines []string
	o := offline(t, dir)
	o.Logf = func(f string, a ...any) { lines = append(lines, fmt.Sprintf(f, a...)) }
	_, err := c.spec.open(bg, o)
	_, ok := errors.AsType[*DigestError](err)
	require.True(t, ok)
	require.ErrorContains(t, err, "--allow-modified")
	require.Empty(t, lines)

	o.AllowModified = true
	s, err := c.spec.open(bg, o)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], "test.bin: wrong digest: expected md5 "+c.spec.files[1].md5)
	require.True(t, s.Files[0].OK())
	require.False(t, s.Files[1].OK())
	require.Equal(t, "as published", s.Files[0].String())
	require.Equal(t, "differs from the published file", s.Files[1].String())
	require.Equal(t, "no published digest", FileStatus{MD5: "x"}.String())
	e, ok := errors.AsType[*DigestError](s.Verify())
	require.True(t, ok)
	require.Equal(t, digest(other), e.Got)

	o.Dir = ""
	cached := c.put(t, filepath.Join(o.CacheDir, "cifar100"))
	write(t, filepath.Join(cached, "test.bin"), other)
	_, err = c.spec.open(bg, o)
	_, ok = errors.AsType[*DigestError](err)
	require.True(t, ok)
	require.ErrorContains(t, err, "delete the file to have it downloaded again")

	require.Equal(t, "fashion-mnist t10k-labels-idx1-ubyte", contentKnownAs("15d484375f8d13e6eb1aabb0c3f46965"))
	require.Contains(t, (&DigestError{Is: "mnist x"}).Error(), "(which is mnist x)")
}

func TestUnknownName(t *testing.T) {
	_, err := Open(bg, "cifra-100", Options{})
	e, ok := errors.AsType[*UnknownError](err)
	require.True(t, ok)
	require.Equal(t, "cifar100", e.Suggestion)
	require.EqualError(t, err, `data: there is no data set "cifra-100"; known are cifar10, cifar100, fashion-mnist, folder, mnist, sample; did you mean "cifar100"?`)
	_, _, err = OpenOrSample(bg, "imagenet", Options{})
	require.EqualError(t, err, `data: there is no data set "imagenet"; known are cifar10, cifar100, fashion-mnist, folder, mnist, sample; `+
		`did you mean "folder"? That is ImageNet, and other pictures in folders of their classes, which --data-dir names`)
	require.NoError(t, Known("sample"))
}

func TestNotFound(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(bg, "cifar100", Options{Dir: dir, CacheDir: filepath.Join(dir, "cache"), Offline: true})
	e, ok := errors.AsType[*NotFoundError](err)
	require.True(t, ok)
	require.Len(t, e.Tried, 3)
	require.Equal(t, "data: cifar100 was not found: "+dir+": holds no CIFAR-100; "+filepath.Join(dir, "cache", "cifar100")+
		": not there yet; the network: not asked (offline). Fetch https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz "+
		"on a connected machine and name its folder with --data-dir.", err.Error())
	_, err = Open(bg, "mnist", Options{Dir: filepath.Join(dir, "nowhere"), CacheDir: dir, Offline: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	file := filepath.Join(dir, "file")
	write(t, file, []byte("x"))
	_, err = Open(bg, "mnist", Options{Dir: file, CacheDir: dir, Offline: true})
	require.ErrorContains(t, err, file+": is not a folder")
	_, err = Open(bg, "cifar10", Options{Dir: file, CacheDir: dir, Offline: true})
	require.ErrorContains(t, err, "neither a folder nor a .tar.gz archive")
}

func TestNoCacheFolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the cache folder depends on these variables on Linux only")
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	split, notice, err := OpenOrSample(bg, "cifar100", Options{})
	require.NoError(t, err)
	require.Equal(t, SampleName, split.Name)
	require.Contains(t, notice, "the user's cache folder")
}

func TestOpenOrSample(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, CacheDir: filepath.Join(dir, "cache"), Offline: true}
	s, notice, err := OpenOrSample(bg, "cifar100", o)
	require.NoError(t, err)
	require.Equal(t, SampleName, s.Name)
	require.Equal(t, "cifar100 is not here (the network: not asked (offline)); using the built-in sample instead: 6,000 real 32×32 images of Fashion-MNIST, 10 classes", notice)
	o.TestOnly = true
	s, _, err = OpenOrSample(bg, "cifar100", o)
	require.NoError(t, err)
	require.Nil(t, s.Train)

	write(t, filepath.Join(dir, "train.bin"), []byte("x"))
	write(t, filepath.Join(dir, "test.bin"), []byte("x"))
	_, _, err = OpenOrSample(bg, "cifar100", o)
	_, ok := errors.AsType[*FormatError](err)
	require.True(t, ok, "damage is not papered over: %v", err)

	s, notice, err = OpenOrSample(bg, SampleName, Options{})
	require.NoError(t, err)
	require.Empty(t, notice)
	require.Equal(t, 5000, s.Train.Len())
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, _, err = OpenOrSample(ctx, "mnist", o)
	require.ErrorIs(t, err, context.Canceled)
}

func TestLookup(t *testing.T) {
	for _, name := range Names() {
		i, err := Lookup(name)
		if name == FolderName {
			require.ErrorContains(t, err, "is said by its folder alone")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, name, i.Name)
		require.NotEmpty(t, i.Title)
		require.NotEmpty(t, i.Cite)
		require.GreaterOrEqual(t, len(i.Classes), 10)
	}
	i, err := Lookup("cifar100")
	require.NoError(t, err)
	require.Equal(t, Info{Name: "cifar100", Title: "CIFAR-100", Cite: cifarCite, Shape: [3]int{32, 32, 3}, Classes: cifar100Classes(),
		Train: 50000, Test: 10000, Bytes: 168513733, Address: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"}, i)
	s, err := Sample()
	require.NoError(t, err)
	i, err = Lookup(SampleName)
	require.NoError(t, err)
	require.Equal(t, [2]int{s.Train.Len(), s.Test.Len()}, [2]int{i.Train, i.Test})
	require.Equal(t, s.Train.Shape, i.Shape)
	i, err = Lookup("mnist")
	require.NoError(t, err)
	require.Equal(t, [2]int{60000, 10000}, [2]int{i.Train, i.Test})
	require.Equal(t, int64(11594722), i.Bytes)
	_, err = Lookup("cifra10")
	require.ErrorContains(t, err, `did you mean "cifar10"?`)
}

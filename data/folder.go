package data

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// FolderName is the name of the data set that a folder of pictures is, see [Options.Dir].
const FolderName = "folder"

// FolderSize is the side of the images of a folder unless Options.Size says another.
const FolderSize = 224

// Files are images that lie in files, which a Loader reads and decodes when they are needed.
type Files struct {
	Dir   string   // folder of all of them
	Names []string // N paths below Dir, with slashes
}

// Path is where picture i lies.
func (f *Files) Path(i int) string { return filepath.Join(f.Dir, filepath.FromSlash(f.Names[i])) }

// pictureFile says whether a name is that of a file which openFolder takes.
func pictureFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// The folders of pictures: for training, and for tests the first of these.
const trainFolder = "train"

var testFolders = []string{"val", "valid", "validation", "test"}

// openFolder lists the pictures of a folder DIR as torchvision's ImageFolder does: the folders in DIR/train are the classes, numbered in
// the order of their names, and their files, with those of folders in them, the pictures, in the order of theirs. Those for tests are in
// DIR/val likewise, of the same classes, or are a share of the others, Options.ValSplit. No picture is looked at.
func openFolder(ctx context.Context, o *Options) (*Split, error) {
	size := o.Size
	if size == 0 {
		size = FolderSize
	}
	switch {
	case o.Dir == "":
		return nil, fmt.Errorf("data: the data set %q needs the folder that has %s and %s; name it with --data-dir", FolderName, trainFolder, testFolders[0])
	case size < 1 || size > 1<<12:
		return nil, fmt.Errorf("data: the images' size is %d; expected 1 … %d", size, 1<<12)
	case !(o.ValSplit >= 0 && o.ValSplit < 1):
		return nil, fmt.Errorf("data: the share of pictures for validation is %v; expected a number from 0 to below 1", o.ValSplit)
	}
	f := folderReader{ctx: ctx, shape: [3]int{size, size, 3}, logf: o.logf}
	s := &Split{Name: FolderName, Title: "pictures in " + filepath.Base(o.Dir), Source: o.Dir}
	train := cmp.Or(child(o.Dir, trainFolder), filepath.Join(o.Dir, trainFolder))
	err := f.classesOf(train)
	tests := f.testsIn(o.Dir)
	if o.TestOnly && errors.Is(err, fs.ErrNotExist) && tests != "" {
		err = f.classesOf(tests)
	}
	if e, ok := errors.AsType[*FormatError](err); ok {
		e.Remedy = cmp.Or(elsewhere(o.Dir), e.Remedy)
	}
	switch {
	case err != nil:
		return nil, err
	case tests != "" && o.ValSplit > 0 && o.TestOnly: // such as those that a trained network is to be tried on
		f.logf("%s: tests are made on the pictures here, and not on a share of those of training (--val-split)", tests)
	case tests != "" && o.ValSplit > 0:
		e := folderError(tests, "is there, and a share of the training pictures is to be validated with (--val-split)")
		e.Remedy = "leave --val-split out, or move these pictures to those of training"
		return nil, e
	case tests == "" && o.ValSplit == 0:
		e := folderError(o.Dir, "has no folder "+testFolders[0]+" of test pictures")
		e.Remedy += "; or --val-split 0.2 takes every fifth picture of training for validation"
		return nil, e
	case tests == "":
		return f.apart(train, o, s)
	}
	if !o.TestOnly {
		if s.Train, err = f.readTraining(train); err != nil {
			return nil, err
		}
		s.Files = append(s.Files, listed(s.Train))
	}
	if s.Test, err = f.read(tests, "/test"); err != nil {
		return nil, err
	}
	s.Files = append(s.Files, listed(s.Test))
	f.noteMissing(s.Test)
	return s, nil
}

// readTraining lists the pictures of training, of which every class needs some.
func (f *folderReader) readTraining(dir string) (*Dataset, error) {
	d, err := f.read(dir, "/train")
	if err != nil {
		return nil, err
	}
	for k, n := range Describe(d).PerClass {
		if n == 0 {
			e := folderError(filepath.Join(dir, f.classes[k]), "holds no pictures (.jpg, .jpeg, .png)")
			e.Remedy = "every folder here is a class: put pictures of it there, or remove the folder"
			return nil, e
		}
	}
	if len(f.classes) == 1 {
		f.logf("%s holds one class, %s, so that there is nothing to tell apart; expected is a folder for every class", dir, f.classes[0])
	}
	return d, nil
}

func folderError(at, what string) *FormatError {
	return &FormatError{File: at, What: what, Offset: -1, Record: -1, Remedy: "expected are DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg, " +
		"with a folder for every class"}
}

type folderReader struct {
	ctx     context.Context
	shape   [3]int
	classes []string
	logf    func(format string, args ...any)

	other leftOut // of the folder that is read
}

// subfolders are the folders in dir, and links to such, in the order of their names.
func subfolders(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &FormatError{File: dir, What: "the folder cannot be read", Offset: -1, Record: -1, Err: pathCause(err),
			Remedy: "expected are DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg"}
	}
	for _, e := range entries {
		folder := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(dir, e.Name()))
			folder = err == nil && info.IsDir()
		}
		if folder && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f *folderReader) classesOf(dir string) (err error) {
	if f.classes, err = subfolders(dir); err == nil && len(f.classes) == 0 {
		return folderError(dir, "holds no folders of classes")
	}
	return err
}

// read lists the pictures of dir.
func (f *folderReader) read(dir, half string) (*Dataset, error) {
	folders, err := subfolders(dir)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Name: FolderName + half, Shape: f.shape, Classes: f.classes, Files: &Files{Dir: dir}}
	f.other = leftOut{}
	for _, class := range folders {
		k, ok := slices.BinarySearch(f.classes, class)
		if !ok {
			return nil, folderError(filepath.Join(dir, class), "is a class that is not among those of training")
		}
		if err := f.list(d, class); err != nil {
			return nil, err
		}
		for range len(d.Files.Names) - len(d.Labels) {
			d.Labels = append(d.Labels, int32(k))
		}
	}
	f.noteLeftOut(dir)
	if d.Len() == 0 {
		return nil, folderError(dir, "holds no pictures in folders of classes")
	}
	return d, nil
}

// listed is the digest of the list of pictures, which is how a run knows its data again.
func listed(d *Dataset) FileStatus {
	sum := md5.New()
	for _, name := range d.Files.Names {
		_, _ = sum.Write(append([]byte(name), '\n'))
	}
	return FileStatus{Path: d.Files.Dir, MD5: hex.EncodeToString(sum.Sum(nil))}
}

// list adds the pictures of a folder in d's, and of the folders in it, which are no links.
func (f *folderReader) list(d *Dataset, folder string) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	at := filepath.Join(d.Files.Dir, filepath.FromSlash(folder))
	entries, err := os.ReadDir(at)
	if err != nil {
		return &FormatError{File: at, What: "the folder cannot be read", Offset: -1, Record: -1, Err: pathCause(err)}
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir() && !strings.HasPrefix(e.Name(), "."):
			if err := f.list(d, name); err != nil {
				return err
			}
		case !e.IsDir() && pictureFile(e.Name()):
			d.Files.Names = append(d.Files.Names, name)
		case !strings.HasPrefix(e.Name(), "."):
			f.other.add(name)
		}
	}
	return nil
}

// spread is n of the pictures, evenly spread, so that all classes have their share.
func (d *Dataset) spread(n int) *Dataset {
	h := *d
	h.Files = &Files{Dir: d.Files.Dir, Names: make([]string, n)}
	h.Labels = make([]int32, n)
	for i := range n {
		from := int(int64(i) * int64(d.Len()) / int64(n))
		h.Files.Names[i], h.Labels[i] = d.Files.Names[from], d.Labels[from]
	}
	return &h
}

package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// What a folder of pictures holds and is not used: nothing of it is lost without a word.

// leftOut counts files, with the name of the first.
type leftOut struct {
	n     int
	first string
}

func (l *leftOut) add(name string) {
	if l.n == 0 {
		l.first = name
	}
	l.n++
}

// note tells of n things at a place, of which one is named.
func (f *folderReader) note(at string, l leftOut, one, more string) {
	switch l.n {
	case 0:
	case 1:
		f.logf("%s: %s: %s", at, one, l.first)
	default:
		f.logf("%s: %s %s, such as %s", at, thousands.Format(int64(l.n)), more, l.first)
	}
}

// noteLeftOut tells of the files in a folder of classes that are not among its pictures.
func (f *folderReader) noteLeftOut(dir string) {
	f.note(dir, f.other, "a file is no .jpg, .jpeg or .png and is left out", "files are no .jpg, .jpeg or .png and are left out")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // it was read before
	}
	var loose leftOut
	for _, e := range entries {
		if !e.IsDir() && pictureFile(e.Name()) {
			loose.add(e.Name())
		}
	}
	f.note(dir, loose, "a picture lies beside the folders of classes and is left out", "pictures lie beside the folders of classes and are left out")
}

// noteMissing tells of classes without pictures of tests.
func (f *folderReader) noteMissing(tests *Dataset) {
	var without leftOut
	for k, n := range Describe(tests).PerClass {
		if n == 0 {
			without.add(f.classes[k])
		}
	}
	f.note(tests.Files.Dir, without, "a class has no pictures here, so that nothing is measured of it", "classes have no pictures here, so that nothing is measured of them")
}

// testsIn is the folder of test pictures in dir, "" where there is none. It tells of others.
func (f *folderReader) testsIn(dir string) string {
	first, others := "", []string{}
	for _, name := range testFolders {
		switch at := child(dir, name); {
		case at == "":
		case first == "":
			first = at
		default:
			others = append(others, filepath.Base(at))
		}
	}
	if len(others) > 0 {
		f.logf("%s: tests are made on the pictures in %s; those in %s are not used (of %s it is the first that is there)", dir, filepath.Base(first),
			strings.Join(others, " and "), strings.Join(testFolders, ", "))
	}
	return first
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// child is the folder of a name in dir, in capitals or not; "" where there is none.
func child(dir, name string) string {
	if at := filepath.Join(dir, name); isFolder(at) {
		return at
	}
	entries, _ := os.ReadDir(dir) // what cannot be read has none
	for _, e := range entries {
		if at := filepath.Join(dir, e.Name()); strings.EqualFold(e.Name(), name) && isFolder(at) {
			return at
		}
	}
	return ""
}

// elsewhere says what folder to name, or how to order it, in place of dir, which has no pictures of training as they are expected; "" where
// that is not known.
func elsewhere(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil || child(dir, trainFolder) != "" {
		return ""
	}
	name := strings.ToLower(filepath.Base(abs))
	inside, err := subfolders(dir)
	switch {
	case err != nil || len(inside) == 0:
		return ""
	case name == trainFolder || slices.Contains(testFolders, name):
		return "this is the folder " + name + " itself; name the folder above, " + filepath.Dir(abs)
	case slices.ContainsFunc(testFolders, func(tests string) bool { return child(dir, tests) != "" }):
		return ""
	}
	return "expected are DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg; if the folders in it are the classes, such as " + inside[0] +
		", move them into " + filepath.Join(dir, trainFolder) + ", of which --val-split 0.2 takes every fifth picture for validation"
}

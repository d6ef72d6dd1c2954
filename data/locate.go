package data

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place is where a data set lies: either one path per file, or one archive.
type place struct {
	label   string            // for people: the folder or the archive
	paths   map[string]string // file name → path, possibly with ".gz"
	archive string
}

// needed is the files that must be there.
func (s *setSpec) needed(testOnly bool) []*fileSpec {
	var fs []*fileSpec
	for i := range s.files {
		if f := &s.files[i]; f.test || !testOnly {
			fs = append(fs, f)
		}
	}
	return fs
}

// locate looks for s in root: in the usual folders below it, in root itself, then for an archive in either. It
// returns nil and the reason when there is nothing of the set. A set of which a part is missing is a *FormatError: the
// files found show that the caller means this folder, so going on to the network would be a surprise.
func (s *setSpec) locate(root string, testOnly bool) (*place, error) {
	if info, err := os.Stat(root); err != nil {
		return nil, pathCause(err)
	} else if !info.IsDir() {
		return s.locateArchiveFile(root)
	}
	folders := []string{}
	for _, f := range s.folders {
		folders = append(folders, filepath.Join(root, filepath.FromSlash(f)))
	}
	if s.isCIFAR() {
		folders = append([]string{root}, folders...)
	} else {
		// Files of MNIST and Fashion-MNIST have the same names: a folder of the right name goes first.
		folders = append(folders, root)
	}
	var partial error
	for _, dir := range folders {
		p := &place{label: dir, paths: map[string]string{}}
		var missing string
		for _, f := range s.needed(testOnly) {
			if path := s.findFile(dir, f.name); path != "" {
				p.paths[f.name] = path
			} else if missing == "" {
				missing = f.name
			}
		}
		if missing == "" {
			return p, nil
		}
		if len(p.paths) > 0 && partial == nil {
			partial = incomplete(s, dir, missing)
		}
	}
	if s.archive != "" {
		for _, dir := range folders {
			path := filepath.Join(dir, s.archive)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return &place{label: path, archive: path}, nil
			}
		}
	}
	if partial != nil {
		return nil, partial
	}
	return nil, errors.New("holds no " + s.title)
}

// locateArchiveFile accepts the path of the archive itself in place of a folder.
func (s *setSpec) locateArchiveFile(path string) (*place, error) {
	if s.archive != "" && (strings.HasSuffix(path, ".tar.gz") || strings.HasSuffix(path, ".tgz")) {
		return &place{label: path, archive: path}, nil
	}
	if s.archive != "" {
		return nil, errors.New("is neither a folder nor a .tar.gz archive")
	}
	return nil, errors.New("is not a folder")
}

// findFile returns the path of a file of s in dir, plain or (idx files) compressed; "" when it is not there. Both
// spellings of the idx names are in use: "train-images-idx3-ubyte" and "train-images.idx3-ubyte".
func (s *setSpec) findFile(dir, name string) string {
	names := []string{name}
	if !s.isCIFAR() {
		dotted := strings.Replace(name, "-idx", ".idx", 1)
		names = []string{name, name + ".gz", dotted, dotted + ".gz"}
	}
	for _, n := range names {
		path := filepath.Join(dir, n)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

func incomplete(s *setSpec, dir, missing string) error {
	e := formatError(filepath.Join(dir, missing), s.title+" is incomplete here: this file is missing", -1, -1)
	e.Err = fs.ErrNotExist
	e.Remedy = "put it beside the others, or name another folder"
	return e
}

// pathCause drops the operation and path of an error of the os package, for messages that name the path themselves.
func pathCause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

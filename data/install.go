package data

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stheno-ml/stheno/internal/thousands"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// install downloads s into cache/NAME. A file appears there only when it is complete and its digest right; a
// broken download leaves one ".part" file, from which the next one goes on.
func (s *setSpec) install(ctx context.Context, cache string, o *Options) error {
	dir := filepath.Join(cache, s.name)
	made, err := makeDirs(dir)
	if err != nil {
		return err
	}
	err = s.fill(ctx, dir, o)
	if err != nil {
		// Folders made for nothing go again; those that hold something (a .part file) refuse to be removed.
		for _, d := range made {
			if os.Remove(d) != nil {
				break
			}
		}
	}
	return err
}

// makeDirs is os.MkdirAll that returns the folders it made, innermost first.
func makeDirs(dir string) (made []string, err error) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || filepath.Dir(d) == d {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		for _, d := range made {
			os.Remove(d)
		}
		return nil, &CacheError{Path: dir, Err: pathCause(err)}
	}
	return made, nil
}

func (s *setSpec) fill(ctx context.Context, dir string, o *Options) error {
	f := newFetcher(o)
	defer f.close()
	if s.archive == "" {
		for i := range s.files {
			file := &s.files[i]
			if s.findFile(dir, file.name) != "" {
				continue
			}
			target := filepath.Join(dir, file.name+".gz")
			if err := f.get(ctx, s.urls(o, file.name+".gz"), target, file.gzLen, file.gzMD5); err != nil {
				return err
			}
		}
		return nil
	}
	archive := filepath.Join(dir, s.archive)
	if err := f.get(ctx, s.urls(o, s.archive), archive, s.archiveLen, s.archiveMD5); err != nil {
		return err
	}
	o.logf("unpacking %s", s.archive)
	err := s.unpack(ctx, archive, dir)
	if isDiskFull(err) {
		// The archive is whole and can be read as it is, only a little slower at each start.
		o.logf("%v; reading the archive itself", err)
		return nil
	}
	if err != nil {
		return err
	}
	// Only the archive's own copy costs space from here on; failing to remove it harms nothing.
	_ = os.Remove(archive)
	return nil
}

func (s *setSpec) urls(o *Options, name string) []string {
	var urls []string
	for _, m := range o.Mirrors {
		if m != "" && m[len(m)-1] != '/' {
			m += "/"
		}
		urls = append(urls, m+name)
	}
	if !o.noAuthors {
		for _, b := range s.bases {
			urls = append(urls, b+name)
		}
	}
	return urls
}

// unpack writes the files of the set, and nothing else from the archive, into dir under their own plain names. A
// failure removes what it wrote.
func (s *setSpec) unpack(ctx context.Context, archive, dir string) error {
	var written []string
	seen := map[string]bool{}
	err := walkArchive(ctx, archive, s, func(f *fileSpec, at string, size int64, r io.Reader) error {
		want := s.fileBytes(f)
		if size != want {
			e := formatError(at, "wrong size", -1, -1)
			e.Want, e.Got = thousands.Format(want)+" bytes", thousands.Format(size)
			return e
		}
		path := filepath.Join(dir, f.name)
		sum := md5.New()
		var fault error // of the archive rather than of the disk
		err := atomicfile.WriteFile(path, func(w io.Writer) error {
			_, fault = io.CopyN(w, &faultReader{r: io.TeeReader(r, sum)}, size)
			return fault
		})
		if err != nil {
			if bad, ok := errors.AsType[*readError](fault); ok {
				return readFault(at, -1, &damage{bad.err})
			}
			return &CacheError{Path: path, Err: errors.Unwrap(err)}
		}
		written = append(written, path)
		seen[f.name] = true
		if got := hex.EncodeToString(sum.Sum(nil)); f.firm && got != f.md5 {
			return &DigestError{File: at, Want: f.md5, Got: got}
		}
		return nil
	})
	if err == nil {
		for i := range s.files {
			if !seen[s.files[i].name] {
				err = formatError(archive, "the archive does not hold "+s.files[i].name, -1, -1)
				break
			}
		}
	}
	if err != nil {
		for _, p := range written {
			os.Remove(p)
		}
	}
	return err
}

// readError tells errors of reading from errors of writing in one copy.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

type faultReader struct{ r io.Reader }

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

// fileMD5 is the MD5 of a file, hexadecimal.
func fileMD5(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
